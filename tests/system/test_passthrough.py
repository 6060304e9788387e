"""A guest with PCI devices of the machine's: what it reads and writes is there."""
import functools
import hashlib
import http.server
import os
import re
import shutil
import subprocess
import threading
import time

import pytest

import qemu
from conftest import ALL_SHAPES, BOOT, BUILD, PATIENCE, PROMPT, QUIET, Module, linux

MIB = 1 << 20
SEED = int(os.environ.get("ROGUE_SEED", "0"))  # others than this are for make torture
PVH = "earlyprintk=xen " + QUIET.replace("ttyS0,115200", "hvc0")


def disk(path, mib):
    """A disk's file, whose bytes are known."""
    block = hashlib.sha256(b"a block").digest() * (MIB // 32)
    with open(path, "wb") as f:
        for i in range(mib):
            f.write(i.to_bytes(32, "little") + block[32:])
    return path


def md5(path, first=0, last=None):
    with open(path, "rb") as f:
        return hashlib.md5(f.read()[first:last]).hexdigest()


def q35(disk_path, **which):
    """QEMU's board with an IOMMU, and an NVMe disk at 00:04.0."""
    return {"emulator": "qemu", "shape": qemu.PASSED_BOARD, "pcpus": 2, "mem": 1024,
            "extra": qemu.passed(disk_path, **which)}


BUFFER = ["-global", "nvme.cmb_size_mb=1024", "-global", "nvme.legacy-cmb=on"]


def registers(m):
    """Some of the disk's registers are memory of its own, 1 GiB: too much for a place below 4 GiB."""
    m.ask("echo 0000:00:04.0 > /sys/bus/pci/drivers/nvme/unbind")  # the kernel lets nobody in beside a driver
    at, last = (int(word, 16) for word in
                m.ask("sed -n 3p /sys/bus/pci/devices/0000:00:04.0/resource").split()[:2])
    assert at >= 1 << 32 and last == at + (1 << 30) - 1
    for address, value in (at, 0x12345678), (last - 3, 0x9ABCDEF0):
        m.ask(f"devmem {address:#x} 32 {value:#x}")
    assert "0x12345678" in m.ask(f"devmem {at:#x}")
    assert "0x9ABCDEF0" in m.ask(f"devmem {last - 3:#x}")


CARD = ["-device", "e1000e,addr=5,romfile="]


def ports(m):
    """The card's registers are behind two of its ports too: which one, and what is in it."""
    card = "/sys/bus/pci/devices/0000:00:05.0"
    m.ask(f"echo 1 > {card}/enable")
    at = int(m.ask(f"head -n 1 {card}/resource").split()[0], 16) + 0x5400  # its own address
    write = f"dd of={card}/resource2 bs=4 conv=notrunc 2>/dev/null"
    m.ask(f"printf '\\000\\124\\000\\000' | {write}")
    m.ask(f"devmem {at:#x} 32 0x12345678")
    read = f"dd if={card}/resource2 bs=4 skip=1 count=1 2>/dev/null"
    assert "12345678" in m.ask(f"{read} | hexdump -e '\"%x\"'")
    m.ask(f"printf '\\001\\043\\105\\147' | {write} seek=1")
    assert "0x67452301" in m.ask(f"devmem {at:#x}")


@pytest.mark.alone
@pytest.mark.parametrize("kind, iommu", [("hvm", "amd-iommu"), ("pvh", "intel-iommu,intremap=on")],
                         ids=["hvm-amd", "pvh-intel"])
def test_nvme(boot, tmp_path, kind, iommu):
    """An NVMe disk of a guest's own: read, written, and still there after its reboot; a large BAR,
    and a card's ports."""
    path = disk(str(tmp_path / "nvme.img"), 16)
    words = {"hvm": QUIET, "pvh": PVH}[kind]
    board = q35(path, iommu=iommu)
    board["extra"] = board["extra"] + BUFFER + CARD
    m = boot(modules=linux(words, keys=f"type={kind} pci=00:04.0,00:05.0", vcpus=2), **board)
    m.expect_exact("linux: has PCI device 00:04.0\r")
    m.expect_exact(PROMPT, timeout=BOOT)
    assert md5(path) in m.ask("md5sum /dev/nvme0n1")
    m.ask("dd if=/dev/urandom of=/tmp/a bs=1M count=3")
    m.ask("dd if=/tmp/a of=/dev/nvme0n1 bs=1M seek=5 conv=fsync")
    written = re.search(r"\b[0-9a-f]{32}\b", m.ask("md5sum /tmp/a"))[0]
    ports(m)
    assert re.search(r" [1-9]\d* .*PCI-MSI.* nvme0q[12]", m.ask("grep nvme /proc/interrupts"))
    assert re.search(r"c0000000-c00fffff : PCI (MMCONFIG|ECAM) 0000", m.ask("cat /proc/iomem"))
    if kind == "hvm":
        m.sendline("reboot -f")
        m.expect_exact("linux: has PCI device 00:04.0\r", timeout=PATIENCE)
        m.expect_exact(PROMPT, timeout=BOOT)
        assert written in m.ask("dd if=/dev/nvme0n1 bs=1M skip=5 count=3 2>/dev/null | md5sum")
        registers(m)
    m.sendline("poweroff -f")
    m.expect_off()
    assert md5(path, 5 * MIB, 8 * MIB) == written


# Drivers of Debian's full kernel, as they load.
DRIVERS = """crct10dif_common crc-t10dif crc64 crc64-rocksoft t10-pi nvme-core nvme scsi_common scsi_mod sd_mod libata
    libahci ahci virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio virtio_pci virtio_blk failover net_failover
    virtio_net""".split()
DISKS = ["nvme0n1", "sda", "vda"]
FULL_KERNEL = os.path.join(BUILD, "debian/dom0/vmlinux")  # its drivers are in a folder beside it


def initrd_with_drivers(path):
    modules = os.path.join(path, "modules")
    os.mkdir(modules)
    for i, name in enumerate(DRIVERS):
        shutil.copy(os.path.join(os.path.dirname(FULL_KERNEL), "modules", name + ".ko"),
                    os.path.join(modules, f"{i:02}-{name}.ko"))
    initrd = os.path.join(path, "initrd.img")
    subprocess.run(["tools/mkinitrd", initrd, "", modules], check=True)
    return initrd


@pytest.fixture(name="server")
def fixture_server(tmp_path):
    """A file of 64 MiB and where a guest finds it: an address of QEMU's that is this machine's loopback."""
    (tmp_path / "www").mkdir()
    file = disk(str(tmp_path / "www/file"), 64)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield file, f"http://10.0.2.2:{server.server_address[1]}/file"
        server.shutdown()


@pytest.mark.alone
@pytest.mark.skipif(not ALL_SHAPES, reason="takes minutes; SHAPES=all runs it")
@pytest.mark.parametrize("iommu", ["amd-iommu", "intel-iommu,intremap=on"], ids=["amd", "intel"])
@pytest.mark.parametrize("vcpus", [1, 4])
@pytest.mark.parametrize("kind", ["pvh", "hvm"])
@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_all(boot, tmp_path, server, iommu, vcpus, kind, firmware):
    """A domain with all that the machine can give away: 256 MiB to each of three kinds of disk, which are
    there after its reboot; 64 MiB over the network."""
    file, url = server
    paths = [disk(str(tmp_path / f"{name}.img"), 256) for name in DISKS]
    board = q35(paths[0], net="user", iommu=iommu) | {"mem": 1536, "firmware": firmware}
    words = {"hvm": QUIET, "pvh": PVH}[kind]
    board["extra"] = board["extra"] + [
        "-drive", f"if=none,id=sata,format=raw,file={paths[1]}", "-device", "ide-hd,drive=sata,bus=ide.2",
        "-drive", f"if=none,id=virtio,format=raw,file={paths[2]}",
        "-device", "virtio-blk-pci,drive=virtio,iommu_platform=on,disable-legacy=on,addr=6"]
    m = boot(modules=[Module(FULL_KERNEL,
                             f"kernel name=linux type={kind} mem=512M vcpus={vcpus} pci=all -- {words}"),
                      Module(initrd_with_drivers(str(tmp_path)), "ramdisk name=linux")], **board)
    m.expect_exact(PROMPT, timeout=5 * BOOT)
    m.ask("dd if=/dev/urandom of=/tmp/a bs=1M count=8")
    m.ask("for i in 1 2 3 4 5 6 7 8; do cat /tmp/a; echo $i; done > /tmp/b; rm /tmp/a")
    for name in DISKS:
        m.ask(f"(cat /tmp/b; cat /tmp/b; echo {name}; cat /tmp/b /tmp/b) | dd of=/dev/{name} bs=1M iflag=fullblock "
              "conv=fsync 2>/dev/null", timeout=10 * BOOT)
    sums = re.findall(r"(\w{32})  /dev", m.ask("md5sum " + " ".join("/dev/" + name for name in DISKS), timeout=10 * BOOT))
    assert len(set(sums)) == len(DISKS)
    m.sendline("reboot -f")
    m.expect(r"linux: has PCI device 00:06\.0", timeout=PATIENCE)
    m.expect_exact(PROMPT, timeout=5 * BOOT)
    for name, right in zip(DISKS, sums):
        assert right in m.ask(f"md5sum /dev/{name}", timeout=10 * BOOT)
    m.ask("ip addr add 10.0.2.15/24 dev eth0; ip link set eth0 up; sleep 2")
    assert md5(file) in m.ask(f"wget -q -O - {url} | md5sum", timeout=10 * BOOT)
    m.sendline("poweroff -f")
    m.expect_off()
    assert [md5(path) for path in paths] == sums


@pytest.mark.alone
@pytest.mark.parametrize("iommu, controller", [("amd-iommu", "IO-APIC"), ("intel-iommu,intremap=on", "XT-PIC")],
                         ids=["amd-ioapic", "intel-pic"])
def test_lines(boot, tmp_path, iommu, controller):
    """Two disks without messages, on one interrupt line of the machine's and so of the guest's: both
    are read, at once too, and written; again after its reboot."""
    paths = [disk(str(tmp_path / f"{name}.img"), 16) for name in ("a", "b")]
    board = q35(paths[0], iommu=iommu)
    board["extra"] = board["extra"] + ["-drive", f"if=none,id=second,format=raw,file={paths[1]}",
                                       "-device", "nvme,drive=second,serial=second,addr=5"]
    words = QUIET + " pci=nomsi" + (" noapic" if controller == "XT-PIC" else "")
    m = boot(modules=linux(words, keys="pci=00:04.0,00:05.0", vcpus=2), **board)
    for life in range(2):
        m.expect_exact("linux: has PCI device 00:05.0\r", timeout=PATIENCE)
        m.expect_exact(PROMPT, timeout=BOOT)
        m.ask("for i in 0 1; do md5sum /dev/nvme${i}n1 > /tmp/$i & done; wait")
        for i, path in enumerate(paths):
            assert md5(path) in m.ask(f"cat /tmp/{i}")
        line = m.ask("grep nvme /proc/interrupts")
        assert re.search(rf" [1-9]\d* .*{controller} ", line) and "nvme0q1" in line and "nvme1q1" in line
        m.ask("dd if=/dev/urandom of=/dev/nvme1n1 bs=1M count=3 conv=fsync")
        if life == 0:
            m.sendline("reboot -f")
    m.sendline("poweroff -f")
    m.expect_off()


@pytest.mark.alone
def test_line_storm(boot, tmp_path):
    """A card asserts its line for good, and its guest, whose disk has the same one, ends each interrupt
    for nothing: its neighbour on that pCPU answers all the while, and the line is had again after its end."""
    board = q35(disk(str(tmp_path / "nvme.img"), 1))
    board["extra"] = board["extra"] + CARD
    echo = os.path.join(BUILD, "guest/echo.elf")
    m = boot(modules=[*linux(QUIET + " pci=nomsi", keys="pci=00:04.0,00:05.0 cpus=1"),
                      Module(echo, "kernel name=echo mem=4M cpus=1")], **board)
    m.expect_exact(PROMPT, timeout=BOOT)
    card = "/sys/bus/pci/devices/0000:00:05.0"
    m.ask(f"echo 1 > {card}/enable")
    at = int(m.ask(f"head -n 1 {card}/resource").split()[0], 16)
    m.ask(f"devmem {at + 0xD0:#x} 32 4")  # a cause is to interrupt:
    m.sendline(f"devmem {at + 0xC8:#x} 32 4")  # it does
    m.expect_exact("32 4\r")
    m.send("\x01\x01\x01console echo\r")
    for i in range(5):
        m.send(f"are you there {i}\r")
        m.expect_exact(f'echo: "are you there {i}" at ')
    m.send("\x01\x01\x01destroy linux\r")
    m.expect_exact("linux: destroyed")
    await_reset(m, r"00:0[45]\.0")
    m.send("create name=again kernel=3 mem=4M pci=00:04.0,00:05.0\r")
    m.expect_exact("again: has PCI device 00:05.0\r")
    assert "no INTx" not in m.before
    m.send("poweroff\r")
    m.expect_off()


def pci(m):
    """What it lists. (A line of a domain's may tear the echo, so the answer is waited for.)"""
    m.sendline("pci")
    m.expect_exact("00:00.0 host bridge")
    m.expect_exact("caisson> ")
    return m.before


def await_reset(m, devices):
    """Until none of them is the domain's that has ended."""
    while re.search(devices + r" [^\r\n]*, domain", pci(m)):
        time.sleep(0.1)


@pytest.mark.alone
def test_owners(boot, tmp_path):
    """What cannot be had is told in one line; who has what the monitor tells, until its end."""
    wishes = {"a": "class:0108", "b": "00:04.0", "c": "00:09.0", "d": "00:1f.0", "e": "00:02.0", "g": "class:0c03"}
    echo = os.path.join(BUILD, "guest/echo.elf")
    m = boot(modules=[Module(echo, f"kernel name={name} mem=4M pci={wish}") for name, wish in wishes.items()],
             options="console=com1 conswitch=ax exit=monitor", **q35(disk(str(tmp_path / "nvme.img"), 1)))
    m.expect_exact("a: has PCI device 00:04.0\r")
    m.expect_exact("error: b: pci=00:04.0: another domain has it\r")
    m.expect_exact("error: c: pci=00:09.0: the machine has no such device\r")
    m.expect_exact("error: d: pci=00:1f.0: it is a bridge\r")
    m.expect_exact("error: e: pci=00:02.0: Caisson uses it\r")
    m.expect_exact("error: g: pci=class:0c03: the machine has none that can be given away\r")
    m.expect_exact("caisson> ")
    assert re.search(r"00:04\.0 NVMe, [^\r\n]*, domain \d+'s\r", pci(m))
    m.sendline("destroy a")
    m.expect_exact("a: destroyed")
    await_reset(m, r"00:04\.0")
    m.sendline("create name=f kernel=1 mem=4M pci=00:04.0")
    m.expect_exact("f: has PCI device 00:04.0\r")
    m.sendline("create name=h kernel=1 mem=4M pci=all")  # the board's own are left
    m.expect_exact("h: has PCI device 00:1f.2, which cannot be reset\r")
    m.sendline("create name=i kernel=1 mem=4M pci=all")
    m.expect_exact("error: i: pci=all: the machine has none that can be given away\r")
    m.sendline("poweroff")
    m.expect_off()


@pytest.mark.alone
def test_rogue(boot):
    """A guest has its device write and read all over the machine: it gets at its own memory alone,
    by what it sees itself and by what QEMU's IOMMU says; its neighbour goes on."""
    echo, rogue = (os.path.join(BUILD, f"guest/{name}.elf") for name in ("echo", "rogue"))
    m = boot(modules=[Module(echo, "kernel name=echo mem=16M"),
                      Module(rogue, f"kernel name=rogue mem=16M pci=00:05.0 -- seed={SEED}")],
             options="console=com1 conswitch=ax exit=monitor", emulator="qemu", shape=qemu.PASSED_BOARD,
             pcpus=2, mem=1024, extra=["-device", "amd-iommu", "-device", "edu,addr=5,dma_mask=0xffffffffffffffff",
                                       "-trace", "amdvi_translation_result"])
    m.expect_exact("rogue: its own: right\r")
    m.expect_exact("rogue: its own: right\r", timeout=PATIENCE)
    m.expect_exact("rogue: tried 13 places: saw something at 0\r")
    m.expect_exact("rogue: powered off")
    m.sendline("audit")
    m.expect_exact("all is as it should be")
    m.send("console echo\rare you there\r")
    m.expect_exact('echo: "are you there" at ')
    with open(m.machine.log("emulator.txt"), encoding="ascii", errors="replace") as f:
        ways = re.findall(r"devid: 00:05.0 gpa (0x[0-9a-f]+) hpa (0x[0-9a-f]+)", f.read())
    ways = [(int(gpa, 16), int(hpa, 16)) for gpa, hpa in ways]
    assert all(hpa == 0 for gpa, hpa in ways if gpa >= 16 * MIB)
    assert len({gpa >> 12 for gpa, _ in ways if gpa >= 16 * MIB}) == 9
    reached, blocked = ({gpa >> 12 for gpa, hpa in ways if gpa < 16 * MIB and bool(hpa) == yes} for yes in (True, False))
    assert len(reached) == 3  # what it copies from and to, and the page that it gives back then
    assert len(blocked) == 1 and blocked < reached
