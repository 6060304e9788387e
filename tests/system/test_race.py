"""One vCPU changes all memory of a guest's that Caisson reads for another one: see guest/racer."""
import os
import re

import pytest

from conftest import BUILD, PATIENCE, Module

RACER = f"{BUILD}/guest/racer.elf"
SEED = int(os.environ.get("RACE_SEED", "1"))  # others than these are for make torture
FLIPS = int(os.environ.get("RACE_FLIPS", "20000000"))


@pytest.mark.anywhere
@pytest.mark.smp
@pytest.mark.parametrize("seed, flips, shape, cpu", [(SEED, FLIPS, "pvh", "corei7_skylake_x"),
                                                     (SEED + 1, FLIPS // 2, "hvm", "corei7_icelake_u")])
@pytest.mark.long
def test_race(boot, emulator, seed, flips, shape, cpu):
    """Two vCPUs on two pCPUs: each sees the other's changes within a few instructions. One of Bochs'
    CPUs delivers interrupts by itself. In QEMU an exit takes as long as very many flips do."""
    each = 20 if emulator == "qemu" else 1
    m = boot(modules=[Module(RACER, f"kernel name=racer mem=16M vcpus=2 type={shape} -- "
                             f"seed={seed} flips={flips}")],
             options="console=com1 exit=shutdown", cpu=cpu, pcpus=2, ips=100_000_000)
    m.expect(r"racer: flips of([^\n]*)\n", timeout=PATIENCE * (4 + flips // 20_000_000))
    print(m.match.group(0))
    of_kind = dict(re.findall(r"([\w]+) (\d+),", m.match.group(1)))
    if shape == "hvm":
        del of_kind["console"]  # which has no ring
    assert len(of_kind) == (9 if shape == "pvh" else 8) and min(map(int, of_kind.values())) > flips // 40
    m.expect(r"racer: did([^\n]*), with queues (\d+) of all")
    print(m.match.group(0))
    deeds = [int(n) for n in re.findall(r"\d+", m.match.group(1))]
    assert len(deeds) == 6 and min(deeds) > flips // 100_000 // each
    assert (0 if each == 1 else -1) < int(m.match.group(2)) < sum(deeds)
    m.expect(r"racer: over, (\d+) flips, (\d+) raced, (\d+) calls, (\d+) refused, (\d+) upcalls, "
             r"(\d+) instructions, (\d+) faults")
    print(m.match.group(0))
    made, raced, calls, refused, upcalls, instructions, faults = map(int, m.match.groups())
    assert made >= flips and raced > flips // 10
    assert flips // 20_000 // each < refused < calls and upcalls > flips // 20_000 // each
    assert flips // 200_000 // each < faults < instructions
    m.expect_off()
