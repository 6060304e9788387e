"""Random code in guests: they may end as they like, Caisson may not."""
import os

import pexpect

from conftest import BUILD, PATIENCE, Module
from test_monitor import MONITOR

FIRST = int(os.environ.get("FUZZ_SEED", "1"))  # others than these are for long runs by hand
SEEDS = int(os.environ.get("FUZZ_SEEDS", "12"))
ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "100"))


NONE_LEFT = r"caisson: no domain left"


def destroy_all(m):
    """One whose code has spoilt its own watchdog goes round for ever; the operator can end it."""
    m.send("\x01" * 3)
    m.expect_exact(MONITOR)
    for seed in range(FIRST, FIRST + SEEDS):
        m.sendline(f"destroy fuzz{seed}")


def test_fuzz(boot):
    """A domain for each seed; the last thing to be heard is that none is left."""
    elf = os.path.join(BUILD, "guest/fuzz.elf")
    modules = [Module(elf, f"kernel name=fuzz{seed} mem=8M on_crash=destroy -- seed={seed} rounds={ROUNDS}")
               for seed in range(FIRST, FIRST + SEEDS)]
    m = boot(modules=modules, emulator="bochs", pcpus=2)
    try:
        m.expect(NONE_LEFT, timeout=2 * PATIENCE)
    except pexpect.TIMEOUT:
        destroy_all(m)
        m.expect(NONE_LEFT)
    m.expect_off()
