"""A control domain: Debian's unmodified kernel and Xen tools, with rights=control."""
import os
import re

import pytest

from conftest import BOOT, BUILD, Module, guest

VMLINUX = os.path.join(BUILD, "debian/dom0/vmlinux")
TOOLS = os.path.join(BUILD, "debian/control.img")
PROMPT = "caisson-control# "
CMDLINE = ("console=hvc0 quiet nokaslr cryptomgr.notests nowatchdog mitigations=off "
           "random.trust_cpu=on panic=-1")


class Control:
    """The shell of a control domain in front."""

    def __init__(self, m):
        self.m = m
        m.expect_exact(PROMPT, timeout=2 * BOOT)

    def ask(self, line, code=0, timeout=-1):
        """What it printed; it must end with this code."""
        self.m.sendline(line + "; echo rc=$?")
        self.m.expect(r"rc=(\d+)\r", timeout=timeout)
        got = int(self.m.match.group(1))
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.m.before).replace("\r", "")
        self.m.expect_exact(PROMPT)
        text = text.partition("\n")[2]
        assert got == code, f"{line}: {got}: {text}"
        return text


def domain_0(words=""):
    return [Module(VMLINUX, "kernel name=Domain-0 rights=control type=pvh mem=384M "
                   f"{words} -- {CMDLINE}"), Module(TOOLS, "ramdisk name=Domain-0")]


@pytest.fixture
def control(boot):
    def start(rest=(), words="", **settings):
        settings.setdefault("mem", 768)
        m = boot(modules=[*domain_0(words), *rest], ips=100_000_000,
                 options="console=com1 exit=shutdown loglevel=debug", **settings)
        return Control(m)
    return start


def power_off(c):
    c.m.sendline("poweroff -f")
    c.m.expect(r"caisson: [^\r\n]*Domain-0: powered off")
    c.m.expect_off()


@pytest.mark.core
def test_it_is_one(control, emulator):
    """The kernel knows what it is; typing reaches it by an interrupt, and its clock is let alone."""
    c = control(emulator=emulator)
    assert "control_d" in c.ask("cat /proc/xen/capabilities")
    assert {"evtchn", "gntdev", "privcmd", "xenbus_backend"} <= set(c.ask("ls /dev/xen").split())
    line = re.search(r".*hvc_console", c.ask("cat /proc/interrupts")).group(0)
    assert "-virq" in line and int(line.split()[1]) > 0
    power_off(c)


def test_one_at_most(boot):
    """And no image that could not know it; the others start."""
    m = boot(modules=[*domain_0(), Module(VMLINUX, "kernel name=second rights=control type=pvh mem=128M"),
                      *guest("hello")], mem=1024, ips=100_000_000)
    m.expect(r"error: second: there is a control domain")
    m.expect(r"hello: domain 1,")


def test_no_bzimage(boot):
    m = boot(modules=[*guest("hello")[:0], Module(os.path.join(BUILD, "debian/vmlinuz"),
                                                  "kernel name=Domain-0 rights=control type=pvh"),
                      *guest("hello")])
    m.expect(r"error: Domain-0: [^\n]*rights=control wants an ELF kernel with a PVH entry")
    m.expect(r"hello: domain 1,")
