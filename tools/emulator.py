"""What all emulators have in common: a whole machine, headless, with its COM1 on a socket.

The emulator connects to us, on a port that the kernel chose, so any number of machines run side by
side. TCP loses nothing and pushes back when either side is slow. One class for each emulator is
behind this: tools/bochs.py, tools/qemu.py; tools/machine.py chooses among them.
"""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

OVMF = {"code": "/usr/share/OVMF/OVMF_CODE_4M.fd", "variables": "/usr/share/OVMF/OVMF_VARS_4M.fd",
        "both": "/usr/share/ovmf/OVMF.fd"}
PRCTL = ctypes.CDLL(None).prctl  # looked up before any fork
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """Run in the emulator's process: the kernel ends it when we end, however that comes about."""
    PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL)


def counters():
    """Caisson's counters of what has run (tools/coverage): their physical address, and how many bytes
    they are. COUNTERS in the environment says it; None where nobody counts."""
    if "COUNTERS" not in os.environ:
        return None
    start, count = os.environ["COUNTERS"].split(",")
    return int(start, 0), 8 * int(count)


class Emulator:
    """Started by the constructor; `com1` is the connected socket. Use as a context manager.

    image:    what `medium` holds: "cdrom", "disk" or "usb" (QEMU only)
    cpu:      a Bochs model, or whatever QEMU's -cpu takes
    mem:      MiB
    firmware: "bios" or "uefi"
    ips:      Bochs' instructions a second, by which it counts time
    icount:   QEMU counts time in instructions as well, one TSC tick each; all CPUs share one thread then
    time0:    what the RTC says at first: seconds, or "local" or "utc"
    debugger: what Bochs' debugger, in which it starts, is told; its answers are in emulator.txt
    shape:    QEMU's machine with its properties, "q35,i8042=off" for instance; serial: has it COM1?
    extra:    more words for the emulator

    A subclass has NAME (for people), PROGRAM, PACKAGES (their group in tools/packages), MOST_PCPUS,
    MOST_MEM, no_cpu(), and command(), which makes the command line.
    """
    MIN_MEM = 64  # MiB: what Caisson and a guest need
    OWN_CPUS = 0  # of several, those on which no guest runs
    LOGS = ("emulator.txt",)  # where its own words are

    def __init__(self, image, *, cpu=None, pcpus=1, mem=512, firmware="bios", medium="cdrom",
                 ips=100_000_000, icount=False, time0=1_700_000_000, debugger="c\n", shape=None,
                 serial=True, logs=None, extra=()):
        self.logs = logs or tempfile.mkdtemp(prefix="caisson-machine-")
        os.makedirs(self.logs, exist_ok=True)
        self.image, self.medium, self.firmware = os.path.abspath(image), medium, firmware
        self.cpu, self.pcpus, self.mem, self.shape = cpu, pcpus, mem, shape
        self.ips, self.icount, self.time0, self.debugger = ips, icount, time0, debugger
        self.counters = counters()
        listener = socket.create_server(("127.0.0.1", 0)) if serial else None
        argv = self.command(listener.getsockname()[1] if serial else None)
        with open(self.log("emulator.txt"), "wb") as out:
            self.process = subprocess.Popen([*argv, *extra], stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, start_new_session=True,
                                            preexec_fn=die_with_parent)
        self.com1 = self.accept(listener) if serial else None
        self.started()

    @classmethod
    def pcpus_for(cls, guests):
        """How many CPUs the machine needs so that guests run on so many."""
        return guests + (cls.OWN_CPUS if guests > 1 else 0)

    @classmethod
    def missing(cls):
        """Why there is none here; None if all is well."""
        return None if shutil.which(cls.PROGRAM) else f"{cls.PROGRAM} is not installed (`make deps`)"

    def command(self, port):
        """The command line, COM1 being at this port (None: there is no COM1)."""
        raise NotImplementedError

    def started(self):
        """Called when it has connected."""

    def save_counters(self):
        """Puts the bytes that counters() tells of into a file below logs, from a machine that runs."""
        raise NotImplementedError

    def log(self, name):
        return os.path.join(self.logs, name)

    def accept(self, listener):
        listener.settimeout(0.2)
        for _ in range(150):
            try:
                connection, _ = listener.accept()
                connection.settimeout(None)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                listener.close()
                return connection
            except socket.timeout:
                if self.process.poll() is not None:
                    break
        self.close()
        raise RuntimeError(f"{self.NAME} did not start; it said last (all of it is in {self.logs}):\n"
                           f"{self.last_words()}")

    def failed(self):
        """Has it ended otherwise than by the machine's own wish?"""
        return bool(self.process.poll())

    def last_words(self, lines=8):
        """What the emulator itself has said last."""
        text = ""
        for path in map(self.log, self.LOGS):
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as f:
                    text += f.read()
        return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])

    def running(self):
        return self.process.poll() is None

    def wait(self, timeout):
        """True if the machine has switched itself off within timeout seconds."""
        try:
            self.process.wait(timeout)
            return True
        except subprocess.TimeoutExpired:
            return False

    def close(self):
        if self.counters and self.running():
            self.save_counters()
        if getattr(self, "com1", None):
            self.com1.close()
        if self.running():
            self.process.terminate()
            deadline = time.time() + 3
            while self.running() and time.time() < deadline:
                time.sleep(0.05)
        if self.running():
            self.process.kill()
            self.process.wait()

    shut = close

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
