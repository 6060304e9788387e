"""Random code in guests: they may end as they like, Caisson may not."""
import os

from conftest import BUILD, PATIENCE, Module

FIRST = int(os.environ.get("FUZZ_SEED", "1"))  # others than these are for long runs by hand
SEEDS = int(os.environ.get("FUZZ_SEEDS", "12"))
ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "100"))


def test_fuzz(boot):
    """A domain for each seed; the last thing to be heard is that none is left."""
    elf = os.path.join(BUILD, "guest/fuzz.elf")
    modules = [Module(elf, f"kernel name=fuzz{seed} mem=8M on_crash=destroy -- seed={seed} rounds={ROUNDS}")
               for seed in range(FIRST, FIRST + SEEDS)]
    m = boot(modules=modules, emulator="bochs", pcpus=2)
    m.expect(r"caisson: no domain left", timeout=10 * PATIENCE)
    m.expect_off()
