"""No exit grows unseen: the bench's counts against tests/bench/limits and limits-svm, exact on every machine.
One processor of each kind; with SHAPES=all a second one of Intel's too (`make bench-check CPU=corei7_icelake_u`)."""
import os
import subprocess
import sys
import warnings

import pytest

from conftest import ALL_SHAPES, BUILD, PATIENCE

RELEASE = os.path.join(BUILD, "rel")


@pytest.mark.parametrize("cpu", ["corei7_skylake_x", "svm", *(["corei7_icelake_u"] if ALL_SHAPES else [])])
@pytest.mark.long
def test_bench(cpu):
    argv = [sys.executable, "tools/bench", os.path.join(RELEASE, "caisson.elf"),
            os.path.join(RELEASE, "guest"), "--cpu", cpu, "--check"]
    done = subprocess.run(argv, capture_output=True, check=False, text=True, timeout=20 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    if "shrunk" in done.stdout:
        warnings.warn(done.stdout[done.stdout.index("bench: shrunk"):])


def test_boot_cost():
    """Neither the way to the first guest instruction nor Caisson's own memory grows unseen."""
    argv = [sys.executable, "tools/bootcost", os.path.join(RELEASE, "caisson.elf"),
            os.path.join(RELEASE, "guest/mayfly.elf"), "--check"]
    done = subprocess.run(argv, capture_output=True, check=False, text=True, timeout=10 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
