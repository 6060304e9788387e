"""A whole machine in an emulator, headless, with its COM1 on a socket.

One class for everybody who boots something: tools/run bridges the socket to a terminal, the system
tests talk to it through pexpect, the bench reads a table from it. The emulator connects to us, on
a port that the kernel chose, so any number of machines run side by side. TCP loses nothing and
pushes back when either side is slow.
"""
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BOCHS_CPUS = ("corei7_skylake_x", "corei7_icelake_u", "tigerlake", "core2_penryn_t9600")
BOCHS_MAX_MEM = 2048  # MiB, of the host's memory
MIN_MEM, MAX_MEM = 64, 1 << 20  # MiB: what Caisson and a guest need; what QEMU's boards take
MAX_PCPUS = 64  # as many as Caisson uses
BOCHS_MAX_PCPUS = 15  # Debian's build has no timers for more
# What Bochs says when the machine has switched itself off; else it was not the machine that ended it.
BOCHS_OFF = ("ACPI control: soft power off", "Shutdown port: shutdown requested")

# Settings that served well: `error: action=ignore` as each EPT violation would write a log line;
# no VGA extension as GRUB's multiboot2 loader trips over Bochs' VBE; a fixed time0 and sync=none
# make each run the same, instruction by instruction.
BOCHSRC = """
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1, iodebug=0
config_interface: textconfig
display_library: rfb, options="timeout=0"
romimage: file={rom}
vgaromimage: file=/usr/share/vgabios/vgabios.bin
cpu: model={cpu}, count={pcpus}, ips={ips}, quantum=16, reset_on_triple_fault=0
megs: {mem}
clock: sync=none, time0={time0}
vga: extension=none
port_e9_hack: enabled=1
private_colormap: enabled=0
com1: enabled=1, mode=socket-client, dev=127.0.0.1:{port}
ata0-master: {medium}
boot: {boot}
log: {log}
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"""

PRCTL = ctypes.CDLL(None).prctl  # looked up before any fork
PR_SET_PDEATHSIG = 1

OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"
# Bochs has the whole firmware as a ROM, and nothing that would hand ACPI tables to it.
BOCHS_ROMS = {"bios": "/usr/share/bochs/BIOS-bochs-latest",
              "uefi": "/usr/share/ovmf/OVMF.fd, address=0xffe00000"}
BOCHS_MEDIA = {"cdrom": "type=cdrom, path={path}, status=inserted",
               "disk": "type=disk, mode=volatile, path={path}"}
QEMU_MEDIA = {"cdrom": ["-device", "ide-cd,drive=medium,bootindex=0"],
              "disk": ["-device", "ide-hd,drive=medium,bootindex=0"],
              "usb": ["-device", "qemu-xhci",
                      "-device", "usb-storage,drive=medium,bootindex=0"]}


def die_with_parent():
    """Run in the emulator's process: the kernel ends it when we end, however that comes about."""
    PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL)


def nested_vmx():
    """True if QEMU with KVM could give its guest VT-x here."""
    def says(path, words):
        try:
            with open(path, encoding="ascii", errors="replace") as f:
                return any(word in f.read() for word in words)
        except OSError:
            return False
    return (os.access("/dev/kvm", os.R_OK | os.W_OK) and says("/proc/cpuinfo", [" vmx "])
            and says("/sys/module/kvm_intel/parameters/nested", ["Y", "1"]))


def best_emulator():
    return "kvm" if nested_vmx() else "bochs"


def no_image(path):
    """Why it is nothing that a machine boots from; None if it is. A CD says so in its 17th sector, a
    disk or stick at the end of its first one (ECMA-119, "Volume descriptors"; the PC's boot sector)."""
    if not os.path.isfile(path):
        return "there is no such file"
    with open(path, "rb") as f:
        first = f.read(512)
        f.seek(0x8001)
        if f.read(5) != b"CD001" and first[510:512] != b"\x55\xaa":
            return "it is no image of a CD, disk or stick (`make iso` makes one)"
    return None


def qemu_cpus():
    """The names that QEMU's -cpu takes."""
    text = subprocess.run(["qemu-system-x86_64", "-cpu", "help"], capture_output=True, text=True,
                          check=True).stdout
    names = text.partition("Recognized CPUID flags")[0].splitlines()[1:]
    return {words[0] for words in map(str.split, names) if words}


def no_cpu(emulator, cpu):
    if cpu is None:
        return None
    if emulator == "bochs":
        known = cpu in BOCHS_CPUS
        return None if known else f"Bochs has {', '.join(BOCHS_CPUS)}"
    known = cpu.split(",")[0] in qemu_cpus()
    return None if known else "QEMU does not know it (qemu-system-x86_64 -cpu help)"


def no_emulator(emulator, firmware):
    program = "bochs" if emulator == "bochs" else "qemu-system-x86_64"
    if not shutil.which(program):
        return f"{program} is not installed (`make deps`)"
    if emulator == "kvm" and not nested_vmx():
        return "no KVM that lends VT-x (/dev/kvm, and kvm_intel's nested=Y)"
    if firmware == "uefi" and not os.path.exists(OVMF_CODE):
        return "OVMF is not installed (`make deps`)"
    return None


def refusal(*, image, emulator, cpu, pcpus, mem, firmware):
    """What of this makes no machine: a line that begins with the word at fault. None: all is well."""
    most = BOCHS_MAX_MEM if emulator == "bochs" else MAX_MEM
    faults = ((image, no_image(image)), (f"--emulator {emulator}", no_emulator(emulator, firmware)))
    for word, why in faults:
        if why:
            return f"{word}: {why}"
    most_pcpus = BOCHS_MAX_PCPUS if emulator == "bochs" else MAX_PCPUS
    if not 1 <= pcpus <= most_pcpus:
        return f"--pcpus {pcpus}: 1 to {most_pcpus}"
    if not MIN_MEM <= mem <= most:
        return f"--mem {mem}: {MIN_MEM} to {most} MiB"
    why = no_cpu(emulator, cpu)
    return f"--cpu {cpu}: {why}" if why else None


class Counters:
    """Caisson's counters of what has run, read out of the machine's memory (tools/coverage). COUNTERS
    in the environment says where: physical address, how many of 8 bytes. Bochs' debugger prints them
    whenever it comes back from "continue": at a magic break, which stands before power-off and
    reboot, and when it is interrupted."""

    def __init__(self, logs):
        start, count = os.environ["COUNTERS"].split(",")
        self.start, self.bytes = int(start, 0), 8 * int(count)
        self.log = os.path.join(logs, "emulator.txt")
        self.binary = os.path.join(logs, "counters.bin")
        self.debugger = f"c\nxp /{self.bytes // 4}wx {start}\n" * 8

    def _printed(self):
        with open(self.log, "rb") as f:
            return f.read().count(b"<bogus+")

    def read(self, machine):
        """From a machine that runs."""
        if machine.emulator != "bochs":
            try:
                row = machine.memory(self.start, self.bytes)
            except OSError:
                return  # it is just going off
            if len(row) == self.bytes:
                with open(self.binary, "wb") as f:
                    f.write(row)
            return
        wanted = self._printed() + self.bytes // 16
        machine.process.send_signal(signal.SIGINT)
        deadline = time.time() + 10
        while self._printed() < wanted and machine.running() and time.time() < deadline:
            time.sleep(0.1)


class Machine:
    """Started by the constructor; `com1` is the connected socket. Use as a context manager.

    emulator: "bochs", "qemu" (TCG: no VT-x), or "kvm" (QEMU with nested VT-x)
    cpu:      a Bochs model, or whatever QEMU's -cpu takes
    firmware: "bios" or "uefi"
    medium:   what `iso` is to the machine: "cdrom", "disk" or "usb" (QEMU only)
    ips:      Bochs' instructions a second, by which it counts time
    time0:    what the RTC says at first; seconds, or "local" or "utc"
    debugger: what Bochs' debugger, in which it starts, is told; its answers are in emulator.txt
    shape:    QEMU's machine with its properties, "q35,i8042=off" for instance; serial: has it COM1?
    """

    def __init__(self, iso, *, emulator="bochs", cpu=None, pcpus=1, mem=512, firmware="bios",
                 ips=100_000_000, time0=1_700_000_000, logs=None, extra=(),
                 debugger="c\n", shape=None, serial=True, medium="cdrom"):
        self.logs = logs or tempfile.mkdtemp(prefix="caisson-machine-")
        os.makedirs(self.logs, exist_ok=True)
        self.emulator, self.debugger = emulator, debugger
        self.counters = Counters(self.logs) if "COUNTERS" in os.environ and debugger == "c\n" else None
        if self.counters:
            self.debugger = self.counters.debugger
        self.firmware, self.medium = firmware, medium
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if emulator == "bochs":
            argv = self._bochs(iso, cpu or BOCHS_CPUS[0], pcpus, mem, ips, time0, port)
        else:
            qmp = socket.create_server(("127.0.0.1", 0))
            argv = self._qemu(iso, cpu, pcpus, mem, port if serial else None)
            argv += ["-machine", shape or ("q35" if firmware == "uefi" else "pc"),
                     "-chardev", f"socket,id=qmp,host=127.0.0.1,port={qmp.getsockname()[1]}",
                     "-mon", "chardev=qmp,mode=control"]
        argv += extra
        with open(os.path.join(self.logs, "emulator.txt"), "wb") as out:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT, start_new_session=True,
                                            preexec_fn=die_with_parent)
        self.com1 = self._accept(listener) if serial else None
        if emulator != "bochs":
            self._qmp = self._accept(qmp).makefile("rw", encoding="utf-8")
            self._answer("QMP")
            self.ask("qmp_capabilities")

    def _bochs(self, iso, cpu, pcpus, mem, ips, time0, port):
        rc = os.path.join(self.logs, "bochsrc")
        go = os.path.join(self.logs, "debugger-commands")
        with open(rc, "w", encoding="ascii") as f:
            f.write(BOCHSRC.format(cpu=cpu, pcpus=pcpus, ips=ips, mem=min(mem, BOCHS_MAX_MEM),
                                   time0=time0, port=port, rom=BOCHS_ROMS[self.firmware],
                                   medium=BOCHS_MEDIA[self.medium].format(path=os.path.abspath(iso)),
                                   boot=self.medium,
                                   log=os.path.join(self.logs, "bochs.log")))
            f.write("magic_break: enabled=1\n" if self.counters else "")
        with open(go, "w", encoding="ascii") as f:
            f.write(self.debugger)
        return ["bochs", "-q", "-f", rc, "-rc", go]

    def _qemu(self, iso, cpu, pcpus, mem, port):
        accel = ["-accel", "kvm"] if self.emulator == "kvm" else ["-accel", "tcg"]
        argv = ["qemu-system-x86_64", *accel, "-cpu",
                cpu or ("host" if self.emulator == "kvm" else "qemu64"), "-smp", str(pcpus),
                "-m", f"{mem}M", "-display", "none", "-no-reboot", "-nic", "none",
                "-drive", f"if=none,id=medium,format=raw,snapshot=on,file={os.path.abspath(iso)}",
                *QEMU_MEDIA[self.medium],
                "-debugcon", "file:" + os.path.join(self.logs, "port-e9.txt")]
        if port:
            argv += ["-chardev", f"socket,id=com1,host=127.0.0.1,port={port},nodelay=on",
                     "-serial", "chardev:com1"]
        else:
            argv += ["-serial", "none"]
        if self.firmware == "uefi":
            variables = os.path.join(self.logs, "ovmf-vars.fd")
            shutil.copyfile(OVMF_VARS, variables)
            argv += ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF_CODE}",
                     "-drive", f"if=pflash,format=raw,file={variables}"]
        return argv

    def _accept(self, listener):
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
        raise RuntimeError(f"{self.emulator} did not start; see {self.logs}\n{self.last_words()}")

    # ---- QEMU's own monitor (QMP) ----

    def _answer(self, key):
        """The next message with this key; what happens meanwhile ("event") is passed over."""
        while True:
            try:
                message = json.loads(self._qmp.readline())
            except (ValueError, ConnectionError) as e:
                raise RuntimeError(f"{self.emulator} is gone; it said last (all of it is in "
                                   f"{self.logs}):\n{self.last_words()}") from e
            if "error" in message:
                raise RuntimeError(message["error"]["desc"])
            if key in message:
                return message[key]

    def ask(self, command, **arguments):
        self._qmp.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._qmp.flush()
        return self._answer("return")

    def screendump(self, path, kind="ppm"):
        """The screen's pixels, into a file: "ppm" or "png"."""
        self.ask("screendump", filename=os.path.abspath(path), format=kind)

    def memory(self, start, size):
        """Bytes of the machine's memory."""
        path = os.path.join(self.logs, "memory.bin")
        self.ask("pmemsave", val=start, size=size, filename=path)
        with open(path, "rb") as f:
            return f.read()

    def press(self, *keys):
        """Keys by QEMU's names, one after the other; "ctrl-a" is two at once."""
        for key in keys:
            self.ask("send-key", keys=[{"type": "qcode", "data": k} for k in key.split("-")])
            time.sleep(0.15)  # each is held for 0.1 s

    def failed(self):
        """Has its emulator ended otherwise than by the machine's own wish?"""
        code = self.process.poll()
        return bool(code) and not (code == 1 and any(off in self.last_words() for off in BOCHS_OFF))

    def last_words(self, lines=8):
        """What the emulator itself has said last."""
        text = ""
        for name in ("emulator.txt", "bochs.log"):
            path = os.path.join(self.logs, name)
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
            self.counters.read(self)
        if getattr(self, "com1", None):
            self.com1.close()
        if self.process.poll() is None:
            self.process.terminate()
            deadline = time.time() + 3
            while self.process.poll() is None and time.time() < deadline:
                time.sleep(0.05)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    shut = close

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
