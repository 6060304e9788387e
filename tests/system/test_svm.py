"""AMD-V, on QEMU's processor: what is demanded of it, and what it does that Bochs' VT-x does not."""
import time

import pytest

from conftest import guest

# What each of the models has of what Caisson can do without.
HAS = {"trinity_apu": "next RIP, flush by ASID, pause filter", "zambezi": "next RIP, flush by ASID, pause filter",
       "EPYC": "", "EPYC-Milan": ""}


def test_no_nested_paging(boot):
    m = boot(emulator="qemu", cpu="max,-npt")
    m.expect(r"error: AMD-V: this CPU lacks nested paging, which Caisson needs")
    m.expect(r"error: Caisson cannot run guests on this machine")


def test_report(boot):
    m = boot(emulator="qemu", pcpus=2)
    m.expect(r"AMD-V: revision \d+, \d+ ASIDs, nested paging; all that is needed is there")
    m.expect(r"smp: 2 of 2 CPUs online")


def test_selftest(boot):
    m = boot(emulator="qemu", options="console=com1 exit=shutdown selftest")
    m.expect_exact("report: begins")
    m.expect(r"report: AMD-V: revision 1, 16 ASIDs, features [0-9a-f]{8}, 2M 1G pages, TSC scaling no")
    m.expect(r"report: AMD-V: CPUID 80000008: [0-9a-f]{8}")
    m.expect_exact("report: ends")
    m.expect_off()


@pytest.mark.parametrize("emulator, cpu", [("bochs", "trinity_apu"), ("bochs", "zambezi"),
                                           ("qemu", "EPYC"), ("qemu", "EPYC-Milan")])
def test_models(boot, emulator, cpu):
    """A guest with an interrupt, a timer and prints, on processors that tell more or less of an exit."""
    m = boot(modules=guest("hello"), emulator=emulator, cpu=cpu)
    for name in "next RIP", "decode assists", "flush by ASID", "VMCB clean bits", "pause filter":
        m.expect(rf"AMD-V: {name} +(yes|no)")
        assert (m.match.group(1) == "yes") == (name in HAS[cpu])
    m.expect(r"hello: 10 ticks at 100 Hz, the TSC runs")
    m.expect_off()


def test_loop_without_interrupts(boot):
    """A guest that loops with IF=0 on the only pCPU: another one gets its time all the same."""
    m = boot(modules=guest("mayfly", words="spin") + guest("hello"), emulator="qemu", pcpus=1,
             options="console=com1 conswitch=ax")
    m.expect(r"hello: 10 ticks at 100 Hz, the TSC runs")
    m.sendline("regs mayfly")
    m.expect(r"RIP [0-9a-f]+ +RFLAGS ([0-9a-f]+)")
    assert not int(m.match.group(1), 16) & 0x200
    m.sendline("poweroff")
    m.expect_off()


def test_interrupts_come_once(boot):
    """QEMU may deliver again what EVENTINJ has delivered when a CPU's thread is called away, as by `stop`
    of its monitor; then it also forgets that it was, and `stop` never ends (docs/qemu.md)."""
    m = boot(modules=guest("once", words="irqs=100000"), emulator="qemu", options="console=com1 conswitch=ax exit=shutdown")
    m.expect_exact("once: begins")
    for _ in range(10):
        m.machine.ask("stop")
        m.machine.ask("cont")
        time.sleep(0.05)
    m.sendline("destroy once")
    m.expect(r"once: destroyed")
    assert "once: " not in m.before


def test_states_that_are_not_shown(boot):
    """QEMU lets XSETBV through: a guest has MPX' registers then, but nothing of another domain's."""
    both = [m for i in (1, 2) for m in guest("states", words=f"id={i}")]
    both[0].words = both[0].words.replace("name=states", "name=first")
    m = boot(modules=both, emulator="qemu", pcpus=1, options="console=com1 conswitch=ax exit=shutdown")
    for _ in both:
        m.expect(r"states: seen, another domain's in 0\b")
