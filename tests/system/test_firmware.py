"""A PC's firmware as a guest: Debian's SeaBIOS and OVMF, and what they start."""
import os
import subprocess

import pytest

from conftest import ALL_SHAPES, BOOT, BUILD, PATIENCE, PROMPT, Module, guest, linux

DEBIAN = os.path.join(BUILD, "debian")
SEABIOS = "/usr/share/seabios/"  # comes with Debian's QEMU
OVMF = "/usr/share/OVMF/"
SOURCE = os.path.join(os.path.dirname(__file__), "floppy.asm")


def bios(rom="bios-256k.bin", keys="mem=32M"):
    return Module(SEABIOS + rom, f"kernel name=bios {keys}")


@pytest.fixture
def floppy(tmp_path):
    path = tmp_path / "floppy.img"
    subprocess.run(["nasm", "-f", "bin", "-o", path, SOURCE], check=True)
    return Module(str(path), "ramdisk name=bios")


@pytest.mark.anywhere
def test_seabios_boots_a_floppy(boot, floppy):
    """Escape opens the boot menu, and what is chosen there is booted. By firmware's services alone the
    floppy writes, reads a sector and waits for a key; what it writes itself the monitor shows."""
    m = boot(modules=[bios(keys="mem=32M vcpus=2"), floppy])
    m.expect(r"SeaBIOS \(version 1[^\r\n]*")
    m.expect(r"Press ESC for boot menu", timeout=2 * PATIENCE)
    m.send("\x1b")
    m.expect(r"Select boot device:[\r\n]+1\. Ramdisk \[ramdisk\]", timeout=2 * PATIENCE)
    m.send("1")
    m.expect(r"Booting from Floppy", timeout=4 * PATIENCE)
    m.expect(r"floppy: KiB below: 639[\r\n]+floppy: this is sector 2[\r\n]+floppy: a key:",
             timeout=2 * PATIENCE)
    m.send("k")
    m.expect(r"k[\r\n]+floppy: done", timeout=2 * PATIENCE)
    m.send("\x01\x01\x01")
    m.expect(r"caisson> ")
    m.send("screen bios\r")
    m.expect(r"\n {10}floppy: on the screen\?\r\n")


def test_seabios_without_a_medium(boot):
    m = boot(modules=[bios()])
    m.expect(r"No bootable device", timeout=4 * PATIENCE)


def test_firmware_refusals(boot, tmp_path):
    """Words, and more than one medium."""
    rom = tmp_path / "rom.bin"
    rom.write_bytes(b"\x00" * 65520 + b"\xea" + b"\x00" * 15)
    two = [Module(str(rom), "kernel name=two mem=4M")] + [
        Module(str(rom), f"module name=two") for _ in range(2)]
    beside = [Module(str(rom), "firmware name=elf"), Module(guest("hello")[0].source, "kernel name=elf mem=4M")]
    m = boot(modules=[Module(str(rom), "kernel name=words mem=4M -- quiet")] + two + beside)
    m.expect(r"error: words: firmware: takes no words behind --")
    m.expect(r"error: two: firmware: takes one ramdisk")
    m.expect(r"error: elf: \w+: firmware beside it starts bzImages only")


@pytest.mark.anywhere("qemu")
def test_seabios_starts_ipxe(boot):
    """A real-mode kernel with a BIOS beside it: iPXE obeys at its prompt."""
    m = boot(modules=[Module(f"{DEBIAN}/ipxe.lkrn", "kernel name=ipxe mem=64M -- shell"),
                      Module(SEABIOS + "bios.bin", "firmware name=ipxe")])
    m.expect(r"caisson: ipxe: bzImage for its firmware to start, at 0x100000")
    m.expect(r"Booting from ROM", timeout=2 * PATIENCE)
    m.expect(r"iPXE> ", timeout=4 * PATIENCE)
    m.send("echo 42\r")
    m.expect(r"[\r\n]42[\r\n]", timeout=PATIENCE)


@pytest.mark.parametrize("emulator", ["qemu"])
def test_seabios_starts_memdisk(boot, floppy):
    """The same with a ramdisk: memdisk says what it makes of it, and boots it. In Bochs it is lost at a
    jump to protected mode: docs/bochs.md."""
    m = boot(modules=[Module(f"{DEBIAN}/memdisk", "kernel name=bios mem=32M -- floppy"), floppy,
                      Module(SEABIOS + "bios.bin", "firmware name=bios")])
    m.expect(r"caisson: bios: bzImage for its firmware to start, at 0x100000, \d+ KiB; ramdisk at 0x1[\da-f]+, 160 KiB")
    m.expect(r"MEMDISK [^\r\n]*", timeout=4 * PATIENCE)
    m.expect(r"Ramdisk at 0x", timeout=PATIENCE)
    m.expect(r"floppy: this is sector 2", timeout=2 * PATIENCE)


@pytest.mark.anywhere("qemu")
def test_ovmf(boot):
    """UEFI firmware, its store of variables below it, two vCPUs: its shell obeys."""
    m = boot(modules=[Module(OVMF + "OVMF_CODE.fd", "kernel name=ovmf mem=64M vcpus=2"),
                      Module(OVMF + "OVMF_VARS.fd", "firmware name=ovmf")])
    m.expect(r"UEFI Interactive Shell", timeout=4 * PATIENCE)
    m.expect(r"in \d seconds to skip")
    m.send("\x1b")
    m.expect(r"Shell> ")
    m.send("ver\r")
    m.expect(r"UEFI v2\.\d+ \(EDK II")


ROMS = {"ovmf": [OVMF + "OVMF_CODE.fd", OVMF + "OVMF_VARS.fd"], "seabios": [SEABIOS + "bios-256k.bin"]}


@pytest.mark.parametrize("rom", ROMS if ALL_SHAPES else ["ovmf"])
def test_starts_linux(boot, rom):
    """14 MiB by fw_cfg's DMA, and the ACPI tables where firmware has put them: without these there is
    no way to switch it off."""
    m = boot(modules=linux(vcpus=2) + [Module(path, "firmware name=linux") for path in ROMS[rom]], emulator="qemu")
    m.expect_exact(PROMPT, timeout=2 * BOOT)
    assert ("efi: EFI v2" in m.ask("dmesg | grep efi:")) == (rom == "ovmf")
    m.sendline("poweroff -f")
    m.expect(r"caisson: linux: powered off \(ACPI S5\)")
