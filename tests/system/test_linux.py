"""An unmodified Debian kernel under Caisson, from GRUB to a typed command and each way to end."""
import hashlib
import random
import re

import pytest

from conftest import INITRD, PROMPT, QUIET, VMLINUZ, linux

COMPLAINT = re.compile(r"WARNING:|BUG:|Call Trace|unstable|[Uu]nknown NMI|\[Firmware Bug\]"
                       r"|[Ff]ailed|not supported|IO-APIC \+ timer")
NATIVE_MENU = ("menuentry native {\nlinux /boot/vmlinuz " + QUIET
               + " tsc_early_khz=100000 tsc=reliable idle=halt quiet\n"
               "initrd /boot/initrd.img\n}\n")


def complaints(dmesg):
    """The lines that complain, less what differs between two runs: times, addresses, numbers."""
    lines = [re.sub(r"^\[ *[\d.]+\] ", "", line) for line in dmesg.splitlines()]
    return {re.sub(r"0x[0-9a-f]+|\d+", "N", line) for line in lines if COMPLAINT.search(line)}


@pytest.fixture
def shell(boot):
    def start(cmdline=QUIET, **settings):
        m = boot(modules=linux(cmdline), **settings)
        m.expect_exact(PROMPT, timeout=300)
        return m
    return start


@pytest.mark.parametrize("cpu", ["corei7_skylake_x", "corei7_icelake_u", "tigerlake"])
def test_shell(shell, cpu):
    m = shell(cpu=cpu)
    assert re.search(r"Linux guest \S+-cloud-amd64 .*x86_64", m.ask("uname -a"))


@pytest.mark.parametrize("pcpus", [4])
def test_shell_on_many_pcpus(shell, pcpus):
    m = shell(pcpus=pcpus)
    assert m.ask("nproc").strip() == "1"


def test_looks_like_a_small_pc(shell):
    m = shell()
    total = int(re.search(r"Mem: +(\d+)", m.ask("free -k")).group(1))
    assert 200_000 < total < 262_144
    assert "GenuineIntel" in m.ask("cat /proc/cpuinfo")


def test_dmesg_is_that_of_the_bare_machine(shell, machine_of):
    """The guest's log complains of nothing that the same kernel does not complain of natively (an
    inconsistency of Bochs' xstate, for instance)."""
    native = machine_of(NATIVE_MENU, {"vmlinuz": VMLINUZ, "initrd.img": INITRD},
                        emulator="bochs")
    native.expect_exact(PROMPT, timeout=300)
    known = complaints(native.ask("dmesg"))
    native.shut()
    assert complaints(shell().ask("dmesg")) - known == set()


def test_timer_at_hz(shell):
    """The tick, over two seconds: CONFIG_HZ is 250; a tickless idle may only be slower."""
    m = shell(QUIET + " nohz=off highres=off")
    text = m.ask("grep -h LOC: /proc/interrupts; sleep 2; grep -h LOC: /proc/interrupts")
    before, after = (int(n) for n in re.findall(r"LOC: +(\d+)", text))
    assert 480 <= after - before <= 560


@pytest.mark.parametrize("typed, says, cmdline", [
    ("poweroff -f", r"linux[^\r\n]*power", QUIET),
    ("echo c > /proc/sysrq-trigger", r"linux[^\r\n]*(reset|reboot|triple)", QUIET + " panic=-1"),
])
def test_ends(shell, typed, says, cmdline):
    m = shell(cmdline)
    m.sendline(typed)
    m.expect(r"caisson: [^\r\n]*" + says)
    m.expect_off()


@pytest.mark.parametrize("way", ["acpi", "kbd", "triple", "pci"])
def test_reboots(shell, way):
    """Linux' ways to reset a PC: each starts the domain anew, after a line that says which."""
    m = shell(QUIET + f" reboot={way}")
    m.sendline("reboot -f")
    m.expect(r"caisson: [^\r\n]*linux[^\r\n]*(reboot|reset|triple|restart)")
    m.expect_exact(PROMPT, timeout=300)


def test_paste_64k(shell):
    """Nothing typed gets lost at full speed."""
    rng = random.Random(1)
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
    lines = ["".join(rng.choice(alphabet) for _ in range(63)) + "\n" for _ in range(1024)]
    data = "".join(lines)
    m = shell()
    m.sendline("stty -echo; cat > /tmp/file; stty echo")
    m.expect("\n")
    m.send(data)
    m.send("\x04")
    m.expect_exact(PROMPT, timeout=300)
    assert hashlib.sha256(data.encode()).hexdigest() in m.ask("sha256sum /tmp/file")


def test_natively(machine_of):
    """The yardstick: the same kernel and initramfs on the bare emulator."""
    m = machine_of(NATIVE_MENU, {"vmlinuz": VMLINUZ, "initrd.img": INITRD}, emulator="bochs")
    m.expect_exact(PROMPT, timeout=300)
    assert "cloud-amd64" in m.ask("uname -r")
    m.sendline("poweroff -f")
