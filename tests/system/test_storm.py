"""Random hypercalls from a guest: it and Caisson survive them."""
import pytest

from conftest import guest


@pytest.mark.parametrize("seed", [1, 2])
def test_storm(boot, seed):
    m = boot(modules=guest("storm", words=f"seed={seed} calls=8000"))
    m.expect(r"storm: over, \d+ errors, sum 0x[0-9a-f]+", timeout=120)
    m.expect_off()
