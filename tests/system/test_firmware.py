"""A PC's firmware as a guest: Debian's SeaBIOS, and a floppy that it boots."""
import os
import subprocess

import pytest

from conftest import PATIENCE, Module

SEABIOS = "/usr/share/seabios/"  # comes with Debian's QEMU
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
    """By its services alone the floppy writes, reads a sector and waits for a key."""
    m = boot(modules=[bios(keys="mem=32M vcpus=2"), floppy])
    m.expect(r"SeaBIOS \(version 1[^\r\n]*")
    m.expect(r"Press ESC for boot menu", timeout=2 * PATIENCE)
    m.expect(r"Booting from Floppy", timeout=4 * PATIENCE)
    m.expect(r"floppy: KiB below: 639[\r\n]+floppy: this is sector 2[\r\n]+floppy: a key:",
             timeout=2 * PATIENCE)
    m.send("k")
    m.expect(r"k[\r\n]+floppy: done", timeout=2 * PATIENCE)


def test_seabios_boot_menu(boot, floppy):
    """Escape opens it, and what is chosen there is booted."""
    m = boot(modules=[bios("bios.bin"), floppy])
    m.expect(r"Press ESC for boot menu", timeout=2 * PATIENCE)
    m.send("\x1b")
    m.expect(r"Select boot device:[\r\n]+1\. Ramdisk \[ramdisk\]", timeout=2 * PATIENCE)
    m.send("1")
    m.expect(r"floppy: this is sector 2", timeout=2 * PATIENCE)


def test_seabios_without_a_medium(boot):
    m = boot(modules=[bios()])
    m.expect(r"No bootable device", timeout=4 * PATIENCE)


def test_firmware_refusals(boot, tmp_path):
    """Words, and more than one medium."""
    rom = tmp_path / "rom.bin"
    rom.write_bytes(b"\x00" * 65520 + b"\xea" + b"\x00" * 15)
    two = [Module(str(rom), "kernel name=two mem=4M")] + [
        Module(str(rom), f"module name=two") for _ in range(2)]
    m = boot(modules=[Module(str(rom), "kernel name=words mem=4M -- quiet")] + two)
    m.expect(r"error: words: firmware: takes no words behind --")
    m.expect(r"error: two: firmware: takes one ramdisk")
