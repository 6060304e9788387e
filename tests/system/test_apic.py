"""The local APIC from inside a guest, with each step of the processor's APIC virtualization."""
import pytest

from conftest import PROMPT, BOOT, guest, linux


@pytest.mark.parametrize("apicv", ["off", "tpr", "on"])
def test_from_inside(boot, apicv):
    """Whoever answers, hardware or Caisson, the guest cannot tell."""
    m = boot(modules=guest("apic"), options=f"console=com1 exit=shutdown apicv={apicv}")
    m.expect(r"apic: by MSR")
    m.expect(r"apic: (\d+) of (\d+) as they should be")
    assert m.match.group(1) == m.match.group(2) and int(m.match.group(2)) > 80
    m.expect_off()


@pytest.mark.long
def test_linux_without(boot):
    """As on processors that have no APIC virtualization."""
    m = boot(modules=linux(vcpus=2), pcpus=2, ips=40_000_000, options="console=com1 exit=shutdown apicv=off")
    m.expect(r"TPR shadow +no, done without")
    m.expect_exact(PROMPT, timeout=BOOT)
    assert m.ask("nproc").strip() == "2"
    log = m.ask("dmesg", timeout=BOOT)
    assert "timed out" not in log
    assert "x2apic enabled" in log and "unchecked MSR" not in log
