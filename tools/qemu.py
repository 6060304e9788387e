"""QEMU: AMD-V emulated by TCG, its CPUs on threads of their own; or VT-x or AMD-V lent by KVM."""
import json
import os
import shutil
import socket
import subprocess
import time

from emulator import OVMF, Emulator

MEDIA = {"cdrom": ["-device", "ide-cd,drive=medium,bootindex=0"],
         "disk": ["-device", "ide-hd,drive=medium,bootindex=0"],
         "usb": ["-device", "qemu-xhci",
                 "-device", "usb-storage,drive=medium,bootindex=0"]}
BOARDS = {"bios": "pc", "uefi": "q35"}
# TCG's CPU with the bits of registers against speculation that it does not have (docs/qemu.md).
SPECULATES = "max,x-force-features=on,ibpb=on,ibrs=on,amd-stibp=on,amd-ssbd=on"


# For guests with devices of their own (`pci=`): a disk at 00:04.0, a network card at 00:05.0, both
# behind an IOMMU, which this board can have.
PASSED_BOARD = "q35"


def passed(disk=None, net=None, iommu="amd-iommu"):
    """The words for them. iommu: or "intel-iommu,intremap=on", which is there on any CPU."""
    words = ["-device", iommu]
    if disk:
        words += ["-drive", f"if=none,id=passed,format=raw,file={disk.replace(',', ',,')}",
                  "-device", "nvme,drive=passed,serial=caisson,addr=4"]
    if net:
        words += ["-netdev", f"{net},id=net", "-device",
                  "virtio-net-pci,netdev=net,iommu_platform=on,disable-legacy=on,addr=5,romfile="]
    return words


def nested():
    """What KVM here could lend to a guest of QEMU's: "vmx", "svm" or None."""
    def says(path, words):
        try:
            with open(path, encoding="ascii", errors="replace") as f:
                return any(word in f.read() for word in words)
        except OSError:
            return False
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        for feature, module in ("vmx", "kvm_intel"), ("svm", "kvm_amd"):
            if (says("/proc/cpuinfo", [f" {feature} "])
                    and says(f"/sys/module/{module}/parameters/nested", ["Y", "1"])):
                return feature
    return None


def clock(time0):
    """-rtc's word for what the clock says at first."""
    if isinstance(time0, int):
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time0))
    return {"utc": "utc", "local": "localtime"}[time0]


class Qemu(Emulator):
    NAME, PROGRAM, PACKAGES = "QEMU (TCG)", "qemu-system-x86_64", "qemu"
    CPU = "max"
    OWN_CPUS = 1  # the boot CPU: docs/qemu.md
    MOST_PCPUS = 64  # as many as Caisson uses
    MOST_MEM = 1 << 20  # MiB: what its boards take

    @classmethod
    def no_cpu(cls, cpu):
        text = subprocess.run([cls.PROGRAM, "-cpu", "help"], capture_output=True, text=True,
                              check=True).stdout
        lines = text.partition("Recognized CPUID flags")[0].splitlines()[1:]
        known = {words[1] for words in map(str.split, lines) if words}
        return None if cpu.split(",")[0] in known else f"QEMU does not know it ({cls.PROGRAM} -cpu help)"

    def accelerator(self):
        if self.icount:
            return ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-seed", "1"]
        return ["-accel", "tcg,thread=multi"]

    def command(self, port):
        self._qmp_listener = socket.create_server(("127.0.0.1", 0))
        qmp = self._qmp_listener.getsockname()[1]
        serial = ["-chardev", f"socket,id=com1,host=127.0.0.1,port={port},nodelay=on",
                  "-serial", "chardev:com1"] if port else ["-serial", "none"]
        return [self.PROGRAM, *self.accelerator(), "-cpu", self.cpu or self.CPU, "-smp", str(self.pcpus),
                "-m", f"{self.mem}M", "-machine", self.shape or BOARDS[self.firmware],
                "-rtc", f"base={clock(self.time0)}" + (",clock=vm" if self.icount else ""),
                "-display", "none", "-no-reboot", "-nic", "none",
                "-drive", f"if=none,id=medium,format=raw,snapshot=on,file={self.image}",
                *MEDIA[self.medium], *self._flash(), *serial,
                "-debugcon", "file:" + self.log("port-e9.txt"),
                "-chardev", f"socket,id=qmp,host=127.0.0.1,port={qmp}",
                "-mon", "chardev=qmp,mode=control"]

    def _flash(self):
        """The UEFI firmware, with variables of the machine's own."""
        if self.firmware == "bios":
            return []
        variables = self.log("ovmf-vars.fd")
        shutil.copyfile(OVMF["variables"], variables)
        return ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF['code']}",
                "-drive", f"if=pflash,format=raw,file={variables}"]

    # ---- Its own monitor (QMP) ----

    def started(self):
        self._qmp = self.accept(self._qmp_listener).makefile("rw", encoding="utf-8")
        self._answer("QMP")
        self.ask("qmp_capabilities")

    def _answer(self, key):
        """The next message with this key; what happens meanwhile ("event") is passed over."""
        while True:
            try:
                message = json.loads(self._qmp.readline())
            except (ValueError, ConnectionError) as e:
                raise RuntimeError(f"{self.NAME} is gone; it said last (all of it is in "
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

    def nmi(self):
        """What a real machine's NMI button does."""
        self.ask("inject-nmi")

    def save_counters(self):
        try:
            row = self.memory(*self.counters)
        except (OSError, RuntimeError):
            return  # it is just going off
        if len(row) == self.counters[1]:
            with open(self.log("counters.bin"), "wb") as f:
                f.write(row)


class Kvm(Qemu):
    NAME, CPU = "QEMU with KVM", "host"
    OWN_CPUS = 0

    @classmethod
    def missing(cls):
        lends = "no KVM that lends VT-x or AMD-V (/dev/kvm, and nested=1 of kvm_intel or kvm_amd)"
        return super().missing() or (None if nested() else lends)

    def accelerator(self):
        return ["-accel", "kvm"]
