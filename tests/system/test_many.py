"""Two Linuxes and eight small guests side by side: all are typed at and answer, the operator's tables
add up, and the end of one in the middle of its work is nobody else's business."""
import re

import pytest

from conftest import BOOT, PATIENCE, PROMPT, linux
from test_sched import Echo, Meter, line_of

SMALL = [f"e{i}" for i in range(8)]
HOG_CAP = 10


class Linux:
    def __init__(self, op, name):
        self.op, self.name = op, name

    def enter(self):
        self.op.m.send(f"console {self.name}\r")
        self.op.m.expect_exact(f"keys go to domain {self.name}")

    def ask(self, line):
        self.enter()
        answer = self.op.m.ask(line, timeout=5 * PATIENCE)
        self.op.to_monitor()
        return answer

    def clock(self):
        return 1000 * float(re.search(r"^[\d.]+$", self.ask("cut -d' ' -f1 /proc/uptime"), re.M)[0])


def behind(op, clock):
    """Milliseconds that clock() is behind the machine's, as a range."""
    before = op.now()
    told = clock()
    return 1000 * before - told, 1000 * op.now() - told


def assert_in_step(op, clocks, act):
    """act() goes by, and no clock has gained or lost anything: in milliseconds."""
    before = {name: behind(op, clock) for name, clock in clocks.items()}
    act()
    for name, clock in clocks.items():
        low, high = behind(op, clock)
        print(f"{name} was {before[name]} ms behind, is {low, high}")
        assert low <= before[name][1] + 10 and before[name][0] <= high + 10, name


def rows(text, columns):
    """Lines of a table: a name, then numbers and words."""
    return {row[0]: row[1:] for row in re.findall(r"^(\S[^\n]*?) +" + columns + r"$", text, re.M)}


def check_list(op, vcpus):
    table = rows(op.ask("list"), r"\d+ +(\d+)/ *(\d+) +(\d+) +(\w+) +([\d.]+)")
    assert {name: int(row[2]) for name, row in table.items()} == vcpus
    for used, promised, _, state, _ in table.values():
        assert int(used) <= int(promised) and state == "running"


def check_exits(op, dom, kinds):
    table = rows(op.ask(f"exits {dom}"), r"(\d+)(?: +\d+)? +(\d+)(?: +\d+ +\d+)?")
    all_count, all_ticks = map(int, table.pop("all"))
    assert kinds <= set(table)
    assert sum(int(row[0]) for row in table.values()) == all_count
    assert sum(int(row[1]) for row in table.values()) == all_ticks > 0


def check_top(op, names):
    op.top()
    op.wait(2)
    shares = op.top()
    assert set(shares) == names
    assert sum(shares.values()) <= 200
    assert shares["hog"] == pytest.approx(HOG_CAP, abs=1)
    assert all(shares[name] < 5 for name in SMALL)


@pytest.mark.long
def test_ten_side_by_side(boot):
    modules = (linux(name="alpha", mem="160M", vcpus=2) + linux(name="beta", mem="160M", vcpus=2)
               + [line_of("echo", name) for name in SMALL]
               + [line_of("hog", "hog", f"cap={HOG_CAP}")])
    m = boot(modules=modules, pcpus=2, mem=640, ips=25_000_000)
    for _ in ("alpha", "beta"):  # whoever is first
        m.expect_exact(PROMPT, timeout=3 * BOOT)
    op = Meter(m)
    op.to_monitor()
    alpha, beta = Linux(op, "alpha"), Linux(op, "beta")
    small = {name: Echo(op, name) for name in SMALL}

    assert alpha.ask("nproc").split()[-1] == beta.ask("nproc").split()[-1] == "2"
    for name, echo in small.items():
        at, ticks, _ = echo.ask("to-" + name)
        assert ticks in (at // 1000, (at - 1) // 1000)  # which may be due and on its way
    vcpus = {"alpha": 2, "beta": 2, "hog": 1} | dict.fromkeys(SMALL, 1)
    check_list(op, vcpus)
    check_exits(op, "", {"port I/O", "HLT"})
    check_exits(op, "alpha", {"port I/O", "HLT", "CPUID"})
    check_top(op, set(vcpus))

    def destroy_beta_at_work():
        beta.enter()
        m.send("load 4 1000\r")
        m.expect_exact("load 4 1000")
        op.to_monitor()
        op.wait(1)
        m.send("destroy beta\r")
        m.expect_exact("beta: destroyed")

    clocks = {name: lambda e=e: e.ask("time")[0] for name, e in small.items()}
    assert_in_step(op, clocks | {"alpha": alpha.clock}, destroy_beta_at_work)
    del vcpus["beta"]
    check_list(op, vcpus)
    for name, echo in small.items():
        echo.ask("again-" + name)
    assert "jobs" in alpha.ask("load 2 2")
