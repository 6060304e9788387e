"""Debian's GRUB as a guest: 32-bit code that makes Xen's hypercalls. It gets as far as its first
question to xenstore, before which it prints nothing (docs/abi.md says more)."""
import os
import re

from conftest import BUILD, Module
from test_monitor import MONITOR, Operator

GRUB = os.path.join(BUILD, "debian/grub-i386-xen_pvh.bin")


def test_waits_for_xenstore(boot):
    """It has set up hypercall page, memory, console, grants, and yields while nobody answers."""
    m = boot(modules=[Module(GRUB, "kernel name=grub type=pvh mem=64M")],
             options="console=com1 exit=shutdown conswitch=ax")
    m.expect_exact(MONITOR)
    op = Operator(m)
    counts = []
    while len(counts) < 20 and (len(counts) < 2 or counts[-1] < 1000):
        text = op.ask("exits grub")
        counts.append(int((re.search(r"^VMCALL elsewhere +(\d+) ", text, re.M) or [0, 0])[1]))
    assert counts[-1] >= 1000, counts
    assert re.search(r"^WRMSR +1 ", op.ask("exits grub"), re.M)  # the hypercall page
    assert "running" in op.ask("list")
    assert not re.search(r"(warning|error): grub", op.ask("log"))
