#!/usr/bin/python3
"""Puts files behind GRUB on a CD image that BIOS and UEFI machines boot.

    mkiso -o OUT.iso --menu MENU [--timeout SECONDS] [PATH=FILE ...]

MENU is a piece of grub.cfg (menuentry blocks; - for standard input); each PATH=FILE lies on the CD
as /boot/PATH. Only the GRUB modules that a menu entry of ours needs are put on the image: the
whole set makes it three times as large and GRUB slower to come up.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

import usage

# The partition modules are loaded unasked by the core image of EFI, with an error line for each
# that is not there.
MODULES = ("normal linux iso9660 search search_fs_file echo test configfile "
           "halt reboot ls cat part_msdos part_gpt part_apple part_acorn part_amiga part_bsd "
           "part_dfly part_dvh part_plan part_sun part_sunpc")
# GRUB for Xen's guests, which may be installed too, lacks these, and grub-mkrescue then refuses.
OURS = {"i386-pc": ("multiboot2", "multiboot", "boot"),
        "x86_64-efi": ("multiboot2", "multiboot", "boot", "efi_gop", "efi_uga")}
GRUB = "/usr/lib/grub"
# A framebuffer on UEFI, where there is no text mode, as the firmware has it (all_video would let
# GRUB's own drivers of emulated cards choose a small one); text on a BIOS, where GRUB would trust VBE.
# On UEFI GRUB warns of a kernel whose header does not ask for a framebuffer, before it hands one over all
# the same. A header that asks has GRUB switch to VBE on a BIOS, so the warning is set right instead.
PREAMBLE = """set default={default}
set timeout={timeout}
if [ "$grub_platform" = efi ]; then
  insmod efi_gop
  insmod efi_uga
  set gfxpayload=auto
  set about_console="(The warning is about text mode, which UEFI has not. Caisson draws on the framebuffer.)
"
else
  set gfxpayload=text
fi
"""


def needs(platform, names):
    """names and the modules that they need."""
    with open(f"{GRUB}/{platform}/moddep.lst", encoding="ascii") as f:
        needed_by = {name: rest.split() for name, _, rest in (line.partition(":") for line in f)}
    found, rest = set(), list(names)
    while rest:
        name = rest.pop()
        if name not in found:
            found.add(name)
            rest += needed_by.get(name, [])
    return found


def add_modules(tree):
    for platform in filter(lambda p: os.path.isdir(f"{GRUB}/{p}"), OURS):
        where = os.path.join(tree, "boot/grub", platform)
        os.makedirs(where)
        for name in needs(platform, OURS[platform]):
            shutil.copyfile(f"{GRUB}/{platform}/{name}.mod", f"{where}/{name}.mod")


def make(out, menu, files, timeout=0):
    """menu: text; files: {path below /boot: file on this machine}."""
    with tempfile.TemporaryDirectory(prefix="caisson-iso-") as tree:
        os.makedirs(os.path.join(tree, "boot/grub"))
        with open(os.path.join(tree, "boot/grub/grub.cfg"), "w", encoding="utf-8") as f:
            f.write(PREAMBLE.format(timeout=timeout, default=0) + menu)
        for path, source in files.items():
            target = os.path.join(tree, "boot", path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(source, target)
        add_modules(tree)
        made = subprocess.run(
            ["grub-mkrescue", "--install-modules=" + MODULES, "--fonts=", "--locales=",
             "--themes=", "-o", out + ".new", tree],
            capture_output=True, text=True, check=False)
        if made.returncode != 0:
            sys.exit("mkiso: grub-mkrescue failed:\n" + made.stdout + made.stderr)
    os.rename(out + ".new", out)


def main():
    parser = argparse.ArgumentParser(usage="mkiso -o OUT --menu MENU [PATH=FILE ...]")
    parser.add_argument("-o", required=True)
    parser.add_argument("--menu", required=True)
    parser.add_argument("--timeout", type=int, default=0)
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    with sys.stdin if args.menu == "-" else open(args.menu, encoding="utf-8") as f:
        menu = f.read()
    make(args.o, menu, usage.pairs(args.files, parser), args.timeout)


if __name__ == "__main__":
    usage.run(main)
