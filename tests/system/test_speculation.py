"""Against speculation: each word of spec= on a machine, what guests have of it, and smt=."""
import os
import re
import subprocess

import pytest

import qemu
from conftest import ALL_SHAPES, BOOT, BUILD, PROMPT, QUIET, guest, linux, menu_of
from test_monitor import MONITOR
from test_sched import IPS, Meter, line_of

OPTIONS = "console=com1 exit=shutdown "
# corei7_skylake_x has none of the registers, as before the microcode of 2018; the others do.
ON = {"corei7_skylake_x": "rsb ept clear", "corei7_icelake_u": "ibrs ibpb rsb bhi ept clear",
      "tigerlake": "ibrs ibpb rsb bhi verw ept clear"}
ALL = "ibrs,stibp,ssbd,ibpb,rsb,bhi,l1d,verw,ept,clear"


def as_it_should(m, times=1):
    for _ in range(times):
        m.expect(r"spec: (\d+) of (\d+) as they should be")
        assert m.match.group(1) == m.match.group(2) == "12"


@pytest.mark.parametrize("cpu", list(ON))
def test_what_the_cpu_needs(boot, cpu):
    """By itself Caisson does what this CPU needs and has; guests have the CPU's registers."""
    m = boot(modules=guest("spec"), cpu=cpu, options=OPTIONS)
    m.expect(r"speculation: ([a-z0-9 -]+); lacking: ([a-z0-9 -]+); off: -")
    assert m.match.group(1) == ON[cpu]
    m.expect(r"spec: CPUID 7, EDX ([0-9a-f]{8})")
    shown = int(m.match.group(1), 16)
    assert shown & 0x9c000000 == (0 if cpu == "corei7_skylake_x" else 0x9c000000)
    as_it_should(m)
    m.expect_off()


def spec_guest(boot, words):
    """([what is on], [what is off], the instructions of an exit and back at least) with spec=."""
    m = boot(modules=guest("spec"), cpu="tigerlake", options=OPTIONS + "spec=" + words)
    m.expect(r"speculation: ([a-z0-9 -]+); lacking: -; off: ([a-z0-9 -]+)\r")
    on, off = (m.match.group(n).split() for n in (1, 2))
    m.expect(r"spec: an exit and back: [\d.]+, (\d+) at least\r")
    price = int(m.match.group(1))
    as_it_should(m)
    m.expect_off()
    return on, off, price


# Instructions that each puts on top of an exit with spec=off: what stands in virt/guard.inc and the
# world switch, on the ways that are taken. Bochs counts them; nothing else tells that a return stack was
# filled. What is done elsewhere costs an exit nothing: ibpb (test_vmx_vcpu has when), ept (test_small_code).
PRICES = {"ibrs": 33, "stibp": 33, "ssbd": 33, "ibpb": 0, "rsb": 76, "bhi": 111, "l1d": 12, "verw": 9, "ept": 0,
          "clear": 21, ALL: 219, "auto,no-ibrs,no-ept": 139}
WORDS = 11
UNGUARDED = []  # the exit with spec=off, once for each worker


def unguarded(boot):
    if not UNGUARDED:
        on, off, price = spec_guest(boot, "off")
        assert on == ["-"] and len(off) == WORDS
        UNGUARDED.append(price)
    return UNGUARDED[0]


# Two of them are written to the register that ibrs is written to, and two cost an exit nothing.
TELLING = [word for word in PRICES if ALL_SHAPES or word not in ("stibp", "ssbd", "ibpb", "ept")]


@pytest.mark.parametrize("word", TELLING)
def test_words(boot, word):
    """Each by itself, and all together: it is executed, and nothing of a guest's is lost on any way."""
    on, off, price = spec_guest(boot, word)
    if "auto" not in word:
        assert set(on) == set(word.split(",")) and len(on) + len(set(off) - {"-"}) == WORDS
    else:
        assert {"ibrs", "ept"} == set(off)
    assert price - unguarded(boot) == PRICES[word]


# QEMU's processor has none of the registers: it takes any value, and keeps none.
AMD_KEEPS_NONE = {"reserved bits of IA32_SPEC_CTRL", "IA32_SPEC_CTRL after an exit"}
# As PRICES, of what svm/switch.asm does.
AMD_PRICES = {"ibrs": 31, "stibp": 33, "ssbd": 33, "ibpb": 0, "rsb": 80, "bhi": 115, "clear": 25,
              "verw": 6, "ibpb-entry": 17, "ibrs,ibpb,rsb,bhi,verw,clear,ibpb-entry": 218}
AMD_UNGUARDED = []


def amd_guest(boot, words):
    """The instructions of an exit and back at least, on AMD-V with spec=."""
    m = boot(modules=guest("spec", words="rounds=10"), emulator="qemu", cpu=qemu.SPECULATES, icount=True, options=OPTIONS + "spec=" + words)
    m.expect(r"speculation: ([a-z0-9 -]+); lacking: -; off: ")
    assert set(m.match.group(1).split()) == set(words.replace("off", "-").split(","))
    m.expect(r"spec: an exit and back: [\d.]+, (\d+) at least\r")
    price = int(m.match.group(1))
    m.expect_exact("spec: 10 of 12 as they should be")
    assert set(re.findall(r"spec: wrong: (.+) \(", m.before)) == AMD_KEEPS_NONE
    m.expect_off()
    return price


@pytest.mark.parametrize("words", list(AMD_PRICES) if ALL_SHAPES else list(AMD_PRICES)[-1:])
def test_words_on_amd(boot, words):
    """The same with AMD-V, whose way out of a guest is another one."""
    if not AMD_UNGUARDED:
        AMD_UNGUARDED.append(amd_guest(boot, "off"))
    assert amd_guest(boot, words) - AMD_UNGUARDED[0] == AMD_PRICES[words]


def beyond_ram(boot, words):
    """KiB that a guest has beyond its RAM once it has run code in 2 MiB that came as a whole."""
    m = boot(modules=[line_of("mayfly", "mayfly", args="fetch")], cpu="corei7_icelake_u",
             options=OPTIONS + "conswitch=ax spec=" + words)
    m.expect_exact("mayfly: fetched")
    m.sendline("mem")
    m.expect(r" (\d+)K beyond its RAM")
    beyond = int(m.match.group(1))
    m.sendline("poweroff")
    m.expect_off()
    return beyond


def test_small_code(boot):
    """With ept the fetch splits them: a page table more."""
    assert beyond_ram(boot, "ept") - beyond_ram(boot, "off") == 4


@pytest.mark.parametrize("word", ["off", "auto", ALL])
def test_two_domains(boot, word):
    """Each has its own IA32_SPEC_CTRL, though they take turns on one pCPU."""
    m = boot(modules=[line_of("spec", f"keep{n}", args=f"keep={n} rounds=20000") for n in (1, 4)],
             cpu="corei7_icelake_u", options=OPTIONS + "conswitch=ax spec=" + word)
    as_it_should(m, 2)
    m.expect_off()


def test_report(boot):
    m = boot(cpu="corei7_skylake_x", options=OPTIONS + "selftest spec=auto,no-rsb,ssbd,bhi")
    m.expect_exact("report: ends")
    assert re.search(r"weaknesses that [^\r\n]*: BTI L1TF MDS MMIO-stale-data GDS\r", m.before)
    lacking = dict.fromkeys(("ibrs", "ssbd", "ibpb", "l1d", "verw"), "needed, but this CPU lacks it")
    states = lacking | dict.fromkeys(("bhi", "ept", "clear"), "on") | {
        "stibp": "not needed", "ibpb-entry": "not needed", "rsb": "off", "smt": "not needed, one thread a core",
        "retpolines": "off, RETPOLINE=1 makes a build with them"}
    assert dict(re.findall(r"report: speculation: (\S+) +([^\r\n]+)\r", m.before)) == states
    m.expect_off()


def test_linux_uses_them(boot):
    """Linux finds the registers and takes IBRS by them, and is as well as without."""
    m = boot(modules=linux(QUIET.replace("mitigations=off", "mitigations=auto")),
             cpu="corei7_icelake_u", options=OPTIONS)
    m.expect_exact(PROMPT, timeout=BOOT)
    text = m.ask("cat /sys/devices/system/cpu/vulnerabilities/spectre_v2")
    assert "IBRS" in text and "IBPB" in text
    assert "Not affected" in m.ask("cat /sys/devices/system/cpu/vulnerabilities/meltdown")


BRANCH = re.compile(r"^[0-9a-f]+ <(\w+)>:$|\t(?:call|jmp) +\*", re.M)
BEFORE_ANY_GUEST = {"entry64", "percpu_run_on_stack", "trampoline_high"}


@pytest.mark.long
def test_retpolines(machine_of):
    """With RETPOLINE=1 no indirect branch is left but those of the boot; and it runs."""
    where = os.path.join(BUILD, "retpoline")
    elf, booted = os.path.join(where, "caisson.elf"), os.path.join(where, "efi/caisson.stripped")
    subprocess.run(["make", "-s", "DEBUG=0", "RETPOLINE=1", f"B={where}", booted], check=True)
    code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", elf], check=True,
                          capture_output=True, text=True).stdout
    function, left = "", set()
    for found in BRANCH.finditer(code):
        function = found[1] or function
        left |= set() if found[1] else {function}
    assert left == BEFORE_ANY_GUEST
    menu, files = menu_of(guest("spec"), OPTIONS + "loglevel=debug")
    m = machine_of(menu, files | {"caisson.elf": booted}, mem=512, ips=20_000_000, emulator="bochs")
    as_it_should(m)
    m.expect_off()
    menu, files = menu_of([], OPTIONS + "selftest")
    m = machine_of(menu, files | {"caisson.elf": booted}, mem=512, ips=20_000_000, emulator="bochs")
    m.expect_exact("report: ends")
    assert "does not guard against: L1TF" in m.before and "speculation: retpolines on\r" in m.before
    m.expect_off()


@pytest.mark.parametrize("smt, used", [("off", 2), ("on", 4)])
def test_smt(boot, smt, used):
    """With smt=off the first thread of each core runs guests; the other is started, and halts."""
    hogs = [line_of("hog", f"hog{n}", "vcpus=2", "two") for n in range(2)]
    m = boot(modules=hogs, pcpus="1:2:2", ips=IPS, options=OPTIONS + "conswitch=ax smt=" + smt)
    m.expect_exact(MONITOR)
    assert "smp: 4 of 4 CPUs online" in m.before
    parked = re.findall(r"pCPU (\d): smt=off: no guests run here", m.before)
    assert parked == (["1", "3"] if smt == "off" else [])
    op = Meter(m)
    op.wait(1)
    op.top()
    op.wait(4)
    # the monitor itself needs some of pCPU 0
    assert sum(op.top().values()) == pytest.approx(100 * used, abs=10 * used)


@pytest.mark.parametrize("gran, share", [("cpu", 100), ("core", 50)])
def test_sched_gran(boot, gran, share):
    """With sched-gran=core two domains on the two threads of a core take turns, and two of two vCPUs
    each find a core each. That they never meet is what a debug build checks at each turn."""
    pinned = [line_of("hog", f"hog{n}", f"cpus={n}") for n in (2, 3)]
    m = boot(modules=pinned, pcpus="1:2:2", ips=IPS, options=OPTIONS + "conswitch=ax sched-gran=" + gran)
    m.expect_exact(MONITOR)
    assert ("sched-gran=core: 2 core(s) run one domain" in m.before) == (gran == "core")
    op = Meter(m)
    op.wait(1)
    op.top()
    op.wait(4)
    got = op.top()
    assert [got[f"hog{n}"] for n in (2, 3)] == pytest.approx([share] * 2, abs=5)


def test_domains_find_cores(boot):
    hogs = [line_of("hog", f"hog{n}", "vcpus=2", "two") for n in range(2)]
    m = boot(modules=hogs, pcpus="1:2:2", ips=IPS, options=OPTIONS + "conswitch=ax sched-gran=core")
    m.expect_exact(MONITOR)
    op = Meter(m)
    op.wait(2)
    op.top()
    op.wait(4)
    got = op.top()
    # the monitor itself needs some of pCPU 0
    assert [got[f"hog{n}"] for n in range(2)] == pytest.approx([200] * 2, abs=20)
