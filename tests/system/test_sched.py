"""Who gets how much CPU time, and what a machine does that has nothing to do. All of it is read at
the monitor, in the machine's own time."""
import os
import re
import time

import pytest

from conftest import BUILD, Module
from test_monitor import MONITOR, Operator

OPTIONS = "console=com1 exit=shutdown conswitch=ax loglevel=warn"
IPS = 5_000_000  # who gets how much is the same of short seconds
SPAN = 24  # simulated seconds of a measurement
NEAR = 0.02
MOST_LATE = 5000  # instructions from a timer's deadline to the guest's handler, on an idle machine


def line_of(which, name, words="", args=""):
    """A menu line for a small guest."""
    return Module(os.path.join(BUILD, f"guest/{which}.elf"),
                  f"kernel name={name} mem=4M {words} -- {args}")


class Meter(Operator):
    """The monitor as a measuring device."""

    asked = 0

    def ask(self, line):
        """What was printed until the command was done: an unknown one behind it tells when, as a
        prompt may come anew at any moment."""
        self.asked += 1
        mark = f"done{self.asked}"
        self.m.send(f"{line}\r{mark}\r")
        self.m.expect_exact(f'unknown command "{mark}"')
        return self.m.before.replace("\r", "")

    def now(self):
        """Seconds of the machine."""
        return float(re.search(r"^([\d.]+) s since", self.ask("pcpus"), re.M).group(1))

    def wait(self, seconds):
        until = self.now() + seconds
        while self.now() < until:
            time.sleep(0.5)

    def top(self):
        """Per cent of a CPU, by domain, since the last call."""
        rows = re.findall(r"^(\S+) +\d+ +([\d.]+) +\d+$", self.ask("top"), re.M)
        return {name: float(share) for name, share in rows}

    def shares(self):
        self.top()
        self.wait(SPAN)
        return self.top()

    def interrupts(self):
        """Of each pCPU: from its timer, from others, from devices."""
        rows = re.findall(r"^ +\d+ +(\d+) +(\d+) +(\d+)$", self.ask("pcpus"), re.M)
        return [tuple(map(int, row)) for row in rows]


@pytest.fixture
def meter(boot):
    def start(modules, **settings):
        settings.setdefault("ips", IPS)
        m = boot(modules=modules, options=OPTIONS, emulator="bochs", **settings)
        m.expect_exact(MONITOR)
        return Meter(m)
    return start


def assert_shares(got, parts, near=NEAR):
    """Domains have CPU time in these proportions, and together all that is not for the monitor."""
    print({name: round(got[name], 2) for name in parts}, parts)
    whole, sum_of_parts = sum(got.values()), sum(parts.values())
    for name, part in parts.items():
        assert got[name] == pytest.approx(whole * part / sum_of_parts, rel=near), name


@pytest.mark.parametrize("pcpus", [1, 2])
def test_weights_and_caps(meter, pcpus):
    """As the menu says, and as it is changed live; on two pCPUs each spins with two vCPUs."""
    weights = {"a": 256, "b": 512, "c": 1024}
    # Between pCPUs the policy is fair by the weight that waits on each, and moves vCPUs where that
    # differs: exact once it has settled, a few per cent off while the monitor's own work on pCPU 0
    # keeps it moving, which depends on when we type.
    near = NEAR if pcpus == 1 else 0.08
    spin = "two" if pcpus == 2 else ""
    op = meter([line_of("hog", name, f"vcpus={pcpus} weight={w}", spin)
                for name, w in weights.items()], pcpus=pcpus)
    got = op.shares()
    assert sum(got.values()) > 95 * pcpus
    assert_shares(got, weights, near)

    op.ask("sched a weight=1024")
    assert_shares(op.shares(), weights | {"a": 1024}, near)

    op.ask("sched a weight=256")
    op.ask("sched c cap=50")
    got = op.shares()
    assert got["c"] == pytest.approx(50, rel=NEAR)
    rest = {name: got[name] for name in "ab"}
    assert sum(rest.values()) > 95 * pcpus - 50
    assert_shares(rest, {"a": 256, "b": 512}, near)


def test_crowd_of_sleepers(meter):
    """64 vCPUs of one domain sleep and wake one another, so that one of them always wants to run:
    who spins on the same pCPU has his part all the same, and what their changes take is theirs."""
    op = meter([line_of("hog", "spinner", "cpus=0"),
                line_of("hog", "crowd", "cpus=0 vcpus=64", "relay")], pcpus=1)
    op.wait(1)
    got = op.shares()
    assert_shares(got, {"spinner": 1, "crowd": 1})
    assert sum(got.values()) > 96


class Echo:
    """guest/echo, typed at and read."""

    def __init__(self, op, name):
        self.op, self.name = op, name

    def ask(self, word):
        """Its answer: milliseconds of its clock, its timer's interrupts, the latest one's lateness
        in ticks of the TSC, which in this emulator are instructions."""
        self.op.m.send(f"console {self.name}\r")
        self.op.m.expect_exact(f"keys go to domain {self.name}")
        self.op.m.send(word + "\r")
        self.op.m.expect(rf'echo: "{word}" at (\d+) ms, (\d+) ticks, (\d+) late at most\r\n')
        answer = tuple(int(n) for n in self.op.m.match.groups())
        self.op.to_monitor()
        return answer


# Timer interrupts of the boot CPU in 10 seconds in which the operator asks for the time: the work of
# the console is given a part of the CPU, and rests. A tick would come some hundred times.
RESTS = 40


def test_idle_machine(meter):
    """It takes no interrupt of a timer but those that a guest has asked for, and a vCPU whose timer
    is due runs soon."""
    op = meter([line_of("echo", "echo", "cpus=1"), line_of("mayfly", "idle", "cpus=0")],
               pcpus=2, ips=10_000_000)
    op.wait(1)
    echo = Echo(op, "echo")
    at, ticks, _ = echo.ask("hello")
    before = op.interrupts()
    op.wait(10)
    after = op.interrupts()
    later, more, late = echo.ask("world")
    print("woken by its timer it runs", late, "instructions late at most")
    assert late < MOST_LATE
    assert abs(more - ticks - (later - at) / 1000) < 1
    assert after[0][0] - before[0][0] < RESTS
    assert 9 <= after[1][0] - before[1][0] <= more - ticks

    op.ask("pause echo")
    op.wait(2)  # its timer may come once more
    before = op.interrupts()
    op.wait(10)
    boot_cpu, other = (now[0] - then[0] for now, then in zip(op.interrupts(), before))
    assert boot_cpu < RESTS and other == 0
    op.ask("unpause echo")
    assert echo.ask("again")[1] > more


@pytest.mark.parametrize("cpu", ["corei7_skylake_x", "tigerlake"])
def test_nobody_is_taken_for_stuck(meter, cpu):
    """However a guest spins, its pCPU comes back to its loop in time: also one whose PAUSE exits
    over and over, beside one that never exits."""
    op = meter([line_of("hog", "waits", "cpus=1", "pause"), line_of("hog", "spins", "cpus=0")],
               pcpus=2, cpu=cpu)
    op.wait(12)
    assert set(op.top()) >= {"waits", "spins"}
    with open(os.path.join(op.m.machine.logs, "com1.txt"), encoding="utf-8") as f:
        assert "is stuck" not in f.read()
