"""A machine that is measured: booted from a CD made for it, its console read line by line.

On Bochs, or on QEMU with icount: both count time in instructions, so what is measured is the same on
each run and on each host.
"""
import os
import time

import machine
import mkiso
import usage

LIMIT = 600  # seconds of this machine's time
OPTIONS = "console=com1 exit=shutdown apicv=on boot-cpu=guests"
UNGUARDED = "spec=off"  # against speculation: what that costs is counted by itself
PROMPT = "caisson> "


def boot_menu(where, menu, files, **settings):
    """Starts a machine whose files lie in the folder `where`."""
    iso = os.path.join(where, "measured.iso")
    mkiso.make(iso, "menuentry measured {\n" + menu + "\n}\n", files)
    return machine.start(iso, icount=True, logs=where, **settings)


def boot(where, caisson, modules, options="", spec=UNGUARDED, **settings):
    """The same for Caisson. modules: [(file, words)]."""
    usage.want(caisson, "ELF file")
    files, menu = {"caisson.elf": caisson}, [f"multiboot2 /boot/caisson.elf {OPTIONS} {spec} {options}"]
    for source, words in modules:
        name = os.path.basename(source)
        files[name] = source
        menu.append(f"module2 /boot/{name} {words}")
    return boot_menu(where, "\n".join(menu), files, **settings)


def lines(m, limit=LIMIT):
    """COM1, line by line, until the machine is off or the time is up."""
    end, rest = time.time() + limit, b""
    m.com1.settimeout(1)
    while time.time() < end:
        try:
            data = m.com1.recv(65536)
        except TimeoutError:
            continue
        except ConnectionError:
            return
        if not data:
            return
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            text = line.decode("ascii", "replace").rstrip("\r")
            if "caisson: error: " in text:
                raise SystemExit(text)
            yield text
    raise SystemExit(f"no end after {limit} s")


class Operator:
    """Types at a machine's monitor, which has to have the keys: boot with conswitch=ax."""

    def __init__(self, m):
        self.m, self.unread = m, ""
        m.com1.settimeout(1)
        self.until(PROMPT)

    def until(self, text):
        """What COM1 says up to text."""
        self.listen(lambda said: text in said, text)
        said, _, self.unread = self.unread.partition(text)
        return said

    def listen(self, found, what):
        """Until found() is true of what COM1 has said and nobody has read; types nothing. what: is
        missed, should it not come."""
        end = time.time() + LIMIT
        while not found(self.unread):
            if time.time() > end or not self.m.running():
                raise SystemExit(f"no {what!r} came; the last was:\n{self.unread[-500:]}")
            try:
                self.unread += self.m.com1.recv(65536).decode("ascii", "replace").replace("\r", "")
            except TimeoutError:
                pass

    def ask(self, command):
        """What the monitor answers."""
        self.m.com1.sendall(command.encode() + b"\r")
        self.until("\n")
        return self.until(PROMPT)
