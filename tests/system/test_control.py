"""A control domain: Debian's unmodified kernel and Xen tools, with rights=control."""
import hashlib
import os
import re
import socket
import time

import pytest

import qemu
from conftest import ALL_SHAPES, BOOT, BUILD, PROMPT as GUEST_PROMPT, QUIET, VMLINUZ, Module, guest
from test_monitor import Operator

MAYFLY, STORM = (os.path.join(BUILD, f"guest/{name}.elf") for name in ("mayfly", "storm"))
VMLINUX = os.path.join(BUILD, "debian/dom0/vmlinux")
TOOLS = os.path.join(BUILD, "debian/control.img")
FRONTENDS = os.path.join(BUILD, "debian/guest.img")
SEED = int(os.environ.get("CONTROL_SEED", "1"))  # of the bad one; others than these are for make torture
PROMPT = "caisson-control# "
# norandmaps: docs/qemu.md, "Programs"
CMDLINE = ("console=hvc0 quiet nokaslr norandmaps cryptomgr.notests nowatchdog mitigations=off "
           "random.trust_cpu=on panic=-1")


class Control:
    """The shell of a control domain in front."""

    def __init__(self, m):
        self.m = m
        m.expect_exact(PROMPT, timeout=2 * BOOT)

    def ask(self, line, code=0, timeout=-1):
        """What it printed; it must end with this code."""
        self.m.sendline(line + "; echo rc=$?")
        self.m.expect(r"rc=(\d+)\r", timeout=timeout)
        got = int(self.m.match.group(1))
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.m.before).replace("\r", "")
        self.m.expect_exact(PROMPT)
        text = text.partition("\n")[2]
        assert got == code, f"{line}: {got}: {text}"
        return text


def domain_0(words="", mem="384M", tools=TOOLS):
    return [Module(VMLINUX, f"kernel name=Domain-0 rights=control type=pvh mem={mem} "
                   f"{words} -- {CMDLINE}"), Module(tools, "ramdisk name=Domain-0")]


@pytest.fixture
def control(boot):
    def start(rest=(), words="", **settings):
        settings.setdefault("mem", 768)
        m = boot(modules=[*domain_0(words), *rest], ips=100_000_000,
                 options="console=com1 exit=shutdown loglevel=debug", **settings)
        return Control(m)
    return start


def power_off(c):
    c.m.sendline("poweroff -f")
    c.m.expect(r"caisson: [^\r\n]*Domain-0: powered off")
    c.m.expect_off()


def know(c):
    """The kernel knows what it is; typing reaches it by an interrupt."""
    assert "control_d" in c.ask("cat /proc/xen/capabilities")
    assert {"evtchn", "gntdev", "privcmd", "xenbus_backend"} <= set(c.ask("ls /dev/xen").split())
    line = re.search(r".*hvc_console", c.ask("cat /proc/interrupts")).group(0)
    assert "-virq" in line and int(line.split()[1]) > 0


def rows(text):
    """By id, the words of each line that has one in its second column."""
    lines = [line.split() for line in text.splitlines()]
    return {int(w[1]): w for w in lines if len(w) > 1 and w[1].isdigit()}


def look(c):
    """What the tools say of the machine and of its domains."""
    info = dict(re.findall(r"^(\w+) *: (.*)$", c.ask("xl info", timeout=BOOT), re.M))
    assert info["xen_version"] == "4.17-caisson" and info["xen_scheduler"] == "credit2"
    assert info["nr_cpus"] == "1" and info["nr_nodes"] == "1" and info["free_cpus"] == "0"
    assert "hap" in info["virt_caps"] and int(info["cpu_mhz"].partition(".")[0]) > 0
    assert 0 < int(info["free_memory"]) < int(info["total_memory"])
    domains = rows(c.ask("xl list", timeout=BOOT))
    assert sorted(domains) == [0, 1] and domains[0][0] == "Domain-0"
    assert domains[1][2:4] == ["15", "1"]  # MiB: a PC's memory has holes
    vcpus = rows(c.ask("xl vcpu-list", timeout=BOOT))
    assert vcpus[0][2:4] == ["0", "0"] and vcpus[1][-3:] == ["all", "/", "all"]
    assert int(c.ask("xl cpupool-list", timeout=BOOT).split()[-1]) == 2


def state(c, domain=1):
    return rows(c.ask("xl list", timeout=BOOT))[domain][4]


def rule(c):
    """And do to them."""
    c.ask("xl pause 1", timeout=BOOT)
    assert state(c)[2] == "p"
    c.ask("xl unpause 1", timeout=BOOT)
    assert state(c)[2] == "-"
    c.ask("xl sched-credit2 -d 1 -w 512 -c 50", timeout=BOOT)
    assert rows(c.ask("xl sched-credit2", timeout=BOOT))[1][2:4] == ["512", "50"]
    c.ask("xl vcpu-pin 1 0 0", timeout=BOOT)
    c.ask("xl vcpu-pin 1 0 7", code=1, timeout=BOOT)  # no such pCPU
    assert "Invalid argument" in c.ask("xl pause 0", timeout=BOOT)  # nobody could unpause it
    c.ask("xl destroy 77", code=1, timeout=BOOT)


def events(c):
    """How often the store's daemon was told of a domain's end: VIRQ_DOM_EXC is the one of its ports
    that is quiet."""
    lines = re.findall(r"(\d+) +xen-dyn\S* +-event +evtchn:", c.ask("cat /proc/interrupts"))
    return min(int(n) for n in lines)


def end(c):
    """One that is destroyed goes, and the daemon hears of it."""
    before = events(c)
    c.ask("xl destroy 1", timeout=BOOT)
    for _ in range(20):
        if sorted(rows(c.ask("xl list", timeout=BOOT))) == [0]:
            break
    else:
        pytest.fail("domain 1 is still there")
    assert events(c) > before


def gone(c, name):
    for _ in range(20):
        if name not in c.ask("xl list", timeout=BOOT):
            return
    pytest.fail(f"{name} is still there")


LEFT = "xl debug-keys m && xl dmesg | grep 'debug key m' | tail -n 1"


def said_free(c):
    return re.search(r"(\d+) of them and (\d+) of the heap's", c.ask(LEFT, timeout=BOOT))


def free(c):
    """Frames that no domain has been promised, also those that have become the heap's for good."""
    return sum(map(int, said_free(c).groups()))


def all_free(c, before):
    """As many as before, as soon as whoever has a page of a domain that is gone lets go of it."""
    for _ in range(20):
        if free(c) == before:
            return
        time.sleep(0.5)
    assert free(c) == before


def leave(c):
    """Parrot ends by its own wish, and its console with it."""
    c.m.sendline("quit")
    c.m.expect_exact("parrot: bye")
    c.m.expect_exact(PROMPT, timeout=BOOT)
    gone(c, "parrot")


def create(c):
    """One that xl makes: its console, the end that it chooses itself, and one that it does not."""
    before = free(c)
    c.ask("xl create /etc/xen/parrot.cfg", timeout=BOOT)
    assert re.search(r"^parrot +\d+ +16 +1 ", c.ask("xl list", timeout=BOOT), re.M)
    c.m.sendline("xl console parrot")
    c.m.expect_exact("parrot: listening, from parrot.cfg", timeout=BOOT)
    c.m.sendline("hello")
    c.m.expect_exact("parrot: hello")
    leave(c)
    c.ask("xl create -q /etc/xen/parrot.cfg", timeout=BOOT)
    c.ask("xl destroy parrot", timeout=BOOT)
    gone(c, "parrot")
    all_free(c, before)


def again_and_again(c):
    """Twenty of them leave nothing behind: the daemons let go of their pages in a moment."""
    left = f"{LEFT} | grep \"{said_free(c).group()}\""
    lines = c.ask("i=0; while [ $i -lt 20 ]; do xl create -q /etc/xen/parrot.cfg && xl destroy parrot || break; "
                  f"n=0; until {left} || [ $n = 9 ]; do n=$((n+1)); done; i=$((i+1)); done", timeout=4 * BOOT)
    assert len(re.findall(r"^caisson: debug key m", lines, re.M)) == 20


def ready_to_suspend(c):
    """Parrot runs, has said two lines and writes all over its memory; the store knows the port by which it
    is told to suspend."""
    c.ask("xl create -q /etc/xen/parrot.cfg", timeout=BOOT)
    c.m.sendline("xl console parrot")
    c.m.expect_exact("parrot: listening", timeout=BOOT)
    for line in ("one", "two"):
        c.m.sendline(line)
        c.m.expect_exact(f"parrot: {line}")
    c.m.sendline("suspend")
    c.m.expect(r"to be suspended by port (\d+)")
    port = c.m.match.group(1)
    c.m.send("\x1d")
    c.m.expect_exact(PROMPT)
    c.ask(f"xenstore-write /local/domain/$(xl domid parrot)/device/suspend/event-channel {port}")


def is_back(c):
    """With all that it had: its memory, and where it was."""
    c.m.sendline("xl console parrot")
    c.m.expect_exact("parrot: is back, has said 2 lines, 1024 pages are right", timeout=BOOT)
    c.m.sendline("three")
    c.m.expect_exact("parrot: three")
    leave(c)


def save(c):
    ready_to_suspend(c)
    c.ask("xl save parrot /parrot.save", timeout=BOOT)
    assert "parrot" not in c.ask("xl list", timeout=BOOT)
    c.ask("xl restore /parrot.save", timeout=BOOT)
    is_back(c)


def checkpoint(c):
    """It is saved, and goes on. The xl that waited for its end has left as it suspended: nobody destroys it
    when it powers off."""
    ready_to_suspend(c)
    c.ask("xl save -c parrot /parrot.save", timeout=BOOT)
    c.m.sendline("xl console parrot")
    c.m.expect_exact("parrot: goes on, has said 2 lines, 1024 pages are right", timeout=BOOT)
    c.m.sendline("quit")
    c.m.expect_exact("parrot: bye")
    c.m.send("\x1d")
    c.m.expect_exact(PROMPT)
    c.ask("xl destroy parrot", timeout=BOOT)
    gone(c, "parrot")


def migrate(c):
    """To this very machine, while it runs: what it writes meanwhile is sent again."""
    ready_to_suspend(c)
    said = c.ask("xl migrate -s '' parrot 'xl migrate-receive' 2>&1", timeout=4 * BOOT)
    assert "Migration successful." in said
    is_back(c)


def talk(c):
    """What Caisson has to say, and nowhere in it the word by which the operator knows it."""
    c.ask("xl debug-keys h", timeout=BOOT)
    said = c.ask("xl dmesg", timeout=BOOT)
    assert re.search("^caisson: debug key h: ", said, re.M) and "what Caisson says begins with" in said
    with open(os.path.join(c.m.machine.logs, "com1.txt"), encoding="utf-8") as f:
        mark = re.search(r"\[([0-9a-f]{8})\] caisson: what Caisson says", f.read()).group(1)
    assert mark not in said
    assert "Domain-0" in c.ask("xentop -b -i 1", timeout=BOOT)
    c.ask("xl vcpu-pin 0 0 all 0", timeout=BOOT)


@pytest.mark.anywhere
@pytest.mark.parametrize("daemon", ["oxenstored", pytest.param("xenstored", marks=pytest.mark.anywhere("qemu"))])
@pytest.mark.long
def test_tools(control, emulator, daemon):
    """Debian's tools, with either daemon of the store, over a domain of the boot menu. A tool takes Bochs a
    second or two: there only some of them are called, unless SHAPES=all."""
    c = control(rest=guest("hog", words="sleep"), emulator=emulator)
    know(c)
    c.ask("store " + daemon, timeout=BOOT)
    assert "Domain-0" in c.ask("xenstore-read /local/domain/0/name")
    look(c)
    if emulator != "bochs" or ALL_SHAPES:
        rule(c)
        talk(c)
    end(c)
    create(c)
    if daemon == "xenstored":
        again_and_again(c)
    if daemon == "xenstored" or ALL_SHAPES:  # on Bochs, with bounds in instructions, too
        before = free(c)
        for way in (save, checkpoint, migrate):
            way(c)
            all_free(c, before)
    power_off(c)


class Menu:
    """A Linux of the boot menu beside the control domain: both have a shell, and keys go to one."""

    def __init__(self, c, name):
        self.c, self.name, self.operator = c, name, Operator(c.m)

    def ask(self, *lines):
        """What each line printed there; the keys are the control domain's again then. A line that is
        longer than the terminal is wide comes back in front of that."""
        self.operator.to_monitor()
        self.c.m.send(f"console {self.name}\r\r")
        self.c.m.expect_exact(GUEST_PROMPT, timeout=BOOT)
        said = [self.c.m.ask(line, timeout=BOOT).strip() for line in lines]
        self.operator.to_monitor()
        self.c.m.send("console Domain-0\r\r")
        self.c.m.expect_exact(PROMPT, timeout=BOOT)
        return said

    def last(self, *lines):
        """The last word of each."""
        return [(said.split() or [""])[-1] for said in self.ask(*lines)]


SUM = "sha256sum {} | cut -c-64"
PATTERN = "dd if=/dev/urandom of=/pattern bs=1M count=4 2> /dev/null; " + SUM.format("/pattern")


def disk(c, alpha):
    """A file becomes a disk of a domain that runs, by Debian's script; what is written there is in it;
    and it goes again."""
    c.ask("dd if=/dev/zero of=/disk.img bs=1M count=4 2> /dev/null; xl block-attach alpha /disk.img,raw,xvda,rw",
          timeout=BOOT)
    size, wrote, _, read = alpha.last("until [ -b /dev/xvda ]; do sleep 1; done; cat /sys/block/xvda/size", PATTERN,
                                     "dd if=/pattern of=/dev/xvda bs=1M conv=fsync 2> /dev/null; rm /pattern",
                                     "echo 3 > /proc/sys/vm/drop_caches; " + SUM.format("/dev/xvda"))
    assert size == "8192" and read == wrote
    assert c.ask(SUM.format("/disk.img"), timeout=BOOT).split()[-1] == wrote
    c.ask("xl block-detach alpha xvda", timeout=BOOT)
    assert "loop0" not in c.ask("losetup -a", timeout=BOOT)


FIRST, SECTORS = 2048, 8192  # of the one partition of the machine's disk


def partitioned(path):
    """A disk's file with a table of partitions (MBR)."""
    entry = b"\0\0\0\0\x83\0\0\0" + FIRST.to_bytes(4, "little") + SECTORS.to_bytes(4, "little")
    with open(path, "wb") as f:
        f.write(bytes(446) + entry + bytes(48) + b"\x55\xaa")
        f.truncate((FIRST + SECTORS) * 512)
    return path


def partition(c, alpha, path):
    """One of the machine's own disk, which the control domain has: what the other writes is there."""
    c.ask("until [ -b /dev/nvme0n1p1 ]; do sleep 1; done; xl block-attach alpha /dev/nvme0n1p1,raw,xvdb,rw",
          timeout=BOOT)
    size, wrote, _ = alpha.last("until [ -b /dev/xvdb ]; do sleep 1; done; cat /sys/block/xvdb/size", PATTERN,
                                "dd if=/pattern of=/dev/xvdb bs=1M conv=fsync 2> /dev/null")
    assert int(size) == SECTORS
    with open(path, "rb") as f:
        f.seek(FIRST * 512)
        assert hashlib.sha256(f.read()).hexdigest() == wrote
    c.ask("xl block-detach alpha xvdb", timeout=BOOT)


def network(c, alpha):
    """A card of its on a bridge, by Debian's script, where the machine's own card is too: it reaches
    the control domain, and who answers on QEMU's wire."""
    c.ask("brctl addbr xenbr0 && ip addr add 10.0.2.3/24 dev xenbr0 && ip link set xenbr0 up && "
          "ip link set eth0 up && brctl addif xenbr0 eth0")
    c.ask("xl network-attach alpha bridge=xenbr0", timeout=BOOT)
    _, near, far = alpha.ask("until ip link set eth0 up; do sleep 1; done; ip addr add 10.0.2.4/24 dev eth0",
                             "until ping -c 1 10.0.2.3; do sleep 1; done; ping -c 2 10.0.2.3",
                             "until ping -c 1 10.0.2.2; do sleep 1; done; ping -c 2 10.0.2.2")
    assert "2 packets received" in near and "2 packets received" in far


def not_saved(c, alpha):
    """Nobody could restore it. xl misses its size in the store; with a configuration that xl need not look
    for, Caisson says so, before the domain has noticed anything."""
    c.ask("xl save alpha /alpha.save 2> /dev/null", code=1, timeout=BOOT)
    assert "refused: alpha is of the menu, so it can be neither saved nor moved" in c.ask(
        "xl save alpha /alpha.save /etc/xen/parrot.cfg 2>&1", code=1, timeout=BOOT)
    assert alpha.last("echo it lives") == ["lives"]
    assert re.search(r"^alpha +1 +127 +1 +[rb-]{6}", c.ask("xl list", timeout=BOOT), re.M)


@pytest.mark.long
def test_devices(boot, tmp_path):
    """A domain of the boot menu has a name in the store, and by xl a disk and a network card, and is not
    saved. The control domain has the machine's own, and hands on what comes from there."""
    path = partitioned(str(tmp_path / "nvme.img"))
    rest = [Module(VMLINUZ, f"kernel name=alpha type=pvh mem=128M -- {QUIET.replace('ttyS0,115200', 'hvc0')}"),
            Module(FRONTENDS, "ramdisk name=alpha")]
    # UEFI, as the boot loader reads its CD by DMA there
    m = boot(modules=[*domain_0("pci=00:04.0,00:05.0"), *rest], emulator="qemu", firmware="uefi", mem=896,
             options="console=com1 exit=shutdown", shape=qemu.PASSED_BOARD, extra=qemu.passed(path, "user"))
    c = Control(m)
    assert "alpha: domain 1, named and connected" in c.ask("store oxenstored", timeout=BOOT)
    assert re.search(r"^alpha +1 +127 +1 ", c.ask("xl list", timeout=BOOT), re.M)
    alpha = Menu(c, "alpha")
    disk(c, alpha)
    partition(c, alpha, path)
    network(c, alpha)
    not_saved(c, alpha)


def test_one_at_most(boot):
    """And no image that could not know it; the others start."""
    one = "kernel name={} rights=control type=pvh mem=2M -- idle"
    m = boot(modules=[Module(MAYFLY, one.format("first")), Module(MAYFLY, one.format("second")),
                      *guest("hello")])
    m.expect(r"first: domain 0,")
    m.expect(r"error: second: there is a control domain")
    m.expect(r"hello: domain 1,")
    m.expect(r"hello: powered off")


def test_another_one(boot):
    """When it has ended, the others live on, and there can be a new one."""
    m = boot(modules=[Module(STORM, "kernel name=first rights=control type=pvh mem=16M -- calls=1"),
                      Module(MAYFLY, "kernel name=other mem=2M -- idle")])
    m.expect(r"first: powered off")
    Operator(m).to_monitor()
    m.send("create name=second kernel=other rights=control type=pvh mem=2M -- idle\r")
    m.expect(r"second: domain 0,")
    m.send("list\r")
    m.expect(r"\nsecond +0 ")
    m.expect(r"\nother +1 ")


@pytest.mark.anywhere
@pytest.mark.smp
@pytest.mark.parametrize("seed", [SEED, pytest.param(SEED + 1, marks=pytest.mark.anywhere("qemu"))])
def test_bad_one(boot, seed):
    """A control domain out of its mind may do what it likes to the others, and nothing to Caisson,
    which gets all memory back in the end."""
    names = ["idle", "spin", "tick", "touch"]
    lives = [Module(MAYFLY, f"kernel name={life} mem=2M on_crash=restart -- {life}") for life in names]
    m = boot(modules=[Module(STORM, "kernel name=storm rights=control type=pvh mem=16M vcpus=2 -- "
                             f"control=1 seed={seed} calls=3000"), *lives],
             options="console=com1 exit=monitor loglevel=info", pcpus=2, ips=100_000_000)
    # Its own console may be gone by then, and the line that tells of its end among those that the others' lines
    # have kept from the screen.
    m.expect(r"storm: powered off|\*\*\* keys go to ", timeout=BOOT)
    m.send("\x01" * 3 + "list\r")
    m.expect(r"\nName [^\n]*\n")
    m.expect("caisson> ")
    alive = re.findall(r"^(\S+) +\d+ +\d+/", m.before, re.M)  # those that it has let run, too
    m.send("".join(f"destroy {life}\r" for life in alive))
    if alive:
        m.expect("no domain left")
    m.send("poweroff\r")
    m.expect_off()


def test_no_bzimage(boot):
    m = boot(modules=[Module(VMLINUZ, "kernel name=Domain-0 rights=control type=pvh"),
                      *guest("hello")])
    m.expect(r"error: Domain-0: [^\n]*rights=control wants an ELF kernel with a PVH entry")
    m.expect(r"hello: domain 1,")


WIRED = {"emulator": "qemu", "shape": qemu.PASSED_BOARD, "firmware": "uefi", "mem": 768,
         "options": "console=com1 exit=shutdown"}


@pytest.mark.alone
@pytest.mark.skipif(not ALL_SHAPES, reason="two machines at once: SHAPES=all")
def test_from_machine_to_machine(boot):
    """Two control domains have a wire between them, by a network card each: a guest goes over it."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        wire = f"127.0.0.1:{s.getsockname()[1]}"
    ends = [boot(modules=domain_0("pci=00:05.0"), extra=qemu.passed(net=f"socket,{end}={wire}"), **WIRED)
            for end in ("listen", "connect")]
    here, there = (Control(m) for m in ends)
    for i, c in enumerate((here, there)):
        c.ask("store xenstored", timeout=BOOT)
        c.ask("until [ -d /sys/class/net/eth0 ]; do sleep 1; done; "
              f"ip addr add 10.0.0.{i + 1}/24 dev eth0 && ip link set eth0 up", timeout=BOOT)
    ready_to_suspend(here)
    there.ask("(nc -l -p 4000 -e xl migrate-receive > /dev/null 2>&1 &)")
    assert "Migration successful." in here.ask("xl migrate -s '' parrot 'nc 10.0.0.2 4000' 2>&1", timeout=4 * BOOT)
    gone(here, "parrot")
    is_back(there)
    for c in (here, there):
        power_off(c)
