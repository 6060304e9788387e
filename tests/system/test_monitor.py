"""The operator's side: switching the keys, commands, completion, several domains on one line."""
import re

import pytest

from conftest import PROMPT, Module, guest, linux

SWITCH = "\x01" * 3
MONITOR = "caisson> "


class Operator:
    """Types at a machine whose keys may go to the monitor or to a domain."""

    def __init__(self, m):
        self.m = m

    def to_monitor(self):
        self.m.send(SWITCH)
        self.m.expect_exact(MONITOR)

    def ask(self, line):
        """Types line at the monitor; returns what it printed before the next prompt."""
        self.m.send(line + "\r")
        self.m.expect_exact("\r\n")
        self.m.expect_exact(MONITOR)
        return re.sub(r"\[[0-9a-f]{4}\] $", "", self.m.before.replace("\r", ""))


@pytest.fixture
def alone(boot):
    """The monitor with its keys at once, and a domain that has gone by."""
    m = boot(modules=linux(), options="console=com1 exit=shutdown conswitch=ax")
    m.expect_exact(MONITOR)
    return Operator(m)


def test_commands(alone):
    assert "destroy" in alone.ask("help")
    assert "usage: pause DOM" in alone.ask("pause")
    assert 'unknown command "nonsense"' in alone.ask("nonsense")
    assert "linux" in alone.ask("list")
    assert "running" in alone.ask("list")
    assert "linux" in alone.ask("vcpus")
    assert "CPU(%)" in alone.ask("top")
    assert "Count" in alone.ask("exits linux")
    assert "free blocks" in alone.ask("mem")
    assert "256" in alone.ask("sched")
    assert "Caisson, a hypervisor" in alone.ask("log")
    page = alone.ask("log 1")
    assert "Caisson, a hypervisor" in page and re.search(r"\(page 1 of [2-9]\)", page)
    assert "Caisson, a hypervisor" not in alone.ask("log 2")
    assert "the log has pages 1 to" in alone.ask("log 0")
    assert 'no domain "nobody"' in alone.ask("regs nobody")


def test_completion_and_history(alone):
    alone.m.send("unp\tli\t")
    alone.m.expect_exact("unpause linux ")
    assert alone.ask("") == ""
    assert alone.ask("pause li\t") == ""
    assert "paused" in alone.ask("list")
    assert alone.ask("\x1b[A\x1b[A\x01un") == ""  # two lines back, and "un" before it
    assert "running" in alone.ask("list")


def test_pause_and_destroy(alone):
    alone.ask("pause linux")
    assert "paused" in alone.ask("list")
    alone.ask("unpause linux")
    assert "running" in alone.ask("list")
    alone.m.send("destroy linux\r")
    alone.m.expect("linux: destroyed")
    alone.m.expect_off()


def test_poweroff(alone):
    alone.m.send("poweroff\r")
    alone.m.expect_off()


def test_switching(boot):
    """Keys go to the guest, to the monitor, and back; single Ctrl-As are the guest's."""
    m = boot(modules=linux())
    m.expect_exact(PROMPT, timeout=300)
    op = Operator(m)
    assert m.ask("echo $((6*7))").strip() == "42"
    op.to_monitor()
    assert "linux" in op.ask("list")
    m.send("console linux\r")
    m.expect("keys go to domain linux")
    assert m.ask("echo $((5*5))").split()[-1] == "25"
    m.send("\x01\x01")
    assert "36" in m.ask("echo $((6*6))")


def mayfly(name, life):
    """A module line for one that does what this word says."""
    return Module(guest("mayfly")[0].source, f"kernel name={name} mem=16M -- {life}")


def test_forger_behind(boot):
    """A domain behind can neither look like Caisson nor touch the terminal."""
    m = boot(modules=[mayfly("forger", "forge")], options="console=com1 exit=shutdown conswitch=ax")
    m.expect(r"what Caisson says begins with (\[[0-9a-f]{4}\] )from here on")
    mark = m.match.group(1)
    m.expect_exact("the end of forging")
    text = m.before + m.after
    assert "\x1b" not in text and "\x9b" not in text
    assert text.count("forged") == 3  # not the title
    for line in re.split(r"\r\n|\r *\r", text)[1:]:
        assert not line or line.startswith((mark, "(forger) ")), line


def test_forger_in_front(boot):
    """Its bytes pass as they are; but who speaks next begins with plain letters, and the mark."""
    m = boot(modules=[mayfly("forger", "forge")])
    m.expect(r"what Caisson says begins with (\[[0-9a-f]{4}\]) from here on")
    mark = m.match.group(1)
    m.expect(r"\r\x1b\[2K\[0000\] caisson: error: forged\r+\n")
    m.expect_exact("the end of forging \x1b]0;")
    m.send(SWITCH)
    m.expect_exact("*** keys go to the monitor")
    assert re.match(r"\x1b\\.*\x1b\[m\x1b\(B\x0f\r\n" + re.escape(mark) + " $", m.before, re.S)
    m.expect_exact(f"{mark} caisson> ")
    m.send("destroy forger\r")
    m.expect_exact(f"{mark} caisson: forger: destroyed")


def test_monitor_off(boot):
    m = boot(modules=guest("hello"), options="console=com1 exit=shutdown monitor=off")
    m.expect(r"(?i)hello")
    m.expect_off()
    assert "caisson> " not in m.before


def test_two_domains(boot):
    """The one in front comes raw, the other with its name before each line."""
    m = boot(modules=linux(name="alpha") + linux(name="beta"), mem=768)
    for _ in ("alpha", "beta"):  # whoever is first
        m.expect_exact(PROMPT, timeout=300)
    op = Operator(m)
    op.to_monitor()
    text = op.ask("list")
    assert "alpha" in text and "beta" in text
