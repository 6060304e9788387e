"""Kinds of image that Linux' own is none of, each with a file of Debian's (tools/fetch-images)."""
import os

import pytest

from conftest import BUILD, PATIENCE, Module, guest

DEBIAN = os.path.join(BUILD, "debian")


def test_xen(boot):
    """xen.gz: gzip around a kernel with headers of multiboot 1 and 2. Asked for a dom0 that needs VT-x
    it says that there can be none."""
    m = boot(modules=[Module(f"{DEBIAN}/xen.gz", "kernel name=xen mem=256M -- xen com1=115200 console=com1 dom0=pvh noreboot"),
                      Module(guest("hello")[0].source, "module name=xen")])
    m.expect(r"caisson: xen: the kernel was packed by gzip: \d+ KiB, now \d+")
    m.expect(r"caisson: xen: multiboot2 kernel at 0x200000 to 0x[0-9a-f]+, 1 modules")
    m.expect(r"\(XEN\) Bootloader: Caisson\r\n")
    m.expect(r"\(XEN\) Command line: com1=115200 console=com1 dom0=pvh noreboot\r\n")
    m.expect(r"\(XEN\) ACPI: RSDP 000E0000")
    m.expect(r"\(XEN\) I/O virtualisation disabled", timeout=3 * PATIENCE)
    m.expect(r"\(XEN\) Error creating d0: -22", timeout=3 * PATIENCE)
    assert "HVM: VMX enabled" not in m.before


def test_memtest86_ia32(boot):
    """A bzImage with a 32-bit entry only; as far as its tests."""
    m = boot(modules=[Module(f"{DEBIAN}/memtest86+ia32.bin", "kernel name=memtest mem=16M -- console=ttyS0,115200 nosmp")])
    m.expect(r"caisson: memtest: bzImage at 0x100000, \d+ KiB, by its 32-bit entry")
    m.expect(r"Memtest86\+", timeout=3 * PATIENCE)
    m.expect(r"Address test, walking ones", timeout=3 * PATIENCE)


@pytest.mark.anywhere("qemu")
def test_real_mode(boot):
    """iPXE and memdisk, by boot protocols 2.07 and 2.03. Without a BIOS neither can say a word: iPXE's
    drivers come to look for ISA cards, memdisk stops in its protected mode."""
    m = boot(modules=[Module(f"{DEBIAN}/memdisk", "kernel name=memdisk mem=16M -- memdisk"),
                      Module(guest("hello")[0].source, "ramdisk name=memdisk"),
                      Module(f"{DEBIAN}/ipxe.lkrn", "kernel name=ipxe mem=64M -- ipxe")])
    m.expect(r"caisson: memdisk: bzImage at 0x100000, \d+ KiB, by its real-mode entry, which wants a BIOS; ramdisk at 0xf")
    m.expect(r"caisson: ipxe: bzImage at 0x100000, \d+ KiB, by its real-mode entry, which wants a BIOS")
    m.expect("caisson: warning: ipxe: write to port 0x110, where nothing is", timeout=3 * PATIENCE)
