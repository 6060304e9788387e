"""A guest's clocks beside a guest that takes all that it is given: bursts of 20 ms in 100 ms for two and a half
minutes of the machine's time; with SHAPES=all the whole pCPU for an hour, which takes the emulator
long."""
import re

from conftest import ALL_SHAPES, PATIENCE
from test_sched import line_of

SECONDS = 3600 if ALL_SHAPES else 150
MOST_OFF = 100  # parts per million
IRQS = "PIT's interrupts"  # those that are due while the vCPU does not run, or is deaf, come as one:
MOST_LOST = 5000           # docs/architecture.md, "Time". None is ever made up for
CLOCKS = {"PIT", IRQS, "PM timer", "LAPIC timer", "RTC"}


def test_clocks_under_load(boot):
    load = "" if ALL_SHAPES else "cap=20"
    m = boot(modules=[line_of("clock", "clock", args=f"seconds={SECONDS}"), line_of("hog", "hog", load)],
             options="console=com1 loglevel=info", emulator="bochs", ips=1_000_000)
    m.expect(r"clock: TSC \d+ Hz")
    m.expect(r"caisson: clock: powered off", timeout=10 * PATIENCE)
    rows = re.findall(r"clock: (\S[^\r\n]*) off by (-?\d+) ppm in (\d+) ms", m.before)
    print(rows)
    assert {name for name, _, _ in rows} == CLOCKS
    for name, off, milliseconds in rows:
        least = -MOST_LOST if name == IRQS else -MOST_OFF
        assert least <= int(off) <= MOST_OFF and int(milliseconds) >= 1000 * SECONDS, name
