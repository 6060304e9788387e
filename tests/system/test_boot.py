"""From the firmware through GRUB to the report on VT-x: firmware, CPUs, memory, CPU models."""
import re

import pytest

from conftest import NO_VIRT, WITHOUT

READY = r"VT-x: VMCS revision \S+ all that is needed is there"


@pytest.mark.parametrize("where, firmware, end", [
    ({"emulator": "bochs"}, "bios", READY),
    (WITHOUT, "bios", NO_VIRT),
    (WITHOUT, "uefi", NO_VIRT),
], ids=["bochs-bios", "qemu-bios", "qemu-uefi"])
def test_firmware(boot, where, firmware, end):
    m = boot(firmware=firmware, **where)
    m.expect(r"Caisson, a hypervisor for x86-64, on " + ("UEFI" if firmware == "uefi" else "a PC"))
    m.expect(r"cpu: protections WP NX")
    m.expect(end)


@pytest.mark.parametrize("pcpus, limit", [(1, ""), (2, ""), (4, ""), (4, "maxcpus=2")])
def test_cpus_online(boot, pcpus, limit):
    m = boot(emulator="bochs", pcpus=pcpus, options=f"console=com1 exit=shutdown {limit}")
    m.expect(rf"smp: {2 if limit else pcpus} of {pcpus} CPUs online")


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_cpus_found(boot, firmware):
    """Where nothing can run guests the others are not even started."""
    m = boot(pcpus=4, firmware=firmware, **WITHOUT)
    m.expect(r"acpi: 4 CPUs,")
    m.expect(NO_VIRT)


@pytest.mark.parametrize("emulator, firmware, mem", [
    ("bochs", "bios", 64), ("bochs", "bios", 2048),
    ("qemu", "bios", 64), ("qemu", "bios", 4096), ("qemu", "uefi", 4096),
])
def test_memory(boot, emulator, firmware, mem):
    where = {"emulator": "bochs"} if emulator == "bochs" else WITHOUT
    m = boot(firmware=firmware, mem=mem, **where)
    m.expect(READY if emulator == "bochs" else NO_VIRT)
    assert "panic" not in m.before


@pytest.mark.parametrize("cpu", ["corei7_skylake_x", "corei7_icelake_u", "tigerlake"])
def test_cpu_model(boot, cpu):
    m = boot(emulator="bochs", cpu=cpu)
    m.expect(r"cpu: protections ([^\r\n]*)[\r\n]")
    assert {"WP", "NX", "SMEP", "SMAP"} <= set(m.match.group(1).split())
    m.expect(READY)
    m.expect(r"VT-x: VPID +yes")


def test_tsc_is_measured(boot):
    """Bochs' CPUs claim 3.5 GHz in CPUID; the clock runs at its ips."""
    m = boot(emulator="bochs", ips=20_000_000)
    m.expect(r"tsc: (\d+\.\d+) MHz")
    assert 19.9 < float(m.match.group(1)) < 20.1


def test_log_is_whole(boot):
    """COM1 and port 0xE9 say the same."""
    m = boot(**WITHOUT)
    m.expect(NO_VIRT + r"[^\n]*\n")
    com1 = m.before + m.after
    with open(m.machine.logs + "/port-e9.txt", encoding="ascii", errors="replace") as f:
        e9 = f.read()
    for line in re.findall(r"caisson: [^\r\n]+", com1):
        assert line in e9
    # The trail of boot/entry.asm and main.c comes first, at once and whole.
    assert e9.startswith("CAISSON\ncaisson: Caisson, a hypervisor")
    assert "CAISSON\r\ncaisson: Caisson, a hypervisor" in com1
