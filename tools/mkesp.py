#!/usr/bin/python3
"""Makes a FAT file system with files in it: an EFI system partition, for caisson.efi and others.

    mkesp -o OUT [--spare MIB] PATH=FILE ...

Needs no root and no mount, only mtools. The same content gives the same bytes.
"""
import argparse
import os
import shutil
import subprocess
import tempfile

import usage

MIB = 1 << 20


def run(*argv):
    """mtools, with a fixed time and no opinion about geometries."""
    env = dict(os.environ, MTOOLS_SKIP_CHECK="1", SOURCE_DATE_EPOCH="1700000000")
    subprocess.run(argv, check=True, env=env)


def clear_partitions(path):
    """mformat leaves a partition table in the boot sector, which firmware could believe."""
    with open(path, "r+b") as f:
        f.seek(446)
        f.write(bytes(64))


def make(out, files, spare=2):
    """files: {path: file on this machine, or bytes}; spare: MiB that stay free."""
    with tempfile.TemporaryDirectory(prefix="caisson-esp-") as tree:
        size = 0
        for path, source in files.items():
            target = os.path.join(tree, path.lstrip("/"))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if isinstance(source, bytes):
                with open(target, "wb") as f:
                    f.write(source)
            else:
                shutil.copyfile(source, target)
            os.utime(target, (1700000000, 1700000000))
            size += os.path.getsize(target) + 8192
        mib = max(size // MIB + 1 + spare, 36)  # below that it would be no FAT32
        with open(out + ".new", "wb") as f:
            f.truncate(mib * MIB)
        run("mformat", "-i", out + ".new", "-F", "-N", "CA155013", "-v", "CAISSON",
            "-T", str(mib * MIB // 512), "-h", "64", "-s", "32", "::")
        clear_partitions(out + ".new")
        run("mcopy", "-s", "-m", "-Q", "-i", out + ".new",
            *[os.path.join(tree, name) for name in sorted(os.listdir(tree))], "::/")
    os.rename(out + ".new", out)


def main():
    parser = argparse.ArgumentParser(usage="mkesp -o OUT [--spare MIB] PATH=FILE ...")
    parser.add_argument("-o", required=True)
    parser.add_argument("--spare", type=int, default=2)
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    make(args.o, usage.pairs(args.files, parser), args.spare)


if __name__ == "__main__":
    usage.run(main)
