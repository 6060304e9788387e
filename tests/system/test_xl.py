"""Debian as a guest that Debian's xl makes, with a disk and a network card, as Xen's documentation has it."""
import os
import re

import pytest

from conftest import ALL_SHAPES, BOOT, BUILD, PROMPT as GUEST_PROMPT
from test_control import PROMPT, SUM, Control, all_free, domain_0, free, gone, power_off, rows

TOOLS = os.path.join(BUILD, "debian/control-debian.img")
ROUNDS = 20
BACKEND = "/local/domain/0/backend"


@pytest.fixture
def mem():
    """Of the machine, in MiB; 448 of them are left for guests."""
    return 896


@pytest.fixture
def emulator():
    return "qemu"


@pytest.fixture
def daemon():
    """Of the store: Debian's default."""
    return "oxenstored"


@pytest.fixture
def control(boot, mem, emulator, daemon):
    """With a daemon of the store, a bridge, and /etc/xen/debian.cfg, whose guest is to have both."""
    m = boot(modules=domain_0(mem=f"{mem - 448}M", tools=TOOLS), emulator=emulator, pcpus=2, mem=mem, ips=100_000_000,
             options="console=com1 exit=shutdown loglevel=debug")
    c = Control(m)
    c.ask("store " + daemon, timeout=BOOT)
    c.ask("dd if=/dev/zero of=/disk.img bs=1M count=4 2> /dev/null")
    c.ask("brctl addbr xenbr0 && ip addr add 10.0.0.1/24 dev xenbr0 && ip link set xenbr0 up")
    c.ask("sed -i 's/^# //' /etc/xen/debian.cfg")
    return c


class Guest:
    """What is typed at its console, in `xl console`; `with` leaves that."""

    def __init__(self, c, name="debian"):
        self.m = c.m
        self.name = name

    def __enter__(self):
        self.m.sendline(f"until xl console {self.name}; do sleep 1; done")  # not as long as xenconsoled has not seen it
        self.m.expect(r"up after [^\r]*, 2 CPU", timeout=BOOT)
        self.m.expect_exact(GUEST_PROMPT, timeout=BOOT)
        return self

    def __exit__(self, *_):
        self.m.send("\x1d")
        self.m.expect_exact(PROMPT)

    def last(self, *lines):
        """The last word that each line printed."""
        return [(self.m.ask(line, timeout=BOOT).split() or [""])[-1] for line in lines]


class Again(Guest):
    """Its console once more, where its shell waits."""

    def __enter__(self):
        self.m.sendline(f"xl console {self.name}")
        self.m.send("\r")
        self.m.expect_exact(GUEST_PROMPT, timeout=BOOT)
        return self


def write(g, disk="xvda"):
    """A file of random content on its disk; what is read there, once the cache is gone, is the same."""
    wrote, _, read = g.last("dd if=/dev/urandom of=/pattern bs=1M count=4 2> /dev/null; " + SUM.format("/pattern"),
                            f"until [ -b /dev/{disk} ]; do sleep 1; done; "
                            f"dd if=/pattern of=/dev/{disk} bs=1M conv=fsync 2> /dev/null; rm /pattern",
                            "echo 3 > /proc/sys/vm/drop_caches; " + SUM.format(f"/dev/{disk}"))
    assert read == wrote
    return wrote


def ping(g, card="eth0", net="10.0.0", own=2):
    assert "2 packets received" in g.m.ask(
        f"until ip link set {card} up; do sleep 1; done; ip addr add {net}.{own}/24 dev {card}; "
        f"until ping -c 1 {net}.1; do sleep 1; done; ping -c 2 {net}.1", timeout=BOOT)


def domid(c):
    return int(c.ask("xl domid debian", timeout=BOOT).split()[-1])


def create(c):
    """Frames that were free before."""
    before = free(c)
    c.ask("xl create /etc/xen/debian.cfg", timeout=BOOT)
    assert re.search(r"^debian +\d+ +128 ", c.ask("xl list", timeout=BOOT), re.M)
    return before


def leave(c, before):
    """The guest has ended, and nothing of it is left."""
    gone(c, "debian")
    all_free(c, before)
    power_off(c)


@pytest.mark.alone
def test_debian(control):
    """It writes to its disk, talks over the bridge, and shuts down when it is asked to."""
    c = control
    before = create(c)
    with Guest(c) as g:
        wrote = write(g)
        ping(g)
    assert c.ask(SUM.format("/disk.img"), timeout=BOOT).split()[-1] == wrote
    c.ask("xl shutdown -w debian", timeout=BOOT)
    leave(c, before)


def reboot(c):
    """xl makes it anew, by a daemon that waits for its end."""
    before = domid(c)
    c.ask("xl reboot debian", timeout=BOOT)
    c.ask(f"until [ $(xl domid debian 2> /dev/null || echo {before}) != {before} ]; do sleep 1; done", timeout=BOOT)


def smaller(c):
    """It gives back a CPU and memory, as it is asked to."""
    c.ask("xl vcpu-set debian 1 && xl mem-set debian 100", timeout=BOOT)
    c.ask("until xl list debian | grep -q ' 100 *1 '; do sleep 1; done", timeout=BOOT)


@pytest.mark.skipif(not ALL_SHAPES, reason="takes a minute more; SHAPES=all runs it")
@pytest.mark.alone
def test_reboot(control):
    """It comes back with its disk and its network, and both go with it when it is destroyed."""
    c = control
    before = create(c)
    with Guest(c) as g:
        wrote = write(g)
    reboot(c)
    with Guest(c) as g:
        assert g.last(SUM.format("/dev/xvda")) == [wrote]
        ping(g)
    smaller(c)
    c.ask("xl destroy debian", timeout=BOOT)
    leave(c, before)


def connected(c):
    """Both of its drivers have what they share with the control domain's."""
    its = domid(c)
    c.ask(f"for way in vbd/{its}/51712 vif/{its}/0; do until [ $(xenstore-read {BACKEND}/$way/state) = 4 ]; do sleep 1; done; done",
          timeout=BOOT)


def another_disk(c, g):
    """Attached while it runs, written, and gone again with its loop device."""
    c.ask("dd if=/dev/zero of=/more.img bs=1M count=4 2> /dev/null; losetup -a > /before; "
          "xl block-attach debian /more.img,raw,xvdb,rw", timeout=BOOT)
    with g:
        wrote = write(g, "xvdb")
    assert c.ask(SUM.format("/more.img"), timeout=BOOT).split()[-1] == wrote
    c.ask("xl block-detach debian xvdb", timeout=BOOT)
    with g:
        g.last("while [ -b /dev/xvdb ]; do sleep 1; done")
    c.ask("losetup -a | cmp - /before", timeout=BOOT)


def another_card(c, g):
    """On a bridge of its own, on which its first card is not."""
    c.ask("brctl addbr xenbr1 && ip addr add 10.0.1.1/24 dev xenbr1 && ip link set xenbr1 up && "
          "xl network-attach debian bridge=xenbr1", timeout=BOOT)
    with g:
        ping(g, "eth1", "10.0.1")
    c.ask("xl network-detach debian 1", timeout=BOOT)
    with g:
        g.last("while [ -e /sys/class/net/eth1 ]; do sleep 1; done")
    assert "vif" not in c.ask("ls /sys/class/net/xenbr1/brif")


@pytest.mark.skipif(not ALL_SHAPES, reason="takes a minute more; SHAPES=all runs it")
@pytest.mark.alone
def test_attach(control):
    """A disk and a network card more, for as long as it wants them; those that it had stay."""
    c = control
    before = create(c)
    with Guest(c) as g:
        wrote = write(g)
    another_disk(c, Again(c))
    another_card(c, Again(c))
    with Again(c) as g:
        assert g.last(SUM.format("/dev/xvda")) == [wrote]
        ping(g)
    c.ask("xl destroy debian", timeout=BOOT)
    leave(c, before)


def transfer(c):
    """64 MiB from another guest to this one, over the bridge: what arrives is what was sent."""
    c.ask("dd if=/dev/zero of=/second.img bs=1M count=1 2> /dev/null; "
          "sed 's/\"debian\"/\"second\"/; s/disk.img/second.img/' /etc/xen/debian.cfg > /etc/xen/second.cfg")
    c.ask("xl create /etc/xen/second.cfg", timeout=BOOT)
    with Again(c) as g:  # its nc ends when the other's has said all; until then it wants an open input
        g.last("(sleep 10000 | nc -l -p 5000 | sha256sum > /sum) &")
    with Guest(c, "second") as g:
        ping(g, own=3)
        sent = g.last("mkfifo /all; sha256sum < /all > /sum & "
                      "dd if=/dev/urandom bs=1M count=64 2> /dev/null | tee /all | nc 10.0.0.2 5000; wait",
                      "cut -c-64 /sum")[-1:]
    with Again(c) as g:
        assert g.last("until [ -s /sum ]; do sleep 1; done; cut -c-64 /sum") == sent
    c.ask("xl destroy second", timeout=BOOT)
    gone(c, "second")


def look(c):
    """What the tools say of the machine and of the guest."""
    assert "xen_version            : 4.17-caisson" in c.ask("xl info", timeout=BOOT)
    assert '"name": "debian"' in c.ask("xl list -l debian", timeout=BOOT)
    assert len(re.findall(r"^debian +\d+ +[01] ", c.ask("xl vcpu-list", timeout=BOOT), re.M)) == 2
    assert f"domain#{domid(c)}: domain {domid(c)}, " in c.ask("xl dmesg", timeout=BOOT)
    assert re.search(r"^ +debian ", c.ask("xentop -b -i 1", timeout=BOOT), re.M)


def rule(c):
    """And do to it."""
    its = domid(c)
    for word, state in ("pause", "p"), ("unpause", "-"):
        c.ask(f"xl {word} debian", timeout=BOOT)
        assert rows(c.ask("xl list", timeout=BOOT))[its][4][2] == state
    c.ask("xl vcpu-pin debian 0 1", timeout=BOOT)
    assert re.search(r"^debian +\d+ +0 +1 .* 1 / all$", c.ask("xl vcpu-list", timeout=BOOT), re.M)
    for weight, cap in ("512", "50"), ("256", "0"):
        c.ask(f"xl sched-credit2 -d debian -w {weight} -c {cap}", timeout=BOOT)
        assert rows(c.ask("xl sched-credit2", timeout=BOOT))[its][2:4] == [weight, cap]


def move(c, wrote):
    """Into a file and back, then to this very machine while it runs: with all that it had."""
    for line in ("xl save debian /debian.save && xl restore /debian.save && rm /debian.save",
                 "xl migrate -s '' debian 'xl migrate-receive'"):
        c.ask(line, timeout=4 * BOOT)
        with Again(c) as g:
            assert g.last("echo 3 > /proc/sys/vm/drop_caches; " + SUM.format("/dev/xvda")) == [wrote]
            ping(g)


@pytest.mark.skipif(not ALL_SHAPES, reason="takes minutes; SHAPES=all runs it")
@pytest.mark.anywhere("qemu")
@pytest.mark.smp
@pytest.mark.parametrize("mem", [1280])
@pytest.mark.parametrize("daemon", ["oxenstored", "xenstored"])
def test_everything(control):
    """A guest's whole life, with each daemon of the store, and all that an operator of Xen does in it."""
    c = control
    before = create(c)
    with Guest(c) as g:
        wrote = write(g)
        ping(g)
    look(c)
    rule(c)
    another_disk(c, Again(c))
    another_card(c, Again(c))
    transfer(c)
    move(c, wrote)
    reboot(c)
    with Guest(c) as g:
        assert g.last(SUM.format("/dev/xvda")) == [wrote]
    smaller(c)
    c.ask("xl shutdown -w debian", timeout=BOOT)
    leave(c, before)


@pytest.mark.skipif(not ALL_SHAPES, reason="takes minutes; SHAPES=all runs it")
@pytest.mark.alone
def test_rounds(control):
    """Made and destroyed again and again, while it begins or when it has all: no frame is missing after any."""
    c = control
    before = free(c)
    for n in range(ROUNDS):
        c.ask("xl create -q /etc/xen/debian.cfg", timeout=BOOT)
        if n % 2:
            connected(c)
        c.ask("xl destroy debian", timeout=BOOT)
        all_free(c, before)
    assert "loop" not in c.ask("losetup -a")
    assert "vif" not in c.ask("ls /sys/class/net")
    power_off(c)
