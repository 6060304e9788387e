"""What the system tests share: the `boot` fixture, which makes a CD image for one configuration,
starts a whole machine on it, and gives its COM1 as a pexpect object.

    def test_it(boot):
        m = boot(modules=[linux()], cpu="corei7_icelake_u", pcpus=4)
        m.expect("caisson-guest# ")

The machine is one with VT-x (Bochs, or KVM where it lends that) unless a test says otherwise. A test
that is marked as `anywhere`, or as one of the `core` of those, has the fixture `emulator` say
which: the machine with VT-x, or QEMU's with AMD-V. `anywhere("qemu")` is of a test that asks nothing of
the processor and takes long: QEMU boots Linux with a third of the work. It runs on which of them
MACHINES says:

    MACHINES=           each test on its machine, the one with VT-x or QEMU; the core on both
    MACHINES=bochs      no test on QEMU
    MACHINES=qemu       only those on QEMU, and those that boot nothing
    MACHINES=all        whatever can run on both does

QEMU's CPUs are threads of the host that wait for one lock of the emulator's. Where more threads want to
run than the host has CPUs, each such wait lasts as long as the host lets others run, and a boot of 6
seconds takes 100. So a test whose machine has several CPUs that run guests is `alone` on QEMU: no other runs
beside it. It has a parameter `pcpus`, or is marked as `smp`; `boot` fails where neither says so.

All logs of a test lie in build/test-logs/<test>/: com1.txt, bochs.log, port-e9.txt, ...
"""
import hashlib
import os
import re
import shutil
import sys

import pexpect.fdpexpect
import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, os.path.join(ROOT, "tools"))
os.chdir(ROOT)

# pylint: disable=wrong-import-position
import machine  # noqa: E402
import qemu  # noqa: E402
from bochs import Bochs  # noqa: E402
import mkesp  # noqa: E402
import mkiso  # noqa: E402
from menu import module as menu_line  # noqa: E402

BUILD = os.environ.get("B", "build")
CAISSON = os.path.join(BUILD, "caisson.elf")
CAISSON_EFI = os.path.join(BUILD, "caisson.efi")
# GRUB reads the whole file, and nine tenths of that one are for debuggers. test_image boots it as it is.
BOOTED = os.path.join(BUILD, "efi/caisson.stripped")
VMLINUZ = os.path.join(BUILD, "debian/vmlinuz")
INITRD = os.path.join(BUILD, "initrd.img")
ISO_CACHE = os.path.join(BUILD, "test-iso")
ISO_KEPT = 24
ALL_SHAPES = os.environ.get("SHAPES") == "all"  # of tests that come in many; else the telling ones
REPEAT = int(os.environ.get("REPEAT", "1"))  # of each test: for what goes wrong one time in twenty
MACHINES = os.environ.get("MACHINES", "")
VTX = "kvm" if qemu.nested() == "vmx" else "bochs"  # the emulator that has it
LEFT_OUT = {"": (), "all": (), "bochs": ("qemu",), "qemu": ("bochs", "kvm")}[MACHINES]
PATIENCE = int(os.environ.get("PATIENCE", "60"))  # seconds for any one expectation

PANIC = r"caisson: error: panic: pCPU[^\n]*\n"
NO_VIRT = r"error: (VT-x|AMD-V): this CPU has none"
WITHOUT = {"emulator": "qemu", "cpu": "max,-svm"}  # a machine that has neither
PROMPT = "caisson-guest# "
KEYS = r"\*\*\* keys go to (the monitor|domain)"  # what Ctrl-A three times is answered with
AUDITED = r"audit: (all is as it should be|the machine was too busy)"
BOOT = 5 * PATIENCE  # seconds from GRUB to Linux' prompt
# What only costs time; a kernel that complains is still heard.
QUIET = ("console=ttyS0,115200 quiet nokaslr cryptomgr.notests nowatchdog mitigations=off "
         "random.trust_cpu=on")


class Module:
    """A module2 line: a file of this machine, and its words."""

    def __init__(self, source, words):
        self.source, self.words = source, words


def linux(cmdline=QUIET, name="linux", mem="256M", vcpus=1, keys=""):
    """The lines that start Debian's kernel with our initramfs."""
    return [Module(VMLINUZ, f"kernel name={name} mem={mem} vcpus={vcpus} {keys} -- {cmdline}"),
            Module(INITRD, f"ramdisk name={name}")]


def guest(which, mem="16M", words=""):
    """The line that starts one of our own guests."""
    path = os.path.join(BUILD, "guest", which + ".elf")
    return [Module(path, f"kernel name={which} mem={mem}" + (f" -- {words}" if words else ""))]


def menu_of(modules, options):
    """GRUB's menu entry for Caisson, and the files that it names."""
    files, lines = {"caisson.elf": BOOTED}, [f"multiboot2 /boot/caisson.elf {options}"]
    for m in modules:
        path = f"{os.path.basename(m.source)}"
        files[path] = m.source
        lines.append(menu_line(path, m.words))
    return "menuentry caisson {\n" + "\n".join(lines) + "\n}\n", files


def cached(maker, files, text=""):
    """An image with files in it, made once for the same content: maker.make(out, text?, files)."""
    key = hashlib.sha256(text.encode())
    with open(maker.__file__, "rb") as f:
        key.update(f.read())
    for path, source in sorted(files.items()):
        content = source
        if not isinstance(source, bytes):
            with open(source, "rb") as f:
                content = f.read()
        key.update(path.encode() + hashlib.sha256(content).digest())
    os.makedirs(ISO_CACHE, exist_ok=True)
    out = os.path.join(ISO_CACHE, key.hexdigest()[:24] + ".iso")
    if not os.path.exists(out):
        own = f"{out}.{os.getpid()}"  # another worker may be making the same one
        maker.make(own, *([text] if text else []), files)
        os.rename(own, out)
    os.utime(out)
    return out


def image(menu, files):
    """A CD image: GRUB, its menu, and files below /boot."""
    return cached(mkiso, files, menu)


def partition(files):
    """A disk that is one FAT file system."""
    return cached(mkesp, files)


def pytest_configure(config):
    config.addinivalue_line("markers", "anywhere(first): can run with VT-x and with AMD-V; the one that it runs on unless MACHINES says otherwise")
    config.addinivalue_line("markers", "alone: nothing else is to run on the host meanwhile")
    config.addinivalue_line("markers", "smp: its machine has several CPUs, which on QEMU are threads: alone there")
    config.addinivalue_line("markers", "long: takes half a minute of a CPU, or more")
    config.addinivalue_line("markers", "core: the same, and does so unless MACHINES says otherwise")


def pytest_generate_tests(metafunc):
    """The two machines for each test that can run on both, and REPEAT."""
    if REPEAT > 1:
        metafunc.fixturenames.append("run")
        metafunc.parametrize("run", range(REPEAT))
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    if marks & {"anywhere", "core"}:
        metafunc.parametrize("emulator", [VTX, "qemu"])


def spread(items):
    """The long ones, evenly among the first two thirds of the others. xdist hands out pieces of the list, the
    last of them small: no worker has all of the long ones, and none begins one when the others are done."""
    long, short = ([item for item in items if any(item.iter_markers("long")) == yes] for yes in (True, False))
    places = [(i * 2 / 3 / len(long), item) for i, item in enumerate(long)]
    places += [(i / len(short), item) for i, item in enumerate(short)]
    return [item for _, item in sorted(places, key=lambda place: place[0])]


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(config, items):
    """Of those, what MACHINES chooses. A single set of parameters may be in the core as well."""
    def wanted(item):
        anywhere, core = list(item.iter_markers("anywhere")), any(item.iter_markers("core"))
        if not anywhere and not core:
            return True
        on, first = item.callspec.params["emulator"], next((m.args[0] for m in anywhere if m.args), VTX)
        return on not in LEFT_OUT and (on == first or MACHINES != "" or core)

    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = spread(list(filter(wanted, items)))
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        several = params.get("pcpus", 1) != 1 or any(item.iter_markers("smp"))
        if several and params.get("emulator") == "qemu":
            item.add_marker(pytest.mark.alone)


def pytest_sessionfinish(session):
    if hasattr(session.config, "workerinput") or not os.path.isdir(ISO_CACHE):
        return  # only once, when no worker has an image in use any more
    images = [os.path.join(ISO_CACHE, f) for f in os.listdir(ISO_CACHE)]
    for old in sorted(images, key=os.path.getmtime)[:-ISO_KEPT]:
        os.remove(old)


class Console(pexpect.fdpexpect.fdspawn):
    """COM1 of a running machine. `machine` is the emulator behind it."""

    def __init__(self, m):
        super().__init__(m.com1.fileno(), timeout=PATIENCE, encoding="utf-8",
                         codec_errors="replace", maxread=65536)
        self.machine = m
        self.logfile_read = open(os.path.join(m.logs, "com1.txt"), "w", encoding="utf-8")

    def ask(self, line, timeout=-1):
        """Types line at a guest's prompt; returns what it printed before the next prompt."""
        self.sendline(line)
        self.expect_exact(PROMPT, timeout=timeout)
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.before).replace("\r", "")
        return text.partition("\n")[2]

    def expect(self, pattern, timeout=-1, **rest):
        """As pexpect's, for one pattern; a panic of Caisson's ends the wait at once."""
        if super().expect([pattern, PANIC], timeout=timeout, **rest) == 1:
            pytest.fail("Caisson panicked:\n" + self.before[-300:] + self.after)

    def __str__(self):
        """For pexpect's messages: where the waiting ended."""
        gone = "" if self.machine.running() else f"\nthe emulator has ended; it said last:\n{self.machine.last_words()}"
        return f"logs in {self.machine.logs}; the last that was read:\n{(self.before or '')[-1500:]}" + gone

    def expect_off(self, timeout=PATIENCE):
        """The machine switches itself off."""
        try:
            self.expect(pexpect.EOF, timeout=timeout)
        except OSError:
            pass  # the emulator is gone in the middle of a read
        assert self.machine.wait(timeout), "the machine is still on"

    def has_panicked(self):
        """As far as it has been read: a test that wants a panic has seen it."""
        self.logfile_read.flush()
        with open(self.logfile_read.name, encoding="utf-8") as f:
            return re.search(PANIC, f.read())

    def audit(self):
        """Who has which memory, and is all of it there? What is wrong is a panic. On a machine that is too
        busy for the sums, each domain has been looked at all the same. The keys end at the monitor."""
        said = None
        while said is None or not said.startswith("audit"):
            # They may change hands of themselves as well, when a domain ends: who has them is seen by an answer.
            self.send("audit\r" if said and said.endswith("the monitor") else "\x01" * 3)
            self.expect(f"{KEYS}|{AUDITED}")
            said = self.match[0]

    def shut(self):
        """May be called twice."""
        self.logfile_read.close()
        self.machine.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """What a fixture may ask when the test is over."""
    item.has_failed = getattr(item, "has_failed", False) or call.excinfo is not None
    yield


@pytest.fixture
def machine_on(request):
    """machine_on(path, **settings of a machine): any image. Without a serial port (serial=False) it
    is the emulator itself and no Console."""
    opened = []
    name = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")
    logs = os.path.abspath(os.path.join(BUILD, "test-logs", name))
    shutil.rmtree(logs, ignore_errors=True)

    def start(path, **settings):
        where = logs if not opened else f"{logs}-{len(opened) + 1}"
        if settings.get("emulator", "bochs") in LEFT_OUT:
            pytest.skip(f"MACHINES={MACHINES} leaves out this emulator")
        m = machine.start(path, logs=where, **settings)
        opened.append(Console(m) if m.com1 else m)
        return opened[-1]

    yield start
    for one in opened:
        one.shut()


@pytest.fixture
def machine_of(machine_on):
    """machine_of(menu, files, **settings of a machine): any menu, not only Caisson's."""
    return lambda menu, files, **settings: machine_on(image(menu, files), **settings)


@pytest.fixture
def emulator():
    """Which one `boot` takes by itself; a test's marks or parameters say otherwise."""
    return VTX


@pytest.fixture
def boot(machine_of, emulator, request):
    """boot(modules=[...], options="...", **settings of a machine): Caisson on a machine.

    pcpus: as many run guests, if there are any; or Bochs' word for it.
    Without Linux the machine counts time by fewer instructions, so that less of the emulator's
    time goes into waiting for the UART. What still runs when the test has passed is audited.
    """
    running = []

    def start(modules=(), options="console=com1 exit=shutdown", **settings):
        has_linux = any(m.source == VMLINUZ for m in modules)
        settings.setdefault("ips", 100_000_000 if has_linux else 20_000_000)
        settings.setdefault("mem", 512)
        settings.setdefault("emulator", emulator)
        if settings["emulator"] != "bochs" and settings.get("cpu") in Bochs.CPUS:
            del settings["cpu"]
        if modules and isinstance(settings.get("pcpus"), int):
            settings["pcpus"] = machine.EMULATORS[settings["emulator"]].pcpus_for(settings["pcpus"])
        if modules and settings["emulator"] == "qemu" and settings.get("pcpus", 1) > 1:
            assert any(request.node.iter_markers("alone")), "several CPUs on QEMU: mark the test as smp or alone"
        menu, files = menu_of(modules, options)
        m = machine_of(menu, files, **settings)
        words = options.split()
        if isinstance(m, Console) and "console=com1" in words and not {"monitor=off", "exit=halt", "exit=reboot"} & set(words):
            running.append(m)
        return m

    yield start
    for m in running:
        if not request.node.has_failed and m.machine.running() and not m.has_panicked():
            try:
                m.audit()
            except (pexpect.EOF, OSError):
                pass  # it was about to go off, and audits itself then
