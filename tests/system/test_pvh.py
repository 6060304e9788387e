"""An unmodified Debian kernel as a Xen PVH guest: no PC around it, a shell on the console ring."""
import os
import re
import subprocess

import pytest

from conftest import BUILD, INITRD, PATIENCE, PROMPT, QUIET, VMLINUZ, Module
from test_monitor import Operator

CMDLINE = ("console=hvc0 nokaslr cryptomgr.notests nowatchdog mitigations=off "
           "random.trust_cpu=on panic=-1")
# The emulator's xstate is inconsistent, which the same kernel says natively too.
COMPLAINT = re.compile(r"WARNING:(?!.*xstate\.c)|BUG:|unstable|[Uu]nknown NMI|\[Firmware Bug\]")
HOG = os.path.join(BUILD, "guest/hog.elf")


@pytest.fixture
def shell(boot):
    def start(vcpus=1, kernel=VMLINUZ, rest=(), **settings):
        settings.setdefault("ips", 100_000_000)
        m = boot(modules=[Module(kernel, f"kernel name=linux type=pvh mem=256M vcpus={vcpus} -- "
                                 + CMDLINE),
                          Module(INITRD, "ramdisk name=linux"), *rest],
                 options="console=com1 exit=shutdown loglevel=debug", **settings)
        m.expect_exact(PROMPT, timeout=300)
        return m
    return start


def look_around(m, vcpus):
    """It is a Xen guest, and does not complain of anything."""
    assert m.ask("nproc").strip() == str(vcpus)
    dmesg = m.ask("dmesg", timeout=120)
    assert "kernel on Xen PVH" in dmesg
    assert [line for line in dmesg.splitlines() if COMPLAINT.search(line)] == []
    where = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    assert m.ask(f"cat {where}").split()[-1] == "xen"
    assert re.search(r"xen-(percpu|dyn)", m.ask("cat /proc/interrupts"))
    assert int(m.ask("date +%Y")) >= 2023


def power_off(m):
    m.sendline("poweroff -f")
    m.expect(r"caisson: [^\r\n]*linux: powered off")
    m.expect_off()


@pytest.mark.anywhere
@pytest.mark.parametrize("vcpus, pcpus", [pytest.param(2, 1, marks=pytest.mark.core), pytest.param(4, 2, marks=pytest.mark.anywhere("qemu"))])
def test_shell(shell, vcpus, pcpus):
    m = shell(vcpus, pcpus=pcpus)
    look_around(m, vcpus)
    power_off(m)


def stolen(m):
    """Ticks of 10 ms that others ran while this guest wanted to: the row "cpu" of /proc/stat."""
    return int(m.ask("head -n 1 /proc/stat").split()[8])


@pytest.mark.anywhere("qemu")
def test_steal(shell):
    """Another domain on the same pCPU takes half of its time, and the kernel knows."""
    m = shell(rest=[Module(HOG, "kernel name=hog mem=16M -- sleep")])
    look_around(m, 1)
    before = stolen(m)
    op = Operator(m)
    op.to_monitor()
    op.ask("create name=busy kernel=hog mem=16M")
    m.send("console linux\r")
    m.expect("keys go to domain linux")
    m.ask("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done", timeout=120)
    assert stolen(m) - before > 10


@pytest.mark.anywhere("qemu")
def test_elf_entry(shell, tmp_path):
    """The kernel out of the bzImage: by its PVH entry, with start_info, a module and a memory map; and
    once more after a reboot."""
    vmlinux = str(tmp_path / "vmlinux")
    subprocess.run(["tools/vmlinux", VMLINUZ, vmlinux], check=True)
    m = shell(kernel=vmlinux, mem=768)
    look_around(m, 1)
    total = int(re.search(r"Mem: +(\d+)", m.ask("free -k")).group(1))
    assert 200_000 < total < 262_144
    m.sendline("reboot -f")
    m.expect(r"caisson: [^\r\n]*linux: rebooted")
    m.expect_exact(PROMPT, timeout=300)
    power_off(m)


class Pair:
    """The same kernel as pvh and as hvm domain."""

    def __init__(self, boot):
        words = "kernel name={0} type={0} mem=256M -- {1}"
        serial = CMDLINE.replace("hvc0", "ttyS0,115200")
        self.m = boot(modules=[Module(VMLINUZ, words.format("pvh", CMDLINE)),
                               Module(INITRD, "ramdisk name=pvh"),
                               Module(VMLINUZ, words.format("hvm", serial)),
                               Module(INITRD, "ramdisk name=hvm")], mem=1024)
        self.op = Operator(self.m)
        for _ in ("pvh", "hvm"):  # whoever is first
            self.m.expect_exact(PROMPT, timeout=600)

    def exits(self):
        """By kind, for both. The keys are the pvh domain's before and after."""
        self.op.to_monitor()
        tables = {name: self.op.ask("exits " + name) for name in ("pvh", "hvm")}
        self.m.send("console pvh\r")
        self.m.expect("keys go to domain pvh")
        return {name: {kind: int(n) for kind, n in re.findall(r"^(\w.*?) +(\d+) ", table, re.M)}
                for name, table in tables.items()}

    def exits_while(self, seconds):
        """pvh sleeps for so long and hvm has nothing to do at all."""
        before = self.exits()
        self.m.ask(f"sleep {seconds}", timeout=2 * PATIENCE)
        after = self.exits()
        return {name: {kind: n - before[name].get(kind, 0) for kind, n in kinds.items()}
                for name, kinds in after.items()}


def own(kinds):
    """Exits that the guest itself makes. The others come by the clock, from the machine."""
    return kinds["all"] - kinds["host"]


@pytest.mark.anywhere("qemu")
def test_exits_are_fewer(boot):
    """A pvh guest boots with less than half of the exits that it takes as hvm, and idles with
    fewer. What is counted is what the kernel asks of its devices and of Xen, not how: VT-x or AMD-V."""
    both = Pair(boot)
    booted = both.exits()
    both.m.ask("")
    short, long = both.exits_while(1), both.exits_while(5)
    idle = {name: (own(long[name]) - own(short[name])) / 4 for name in long}
    for name in ("pvh", "hvm"):
        print(f"{name}: {booted[name]['all']} exits from entry to the shell, {own(booted[name])} of "
              f"its own; idle {idle[name]:.1f} a second\n{booted[name]}\n{long[name]}")
    assert own(booted["pvh"]) * 2 < own(booted["hvm"])
    assert idle["pvh"] < idle["hvm"]
