"""The file of `make image`: as a stick, a disk and a CD, by BIOS and by UEFI, and what its menu holds."""
import os
import re
import subprocess

import pytest

from conftest import BUILD, CAISSON, CAISSON_EFI, INITRD, VMLINUZ

NO_VTX = r"error: VT-x: this CPU has none"
GUESTS = [os.path.join(BUILD, "guest", g + ".elf") for g in ("hello", "clock", "echo")]
ESP_AT = 128 * 512  # where the FAT begins; xorriso puts it there since it is the first file


@pytest.fixture
def stick(tmp_path):
    """stick(*arguments of tools/mkstick): the image; its menu does not wait."""

    def make(*args, options="console=com1 exit=shutdown"):
        out = str(tmp_path / "caisson.img")
        subprocess.run(["tools/mkstick", "-o", out, "--elf", CAISSON, "--efi", CAISSON_EFI,
                        "--timeout", "0", "--options", options, *args], check=True)
        return out

    return make


def on_esp(image, path):
    return subprocess.run(["mtype", "-i", f"{image}@@{ESP_AT}", "::" + path], check=True,
                          capture_output=True, text=True).stdout


@pytest.mark.parametrize("medium", ["usb", "disk", "cdrom"])
@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_stick_boots(stick, machine_on, firmware, medium):
    m = machine_on(stick(*GUESTS[:1]), emulator="qemu", firmware=firmware, medium=medium)
    m.expect("boot: by GRUB [^\r\n]*, 1 module,")
    m.expect(NO_VTX)


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_stick_runs_a_guest(stick, machine_on, firmware):
    """Where there is VT-x: so far the one way to see a guest behind GRUB on UEFI."""
    m = machine_on(stick(*GUESTS[:1]), emulator="bochs", firmware=firmware, medium="disk")
    m.expect("on UEFI" if firmware == "uefi" else "on a PC BIOS")
    m.expect("hello: 10 ticks at 100 Hz")
    m.expect_off()


def test_stick_without_grub(stick, machine_on):
    """The menu's entry for caisson.efi, and its caisson.cfg."""
    image = stick("--default", "4", *GUESTS[:1])
    m = machine_on(image, emulator="qemu", firmware="uefi", medium="usb")
    m.expect("caisson.efi: /boot/hello.elf, ")
    m.expect("boot: by caisson.efi, UEFI [^\r\n]*, 1 module,")
    m.expect(NO_VTX)


def test_stick_of_ones_own(stick):
    """Each entry has what it is there for, and every file that it names."""
    image = stick("--kernel", VMLINUZ, "--initrd", INITRD, "--cmdline", "console=ttyS0 root=/dev/x 'y'",
                  "--mem", "1G", *GUESTS, options="")
    menu = on_esp(image, "/boot/grub/grub.cfg")
    entries = dict(re.findall(r"menuentry '([^']*)' \{\n(.*?)\n *\}", menu, re.S))
    mine = "module2 /boot/vmlinuz kernel name=linux mem=1G type={} -- {} root=/dev/x \"'y'\""

    def entry(words):
        return next(body for title, body in entries.items() if words in title)

    assert mine.format("hvm", "console=ttyS0") in entry("as on a PC")
    assert mine.format("pvh", "console=hvc0") in entry("PVH")
    assert "ramdisk name=linux" in entry("as on a PC") and "ramdisk name=linux" in entry("PVH")
    assert all(f"/boot/{g}.elf" in entry("small guests") for g in ("hello", "clock", "echo"))
    assert re.search(r"caisson.elf selftest$", entry("Self-test"))
    assert "loglevel=debug" in entry("Verbose") and "maxcpus=1" in entry("One CPU")
    assert "reboot" in entry("Restart") and "halt" in entry("off")
    names = set(re.findall(r"(?:multiboot2|module2) (\S+)", menu)) | {"/EFI/BOOT/BOOTX64.EFI"}
    listed = subprocess.run(["mdir", "-/", "-b", "-i", f"{image}@@{ESP_AT}", "::"], check=True,
                            capture_output=True, text=True).stdout.split()
    assert names <= {n.removeprefix("::") for n in listed}
    assert "module2 /boot/vmlinuz" in on_esp(image, "/EFI/CAISSON/caisson.cfg")
