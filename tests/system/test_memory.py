"""What a domain has been promised of the machine's memory it gets, whatever another one does with its
own. The attacker and its victim are guest/hoard, which does as a key tells it."""
import os
import re

import pytest

from conftest import BUILD, Module
from test_lifecycle import OPTIONS, Crowd
from test_monitor import MONITOR, SWITCH

SPARE = 2  # MiB that hoard keeps for itself


class Hoards(Crowd):
    """A machine on which domain 1, the attacker, runs first; all of its memory can be given out."""

    def key(self, name, key, answer):
        """Types a key at a domain; what it answers, as numbers."""
        self.m.send(f"console {name}\r")
        self.m.expect_exact(f"keys go to domain {name}")
        self.m.send(key)
        self.m.expect(rf"hoard: {answer}\r\n", timeout=240)
        found = [int(n) for n in self.m.match.groups()]
        self.m.send(SWITCH)
        self.m.expect_exact(MONITOR)
        return found

    def create_largest(self, name):
        """The largest domain that there is memory for, to 64 KiB; its MiB."""
        self.m.send(f"create name={name} kernel=hoard mem=4G\r")
        self.m.expect(r"does not fit: (\d+)K")
        size = int(self.m.match[1]) // 64 * 64
        while True:
            self.asked += 1
            self.type(f"create name={name} kernel=hoard mem={size}K", f"done{self.asked}")
            self.m.expect(rf'(\({name}\) hoard: ready|does not fit)[^\0]*unknown command "done{self.asked}"')
            if "fit" not in self.m.match[1]:
                return size * 1024
            size -= 64


@pytest.fixture
def hoards(boot):
    def start(mem="32M"):
        attacker = Module(os.path.join(BUILD, "guest/hoard.elf"), f"kernel name=hoard mem={mem} -- self=1")
        m = boot(modules=[attacker], options=OPTIONS, emulator="bochs", mem=128)
        m.expect_exact(MONITOR)
        return Hoards(m)
    return start


def pages(size):
    """Of a domain of so many bytes, those that hoard works with."""
    return (size >> 12) - (SPARE << 8)


def assert_all_there(c, name, size):
    """There is memory for what is promised, and each page of this domain can be used."""
    frames = c.frames()
    assert frames["free"] >= frames["(promised and not yet touched)"]
    assert "all is as it should be" in c.ask("audit")
    assert c.key(name, "u", r"used (\d+)") == [pages(size)]
    assert "killed" not in c.ask("list") + c.ask("log")


def test_pages_granted_and_given_back_count(hoards):
    """Pages that a domain has mapped by grants, and given back, are its own still: it gets no others
    in their place."""
    c = hoards()
    size = c.create_largest("victim")
    mapped, given, taken = c.key("hoard", "g", r"mapped (\d+), gave back (\d+), took (\d+) more")
    assert mapped == given == 504 and taken == 0
    used, most = re.search(r"hoard +1 +(\d+)/ *(\d+) ", c.ask("list")).groups()
    assert int(used) <= int(most) <= 32
    assert_all_there(c, "victim", size)


def test_memory_given_back_is_gone(hoards):
    """Who gives memory back gets it again only while nobody else has been promised it."""
    c = hoards()
    given, = c.key("hoard", "b", r"gave back (\d+)")
    assert given == pages(32 << 20)
    assert c.key("hoard", "t", r"took (\d+)")[0] >= given  # nobody wanted it
    c.key("hoard", "b", r"gave back (\d+)")
    size = c.create_largest("victim")
    taken, = c.key("hoard", "t", r"took (\d+)")
    assert taken < 1200  # what was too little for the victim, and its tables
    assert_all_there(c, "victim", size)
    c.end("victim")
    c.wait_for_burials(["hoard"])
    assert c.key("hoard", "t", r"took (\d+)") == [given - taken]
    assert_all_there(c, "hoard", 32 << 20)


def test_what_is_made_for_a_domain_is_counted(hoards):
    """Page tables, ports, frames of the grant table: as many as it has been promised, and no more."""
    c = hoards(mem="3M")
    others = ["hoard"] + [f"other{n}" for n in range(6)]
    for name in others[1:]:
        c.type(f"create name={name} kernel=hoard mem=3M")
        c.m.expect_exact(f"({name}) hoard: ready")
    for name in others:
        assert_all_there(c, name, 3 << 20)
    size = c.create_largest("victim")
    for name in others:
        ports, places = c.key(name, "x", r"has (\d+) ports, (\d+) places, \d+ pieces")
        assert ports > 1000 and 0 < places < 2048
    assert_all_there(c, "victim", size)
