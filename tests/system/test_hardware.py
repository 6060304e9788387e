"""What a real machine brings, as far as QEMU plays it: its ends, its report, its errors."""
import re

import pytest

from conftest import WITHOUT, guest
from test_screen import wait_for


@pytest.mark.parametrize("shape", ["pc", "q35"])
def test_reboot_host(boot, shape):
    m = boot(shape=shape, options="console=com1", **WITHOUT)  # ends with -no-reboot
    m.expect_exact("caisson> ")
    m.sendline("reboot-host")
    m.expect_exact("rebooted by the operator")
    m.expect_off()


REPORT = (r"cpu: [^\r\n]+, family 6 model 0x", r"cpu: CPUID 7: ",
          r"cpu: weaknesses that [^\r\n]*: BTI L1TF MDS GDS", r"speculation: ept   on",
          r"pCPU 0: APIC id 0, package 0, core 0,[^\r\n]* TSC ahead by 0, MTRRs changed 0",
          r"pCPU 1: APIC id 1, ", r"topology: \d package\(s\), \d core\(s\), 2 thread",
          "cache: L1 data, 32 KiB, 8 ways", "VT-x: ", r"acpi: tables[A-Z ]* FACP",
          "acpi: PM timer at port 0x[0-9a-f]+, HPET at 0xfed00000", "screen: no framebuffer",
          "memory: 0x000000000000 to 0x00000009f[0-9a-f]{3} usable")


@pytest.mark.parametrize("emulator, cpu, extra", [
    ("qemu", "Skylake-Client", ["-smp", "2,sockets=1,cores=1,threads=2"]),
    ("bochs", "corei7_skylake_x", []),
], ids=["qemu", "bochs"])
def test_report(boot, emulator, cpu, extra):
    """The self-test tells of every pCPU, and goes on to the end without guests."""
    m = boot(modules=guest("hello"), emulator=emulator, cpu=cpu, pcpus=2, ips=50_000_000,
             extra=extra, options="console=com1 exit=shutdown selftest")
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
        assert "pCPU 1: APIC id 1, package 0, core 0, microcode 0x1, VT-x absent" in m.before
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
