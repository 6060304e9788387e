"""Two domains that work together: a ring of granted pages, and event channels."""
import os
import re

import pytest

from conftest import BUILD, Module

# The operator's console shows the first domain; when that has ended, the other.
SENT = r"producer: 64 MiB sent, checksum 0x[0-9a-f]+, \d+ events"
RECEIVED = (r"consumer: 64 MiB received, checksum 0x[0-9a-f]+ is right", r"consumer: all unmapped")


def ends(first, second, words="type=pvh"):
    """Menu lines of the two, in this order: the first is domain 1."""
    return [Module(os.path.join(BUILD, "guest", which + ".elf"),
                   f"kernel name={which} mem=16M {words} -- peer={peer}")
            for which, peer in ((first, 2), (second, 1))]


@pytest.mark.parametrize("pcpus", [1, 2])
@pytest.mark.parametrize("first, second", [("producer", "consumer"), ("consumer", "producer")])
def test_ring(boot, pcpus, first, second):
    """All arrives, whoever is created first, on one CPU and on two."""
    m = boot(modules=ends(first, second), pcpus=pcpus)
    m.expect_off(timeout=180)
    said = m.before if isinstance(m.before, str) else ""
    for pattern in RECEIVED + ((SENT,) if first == "producer" else ()):
        assert re.search(pattern, said), f"{pattern} is missing in:\n{said[-1500:]}"
