"""What a guest feels of its neighbours: guest/victim on a pCPU of its own measures its longest absence
and what its exits cost while guest/attacker does its worst beside it. tests/bench/neighbours has the
limits, and says what each attack is."""
import os
import random

import pytest

from conftest import ALL_SHAPES, BUILD, Module
from test_lifecycle import OPTIONS, Crowd
from test_monitor import MONITOR

LIMITS = "tests/bench/neighbours"
IPS = 20_000_000
WINDOWS = int(os.environ.get("WINDOWS", "2"))  # the victim's, of 2,000,000 ticks each, under attack
LINE = r"victim: absence (\d+) exit (\d+) rounds (\d+)[\r\n]"
# Where the two are. The boot CPU has the monitor and all the keepers of domains besides.
VCPUS = {"sleepers": 64}  # of the attacker; else as many as its pCPUs
PLACES = {"own": ("1", "0,2"), "boot": ("0", "1,2"), "shared": ("1", "1")}


def limits(place):
    """By name of the attack: the most absence, the most that an exit costs, and the least rounds, if
    that matters."""
    column, rows = list(PLACES).index(place), {}
    with open(LIMITS, encoding="utf-8") as f:
        for row in f:
            if row.strip() and not row.startswith("#"):
                name, *cells = (cell.strip() for cell in row.split("|"))
                if cells[column] != "-":
                    rows[name] = tuple(int(n) for n in cells[column].split())
    return rows


class Street(Crowd):
    """A machine with the two of them on it."""

    def __init__(self, m, victim_cpus, attacker_cpus):
        super().__init__(m)
        self.victim_cpus, self.attacker_cpus = victim_cpus, attacker_cpus
        m.expect_exact(MONITOR)

    def create_victim(self):
        self.type(f"create name=victim kernel=victim mem=16M cpus={self.victim_cpus}")

    def create_attacker(self, attack):
        vcpus = VCPUS.get(attack, self.attacker_cpus.count(",") + 1)
        self.type(f"create name=attacker kernel=attacker mem=32M vcpus={vcpus} "
                  f"cpus={self.attacker_cpus} -- attack={attack}")

    def windows(self, attack):
        """The victim's lines under attack, without the one in which it began: to create the attacker
        was the operator's doing."""
        self.m.expect(rf"attacker: \d+ after \d+ by {attack}", timeout=120)
        found = []
        while len(found) < 1 + WINDOWS:
            self.m.expect(LINE, timeout=120)
            found.append(tuple(map(int, self.m.match.groups())))
        return found[1:]

    def end(self, *names):
        """Destroys them, and waits until they are gone."""
        self.type(*(f"destroy {name}" for name in names))
        self.wait_until(lambda: not set(names) & set(self.names()), f"without {names}")

    def all_said(self):
        self.m.logfile_read.flush()
        with open(self.m.logfile_read.name, encoding="utf-8") as f:
            return f.read()

    def attack(self, attack, first):
        """What the victim feels of it, be it there already or created after the attacker."""
        self.create_attacker(attack)
        if first == "attacker":
            self.create_victim()
        found = self.windows(attack)
        self.end("attacker")  # first: an attack upon one that is ending is none
        if first == "attacker":
            self.end("victim")
        return found


def names_of(most):
    """ATTACKS=one,two chooses some, for somebody who looks into them; ATTACK_SEED=n mixes them."""
    names = os.environ.get("ATTACKS", ",".join(most)).split(",")
    if "ATTACK_SEED" in os.environ:
        random.Random(int(os.environ["ATTACK_SEED"])).shuffle(names)
    return names


def over(found, limit):
    """What is beyond the limit, in words."""
    absences, exits, rounds = zip(*found)
    wrong = [f"{what} {seen}, at most {top}" for what, seen, top in
             zip(("absence", "exit"), (max(absences), max(exits)), limit) if seen > top]
    if min(rounds) < sum(limit[2:]):
        wrong.append(f"rounds {min(rounds)}, at least {limit[2]}")
    return wrong


@pytest.mark.parametrize("place, first", [
    ("own", "victim"), ("boot", "attacker"), ("shared", "victim"),
    *([("own", "attacker"), ("boot", "victim")] if ALL_SHAPES else [])])
@pytest.mark.long
def test_neighbours(boot, place, first):
    """Whoever was created first."""
    here = [Module(f"{BUILD}/guest/mayfly.elf", "kernel name=mayfly mem=2M cpus=0 -- idle"),
            Module(f"{BUILD}/guest/victim.elf", "kernel name=victim mem=2M cpus=1"),
            Module(f"{BUILD}/guest/attacker.elf", "kernel name=attacker mem=4M cpus=0")]
    street = Street(boot(modules=here, options=OPTIONS, pcpus=3, ips=IPS), *PLACES[place])
    street.type("destroy victim", "destroy attacker")
    street.wait_for_burials(["mayfly"])
    if first == "victim":
        street.create_victim()
    most, wrong = limits(place), {}
    for name in names_of(most):
        found = street.attack(name, first)
        wrong[name] = over(found, most[name])
        absences, exits, rounds = zip(*found)
        print(f"{name:12} absence {max(absences):9} exit {max(exits):6} rounds {min(rounds):4}")
    for sign in ("harmless", "unexpected trap", "cannot be attacked"):
        assert sign not in street.all_said(), f"an attack that is none: {sign}"
    assert not any(wrong.values()), {name: what for name, what in wrong.items() if what}
