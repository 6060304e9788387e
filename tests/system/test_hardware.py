"""What a real machine brings, as far as QEMU plays it: its ends, its report, its errors."""
import re
import time

import pytest

from conftest import WITHOUT, guest
from test_screen import wait_for


# A bridge with a card behind it, beside what the boards have themselves. The keyboard's controller is
# one that firmware leaves running: it reads memory at each frame.
BRIDGES = {"pc": ["-device", "pci-bridge,id=b,chassis_nr=1", "-device", "e1000,bus=b,addr=3"],
           "q35": ["-device", "pcie-root-port,id=b,chassis=1", "-device", "e1000e,bus=b",
                   "-device", "nvme,serial=1,addr=5", "-device", "amd-iommu",
                   "-device", "piix3-usb-uhci,addr=6", "-device", "usb-kbd"]}
DEVICES = {
    "pc": ("found by ports",
           r"00:00\.0 host bridge, class 060000, 8086:1237 rev 02",
           r"00:01\.1 IDE, class 010180, 8086:7010 rev 00, ports[^\n]*\n +port 0x[cd][0-9a-f]{3} 16B\n",
           r"00:02\.0 VGA, class 030000, [^\n]*, Caisson's screen\n +memory 0xfd000000 prefetchable,",
           r"00:0\d\.0 PCI bridge, [^\n]*, to buses 01 to 01\n",
           r"01:03\.0 Ethernet, class 020000, 8086:100e [^\n]*\n +memory 0xfe[0-9a-f]+ 128K, port "
           r"0x[0-9a-f]+ 64B, ROM 0x[0-9a-f]* 256K, alone on its bus\n"),
    "q35": ("found by MCFG",
            r"00:00\.0 host bridge, class 060000, 8086:29c0 ",
            r"00:05\.0 NVMe, [^\n]*\n +memory 0xfe[0-9a-f]+ 16K\n +PM in D0, PCIe, MSI-X 65, FLR\n",
            r"00:06\.0 USB, class 0c0300, [^\n]*, master\n",
            r"00:1f\.2 AHCI, [^\n]*\n +port 0x[cd][0-9a-f]{3} 32B, memory 0xfe[0-9a-f]{6} 4K\n +MSI 1\n",
            r"PCI bridge, [^\n]*, to buses 01 to 01\n[^\n]*\n +PCIe, MSI-X 1, AER, ACS\n",
            r"01:00\.0 Ethernet, [^\n]* 8086:10d3 [^\n]*\n[^\n]*\n +PM in D0, MSI 1, PCIe, MSI-X 5, AER\n"),
}


def tries(m, device):
    """What QEMU's IOMMU has answered this device within a moment: where the memory is that it may
    reach there, 0x0 if it may not."""
    for state in "on", "off":
        monitor_command(m, f"trace-event amdvi_translation_result {state}")
        time.sleep(0.3)
    with open(m.machine.log("emulator.txt"), encoding="ascii", errors="replace") as f:
        return re.findall(rf"devid: {device} gpa 0x[0-9a-f]+ hpa (0x[0-9a-f]+)", f.read())


@pytest.mark.parametrize("shape", ["pc", "q35"])
def test_pci_and_reboot_host(boot, shape):
    """The monitor lists the devices, found by ports or by memory. Those behind an IOMMU try in vain."""
    m = boot(shape=shape, options="console=com1 console=vga", extra=BRIDGES[shape], **WITHOUT)
    m.expect(r"caisson: pci: \d+ devices, (found by \w+)\r")
    assert m.match[1] == DEVICES[shape][0]
    if shape == "q35":
        m.expect_exact("iommu: AMD-Vi: 1 of 1 units answer: devices behind them reach nothing")
    m.expect_exact("caisson> ")  # ends with -no-reboot
    m.sendline("pci")
    m.expect_exact("pci\r\n")
    m.expect_exact("caisson> ")
    for line in DEVICES[shape][1:]:
        assert re.search(line, m.before.replace("\r", "")), line
    if shape == "q35":
        assert set(tries(m, "00:06.0")) == {"0x0"}
    m.sendline("reboot-host")
    m.expect_exact("rebooted by the operator")
    m.expect_off()


VTD = ["-device", "intel-iommu,intremap=on", "-trace", "vtd_ir_remap_msi", "-device", "piix3-usb-uhci,addr=6",
       "-device", "usb-kbd"]


def test_vtd(boot):
    """Beside Intel's IOMMU, which QEMU has on any CPU: it names who tries, and passes our own lines on."""
    m = boot(modules=guest("hello"), emulator="qemu", shape="q35", options="console=com1", extra=VTD)
    m.expect_exact("iommu: VT-d: 1 of 1 units answer: devices behind them reach nothing")
    m.expect(r"iommu: 00:06\.0 read from 0x[0-9a-f]+, which it was not given: blocked, and stopped")
    m.expect_exact("hello: 10 ticks")
    m.expect_exact("*** keys go to the monitor")
    m.sendline("pci")
    m.expect(r"00:06\.0 USB, class 0c0300, [^\n]*, blocked \d+ times")
    with open(m.machine.log("emulator.txt"), encoding="ascii", errors="replace") as f:
        assert "vtd_ir_remap_msi (addr 0xfee00090, data" in f.read()  # COM1's interrupts


REPORT = (r"cpu: [^\r\n]+, family 6 model 0x", r"cpu: CPUID 7: ",
          r"cpu: weaknesses that [^\r\n]*: BTI L1TF MDS MMIO-stale-data GDS", r"speculation: ept +on",
          r"pCPU 0: APIC id 0, package 0, core 0,[^\r\n]* TSC ahead by 0, MTRRs changed 0",
          r"pCPU 1: APIC id 1, ", r"topology: \d package\(s\), \d core\(s\), 2 thread",
          "cache: L1 data, 32 KiB, 8 ways", "VT-x: ", r"acpi: tables[A-Z ]* FACP",
          "acpi: PM timer at port 0x[0-9a-f]+, HPET at 0xfed00000", "screen: no framebuffer",
          r"pci: 00:00\.0 host bridge, class 060000, 8086:1237 rev 0[02], [^\r\n]*\r",
          r"pci: 00:01\.1 IDE, class 010180, 8086:7010 rev 00, ports[^\r\n]*; port 0xc[0-9a-f]{3} 16B\r",
          "memory: 0x000000000000 to 0x00000009f[0-9a-f]{3} usable")


@pytest.mark.parametrize("emulator, cpu, extra", [
    ("qemu", "Skylake-Client", ["-smp", "2,sockets=1,cores=1,threads=2"]),
    ("bochs", "corei7_skylake_x", []),
], ids=["qemu", "bochs"])
@pytest.mark.smp
def test_report(boot, emulator, cpu, extra):
    """The self-test tells of every pCPU, and goes on to the end without guests."""
    gran, pcpus = ("cpu", 2) if emulator == "qemu" else ("core", "1:1:2")
    m = boot(modules=guest("hello"), emulator=emulator, cpu=cpu, pcpus=pcpus, ips=50_000_000,
             extra=extra, options="console=com1 exit=shutdown selftest sched-gran=" + gran)
    m.expect_exact("report: begins; BIOS by GRUB")
    before = m.before
    m.expect_exact("report: ends")
    for line in REPORT:
        assert re.search("caisson: report: " + line, m.before), line
    if emulator == "qemu":
        # It claims microcode 1 of a CPU that needs 0xb2, and its INIT loses the MTRRs.
        assert "erratum: the TSC deadline is unreliable" in before
        assert re.search(r"pCPU 1 had \d+ other than the boot CPU's, set right", before)
        assert "topology: 1 package(s), 1 core(s), 2 thread(s)" in m.before
        assert "report: scheduling: each pCPU for itself" in m.before
        assert "pCPU 1: APIC id 1, package 0, core 0, microcode 0x1, VT-x absent" in m.before
    else:
        assert "report: scheduling: 1 core(s) run one domain at a time" in m.before
    m.expect_off()
    assert "hello:" not in m.before


def monitor_command(m, line):
    """A line for QEMU's monitor for people, which has no machine checks elsewhere."""
    m.machine.ask("human-monitor-command", **{"command-line": line})


# Bits of IA32_MCi_STATUS: valid, not corrected, enabled, address valid; and the state is corrupt.
LIVE, DEADLY = 0xB400000000000134, 0xB600000000000134


def test_nmi_and_machine_check(boot):
    """Both are told of and survived; one that is not panics on serial port and screen."""
    m = boot(firmware="uefi", shape="q35", options="console=com1 console=vga", **WITHOUT)
    m.expect_exact("caisson> ")
    m.machine.nmi()
    m.expect_exact("error: NMI from outside on pCPU 0, 1 time(s), no reason given")
    monitor_command(m, f"mce 0 2 {LIVE:#x} 0x5 0x123456000 0x0")
    m.expect_exact(f"machine check: pCPU 0, bank 2, status {LIVE:#x} (not corrected), "
                   "address 0x123456000")
    m.machine.nmi()
    m.expect_exact("error: NMI from outside on pCPU 0, 1 time(s)")
    m.sendline("help mem")
    m.expect_exact("the machine's memory")
    monitor_command(m, f"mce 0 3 {DEADLY:#x} 0x5 0x77000 0x0")
    text = f"panic: pCPU 0: machine check: bank 3, status {DEADLY:#x}, address 0x77000, state 0x5"
    m.expect_exact(text)
    m.expect_exact("panic: stopped")
    lines = wait_for(m.machine, "panic: stopped")
    # Not wrapped: the screen is as wide as it can be.
    assert any(line.endswith("] caisson: error: " + text) for line in lines)
    assert any("panic: backtrace" in line for line in lines)
    assert any(re.search(r"panic:   0x[0-9a-f]{16} (mce_\w+|handle)\+0x", line) for line in lines)
