"""One vCPU changes all memory of a guest's that Caisson reads for another one: see guest/racer."""
import os
import re

import pytest

from conftest import BUILD, PATIENCE, Module

RACER = f"{BUILD}/guest/racer.elf"
SEED = int(os.environ.get("RACE_SEED", "1"))  # others than these are for make torture
FLIPS = int(os.environ.get("RACE_FLIPS", "1000000"))


@pytest.mark.parametrize("seed, flips, shape, cpu", [(SEED, FLIPS, "pvh", "corei7_skylake_x"),
                                                     (SEED + 1, FLIPS // 2, "hvm", "corei7_icelake_u")])
def test_race(boot, seed, flips, shape, cpu):
    """Two vCPUs on two pCPUs: each sees the other's changes within a few instructions. One of the
    CPUs delivers interrupts by itself."""
    m = boot(modules=[Module(RACER, f"kernel name=racer mem=16M vcpus=2 type={shape} -- "
                             f"seed={seed} flips={flips}")],
             options="console=com1 exit=shutdown", cpu=cpu, pcpus=2, ips=100_000_000)
    m.expect(r"racer: flips of([^\n]*)\n", timeout=PATIENCE * (4 + flips // 1_000_000))
    of_kind = dict(re.findall(r"([\w]+) (\d+),", m.match.group(1)))
    assert len(of_kind) == 9 and min(map(int, of_kind.values())) > flips // 20
    m.expect(r"racer: over, (\d+) flips, (\d+) calls, (\d+) refused, (\d+) upcalls, (\d+) faults")
    print(m.match.group(0))
    made, calls, refused, upcalls, faults = map(int, m.match.groups())
    assert made == flips
    assert flips // 500 < refused < calls and upcalls > flips // 1000 and faults > flips // 10000
    m.expect_off()
