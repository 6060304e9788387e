"""Random hypercalls from four vCPUs at once: the guest and Caisson survive them, and nothing is lost."""
import pytest

from conftest import BUILD, Module, guest
from test_lifecycle import OPTIONS, Crowd
from test_monitor import MONITOR

STORM = f"{BUILD}/guest/storm.elf"


@pytest.mark.parametrize("seed, shape", [(1, "pvh"), (2, "hvm")])
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
           f"seed={seed} calls=3000")
    m.expect(r"storm: over, (\d+) errors, sum 0x[0-9a-f]+", timeout=240)
    assert int(m.match.group(1)) > 1000
    c.wait_for_burials(["mayfly"])
    assert c.frames() == before
