"""Linux on many vCPUs and few pCPUs, and the reverse: work like a compiler's, and not one complaint.

The kernel's own watchdogs look for vCPUs that stall, with less patience than they usually have where
time is the emulator's, and with more where it is the host's.
"""
import hashlib
import re

import pytest

from conftest import ALL_SHAPES, BOOT, PATIENCE, PROMPT, QUIET, linux

# Seconds that the watchdog of a CPU and that of RCU wait before they complain.
PATIENCE_OF = {"bochs": (2, 3), "kvm": (2, 3), "qemu": (30, 60)}
STALL = re.compile(r"stalls? on|starved|self-detected|soft lockup|blocked for more|hung|backtrace|BUG:"
                   r"|skew|unstable|interrupt took|throttling|not responding|failed to (wake|come)",
                   re.I)
# In QEMU time is the host's: an exit takes longer than Linux takes for a timer that can be trusted, and
# a busy host runs others in the middle of an interrupt's handler.
OF_HOST_TIME = ("Marking TSC unstable due to could not calculate TSC khz", "trace_clock=local",
                "Unstable clock detected, switching default tracing clock", "hrtimer: interrupt took")
JOBS, ROUNDS = (8, 8) if ALL_SHAPES else (8, 3)
# vCPUs and pCPUs. These differ most from each other.
SHAPES = ([(v, p) for v in (1, 2, 4, 8) for p in (1, 2, 4)] if ALL_SHAPES
          else [(8, 1), *(pytest.param(v, p, marks=pytest.mark.anywhere("qemu")) for v, p in ((2, 2), (8, 4)))])


def right_sum():
    """What each job of the initramfs' `load` has to come to."""
    out = ""
    for i in range(ROUNDS):
        lines = sorted(str(n).replace("1", "x") for n in range(i, 201))
        out += f"{len(lines)}\n" + "".join(line + "\n" for line in lines) + "7\n143\n"
    return hashlib.sha256(out.encode()).hexdigest()


@pytest.mark.anywhere
@pytest.mark.parametrize("vcpus, pcpus", SHAPES)
@pytest.mark.long
def test_load(boot, emulator, vcpus, pcpus):
    thresh, rcu = PATIENCE_OF[emulator]
    watched = QUIET.replace("nowatchdog",
                            f"watchdog_thresh={thresh} rcupdate.rcu_cpu_stall_timeout={rcu}")
    m = boot(modules=linux(watched, vcpus=vcpus), pcpus=pcpus)
    m.expect_exact(PROMPT, timeout=2 * BOOT)
    assert m.ask("nproc").strip() == str(vcpus)
    online = m.ask("cat /sys/devices/system/cpu/online").strip()
    assert online == ("0" if vcpus == 1 else f"0-{vcpus - 1}")
    assert m.ask("cd /proc/sys/kernel; cat soft_watchdog watchdog_thresh").split() == ["1", str(thresh)]
    before = float(m.ask("cut -d' ' -f1 /proc/uptime"))
    said = m.ask(f"load {JOBS} {ROUNDS}", timeout=5 * PATIENCE)
    assert f"load: {JOBS} jobs, {right_sum()} " in said
    after = float(m.ask("cut -d' ' -f1 /proc/uptime"))
    print(f"{vcpus} vCPUs on {pcpus}: shell after {before} s, load took {after - before:.2f} s")
    dmesg = m.ask("dmesg")
    assert f"RCU CPU stall warnings timeout set to {rcu} " in dmesg
    known = OF_HOST_TIME if emulator == "qemu" else ()
    said = [line for line in dmesg.splitlines() if not any(words in line for words in known)]
    assert [line for line in said if STALL.search(line)] == []
