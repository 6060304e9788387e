"""Two domains that work together: a ring of granted pages, and event channels."""
import os
import random
import re

import pytest

from conftest import ALL_SHAPES, BUILD, Module, guest
from test_lifecycle import OPTIONS, Crowd
from test_monitor import MONITOR

# The operator's console shows the first domain; when that has ended, the other.
SENT = r"producer: 64 MiB sent, checksum 0x[0-9a-f]+, \d+ events"
RECEIVED = (r"consumer: 64 MiB received, checksum 0x[0-9a-f]+ is right", r"consumer: all unmapped")


def ends(first, second, words="type=pvh"):
    """Menu lines of the two, in this order: the first is domain 1."""
    return [Module(os.path.join(BUILD, "guest", which + ".elf"),
                   f"kernel name={which} mem=16M {words} -- peer={peer}")
            for which, peer in ((first, 2), (second, 1))]


# Who is first, and on how many CPUs. On two of them, each in one order on VT-x and in the other on AMD-V.
ORDERS = [("producer", "consumer"), ("consumer", "producer")]
RINGS = ([(*order, 1) for order in ORDERS] + [pytest.param(*order, 2, marks=pytest.mark.core) for order in ORDERS]
         if ALL_SHAPES
         else [(*ORDERS[0], 1), (*ORDERS[1], 2), pytest.param(*ORDERS[0], 2, marks=pytest.mark.anywhere("qemu"))])


@pytest.mark.anywhere
@pytest.mark.parametrize("first, second, pcpus", RINGS)
def test_ring(boot, pcpus, first, second):
    """All arrives, whoever is created first, on one CPU and on two."""
    m = boot(modules=ends(first, second), pcpus=pcpus)
    m.expect_off(timeout=180)
    said = m.before if isinstance(m.before, str) else ""
    for pattern in RECEIVED + ((SENT,) if first == "producer" else ()):
        assert re.search(pattern, said), f"{pattern} is missing in:\n{said[-1500:]}"


def pair_up(c, number):
    """A pair, whose domains get the ids after number; their names."""
    ids = {"producer": number + 1, "consumer": number + 2}
    for which, peer in (("producer", ids["consumer"]), ("consumer", ids["producer"])):
        c.type(f"create name={which}{number} kernel={which} mem=16M type=pvh -- peer={peer}")
    return [f"producer{number}", f"consumer{number}"]


@pytest.mark.long
def test_either_ends_at_any_moment(boot):
    """Before they have met, while they map, in the middle of the ring: no frame stays behind, though
    the other side has pages of the one that is gone mapped for a while."""
    m = boot(modules=guest("mayfly", mem="2M", words="idle") + ends("producer", "consumer"),
             options=OPTIONS, pcpus=2)
    m.expect_exact(MONITOR)
    c = Crowd(m)
    rng = random.Random(4)
    c.type("destroy producer", "destroy consumer")
    c.wait_for_burials(["mayfly"])
    before = c.frames()
    met = outlived = 0
    for number in range(3, 3 + 2 * 16, 2):
        names = pair_up(c, number)
        if number % 8 > 3:
            m.expect_exact(f"(consumer{number}) consumer: connected", timeout=120)
            met += 1
        c.type(5 * " " * rng.randint(0, 60))  # each takes its time on the line
        rng.shuffle(names)
        c.end(names[0])
        if rng.random() < 0.5:
            c.wait_for_burials(["mayfly", names[1]])
            outlived += c.frames()["mapped by others, owner gone"]
        c.end(names[1])
        c.wait_for_burials(["mayfly"])
        assert c.frames() == before
    assert met > 4 and outlived > 4
