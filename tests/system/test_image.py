"""The file of `make image`: as a stick, a disk and a CD, by BIOS and by UEFI, and what its menu holds."""
import os
import re
import subprocess

import pytest

from conftest import ALL_SHAPES, BUILD, CAISSON, CAISSON_EFI, INITRD, NO_VIRT, VMLINUZ, WITHOUT

GUESTS = [os.path.join(BUILD, "guest", g + ".elf") for g in ("hello", "clock", "echo")]
ODD_WORDS = r"""q='a  b' d="c $d" \n \x41 \\" #5 {x} `y` it's 'a"b' ;|& $(z $"""
ODD_OPTION = r"""a'b"c\d$e"""
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


MEDIA = [("usb", 4, 64), ("disk", 1, 64), ("cdrom", 4, 8192)]


# UEFI reads stick and disk by the same file system.
@pytest.mark.parametrize("firmware, medium, pcpus, mem", [
    (firmware, *medium) for firmware in ("bios", "uefi") for medium in MEDIA
    if ALL_SHAPES or (firmware, medium[0]) != ("uefi", "disk")])
def test_stick_boots(stick, machine_on, firmware, medium, pcpus, mem):
    m = machine_on(stick(*GUESTS[:1]), firmware=firmware, medium=medium, pcpus=pcpus, mem=mem, **WITHOUT)
    m.expect("boot: by GRUB [^\r\n]*, 1 module,")
    warned = m.before.partition("no console will be available to OS")[2]
    assert (firmware == "uefi") == ("which UEFI has not. Caisson draws on the framebuffer" in warned)
    m.expect(r"memory: (\d+) MiB")
    assert mem - 24 <= int(m.match.group(1)) <= mem
    m.expect(rf"acpi: {pcpus} CPU")
    m.expect(NO_VIRT)


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_stick_runs_a_guest(stick, machine_on, firmware):
    """Where there is VT-x: so far the one way to see a guest behind GRUB on UEFI. Its words come as
    they were written, through make's and GRUB's hands."""
    image = stick("--kernel", GUESTS[0], "--cmdline", ODD_WORDS,
                  options=f"console=com1 exit=shutdown {ODD_OPTION}")
    m = machine_on(image, emulator="bochs", firmware=firmware, medium="disk")
    m.expect("on UEFI" if firmware == "uefi" else "on a PC BIOS")
    assert f'warning: unknown option "{ODD_OPTION}"' in m.before
    m.expect_exact(f'hello: told "{ODD_WORDS}"')
    m.expect("hello: 10 ticks at 100 Hz")
    m.expect_off()


def test_stick_without_grub(stick, machine_on):
    """The menu's entry for caisson.efi, and its caisson.cfg."""
    image = stick("--default", "4", *GUESTS[:1])
    m = machine_on(image, firmware="uefi", medium="usb", **WITHOUT)
    m.expect("caisson.efi: /boot/hello.elf, ")
    m.expect("boot: by caisson.efi, UEFI [^\r\n]*, 1 module,")
    m.expect(NO_VIRT)


def test_stick_of_ones_own(stick):
    """Each entry has what it is there for, and every file that it names."""
    image = stick("--kernel", VMLINUZ, "--initrd", INITRD, "--cmdline", "console=ttyS0 root=/dev/x 'y'",
                  "--mem", "1G", *GUESTS, options="")
    menu = on_esp(image, "/boot/grub/grub.cfg")
    entries = dict(re.findall(r"menuentry '([^']*)' \{\n(.*?)\n *\}", menu, re.S))
    mine = """module2 /boot/vmlinuz kernel name=linux mem=1G vcpus=1 type={} -- {} root=/dev/x ''"'"'y'"'"''"""

    def entry(words):
        return next(body for title, body in entries.items() if words in title)

    assert mine.format("hvm", "console=ttyS0") in entry("as on a PC")
    assert mine.format("pvh", "console=hvc0") in entry("PVH")
    assert "ramdisk name=linux" in entry("as on a PC") and "ramdisk name=linux" in entry("PVH")
    assert all(f"/boot/{g}.elf" in entry("small guests") for g in ("hello", "clock", "echo"))
    assert re.search(r"caisson.elf selftest$", entry("Self-test"), re.M)
    assert "loglevel=debug" in entry("Verbose") and "maxcpus=1" in entry("One CPU")
    assert "reboot" in entry("Restart") and "halt" in entry("off")
    names = set(re.findall(r"(?:multiboot2|module2) (\S+)", menu)) | {"/EFI/BOOT/BOOTX64.EFI"}
    listed = subprocess.run(["mdir", "-/", "-b", "-i", f"{image}@@{ESP_AT}", "::"], check=True,
                            capture_output=True, text=True).stdout.split()
    assert names <= {n.removeprefix("::") for n in listed}
    assert "module2 /boot/vmlinuz" in on_esp(image, "/EFI/CAISSON/caisson.cfg")


def test_stick_partitions(stick):
    """A GPT with its protective entry, and an active one beside it for BIOSes that look for that."""
    with open(stick(*GUESTS[:1]), "rb") as f:
        sector = f.read(512)
        assert f.read(8) == b"EFI PART"
    entries = [sector[at:at + 16] for at in range(446, 510, 16)]
    assert [e[0] for e in entries] == [0, 0x80, 0, 0]
    assert [e[4] for e in entries] == [0xEE, 0, 0, 0]
    assert sector[510:] == b"\x55\xAA"


@pytest.fixture
def given(tmp_path):
    """given(*assignments): what make says of them, and what reaches the tools, or None."""

    def make(*assignments):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        out = str(tmp_path / "image-options")
        made = subprocess.run(["make", "-s", f"B={tmp_path}", out, f"KERNEL={GUESTS[0]}", "INITRD=",
                               *assignments], env=env, capture_output=True, text=True, check=False)
        with open(out if made.returncode == 0 else os.devnull, encoding="utf-8") as f:
            return made.stderr, f.read()

    return make


def test_make_hands_on(given, tmp_path):
    """What is given on make's line, whatever make or a shell would make of it."""
    spaced = str(tmp_path / "it's a kernel")
    os.link(GUESTS[0], spaced)
    said, options = given(f"KERNEL={spaced}", f"CMDLINE={ODD_WORDS}", "MEM=16M", "VCPUS=2")
    assert said == ""
    assert options.split("\n")[:6] == [f"KERNEL={spaced}", "INITRD=", "MEM=16M", "VCPUS=2", "TYPE=hvm",
                                       f"CMDLINE={ODD_WORDS}"]


def test_disc_of_ones_own(tmp_path):
    """What make hands on stands on the kernel's line of the menu."""
    disc, menu = str(tmp_path / "own.iso"), str(tmp_path / "grub.cfg")
    subprocess.run(["tools/mkimage", "-o", disc, "--elf", CAISSON, "--kernel", VMLINUZ, "--vcpus", "2", "--type", "pvh",
                    "--cmdline", "console=hvc0", "--greeting", "none"], check=True)
    subprocess.run(["xorriso", "-osirrox", "on", "-indev", disc, "-extract", "/boot/grub/grub.cfg", menu], check=True,
                   capture_output=True)
    with open(menu, encoding="ascii") as f:
        assert re.search(r"module2 /boot/vmlinuz kernel name=linux mem=256M vcpus=2 type=pvh +-- console=hvc0$", f.read(), re.M)


def test_make_knows_the_console(given):
    """A pvh domain has no serial port, so its kernel is told of the console that it has."""
    assert "\nCMDLINE=console=hvc0\n" in given("MEM=16M", "TYPE=pvh")[1]
    assert "\nCMDLINE=console=ttyS0,115200\n" in given("MEM=16M")[1]


REFUSALS = [
    ("KERNEL=gone", "No such file"),
    ("KERNEL=README.md", "domain linux: the kernel is neither a bzImage nor"),
    (f"KERNEL={VMLINUZ}", "too little memory: the kernel needs"),
    ("INITRD=gone", "No such file"),
    ("INITRD=docs", "not a file"),
    ("MEM=lots", '"mem=lots": want 2M to 1T'),
    ("OPTIONS=frobnicate=7", 'unknown option "frobnicate=7"'),
    ("OPTIONS=loglevel=loud", 'option "loglevel=loud": want error, warn'),
    ("CMDLINE=" + 2600 * "x", "too long"),
]


def test_make_refuses(given):
    for assignment, fault in REFUSALS:
        said, _ = given("MEM=16M", assignment)
        assert f"image: {assignment[:80]}: " in said and fault in said
