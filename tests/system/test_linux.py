"""An unmodified Debian kernel under Caisson, from GRUB to a typed command and its answer."""
import hashlib
import os
import random
import re
import time

import pytest

from conftest import ALL_SHAPES, BOOT, BUILD, INITRD, PATIENCE, PROMPT, QUIET, VMLINUZ, Module, linux

TIME0 = 1_700_000_000  # what the machine's clock says at first
# Not "CPU model not supported", which intel_pstate tells of every CPU that hides APERF and MPERF.
COMPLAINT = re.compile(r"WARNING:|BUG:|Call Trace|unstable|[Uu]nknown NMI|\[Firmware Bug\]|Fatal"
                       r"|[Ff]ailed|[Ee]rror|[Cc]ould not|IO-APIC \+ timer")
NATIVE_MENU = ("menuentry native {\nlinux /boot/vmlinuz " + QUIET
               + " tsc_early_khz=100000 tsc=reliable idle=halt\n"
               "initrd /boot/initrd.img\n}\n")


def complaints(dmesg):
    """The lines that complain, less what differs between two runs: times, addresses, numbers."""
    lines = [re.sub(r"^\[ *[\d.]+\] ", "", line) for line in dmesg.splitlines()]
    return {re.sub(r"0x[0-9a-f]+|\d+", "N", line) for line in lines if COMPLAINT.search(line)}


def interrupts(m, name):
    """A row of /proc/interrupts: the counts of all CPUs together."""
    row = m.ask(f"grep -h {name}: /proc/interrupts")
    return sum(int(n) for n in re.search(name + r":((?: +\d+)+)", row).group(1).split())


@pytest.fixture
def shell(boot):
    def start(cmdline=QUIET, vcpus=1, **settings):
        m = boot(modules=linux(cmdline, vcpus=vcpus), **settings)
        m.expect_exact(PROMPT, timeout=BOOT)
        return m
    return start


@pytest.mark.anywhere("qemu")
@pytest.mark.smp
def test_shell_on_many_pcpus(shell):
    m = shell(pcpus=4)
    assert m.ask("nproc").strip() == "1"


@pytest.mark.anywhere
def test_looks_like_a_small_pc(shell, emulator):
    m = shell(cpu="corei7_icelake_u")
    assert re.search(r"Linux guest \S+-cloud-amd64 .*x86_64", m.ask("uname -a"))
    total = int(re.search(r"Mem: +(\d+)", m.ask("free -k")).group(1))
    assert 200_000 < total < 262_144
    cpuinfo = m.ask("cat /proc/cpuinfo")
    assert ("AuthenticAMD" if emulator == "qemu" else "GenuineIntel") in cpuinfo
    assert "hypervisor" in cpuinfo
    assert emulator != "bochs" or re.search(r"cpu MHz\s*: (99|100)\.", cpuinfo)
    assert "0000:00:00.0" in m.ask("ls /sys/bus/pci/devices")
    clocks = "/sys/devices/system/clocksource/clocksource0"
    assert emulator == "qemu" or "tsc" in m.ask(f"cat {clocks}/current_clocksource")
    assert 0 < int(m.ask("date +%s")) - TIME0 < 600
    dmesg = m.ask("dmesg | grep -i hpet")
    assert "HPET id: 0x8086a201 base: 0xfed00000" in dmesg
    assert re.search(r"hpet0: 3 comparators, 64-bit 12\.5\d* MHz counter", dmesg)
    assert "hpet" in m.ask(f"cat {clocks}/available_clocksource")
    assert emulator == "qemu" or interrupts(m, "LOC") > interrupts(m, "0")  # whose first ticks are the HPET's


@pytest.mark.anywhere
def test_memory_above_4g(boot, emulator):
    """A guest of 6 GiB. Linux gives out what lies above 4 GiB first: two files of 40 MiB are there."""
    if emulator == "bochs":
        pytest.skip("Bochs' machines have 2 GiB")
    m = boot(modules=linux(mem="6G"), mem=7680)
    m.expect_exact(PROMPT, timeout=2 * BOOT)
    ranges = [[int(n, 16) for n in row] for row in
              re.findall(r"(\w+)-(\w+) : System RAM", m.ask("cat /proc/iomem"))]
    above = [end + 1 - start for start, end in ranges if start >= 1 << 32]
    assert len(above) == 1 and sum(end + 1 - start for start, end in ranges) > 6 * 1023 << 20
    m.ask("mkdir /big && mount -t tmpfs -o size=6G big /big")
    m.ask("dd if=/dev/urandom of=/big/a bs=1M count=40", timeout=5 * PATIENCE)
    m.ask("dd if=/big/a of=/big/b bs=1M", timeout=5 * PATIENCE)
    sums = re.findall(r"(\w{32})  /big", m.ask("md5sum /big/a /big/b", timeout=5 * PATIENCE))
    assert len(sums) == 2 and len(set(sums)) == 1


@pytest.mark.long
def test_dmesg_is_that_of_the_bare_machine(shell, machine_of):
    """The guest's log complains of nothing that the same kernel does not complain of natively (an
    inconsistency of Bochs' xstate, for instance)."""
    native = machine_of(NATIVE_MENU, {"vmlinuz": VMLINUZ, "initrd.img": INITRD},
                        emulator="bochs")
    native.expect_exact(PROMPT, timeout=BOOT)
    known = complaints(native.ask("dmesg"))
    native.shut()
    assert complaints(shell().ask("dmesg")) - known == set()


def test_timer_at_hz(boot):
    """The tick, over two seconds: CONFIG_HZ is 250. There is no HPET to count it with."""
    m = boot(modules=linux(QUIET + " nohz=off highres=off", keys="hpet=off"))
    m.expect_exact(PROMPT, timeout=BOOT)
    assert "hpet" not in m.ask("dmesg; cat /sys/devices/system/clocksource/*/*").lower()
    text = m.ask("grep -h LOC: /proc/interrupts; sleep 2; grep -h LOC: /proc/interrupts")
    before, after = (int(n) for n in re.findall(r"LOC: +(\d+)", text))
    assert 490 <= after - before <= 540


# In QEMU time is the host's: the bare kernel cannot measure its clocks there either.
OF_HOST_TIME = re.compile("unstable|calibration failed")


@pytest.mark.anywhere("qemu")
@pytest.mark.parametrize("vcpus, pcpus", [(2, 1), (4, 2), *([(2, 2)] if ALL_SHAPES else [])])
def test_smp(shell, vcpus, pcpus):
    m = shell(vcpus=vcpus, pcpus=pcpus)
    assert m.ask("nproc").strip() == str(vcpus)
    assert {line for line in complaints(m.ask("dmesg")) if not OF_HOST_TIME.search(line)} == set()
    ipis = interrupts(m, "RES") + interrupts(m, "CAL")
    assert ipis > 0
    loads = " ".join(f"(cat /bin/busybox | sha256sum >> /tmp/sums) &" for _ in range(vcpus))
    m.ask(loads + " wait")
    assert m.ask("sort -u /tmp/sums | wc -l").strip() == "1"
    assert m.ask("wc -l < /tmp/sums").strip() == str(vcpus)
    assert interrupts(m, "RES") + interrupts(m, "CAL") > ipis


@pytest.mark.skipif(not ALL_SHAPES, reason="for REPEAT=20, which takes most of an hour: SHAPES=all")
@pytest.mark.alone
@pytest.mark.parametrize("kind, console", [("hvm", "ttyS0,115200"), ("pvh", "hvc0")], ids=["hvm", "pvh"])
@pytest.mark.parametrize("vcpus", [1, 2, 3, 4])
def test_boots(boot, kind, console, vcpus):
    """From GRUB to the prompt and off again on two real threads, without a complaint."""
    m = boot(modules=linux(QUIET.replace("ttyS0,115200", console), keys=f"type={kind}", vcpus=vcpus),
             emulator="qemu", pcpus=2)
    m.expect_exact(PROMPT, timeout=BOOT)
    assert m.ask("nproc").strip() == str(vcpus)
    without_pci = {"PCI: Fatal: No config space access function found"} if kind == "pvh" else set()  # as on Xen
    assert {line for line in complaints(m.ask("dmesg")) if not OF_HOST_TIME.search(line)} == without_pci
    m.sendline("poweroff -f")
    m.expect(r"caisson: [^\r\n]*linux: powered off")
    m.expect_off()


# vCPUs, and odd sizes of memory along with them: 3,073 MiB reach beyond the PC's hole.
COUNTS = [(1, "130M"), (3, "256M"), (5, "256M"), (6, "256M"), (12, "256M"), (24, "512M"),
          (64, "3073M")]
LONGEST = 2047  # characters of a command line, as Linux has them for x86


@pytest.mark.alone
@pytest.mark.parametrize("vcpus, mem", COUNTS if ALL_SHAPES else [COUNTS[0], COUNTS[2]])
def test_topology(boot, vcpus, mem):
    """Each vCPU is a core of one package, with a thread; the memory is what it was given; and no
    character of the command line is missing."""
    cmdline = f"{QUIET} padding.of={'x' * LONGEST}"[:LONGEST]
    m = boot(modules=linux(cmdline, vcpus=vcpus, mem=mem), pcpus=2,
             mem=int(mem[:-1]) + 384, emulator="qemu")
    m.expect_exact(PROMPT, timeout=2 * BOOT)
    assert m.ask("nproc").strip() == str(vcpus)
    m.ask("cd /sys/devices/system/cpu")
    for name, kinds in (("physical_package_id", 1), ("core_id", vcpus),
                        ("thread_siblings_list", vcpus), ("core_siblings_list", 1)):
        assert m.ask(f"cat cpu[0-9]*/*/{name} | sort -u | wc -l").strip() == str(kinds), name
    assert m.ask("wc -c < /proc/cmdline").strip() == str(LONGEST + 1)
    given = int(mem[:-1]) << 10
    total = int(re.search(r"MemTotal: +(\d+)", m.ask("grep MemTotal /proc/meminfo")).group(1))
    assert given - (70 << 10) - given // 16 < total < given


@pytest.mark.anywhere("qemu")
def test_typed_under_a_flood(shell):
    """Kernel messages take the UART from the shell, with its interrupts masked, 1,000 times: what is
    typed meanwhile is carried out nevertheless, all of it. It is read line by line: busybox' own editing
    changes the terminal's mode around each command, and once took what was typed just then for the end."""
    m = shell(QUIET + " printk.devkmsg=on")
    m.sendline("stty -echo; while read -r line; do eval \"$line\"; done")
    m.sendline("(for i in $(seq 1000); do echo '<0>flood' $i > /dev/kmsg; done) &")
    for i in range(10):
        m.expect(rf"flood {100 * i + 1}\r", timeout=2 * PATIENCE)
        m.sendline(f"echo answer $((1000 + {i}))")
    m.expect(r"flood 1000\r", timeout=2 * PATIENCE)
    m.sendline("echo the $((1 + 1))nd end")
    m.expect(r"2nd end")
    with open(os.path.join(m.machine.logs, "com1.txt"), encoding="utf-8", newline="") as f:
        text = f.read()
    floods = re.findall(r"\[ *[\d.]+\] flood (\d+)\r\n", text)
    assert floods == [str(i) for i in range(1, 1001)]
    rest = re.sub(r"\[ *[\d.]+\] flood \d+\r\n", "", text)
    assert re.findall(r"answer (1\d\d\d)\r", rest) == [str(1000 + i) for i in range(10)]


@pytest.mark.long
def test_crash_is_not_stuck(shell):
    """A kernel that has panicked spins with PAUSE for as long as it was told to, its other CPU
    halts for good: neither pCPU is taken for stuck."""
    m = shell(QUIET + " panic=8", cpu="tigerlake", pcpus=2, vcpus=2, ips=20_000_000)  # these seconds are long
    m.sendline("echo c > /proc/sysrq-trigger")
    m.expect(r"Kernel panic")
    m.expect(r"caisson: linux: rebooted", timeout=2 * PATIENCE)
    m.expect(r"caisson: linux: domain 1, ")
    with open(os.path.join(m.machine.logs, "com1.txt"), encoding="utf-8") as f:
        assert "is stuck" not in f.read()


@pytest.mark.anywhere("qemu")
def test_reboot_and_poweroff(shell):
    """The domain starts anew, and is as good as before."""
    m = shell(cpu="tigerlake")
    m.sendline("reboot -f")
    m.expect(r"caisson: linux: rebooted \(reset line\)")
    m.expect(r"caisson: linux: domain 1, ")
    m.expect_exact(PROMPT, timeout=BOOT)
    assert 0 < int(m.ask("date +%s")) - TIME0 < 600
    m.sendline("poweroff -f")
    m.expect(r"caisson: linux: powered off \(ACPI S5\)")
    m.expect(r"caisson: no domain left")
    m.expect_off()


@pytest.mark.alone
def test_686_pae(boot):
    """Debian's 32-bit kernel, by the 32-bit boot protocol, with two vCPUs. In QEMU, as to unpack it
    takes billions of instructions."""
    kernel, initrd = (os.path.join(BUILD, "debian", name) for name in ("vmlinuz-686", "initrd-686.img"))
    m = boot(modules=[Module(kernel, f"kernel name=linux mem=256M vcpus=2 -- {QUIET}"),
                      Module(initrd, "ramdisk name=linux")], pcpus=2, emulator="qemu")
    m.expect(r"caisson: linux: bzImage at 0x[0-9a-f]+, \d+ KiB, by its 32-bit entry")
    m.expect_exact(PROMPT, timeout=BOOT)
    assert m.ask("uname -m").strip() == "i686"
    assert m.ask("nproc").strip() == "2"
    m.sendline("poweroff -f")
    m.expect(r"caisson: linux: powered off")


@pytest.mark.anywhere("qemu")
@pytest.mark.parametrize("way, says", [
    ("acpi", r"rebooted \(reset line\)"),
    ("kbd", r"rebooted \(reset line\)"),
    ("pci", r"rebooted \(reset line\)"),
    ("triple", r"triple fault: vCPU 0 at 0x[0-9a-f]+; starts anew"),
])
def test_ways_to_reset(shell, way, says):
    """Linux' ways to reset a PC: after each the domain starts anew, with a line that says how."""
    m = shell(QUIET + f" reboot={way}")
    m.sendline("reboot -f")
    m.expect(r"caisson: [^\r\n]*linux: " + says)
    m.expect(r"caisson: linux: domain 1, ")


@pytest.mark.anywhere("qemu")
def test_paste_64k(shell):
    """Nothing gets lost at full speed, typed or printed; and at a shell's prompt, with its line editor,
    each line of a paste is carried out, in order. QEMU's line brings and takes bytes as fast as they go;
    test_typed_at_full_speed (guests) has one that does not wait."""
    rng = random.Random(1)
    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
    data = "".join("".join(rng.choice(alphabet) for _ in range(63)) + "\n" for _ in range(1024))
    m = shell(ips=40_000_000)  # 17 seconds of a serial port's time
    m.sendline("stty -echo; cat > /tmp/file; stty echo")
    m.expect("\n")
    time.sleep(1)  # until cat reads: the shell's line editor would take what comes before
    m.send(data)
    m.send("\x04")
    m.expect_exact(PROMPT, timeout=5 * PATIENCE)
    assert hashlib.sha256(data.encode()).hexdigest() in m.ask("sha256sum /tmp/file")
    assert m.ask("cat /tmp/file", timeout=5 * PATIENCE) == data
    m.sendline("stty -echo; PS1=; n=0 sum=0")
    m.expect("\n")
    time.sleep(1)
    line = "n=$((n+1)) sum=$(((sum*31+{:4d})%65521)) # {}\n"
    want = 0
    paste = []
    for i in range(1, 1025):
        want = (want * 31 + i) % 65521
        paste.append(line.format(i, "x" * 21))
    assert len("".join(paste)) >= 65536
    m.send("".join(paste))
    m.send("echo n=$n sum=$sum end\n")
    m.expect(r"n=(\d+) sum=(\d+) end", timeout=10 * PATIENCE)
    assert (int(m.match.group(1)), int(m.match.group(2))) == (1024, want)
