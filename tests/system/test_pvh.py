"""An unmodified Debian kernel as a Xen PVH guest: no PC around it, a shell on the console ring."""
import re

import pytest

from conftest import INITRD, PROMPT, VMLINUZ, Module

CMDLINE = ("console=hvc0 nokaslr cryptomgr.notests nowatchdog mitigations=off "
           "random.trust_cpu=on panic=-1")
# The emulator's xstate is inconsistent, which the same kernel says natively too.
COMPLAINT = re.compile(r"WARNING:(?!.*xstate\.c)|BUG:|unstable|[Uu]nknown NMI|\[Firmware Bug\]")


@pytest.fixture
def shell(boot):
    def start(vcpus=1, **settings):
        m = boot(modules=[Module(VMLINUZ, f"kernel name=linux type=pvh mem=256M vcpus={vcpus} -- "
                                 + CMDLINE),
                          Module(INITRD, "ramdisk name=linux")],
                 options="console=com1 exit=shutdown loglevel=debug", **settings)
        m.expect_exact(PROMPT, timeout=300)
        return m
    return start


@pytest.mark.parametrize("vcpus", [1, 2])
def test_shell(shell, vcpus):
    m = shell(vcpus)
    assert m.ask("nproc").strip() == str(vcpus)
    dmesg = m.ask("dmesg", timeout=120)
    assert "paravirtualized kernel on Xen PVH" in dmesg
    assert [line for line in dmesg.splitlines() if COMPLAINT.search(line)] == []
    where = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    assert m.ask(f"cat {where}").split()[-1] == "xen"
    assert re.search(r"xen-(percpu|dyn)", m.ask("cat /proc/interrupts"))
    year = int(m.ask("date +%Y"))
    assert year >= 2023
    m.sendline("poweroff -f")
    m.expect(r"caisson: [^\r\n]*linux: powered off")
    m.expect_off()


def test_reboots(shell):
    m = shell()
    m.sendline("reboot -f")
    m.expect(r"caisson: [^\r\n]*linux: rebooted")
    m.expect_exact(PROMPT, timeout=300)
