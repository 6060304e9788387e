"""Bochs: VT-x (and, by models of AMD's, AMD-V) emulated in software, on one thread, the same run each
time, instruction by instruction. docs/bochs.md has why the settings are what they are."""
import signal
import time

from emulator import OVMF, Emulator

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
{cmos}
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

# It has the whole firmware as a ROM, and nothing that would hand ACPI tables to it.
ROMS = {"bios": "/usr/share/bochs/BIOS-bochs-latest", "uefi": OVMF["both"] + ", address=0xffe00000"}
MEDIA = {"cdrom": "type=cdrom, path={path}, status=inserted",
         "disk": "type=disk, mode=volatile, path={path}"}
# What the BIOS of a machine with a CD remembers, as Bochs has it by itself (`info device "cmos"` in its debugger):
# the clock's registers, equipment, KiB of memory below and above 1 MiB, their sum, the boot's order. And a bit at
# 0x3F, for which Bochs has no setting: do not wait 3 seconds for somebody who wants the boot menu.
CMOS = {0x0A: 0x26, 0x0B: 0x02, 0x0D: 0x80, 0x10: 0x40, 0x14: 0x07, 0x15: 0x80, 0x16: 0x02, 0x18: 0xFC,
        0x2E: 0x01, 0x2F: 0xC5, 0x31: 0xFC, 0x3D: 0x03, 0x3F: 0x01}
ABOVE_16M = 0x34  # two bytes: how much there is, in 64 KiB
# What it says when the machine has switched itself off; else it was not the machine that ended it.
OFF = ("ACPI control: soft power off", "Shutdown port: shutdown requested")


class Bochs(Emulator):
    NAME, PROGRAM = "Bochs", "bochs"
    PACKAGES = "bochs"
    CPUS = ("corei7_skylake_x", "corei7_icelake_u", "tigerlake", "core2_penryn_t9600",
            "trinity_apu", "zambezi")
    MOST_PCPUS = 15  # Debian's build has no timers for more
    MOST_MEM = 2048  # MiB, of the host's memory
    LOGS = ("emulator.txt", "bochs.log")

    @classmethod
    def no_cpu(cls, cpu):
        return None if cpu in cls.CPUS else f"Bochs has {', '.join(cls.CPUS)}"

    def command(self, port):
        if self.counters and self.debugger == "c\n":
            start, size = self.counters
            self.debugger = f"c\nxp /{size // 4}wx {start:#x}\n" * 8
        else:
            self.counters = None
        rc, go, mem = self.log("bochsrc"), self.log("debugger-commands"), min(self.mem, self.MOST_MEM)
        with open(rc, "w", encoding="ascii") as f:
            f.write(BOCHSRC.format(cpu=self.cpu or self.CPUS[0], pcpus=self.pcpus, ips=self.ips,
                                   mem=mem, time0=self.time0, cmos=self._cmos(mem), port=port,
                                   rom=ROMS[self.firmware], boot=self.medium,
                                   medium=MEDIA[self.medium].format(path=self.image),
                                   log=self.log("bochs.log")))
            f.write("magic_break: enabled=1\n" if self.debugger != "c\n" else "")
        with open(go, "w", encoding="ascii") as f:
            f.write(self.debugger)
        return [self.PROGRAM, "-q", "-f", rc, "-rc", go]

    def _cmos(self, mem):
        """The line that names the BIOS' memory, if we know what is to be in it."""
        if self.medium != "cdrom":
            return ""
        data = bytearray(CMOS.get(n, 0) for n in range(128))
        data[ABOVE_16M:ABOVE_16M + 2] = ((mem - 16) * 16).to_bytes(2, "little")
        with open(self.log("cmos"), "wb") as f:
            f.write(data)
        return f"cmosimage: file={self.log('cmos')}, rtc_init=time0"

    def failed(self):
        """Both ways to switch a machine off end it with code 1."""
        off = self.process.poll() == 1 and any(words in self.last_words() for words in OFF)
        return super().failed() and not off

    def _printed(self):
        with open(self.log("emulator.txt"), "rb") as f:
            return f.read().count(b"<bogus+")

    def save_counters(self):
        """Its debugger prints them whenever it comes back from "continue": at a magic break, which
        stands before power-off and reboot, and when it is interrupted."""
        wanted = self._printed() + self.counters[1] // 16
        self.process.send_signal(signal.SIGINT)
        deadline = time.time() + 10
        while self._printed() < wanted and self.running() and time.time() < deadline:
            time.sleep(0.1)
