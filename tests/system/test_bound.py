"""What guests do that costs most, on a debug build, which panics where one exit of theirs or the
hold of a lock takes more instructions than it may (arch/x86/bound.h)."""
import os

import pytest

from conftest import BUILD, PATIENCE, Module


@pytest.mark.parametrize("seed", [1, 2])
def test_sweep(boot, seed):
    """String I/O over every port after random programming of the devices: an RTC whose alarm never
    comes, and interrupts for 16 vCPUs with every second access, among others."""
    elf = os.path.join(BUILD, "guest/sweep.elf")
    m = boot(modules=[Module(elf, f"kernel name=sweep mem=8M vcpus=16 -- seed={seed} rounds=8")],
             emulator="bochs")
    m.expect(r"sweep: 8 rounds over the devices, one over all ports", timeout=5 * PATIENCE)
    m.expect_off()
