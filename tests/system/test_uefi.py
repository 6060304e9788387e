"""caisson.efi, the way in that needs no GRUB: as a removable medium's boot file, from the UEFI
shell, from systemd-boot; what it says of mistakes; and guests behind it.

Most machines can run no guests, so Caisson gets as far as saying so. Bochs boots OVMF with one CPU and
without ACPI tables, since nobody hands any to the firmware; QEMU with four.
"""
import os
import re

import pytest
import qemu

from conftest import ALL_SHAPES, BOOT, BUILD, CAISSON_EFI, INITRD, NO_VIRT, PROMPT, WITHOUT, QUIET, VMLINUZ, partition

BOOTX64 = "EFI/BOOT/BOOTX64.EFI"
SYSTEMD_BOOT = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"
HELLO = {"boot/hello.elf": os.path.join(BUILD, "guest/hello.elf")}
ENTRY = b"""# as GRUB's
multiboot2 /boot/caisson.elf console=com1 console=vga exit=shutdown
module2 /boot/hello.elf kernel name=hello mem=16M -- x="a b" 'c="d e"' it"'"s \\n $f
"""


@pytest.fixture
def efi(machine_on):
    """efi(files, **settings of a machine): a disk with files on it, in a machine with UEFI."""

    def start(files, **settings):
        settings = settings if "emulator" in settings else {**WITHOUT, **settings}
        return machine_on(partition(files), firmware="uefi", medium="disk", **settings)

    return start


# The corners of the matrix, two of which have all values. OVMF itself wants some 50 MiB before anything
# can be started from it.
CORNERS = [("q35", 4, 8192), ("pc", 1, 64), *([("q35", 1, 64), ("pc", 4, 64), ("pc", 1, 8192)] if ALL_SHAPES else [])]


@pytest.mark.parametrize("shape, pcpus, mem", CORNERS)
def test_removable_medium(efi, shape, pcpus, mem):
    m = efi({BOOTX64: CAISSON_EFI, "caisson.cfg": ENTRY, **HELLO},
            shape=shape, pcpus=pcpus, mem=mem)
    m.expect(r"caisson.efi: /boot/hello.elf, \d+ KiB")
    m.expect(r"Caisson, a hypervisor for x86-64, on UEFI")
    m.expect(r"boot: by caisson.efi, UEFI 2\.\d+ by EDK II, 1 module")
    m.expect(r"memory: (\d+) MiB")
    assert mem - 24 <= int(m.match.group(1)) <= mem
    m.expect(r"console: framebuffer of \d{3,}x\d{3,}, 32 bits a pixel")
    m.expect(rf"acpi: {pcpus} CPU")
    m.expect(NO_VIRT)
    m.expect_off()


def test_shell(efi):
    """Every mistake is told by file, line and word, and leads back to the shell; then it works."""
    m = efi({"caisson/caisson.efi": CAISSON_EFI,
             "caisson/one.cfg": b"multiboot2 console=com1\r\nmodule2 ../boot/hello.elf kernel\r\n",
             "caisson/none.cfg": b"module2 /boot/none.elf kernel name=none\n",
             "caisson/word.cfg": b"\n\nmodule /boot/hello.elf kernel\n",
             "caisson/quote.cfg": b"multiboot2 'console=com1\n",
             "caisson/folder.cfg": b"module2 /boot kernel name=x\n",
             "caisson/grub.cfg": b"module2 (hd0,1)/boot/hello.elf kernel name=x\n",
             **HELLO})
    m.expect("Press.*ESC")
    m.send("\x1b")

    def told(arguments, pattern):
        m.expect("Shell>")
        m.send(f"fs0:\\caisson\\caisson.efi {arguments}\r")
        m.expect(pattern)

    told("", r'error: cannot read "/caisson.cfg": not found\W+caisson.efi: error: it may lie in')
    told("config=gone.cfg", r'error: cannot read "gone.cfg": not found')
    told("config=", r'error: argument "config="')
    told("config=none.cfg", r'error: none.cfg, line 1: cannot read "/boot/none.elf": not found')
    told("config=word.cfg", r'error: word.cfg, line 3: "module" is neither multiboot2 nor module2')
    told("config=quote.cfg", r"error: quote.cfg, line 1: a quote is not closed: 'console=com1")
    told("config=folder.cfg", r'error: folder.cfg, line 1: cannot read "/boot": \w+')
    told("config=grub.cfg", r"error: grub.cfg, line 1: files come from the volume of caisson.efi")
    told("config=/caisson/one.cfg exit=shutdown frobnicate=7", r"\.\./boot/hello.elf, \d+ KiB")
    m.expect(r'unknown option "frobnicate=7"')
    m.expect(NO_VIRT)
    m.expect_off()


def test_systemd_boot(efi):
    """options= comes as load options. No caisson.cfg: with a word to go by it does without."""
    m = efi({BOOTX64: SYSTEMD_BOOT, "EFI/caisson/caisson.efi": CAISSON_EFI,
             "loader/loader.conf": b"timeout 0\ndefault caisson.conf\n",
             "loader/entries/caisson.conf": b"title Caisson\nefi /EFI/caisson/caisson.efi\n"
                                            b"options console=com1 exit=shutdown\n"})
    m.expect("caisson.efi: no caisson.cfg here: no modules")
    m.expect("boot: by caisson.efi, UEFI [^\r\n]*, 0 modules")
    m.expect(NO_VIRT)
    m.expect_off()


def test_nothing_to_boot(efi):
    """Started by the firmware, it waits with its message: what comes next clears the screen."""
    m = efi({BOOTX64: CAISSON_EFI})
    m.expect(r'error: cannot read "/caisson.cfg": not found')
    m.expect("press a key")
    m.send(" ")
    m.expect("UEFI Interactive Shell")


LINUX = (f"module2 /boot/vmlinuz kernel name=linux mem=256M -- {QUIET}\n"
         "module2 /boot/initrd.img ramdisk name=linux\n").encode()


@pytest.mark.parametrize("emulator, pcpus, linux", [
    ("bochs", 1, ALL_SHAPES), ("qemu", 4, True),
    pytest.param("kvm", 4, True, marks=pytest.mark.skipif(
        not qemu.nested(), reason="no KVM here that lends VT-x or AMD-V")),
])
def test_guests_behind_uefi(efi, emulator, pcpus, linux):
    """The whole way to Linux' prompt; in Bochs to the end of a small guest, unless SHAPES=all."""
    m = efi({BOOTX64: CAISSON_EFI, "EFI/BOOT/caisson.cfg": ENTRY + (LINUX if linux else b""),
             "boot/vmlinuz": VMLINUZ, "boot/initrd.img": INITRD, **HELLO}, emulator=emulator, pcpus=pcpus)
    m.expect("boot: by caisson.efi, UEFI")
    m.expect(rf"smp: {pcpus} of {pcpus} CPU")
    m.expect_exact("caisson: hello: powered off")
    # The log's lines of the other domain's start may stand in the middle of one of hello's.
    said = re.sub(r"(?:\r?\n\[[0-9a-f]{8}\] caisson: [^\r\n]*)+\r?\n", "", m.before)
    assert """hello: told ""x=a b" c="d e" it's \\n $f\"""" in said
    assert "hello: 10 ticks at 100 Hz" in said
    if linux:
        m.expect_exact(PROMPT, timeout=BOOT)
        assert "Linux" in m.ask("uname")
        m.sendline("poweroff -f")
    m.expect_off()
