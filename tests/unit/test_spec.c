/* links: arch/x86/spec.c arch/x86/spec_wish.c lib/fmt.c lib/word.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * What is done against speculation: for each kind of CPU by itself, and as spec= says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/model.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/spec.h"
#include "lib/log.h"
#include "tests/fakes/log.h"

struct cpu_model cpu_model;

#define CTRL (CPUID_7D_SPEC_CTRL | CPUID_7D_STIBP | CPUID_7D_SSBD)
#define CAPS CPUID_7D_ARCH_CAPS
#define MD   CPUID_7D_MD_CLEAR
#define L1D  CPUID_7D_FLUSH_L1D
#define B(n) (1UL << (n))
#define W(w) (1u << SPEC_##w)

/* A CPU: its model, leaf 7 (EBX.RTM, EDX), leaf 7.2's EDX, and IA32_ARCH_CAPABILITIES. */
struct kind {
    const char *name;
    unsigned model;
    bool rtm;
    uint32_t edx, edx2;
    uint64_t capabilities;
};
static struct kind cpu;
/* EBX of leaf 80000008, EAX and ECX of 80000021, as AMD's CPUs tell them. */
static uint32_t ext8b, ext21a, ext21c;

static struct cpuid_regs give_cpuid(uint32_t leaf, uint32_t sub)
{
    if (leaf == 0)
        return (struct cpuid_regs){ .eax = 0x16 };
    if (leaf == 0x80000000)
        return (struct cpuid_regs){ .eax = ext21a ? 0x80000021 : ext8b ? 0x80000008 : 0x80000007 };
    if (leaf == 0x80000021)
        return (struct cpuid_regs){ .eax = ext21a, .ecx = ext21c };
    if (leaf == 0x80000008)
        return (struct cpuid_regs){ .ebx = ext8b };
    if (leaf == 7 && sub == 0)
        return (struct cpuid_regs){ .eax = cpu.edx2 ? 2 : 0,
                                    .ebx = cpu.rtm ? CPUID_7B_RTM : 0,
                                    .edx = cpu.edx };
    return (struct cpuid_regs){ .edx = leaf == 7 && sub == 2 ? cpu.edx2 : 0 };
}

static void decide_on(const struct kind *k, struct cpu_model model, const char *words)
{
    struct spec_wish wish;

    cpu = *k;
    cpu_model = model;
    fake_cpuid = give_cpuid;
    fake_msr_count = 0;
    if (k->edx & CAPS)
        wrmsr(MSR_IA32_ARCH_CAPABILITIES, k->capabilities);
    fake_log_reset();
    assert_true(spec_wish_read((struct word){ words, strlen(words) }, &wish));
    spec_decide(&wish);
}

static void decide(const struct kind *k, const char *words)
{
    decide_on(k, (struct cpu_model){ .intel = true, .family = 6, .model = k->model }, words);
}

/* Against these weaknesses nothing is done. */
static void assert_open(const char *names)
{
    char text[96];

    spec_open(text, sizeof(text));
    assert_string_equal(text, names);
}

static unsigned all_in(enum spec_state state)
{
    unsigned bits = 0;

    for (unsigned w = 0; w < SPEC_WORDS; w++)
        bits |= spec_state((enum spec_word)w) == state ? 1u << w : 0;
    return bits;
}

static const struct kind skylake_old = { "Skylake, no microcode", 0x55, true, 0, 0, 0 };
static const struct kind skylake = { "Skylake", 0x55, true, CTRL | MD | L1D, 0, 0 };
static const struct kind cascade = {
    "Cascade Lake", 0x55, true, CTRL | MD | L1D | CAPS, 0, B(0) | B(1) | B(3) | B(5) | B(6)
};
static const struct kind icelake = { "Ice Lake", 0x6A,
                                     false,      CTRL | MD | L1D | CAPS,
                                     0,          B(0) | B(1) | B(3) | B(5) | B(6) | B(8) };
static const struct kind sapphire = {
    "Sapphire Rapids", 0x8F, false, CTRL | MD | L1D | CAPS, 0x1F, B(0) | B(1) | B(5) | B(6) | B(8)
};
static const struct kind clean = { "one that is free of it", 0xAD, false,
                                   CTRL | L1D | CAPS,        0x1F, ~B(28) };
static const struct kind goldmont = { "Goldmont", 0x5C, false, CTRL | MD, 0, 0 };

static void test_kinds(void **state)
{
    static const struct {
        const struct kind *kind;
        unsigned on, lacking;
        struct spec_switch want;
    } rows[] = {
        { &skylake_old,
          W(RSB) | W(EPT) | W(CLEAR),
          W(IBRS) | W(IBPB) | W(L1D) | W(VERW),
          { .exit = SPEC_EXIT_CLEAR, .calls = 16 } },
        { &skylake,
          W(IBRS) | W(IBPB) | W(RSB) | W(L1D) | W(EPT) | W(CLEAR),
          0,
          { .entry = SPEC_ENTRY_CTRL | SPEC_ENTRY_L1D,
            .exit = SPEC_EXIT_CTRL | SPEC_EXIT_EACH | SPEC_EXIT_CLEAR,
            .calls = 16,
            .ctrl = 1,
            .barrier = true } },
        { &cascade,
          W(IBRS) | W(IBPB) | W(RSB) | W(BHI) | W(VERW) | W(CLEAR),
          0,
          { .entry = SPEC_ENTRY_CTRL | SPEC_ENTRY_VERW,
            .exit = SPEC_EXIT_CTRL | SPEC_EXIT_CLEAR,
            .calls = 1,
            .history = 5,
            .ctrl = 1,
            .barrier = true } },
        { &icelake,
          W(IBRS) | W(IBPB) | W(RSB) | W(BHI) | W(CLEAR),
          0,
          { .entry = SPEC_ENTRY_CTRL,
            .exit = SPEC_EXIT_CTRL | SPEC_EXIT_CLEAR,
            .calls = 1,
            .history = 5,
            .ctrl = 1,
            .barrier = true } },
        { &sapphire,
          W(IBRS) | W(IBPB) | W(RSB) | W(BHI) | W(CLEAR),
          0,
          { .entry = SPEC_ENTRY_CTRL,
            .exit = SPEC_EXIT_CTRL | SPEC_EXIT_CLEAR,
            .calls = 1,
            .ctrl = 1 | 1 << 10,
            .barrier = true } },
        { &clean,
          W(IBRS) | W(IBPB) | W(CLEAR),
          0,
          { .entry = SPEC_ENTRY_CTRL,
            .exit = SPEC_EXIT_CTRL | SPEC_EXIT_CLEAR,
            .ctrl = 1,
            .barrier = true } },
        { &goldmont,
          W(IBRS) | W(IBPB) | W(RSB) | W(CLEAR),
          0,
          { .entry = SPEC_ENTRY_CTRL,
            .exit = SPEC_EXIT_CTRL | SPEC_EXIT_EACH | SPEC_EXIT_CLEAR,
            .calls = 16,
            .ctrl = 1,
            .barrier = true } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct spec_switch *want = &rows[i].want, *s = &spec_switch;
        print_message("%s\n", rows[i].kind->name);
        decide(rows[i].kind, "auto");
        assert_int_equal(all_in(SPEC_ON), rows[i].on);
        assert_int_equal(all_in(SPEC_LACKING), rows[i].lacking);
        assert_int_equal(all_in(SPEC_OFF), 0);
        assert_int_equal(s->entry, want->entry);
        assert_int_equal(s->exit, want->exit);
        assert_int_equal(s->calls, want->calls);
        assert_int_equal(s->history, want->history);
        assert_int_equal(s->ctrl, want->ctrl);
        assert_int_equal(s->barrier, want->barrier);
        assert_false(s->guest_ctrl);
        assert_true(spec_guards_exits());
    }
}

/* Without TSX, or where TAA is mended, the same Cascade Lake has no use for VERW; later Atoms have,
 * for RFDS. */
static void test_verw(void **state)
{
    struct kind k = cascade;

    (void)state;
    k.rtm = false;
    decide(&k, "auto");
    assert_int_equal(spec_state(SPEC_VERW), SPEC_NOT_NEEDED);
    k.capabilities |= B(28);
    decide(&k, "auto");
    assert_true(spec_is_on(SPEC_VERW));
    k = cascade;
    k.capabilities |= B(8);
    decide(&k, "auto");
    assert_int_equal(spec_state(SPEC_VERW), SPEC_NOT_NEEDED);
    decide(&skylake, "auto,no-l1d"); /* what flushed the cache has to be done without it */
    assert_true(spec_is_on(SPEC_VERW));
}

/* Stale data of MMIO is for guests with devices: VERW from the first one on, if it empties them. */
static void test_devices(void **state)
{
    static const struct {
        const struct kind *kind;
        uint64_t more; /* capabilities */
        const char *words;
        enum spec_state before, after;
    } rows[] = {
        { &icelake, B(17), "auto", SPEC_NOT_NEEDED, SPEC_ON },
        { &icelake, B(17) | B(13) | B(15), "auto", SPEC_NOT_NEEDED, SPEC_ON },
        { &icelake, B(17) | 7 * B(13), "auto", SPEC_NOT_NEEDED, SPEC_NOT_NEEDED },
        { &icelake, 0, "auto", SPEC_NOT_NEEDED, SPEC_LACKING }, /* older microcode */
        { &icelake, B(17), "no-verw", SPEC_OFF, SPEC_OFF },
        { &icelake, B(17), "off", SPEC_OFF, SPEC_OFF },
        { &icelake, 0, "verw", SPEC_ON, SPEC_ON },
        { &cascade, B(8) | B(17), "auto", SPEC_NOT_NEEDED, SPEC_ON },
        { &skylake, 0, "auto", SPEC_NOT_NEEDED, SPEC_NOT_NEEDED }, /* l1d does it */
        { &skylake_old, 0, "auto", SPEC_LACKING, SPEC_LACKING },
        { &goldmont, 0, "auto", SPEC_NOT_NEEDED, SPEC_NOT_NEEDED },
        { &clean, 0, "auto", SPEC_NOT_NEEDED, SPEC_NOT_NEEDED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kind k = *rows[i].kind;
        print_message("%s, %s\n", k.name, rows[i].words);
        k.capabilities |= rows[i].more;
        decide(&k, rows[i].words);
        assert_int_equal(spec_state(SPEC_VERW), rows[i].before);
        struct spec_switch want = spec_switch;
        want.entry |= rows[i].after == SPEC_ON ? SPEC_ENTRY_VERW : 0;
        fake_log_reset();
        spec_device_given();
        spec_device_given(); /* said once */
        assert_int_equal(spec_state(SPEC_VERW), rows[i].after);
        assert_memory_equal(&spec_switch, &want, sizeof(want));
        assert_int_equal(fake_log_lines[LOG_INFO] + fake_log_lines[LOG_WARN],
                         rows[i].after != rows[i].before);
    }
}

static void test_off(void **state)
{
    (void)state;
    decide(&skylake, "off");
    assert_int_equal(all_in(SPEC_OFF), (1u << SPEC_WORDS) - 1);
    assert_false(spec_guards_exits());
    assert_int_equal(spec_switch.entry, 0);
    assert_false(spec_switch.barrier);
    assert_true(spec_switch.guest_ctrl); /* which guests use for themselves */
    spec_start();
    assert_int_equal(fake_msr_count, 0);
}

static void test_by_name(void **state)
{
    (void)state;
    decide(&skylake_old, "verw,rsb,bhi,clear,ibrs,l1d");
    assert_int_equal(all_in(SPEC_ON), W(VERW) | W(RSB) | W(BHI) | W(CLEAR));
    assert_int_equal(all_in(SPEC_LACKING), W(IBRS) | W(L1D));
    assert_int_equal(spec_switch.entry, SPEC_ENTRY_VERW);
    assert_int_equal(spec_switch.exit, SPEC_EXIT_CLEAR);
    assert_int_equal(spec_switch.ctrl, 0);
    assert_int_equal(spec_switch.history, 5);
    decide(&icelake, "stibp,ssbd");
    assert_int_equal(spec_switch.ctrl, 2 | 4);
    assert_int_equal(spec_switch.exit, SPEC_EXIT_CTRL);
    decide(&icelake, "auto,ssbd,rsb,no-ibpb");
    assert_int_equal(spec_switch.ctrl, 1 | 4);
    assert_int_equal(spec_switch.calls, 16);
    assert_false(spec_switch.barrier);
    decide(&icelake, "no-bhi"); /* from what the CPU needs */
    assert_true(spec_is_on(SPEC_IBRS) && !spec_is_on(SPEC_BHI));
    decide(&icelake, "off,clear");
    assert_int_equal(all_in(SPEC_ON), W(CLEAR));
}

static void test_bad_words(void **state)
{
    static const char *const bad[] = { "",       "on",      "x",  "ibrs,foo", "no-",
                                       "no-foo", "no-auto", "no", "verw ",    "noibrs" };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct spec_wish wish = { .with = 77 };
        bool taken = spec_wish_read((struct word){ bad[i], strlen(bad[i]) }, &wish);
        if (*bad[i]) {
            assert_false(taken);
            assert_int_equal(wish.with, 77);
        }
    }
}

/* Each pCPU gets the register's value; one with older microcode is not to run guests. */
static void test_start(void **state)
{
    (void)state;
    decide(&icelake, "auto");
    assert_true(spec_start());
    assert_int_equal(rdmsr(MSR_IA32_SPEC_CTRL), 1);
    cpu.edx &= ~(uint32_t)CPUID_7D_FLUSH_L1D;
    assert_false(spec_start());
    assert_true(fake_log_has("speculation: pCPU 0 lacks what the boot CPU has"));
}

/* AMD's CPUs tell of IA32_PRED_CMD in a leaf of their own: the barrier between domains is needed
 * there as well. IA32_SPEC_CTRL is another bit: guests get neither register by this one. */
static void test_amd_barrier(void **state)
{
    static const struct kind zen = { "Zen", 0x31, false, 0, 0, 0 };

    (void)state;
    decide(&zen, "auto");
    assert_int_equal(spec_state(SPEC_IBPB), SPEC_LACKING);
    ext8b = CPUID_EXT8B_IBPB;
    decide(&zen, "auto,no-rsb");
    assert_true(spec_is_on(SPEC_IBPB));
    assert_true(spec_switch.barrier);
    assert_int_equal(spec_state(SPEC_IBRS), SPEC_LACKING);
    assert_int_equal(spec_switch.ctrl, 0);
    assert_false(spec_has_ctrl() || spec_switch.guest_ctrl);
    assert_true(spec_start());
    ext8b = 0;
    assert_false(spec_start());
    assert_true(fake_log_has("speculation: pCPU 0 lacks what the boot CPU has"));
}

/* IA32_SPEC_CTRL of AMD's, told by other bits: kept and set at each exit, or once where that stays.
 */
static void test_amd_ctrl(void **state)
{
    static const struct kind zen = { "Zen", 0x31, false, 0, 0, 0 };

    (void)state;
    ext8b = CPUID_EXT8B_IBPB | CPUID_EXT8B_IBRS | CPUID_EXT8B_STIBP | CPUID_EXT8B_SSBD;
    decide(&zen, "auto");
    assert_true(spec_is_on(SPEC_IBRS) && spec_is_on(SPEC_IBPB));
    assert_int_equal(spec_state(SPEC_BHI), SPEC_NOT_NEEDED);
    assert_int_equal(spec_switch.ctrl, 1);
    assert_true(spec_switch.exit & SPEC_EXIT_EACH);
    assert_int_equal(spec_switch.calls, 16);
    assert_true(spec_has_ctrl() && spec_has_barrier() && !spec_has_flush());
    decide(&zen, "ibrs,stibp,ssbd");
    assert_int_equal(spec_switch.ctrl, 7);
    decide(&zen, "off");
    assert_true(spec_switch.guest_ctrl && !spec_switch.ctrl);
    decide(&zen, "auto");
    assert_true(spec_start());
    ext8b &= ~CPUID_EXT8B_STIBP; /* a CPU with older microcode */
    assert_false(spec_start());
    ext8b |= CPUID_EXT8B_IBRS_STAYS;
    decide(&zen, "auto");
    assert_int_equal(spec_switch.exit & (SPEC_EXIT_CTRL | SPEC_EXIT_EACH), SPEC_EXIT_CTRL);
    assert_int_equal(spec_switch.calls, 16); /* returns are not IBRS's affair */
    ext8b = CPUID_EXT8B_IBPB;
    decide(&zen, "auto");
    assert_true(spec_has_barrier() && !spec_has_ctrl());
    ext8b = 0;
}

/* Zen 4: IBRS is a bit of EFER, nothing is written at an exit, and the register is the guest's. */
static void test_amd_automatic(void **state)
{
    static const struct kind zen4 = { "Zen 4", 0x11, false, 0, 0, 0 };

    (void)state;
    ext8b = CPUID_EXT8B_IBPB | CPUID_EXT8B_IBRS | CPUID_EXT8B_STIBP;
    ext21a = CPUID_EXT21A_AIBRS;
    decide(&zen4, "auto");
    assert_true(spec_is_on(SPEC_IBRS));
    assert_int_equal(spec_switch.ctrl, 0);
    assert_int_equal(spec_switch.exit, SPEC_EXIT_CLEAR);
    assert_int_equal(spec_switch.entry, 0);
    assert_true(spec_switch.guest_ctrl);
    assert_int_equal(spec_switch.calls, 16);
    wrmsr(MSR_IA32_EFER, EFER_NXE);
    assert_true(spec_start());
    assert_int_equal(rdmsr(MSR_IA32_EFER), EFER_NXE | EFER_AIBRS);
    spec_report();
    assert_true(fake_log_has("ibrs       on, automatic"));
    decide(&zen4, "auto,stibp");
    assert_int_equal(spec_switch.ctrl, 2);
    assert_false(spec_switch.exit & SPEC_EXIT_EACH);
    decide(&zen4, "no-ibrs");
    wrmsr(MSR_IA32_EFER, EFER_NXE);
    assert_true(spec_start());
    assert_int_equal(rdmsr(MSR_IA32_EFER), EFER_NXE);
    ext21a = 1; /* a CPU without it, behind a boot CPU with it */
    assert_false(spec_start());
    ext8b = ext21a = 0;
}

/* Zen 3 and 4 need VERW, and microcode for it, unless they say that they are free of both ways.
 * What is VT-x's alone is never said to be done, also by name. */
static void test_amd_verw(void **state)
{
    static const struct kind zen = { "Zen 3", 0x21, false, 0, 0, 0 };
    struct cpu_model zen2 = { .amd = true, .family = 0x17 }, zen3 = { .amd = true, .family = 0x19 };

    (void)state;
    ext8b = CPUID_EXT8B_BTC_NO;
    ext21a = CPUID_EXT21A_LFENCE | CPUID_EXT21A_SRSO_NO;
    decide_on(&zen, zen3, "auto");
    assert_int_equal(spec_state(SPEC_VERW), SPEC_LACKING);
    assert_open("TSA");
    ext21a |= CPUID_EXT21A_VERW_CLEAR;
    decide_on(&zen, zen3, "auto");
    assert_true(spec_is_on(SPEC_VERW) && spec_switch.entry == SPEC_ENTRY_VERW);
    assert_open("");
    assert_true(spec_start());
    ext21a &= ~CPUID_EXT21A_VERW_CLEAR; /* a CPU with older microcode */
    assert_false(spec_start());
    decide_on(&zen, zen2, "auto");
    assert_int_equal(spec_state(SPEC_VERW), SPEC_NOT_NEEDED);
    ext21c = 2;
    decide_on(&zen, zen3, "auto");
    assert_int_equal(spec_state(SPEC_VERW), SPEC_LACKING);
    ext21c = CPUID_EXT21C_TSA_NO;
    decide_on(&zen, zen3, "auto");
    assert_int_equal(spec_state(SPEC_VERW), SPEC_NOT_NEEDED);
    decide_on(&(struct kind){ .edx = L1D }, zen3, "l1d,ept,verw");
    assert_int_equal(all_in(SPEC_ON), W(VERW));
    assert_int_equal(all_in(SPEC_LACKING), W(L1D) | W(EPT));
    ext8b = ext21a = ext21c = 0;
}

/* Up to Zen 2 any IBPB will do against what leads returns astray; from Zen 3 on it takes microcode
 * that has types of branches forgotten as well. */
static void test_ibpb_entry(void **state)
{
    static const struct kind none = { 0 };
    struct cpu_model zen2 = { .amd = true, .family = 0x17 }, zen3 = { .amd = true, .family = 0x19 };

    (void)state;
    decide(&skylake, "auto");
    assert_int_equal(spec_state(SPEC_IBPB_ENTRY), SPEC_NOT_NEEDED);
    decide(&skylake, "ibpb-entry");
    assert_int_equal(spec_state(SPEC_IBPB_ENTRY), SPEC_LACKING);
    decide_on(&none, zen2, "auto");
    assert_int_equal(spec_state(SPEC_IBPB_ENTRY), SPEC_LACKING);
    assert_open("BTC SRSO");
    ext8b = CPUID_EXT8B_IBPB;
    decide_on(&none, zen2, "auto");
    assert_true(spec_is_on(SPEC_IBPB_ENTRY) && spec_switch.exit & SPEC_EXIT_IBPB);
    assert_open("");
    decide_on(&none, zen2, "auto,no-ibpb-entry");
    assert_false(spec_switch.exit & SPEC_EXIT_IBPB);
    ext8b |= CPUID_EXT8B_BTC_NO;
    ext21a = CPUID_EXT21A_LFENCE;
    ext21c = CPUID_EXT21C_TSA_NO;
    decide_on(&none, zen3, "auto");
    assert_int_equal(spec_state(SPEC_IBPB_ENTRY), SPEC_LACKING);
    assert_open("SRSO");
    ext21a |= CPUID_EXT21A_IBPB_BRTYPE;
    decide_on(&none, zen3, "auto");
    assert_true(spec_is_on(SPEC_IBPB_ENTRY));
    assert_true(spec_start());
    ext21a = CPUID_EXT21A_LFENCE; /* a CPU with older microcode */
    assert_false(spec_start());
    ext21a = CPUID_EXT21A_IBPB_BRTYPE | CPUID_EXT21A_SRSO_NO;
    decide_on(&none, zen3, "auto");
    assert_int_equal(spec_state(SPEC_IBPB_ENTRY), SPEC_NOT_NEEDED);
    decide_on(&none, zen3, "ibpb-entry");
    assert_true(spec_is_on(SPEC_IBPB_ENTRY));
    ext8b = ext21a = ext21c = 0;
}

static void test_told(void **state)
{
    (void)state;
    decide(&skylake_old, "auto");
    assert_true(fake_log_has("speculation: rsb ept clear; lacking: ibrs ibpb l1d verw; off: -"));
    spec_report();
    assert_true(fake_log_has("speculation: ibrs       needed, but this CPU lacks it"));
    assert_true(fake_log_has("speculation: bhi        not needed"));
    assert_true(fake_log_has("speculation: clear      on"));
    assert_true(fake_log_has("speculation: retpolines off"));
    assert_open("BTI L1TF MDS MMIO-stale-data GDS");
    decide(&skylake, "auto");
    assert_open("GDS"); /* the cache's flush does for MDS too */
    decide(&skylake, "off");
    assert_open("BTI L1TF MDS MMIO-stale-data iTLB-multihit GDS");
    decide(&clean, "off");
    assert_open("");
    decide(&icelake, "auto");
    spec_report();
    assert_true(fake_log_has("speculation: verw       not needed before a guest has a device"));
    assert_open("GDS");
    spec_device_given(); /* no FB_CLEAR */
    assert_open("MMIO-stale-data GDS");
}

/* What guests read: the CPU's own bits, without those that promise other registers. */
static void test_guests(void **state)
{
    uint64_t value;

    (void)state;
    decide(&clean, "auto");
    assert_true(spec_guest_capabilities(&value));
    assert_int_equal(value & (B(3) | B(7) | B(10) | B(11) | B(18) | B(21) | B(23) | B(25)), 0);
    assert_int_equal(~value & (B(0) | B(1) | B(2) | B(4) | B(5) | B(6) | B(8) | 7UL << 13), 0);
    assert_true(spec_has_ctrl() && spec_has_flush());
    decide(&skylake_old, "auto");
    assert_false(spec_guest_capabilities(&value));
    assert_false(spec_has_ctrl() || spec_has_flush());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),     cmocka_unit_test(test_verw),
        cmocka_unit_test(test_off),       cmocka_unit_test(test_by_name),
        cmocka_unit_test(test_bad_words), cmocka_unit_test(test_start),
        cmocka_unit_test(test_devices),   cmocka_unit_test(test_told),
        cmocka_unit_test(test_guests),    cmocka_unit_test(test_amd_barrier),
        cmocka_unit_test(test_amd_ctrl),  cmocka_unit_test(test_amd_automatic),
        cmocka_unit_test(test_amd_verw),  cmocka_unit_test(test_ibpb_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
