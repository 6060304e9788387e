"""Archives in cpio's newc format, as Linux' initramfs takes them.

Written here, so that the same input gives the same bytes on each run: no times, no inode numbers of
this machine, device nodes without root.
"""
import stat

FOLDER = stat.S_IFDIR | 0o755
PROGRAM = stat.S_IFREG | 0o755
DEVICE = stat.S_IFCHR | 0o600
LINK = stat.S_IFLNK | 0o777


def pad(b):
    return b + b"\0" * (-len(b) % 4)


def entry(ino, name, mode, data=b"", rdev=(0, 0)):
    """One newc record. Fields: ino mode uid gid nlink mtime size dev rdev namesize check."""
    name = name.encode() + b"\0"
    fields = [ino, mode, 0, 0, 1, 0, len(data), 0, 0, rdev[0], rdev[1], len(name), 0]
    head = b"070701" + b"".join(b"%08X" % f for f in fields) + name
    return pad(head) + pad(data)


def archive(records):
    """records: (name, mode[, data[, (major, minor)]])"""
    out = [entry(i + 1, *r) for i, r in enumerate(records)]
    out.append(entry(0, "TRAILER!!!", 0))
    return b"".join(out)
