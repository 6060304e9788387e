"""Random hypercalls from four vCPUs at once: the guest and Caisson survive them, and nothing is lost."""
import os
import re
import time

import pytest

from conftest import BUILD, PATIENCE, Module, guest
from test_lifecycle import OPTIONS, Crowd
from test_monitor import MONITOR

STORM = f"{BUILD}/guest/storm.elf"
SEED = int(os.environ.get("STORM_SEED", "1"))  # others than these are for make torture
CALLS = int(os.environ.get("STORM_CALLS", "3000"))  # of each vCPU


@pytest.mark.anywhere
@pytest.mark.smp
@pytest.mark.parametrize("seed, shape", [(SEED, "pvh"), (SEED + 1, "hvm")])
def test_storm(boot, seed, shape):
    """Two and two share their arguments, so these change during the calls."""
    idle = guest("mayfly", mem="2M", words="idle")
    m = boot(modules=idle + [Module(STORM, "kernel name=first mem=16M -- calls=1")],
             options=OPTIONS, pcpus=2, ips=100_000_000)
    m.expect(r"storm: over")
    c = Crowd(m)
    m.expect_exact(MONITOR)
    c.wait_for_burials(["mayfly"])
    before = c.frames()
    assert before
    c.type(f"create name=storm kernel=first mem=16M vcpus=4 type={shape} -- "
           f"seed={seed} calls={CALLS}")
    end = time.time() + PATIENCE * (4 + CALLS // 3000)
    while not (over := re.search(r"storm: over, (\d+) errors, sum 0x[0-9a-f]+", c.heard)):
        assert time.time() < end, c.heard[-500:]
        c.audit()  # in the midst of it, over and over
    assert int(over[1]) > CALLS // 3
    c.wait_for_burials(["mayfly"])
    assert c.frames() == before
