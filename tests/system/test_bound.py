"""What guests do that costs most, on a debug build, which panics where one exit of theirs or the
hold of a lock takes more instructions than it may (arch/x86/bound.h)."""
import os
import re

import pytest

from conftest import ALL_SHAPES, BUILD, PATIENCE, Module, guest
from test_lifecycle import OPTIONS, Crowd
from test_monitor import MONITOR


SEED = int(os.environ.get("SWEEP_SEED", "1"))  # others than these are for make torture
ROUNDS = int(os.environ.get("SWEEP_ROUNDS", "8"))


@pytest.mark.parametrize("seed", [SEED, SEED + 1] if ALL_SHAPES else [SEED])
@pytest.mark.long
def test_sweep(boot, seed):
    """String I/O over every port, and string moves over registers in memory, after random programming
    of the devices: an RTC whose alarm never comes, an HPET that matches with every tick, and
    interrupts for 16 vCPUs with every second access, among others."""
    elf = os.path.join(BUILD, "guest/sweep.elf")
    m = boot(modules=[Module(elf, f"kernel name=sweep mem=8M vcpus=16 -- seed={seed} rounds={ROUNDS}")],
             emulator="bochs")
    m.expect(rf"sweep: {ROUNDS} rounds over the devices, one over all ports", timeout=5 * PATIENCE * (1 + ROUNDS // 16))
    m.expect_off()


def test_sweep_on_amd(boot):
    """The same with AMD-V: QEMU with icount counts time in instructions too, where bounds=strict says so.
    One is a nanosecond there: an HPET that matches each 80 ns takes more of them than there are, and
    its guest gets nowhere."""
    elf = os.path.join(BUILD, "guest/sweep.elf")
    m = boot(modules=[Module(elf, "kernel name=sweep mem=8M vcpus=16 -- seed=1 rounds=2 hpet=1000")], emulator="qemu",
             icount=True, options="console=com1 exit=shutdown bounds=strict")
    m.expect(r"sweep: 2 rounds over the devices, one over all ports", timeout=5 * PATIENCE)
    m.expect_off()


def test_commands(boot):
    """The operator's: with a hundred vCPUs none of them takes the boot CPU for longer than an exit may."""
    c = Crowd(boot(modules=guest("mayfly", mem="2M", words="idle"), options=OPTIONS, emulator="bochs"))
    c.m.expect_exact(MONITOR)
    for i in range(6):
        c.ask(f"create name=d{i} kernel=mayfly mem=8M vcpus=16 -- idle", timeout=2 * PATIENCE)
    assert c.names() == ["mayfly"] + [f"d{i}" for i in range(6)]
    rows = re.findall(r"^(\S+) +\d+ +(\d+) ", c.ask("vcpus", timeout=2 * PATIENCE), re.M)
    assert rows == [("mayfly", "0")] + [(f"d{i}", str(v)) for i in range(6) for v in range(16)]
    for line in ("help", "top", "exits", "waits", "sched", "mem", "modules", "pcpus", "log", "log 1", "audit"):
        c.ask(line, timeout=2 * PATIENCE)
    c.type("vmcs d0", "regs d1")
    c.m.expect(r"host RIP +[0-9a-f]{16}", timeout=2 * PATIENCE)
    c.ask("log", timeout=2 * PATIENCE)
