"""Machines to boot something on: which emulators there are, which one is best here, and what of it
makes no machine. tools/run bridges its COM1 to a terminal, the system tests talk to it through
pexpect, the bench reads a table from it.
"""
import os

from bochs import Bochs
from emulator import OVMF
from qemu import Kvm, Qemu, nested

EMULATORS = {"kvm": Kvm, "bochs": Bochs, "qemu": Qemu}
# Where KVM lends nothing: the first of these that is installed.
WITHOUT_KVM = ("qemu", "bochs")


def best_emulator():
    there = [name for name in WITHOUT_KVM if not EMULATORS[name].missing()]
    return "kvm" if not Kvm.missing() else [*there, *WITHOUT_KVM][0]


def start(image, *, emulator="bochs", **settings):
    """A machine that has just been switched on: tools/emulator.py has the settings."""
    return EMULATORS[emulator](image, **settings)


def no_file(path):
    """Why it is none that can be read; None if it is one."""
    if not os.path.exists(path):
        return "there is no such file"
    return None if os.path.isfile(path) else "it is no file"


def no_image(path):
    """Why it is nothing that a machine boots from; None if it is. A CD says so in its 17th sector, a
    disk or stick at the end of its first one (ECMA-119, "Volume descriptors"; the PC's boot sector)."""
    why = no_file(path)
    if why:
        return why
    with open(path, "rb") as f:
        first = f.read(512)
        f.seek(0x8001)
        if f.read(5) != b"CD001" and first[510:512] != b"\x55\xaa":
            return "it is no image of a CD, disk or stick (`make iso` makes one)"
    return None


def no_emulator(kind, firmware):
    """Why that one cannot be had; None if it can."""
    if firmware == "uefi" and not all(map(os.path.exists, OVMF.values())):
        return "OVMF is not installed (`make deps`)"
    return kind.missing()


def refusal(*, image, emulator, cpu, pcpus, mem, firmware):
    """What of this makes no machine: a line that begins with the word at fault. None: all is well."""
    kind = EMULATORS[emulator]
    faults = ((image, no_image(image)), (f"--emulator {emulator}", no_emulator(kind, firmware)))
    for word, why in faults:
        if why:
            return f"{word}: {why}"
    if not 1 <= pcpus <= kind.MOST_PCPUS:
        return f"--pcpus {pcpus}: 1 to {kind.MOST_PCPUS}"
    if not kind.MIN_MEM <= mem <= kind.MOST_MEM:
        return f"--mem {mem}: {kind.MIN_MEM} to {kind.MOST_MEM} MiB"
    why = kind.no_cpu(cpu) if cpu else None
    return f"--cpu {cpu}: {why}" if why else None
