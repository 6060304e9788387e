/*
 * What this CPU needs against speculation, and what of it is done. See arch/x86/spec.h.
 *
 * Sources: Intel's "Speculative Execution Side Channel Mitigations", "Deep Dive" papers and the
 * advisories of each weakness; SDM volume 4, IA32_ARCH_CAPABILITIES, IA32_SPEC_CTRL; APM volume 3,
 * CPUID leaves 80000008 and 80000021; volume 2, "Automatic IBRS" in "Extended Feature Enable
 * Register"; AMD's "Technical Guidance for Mitigating" branch type confusion,
 * transient scheduler attacks, and "Speculative Return Stack Overflow".
 */
#include "arch/x86/spec.h"

#include <stddef.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/model.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "lib/fmt.h"
#include "lib/log.h"

/* IA32_ARCH_CAPABILITIES */
#define RDCL_NO    (1UL << 0)
#define IBRS_ALL   (1UL << 1)
#define SKIP_L1DFL (1UL << 3)
#define MDS_NO     (1UL << 5)
#define PSCHANGE   (1UL << 6)
#define TAA_NO     (1UL << 8)
#define STALE_NO   (7UL << 13) /* SBDR_SSDP_NO, FBSDP_NO, PSDP_NO: a way each */
#define FB_CLEAR   (1UL << 17)
#define BHI_NO     (1UL << 20)
#define PBRSB_NO   (1UL << 24)
#define GDS_NO     (1UL << 26)
#define RFDS_NO    (1UL << 27)
#define RFDS_CLEAR (1UL << 28)
/* What tells of the CPU alone: bits with which registers come that guests do not get are left out,
 * and SKIP_L1DFL, which is for who enters guests. */
#define SHOWN_CAPABILITIES                                                                         \
    (RDCL_NO | IBRS_ALL | 1UL << 2 | 1UL << 4 | MDS_NO | PSCHANGE | TAA_NO | STALE_NO | FB_CLEAR | \
     1UL << 19 | BHI_NO | PBRSB_NO | GDS_NO | RFDS_NO | RFDS_CLEAR | 1UL << 62)

#define SPEC_CTRL_IBRS  (1u << 0)
#define SPEC_CTRL_STIBP (1u << 1)
#define SPEC_CTRL_SSBD  (1u << 2)
#define SPEC_CTRL_BHI   (1u << 10)

#define CALL_PAIRS     16 /* the return stack has 16 or 32 places */
#define HISTORY_ROUNDS 5

#define BIT(w) (1u << (w))

/* Is there in builds with RETPOLINE=1, whose indirect branches no guest steers. */
extern const char __x86_indirect_thunk_rax[] __attribute__((weak));

struct spec_switch spec_switch;

static struct {
    uint32_t edx, more; /* of CPUID leaf 7, and of read_more() */
    uint64_t capabilities;
    bool rtm, bhi_ctrl, amd_ibpb, ibrs_stays, automatic_ibrs, btc, srso, tsa;
} cpu; /* boot only, as is the next */
static uint8_t states[SPEC_WORDS];

/* The number of the bit of leaf 7, EDX, without which it cannot be done; 0: none. */
static const uint8_t wants[SPEC_WORDS] = {
    [SPEC_IBRS] = 26, [SPEC_STIBP] = 27, [SPEC_SSBD] = 31,
    [SPEC_IBPB] = 26, [SPEC_L1D] = 28,   [SPEC_VERW] = 10,
};

/* What an Intel CPU has unless a bit, or its model, says that it is free of it, or is AMD's
 * (from BTC on); and what is done against it. Against GDS only microcode can do something, unasked.
 */
enum weakness { BTI, L1TF, MDS, STALE, MULTIHIT, GDS, BTC, SRSO, TSA, WEAKNESSES };
static const struct {
    const char *name;
    uint64_t immune;
    enum spec_word word;
} weaknesses[WEAKNESSES] = {
    [BTI] = { "BTI", 1UL << 63, SPEC_IBRS }, /* branch target injection: no bit says so */
    [L1TF] = { "L1TF", RDCL_NO, SPEC_L1D },
    [MDS] = { "MDS", MDS_NO, SPEC_VERW },
    [STALE] = { "MMIO-stale-data", STALE_NO, SPEC_VERW },
    [MULTIHIT] = { "iTLB-multihit", PSCHANGE, SPEC_EPT },
    [GDS] = { "GDS", GDS_NO, SPEC_WORDS },
    [BTC] = { "BTC", 0, SPEC_IBPB_ENTRY },
    [SRSO] = { "SRSO", 0, SPEC_IBPB_ENTRY },
    [TSA] = { "TSA", 0, SPEC_VERW },
};

/* ---- What the CPU needs ---- */

/* Atoms from Silvermont to Goldmont Plus: none of these is theirs (Intel, "Affected Processors").
 */
static bool is_atom(void)
{
    static const uint8_t models[] = { 0x37, 0x4A, 0x4C, 0x4D, 0x5A, 0x5C, 0x5D, 0x5F, 0x75, 0x7A };

    for (unsigned i = 0; i < sizeof(models); i++)
        if (cpu_model.model == models[i])
            return true;
    return false;
}

static bool has(enum weakness w)
{
    if (w >= BTC)
        return w == BTC ? cpu.btc : w == SRSO ? cpu.srso : cpu.tsa;
    if (!cpu_model.intel || cpu_model.family != 6 || is_atom())
        return false;
    return (cpu.capabilities & weaknesses[w].immune) != weaknesses[w].immune;
}

/* What VERW empties beyond MDS: TAA's buffers of a CPU with TSX, RFDS's of later Atoms. Stale data
 * of MMIO is for guests with devices of the machine's: spec_device_given(). */
static bool needs_verw(void)
{
    return has(MDS) || has(TSA) || (cpu.rtm && !(cpu.capabilities & TAA_NO)) ||
           ((cpu.capabilities & RFDS_CLEAR) && !(cpu.capabilities & RFDS_NO));
}

/* IBRS once set is for good, and a guest's predictions are its own (IBRS_ALL). */
static bool is_enhanced(void)
{
    return cpu.capabilities & IBRS_ALL;
}

static bool needs(enum spec_word w)
{
    switch (w) {
    case SPEC_IBRS:
    case SPEC_IBPB:
    case SPEC_CLEAR:
        return true;
    case SPEC_RSB:
        return !is_enhanced() || !(cpu.capabilities & PBRSB_NO);
    case SPEC_BHI:
        return is_enhanced() && !(cpu.capabilities & BHI_NO);
    case SPEC_L1D:
        return has(L1TF) && !(cpu.capabilities & SKIP_L1DFL);
    case SPEC_VERW: /* flushing the cache empties the buffers too */
        return needs_verw() && states[SPEC_L1D] != SPEC_ON;
    case SPEC_EPT:
        return has(MULTIHIT);
    case SPEC_IBPB_ENTRY:
        return has(BTC) || has(SRSO);
    case SPEC_STIBP: /* IBRS does as much; and nothing in Caisson is a guest's to run: no SSBD */
    case SPEC_SSBD:
    case SPEC_WORDS:
        break;
    }
    return false;
}

/* These two are VT-x's affair: AMD's CPUs have neither weakness. */
static bool can_do(enum spec_word w)
{
    if ((w == SPEC_L1D || w == SPEC_EPT) && !cpu_model.intel)
        return false;
    if (w == SPEC_IBPB_ENTRY)
        return cpu.amd_ibpb && (cpu.btc || cpu.more & CPUID_EXT21A_IBPB_BRTYPE || !cpu.srso);
    return !wants[w] || (cpu.edx & 1u << wants[w]) || (w == SPEC_IBPB && cpu.amd_ibpb) ||
           (w == SPEC_IBRS && cpu.automatic_ibrs);
}

/* The bare instruction VERW is everywhere: without microcode for it, it empties nothing. */
static enum spec_state decide(enum spec_word w, const struct spec_wish *wish)
{
    bool can = can_do(w);

    if (wish->without & BIT(w))
        return SPEC_OFF;
    if (wish->with & BIT(w))
        return can || w == SPEC_VERW ? SPEC_ON : SPEC_LACKING;
    if (!wish->automatic)
        return SPEC_OFF;
    if (!needs(w))
        return SPEC_NOT_NEEDED;
    return can ? SPEC_ON : SPEC_LACKING;
}

/* AMD's CPUs have a leaf of their own for what Intel's tell in leaf 7. */
static uint32_t amd_bits(void)
{
    return cpuid(0x80000000, 0).eax >= 0x80000008 ? cpuid(0x80000008, 0).ebx : 0;
}

static bool has_amd_ibpb(void)
{
    return amd_bits() & CPUID_EXT8B_IBPB;
}

static struct cpuid_regs amd_more(void)
{
    return cpuid(0x80000000, 0).eax >= 0x80000021 ? cpuid(0x80000021, 0) : (struct cpuid_regs){ 0 };
}

/* Of its EAX, what each pCPU must have if the boot CPU has it. */
static uint32_t read_more(void)
{
    return amd_more().eax &
           (CPUID_EXT21A_AIBRS | CPUID_EXT21A_VERW_CLEAR | CPUID_EXT21A_IBPB_BRTYPE);
}

/* Where a guest's branches lead returns of Caisson's astray, whatever is on the return stack: up to
 * Zen 2 (BTC), from Zen on (SRSO); and TSA, of Zen 3 and 4. */
static void read_amd_weaknesses(void)
{
    struct cpuid_regs more = amd_more();
    unsigned family = cpu_model.amd ? cpu_model.family : 0;

    cpu.btc = family >= 0x15 && !(amd_bits() & CPUID_EXT8B_BTC_NO);
    cpu.srso = family >= 0x17 && !(more.eax & CPUID_EXT21A_SRSO_NO);
    cpu.tsa = family == 0x19 && (more.ecx & CPUID_EXT21C_TSA_NO) != CPUID_EXT21C_TSA_NO;
}

/* Leaf 7, EDX, with AMD's bits in Intel's places: IA32_SPEC_CTRL is the same register, and VERW
 * does the same. */
static uint32_t read_edx(void)
{
    uint32_t edx = cpuid(0, 0).eax >= 7 ? cpuid(7, 0).edx & SPEC_GUEST_7D : 0, amd = amd_bits();

    return edx | (amd & CPUID_EXT8B_IBRS ? CPUID_7D_SPEC_CTRL : 0) |
           (amd & CPUID_EXT8B_STIBP ? CPUID_7D_STIBP : 0) |
           (amd & CPUID_EXT8B_SSBD ? CPUID_7D_SSBD : 0) |
           (read_more() & CPUID_EXT21A_VERW_CLEAR ? CPUID_7D_MD_CLEAR : 0);
}

static void read_cpu(void)
{
    struct cpuid_regs r = cpuid(0, 0).eax >= 7 ? cpuid(7, 0) : (struct cpuid_regs){ 0 };

    cpu.edx = read_edx();
    cpu.ibrs_stays = amd_bits() & CPUID_EXT8B_IBRS_STAYS;
    cpu.amd_ibpb = has_amd_ibpb();
    cpu.more = read_more();
    cpu.automatic_ibrs = cpu.more & CPUID_EXT21A_AIBRS;
    read_amd_weaknesses();
    cpu.rtm = r.ebx & CPUID_7B_RTM;
    cpu.bhi_ctrl = r.eax >= 2 && (cpuid(7, 2).edx & CPUID_72D_BHI_CTRL);
    cpu.capabilities = cpu.edx & CPUID_7D_ARCH_CAPS ? rdmsr(MSR_IA32_ARCH_CAPABILITIES) : 0;
}

/* ---- What is done ---- */

static uint32_t if_on(enum spec_word w, uint32_t bits)
{
    return spec_is_on(w) ? bits : 0;
}

/* Where IBRS is EFER's affair, which each exit loads, the register is the guest's. */
static uint32_t ibrs_if_on(uint32_t bits)
{
    return cpu.automatic_ibrs ? 0 : if_on(SPEC_IBRS, bits);
}

/* After an exit of an enhanced CPU one call that returns is enough (Intel, "Post-barrier Return
 * Stack Buffer Predictions"), unless more is asked for by name. */
static void fill_switch(const struct spec_wish *wish)
{
    bool by_register = cpu.bhi_ctrl && (cpu.edx & CPUID_7D_SPEC_CTRL), each = !is_enhanced();
    struct spec_switch *s = &spec_switch;

    s->ctrl = ibrs_if_on(SPEC_CTRL_IBRS) | if_on(SPEC_STIBP, SPEC_CTRL_STIBP) |
              if_on(SPEC_SSBD, SPEC_CTRL_SSBD) | (by_register ? if_on(SPEC_BHI, SPEC_CTRL_BHI) : 0);
    s->exit =
        (uint8_t)((s->ctrl ? SPEC_EXIT_CTRL : 0) |
                  (each && !cpu.ibrs_stays ? ibrs_if_on(SPEC_EXIT_EACH) : 0) |
                  if_on(SPEC_CLEAR, SPEC_EXIT_CLEAR) | if_on(SPEC_IBPB_ENTRY, SPEC_EXIT_IBPB));
    s->entry = (uint8_t)((s->ctrl ? SPEC_ENTRY_CTRL : 0) | if_on(SPEC_L1D, SPEC_ENTRY_L1D) |
                         if_on(SPEC_VERW, SPEC_ENTRY_VERW));
    s->calls = (uint8_t)if_on(SPEC_RSB, each || (wish->with & BIT(SPEC_RSB)) ? CALL_PAIRS : 1);
    s->barrier = spec_is_on(SPEC_IBPB);
    s->guest_ctrl = spec_has_ctrl() && !s->ctrl;
    s->history = by_register ? 0 : (uint8_t)if_on(SPEC_BHI, HISTORY_ROUNDS);
}

/* What is left of registers of devices in the buffers is emptied by VERW, if it has learned to:
 * with FB_CLEAR, or where it does so against MDS (Intel, "Processor MMIO Stale Data
 * Vulnerabilities"). */
static bool verw_empties_stale(void)
{
    return cpu.capabilities & FB_CLEAR || (has(MDS) && can_do(SPEC_VERW));
}

/* Flushing the cache does it as well. What spec= has switched off is not SPEC_NOT_NEEDED. */
static bool waits_for_device(void)
{
    return has(STALE) && states[SPEC_VERW] == SPEC_NOT_NEEDED && states[SPEC_L1D] != SPEC_ON;
}

void spec_device_given(void)
{
    if (!waits_for_device())
        return;
    if (!verw_empties_stale()) {
        states[SPEC_VERW] = SPEC_LACKING;
        log_warn("speculation: a guest with a device may read stale data: this CPU's VERW empties "
                 "too little");
        return;
    }
    states[SPEC_VERW] = SPEC_ON;
    spec_switch.entry |= SPEC_ENTRY_VERW;
    log_info("speculation: verw as well, now that a guest has a device");
}

static const char *list(enum spec_state state, char *text, size_t size)
{
    size_t used = 0;

    for (unsigned w = 0; w < SPEC_WORDS; w++)
        if (states[w] == state)
            used += fmt_sn(text + used, size - used, " %s", spec_names[w]);
    return used ? text : " -";
}

void spec_decide(const struct spec_wish *wish)
{
    char on[80], lacking[80], off[80];

    read_cpu();
    for (unsigned w = 0; w < SPEC_WORDS; w++)
        states[w] = (uint8_t)decide((enum spec_word)w, wish);
    fill_switch(wish);
    log_info("speculation:%s; lacking:%s; off:%s", list(SPEC_ON, on, sizeof(on)),
             list(SPEC_LACKING, lacking, sizeof(lacking)), list(SPEC_OFF, off, sizeof(off)));
}

bool spec_start(void)
{
    bool lesser = (read_edx() & cpu.edx) != cpu.edx || (read_more() & cpu.more) != cpu.more;

    if (lesser || (cpu.amd_ibpb && !has_amd_ibpb())) {
        log_error("speculation: pCPU %u lacks what the boot CPU has: older microcode?", cpu_id());
        return false;
    }
    if (spec_switch.ctrl)
        wrmsr(MSR_IA32_SPEC_CTRL, spec_switch.ctrl);
    if (cpu.automatic_ibrs && spec_is_on(SPEC_IBRS))
        wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_AIBRS);
    return true;
}

enum spec_state spec_state(enum spec_word w)
{
    return (enum spec_state)states[w];
}

/* ---- What is told ---- */

/* What the state alone does not say. */
static const char *remark(enum spec_word w)
{
    if (w == SPEC_IBRS && spec_is_on(SPEC_IBRS) && cpu.automatic_ibrs)
        return ", automatic";
    return w == SPEC_VERW && waits_for_device() ? " before a guest has a device" : "";
}

void spec_report(void)
{
    static const char *const text[SPEC_STATES] = {
        [SPEC_OFF] = "off",
        [SPEC_NOT_NEEDED] = "not needed",
        [SPEC_LACKING] = "needed, but this CPU lacks it",
        [SPEC_ON] = "on",
    };

    for (unsigned w = 0; w < SPEC_WORDS; w++)
        log_info("report: speculation: %-10s %s%s", spec_names[w], text[states[w]],
                 remark((enum spec_word)w));
    log_info("report: speculation: retpolines %s",
             __x86_indirect_thunk_rax ? "on" : "off, RETPOLINE=1 makes a build with them");
}

static bool is_open(enum weakness w)
{
    enum spec_word word = weaknesses[w].word;

    if (w == BTI && __x86_indirect_thunk_rax)
        return false;
    return has(w) &&
           (word == SPEC_WORDS || states[word] == SPEC_OFF || states[word] == SPEC_LACKING);
}

void spec_open(char *text, unsigned size)
{
    size_t used = 0;

    text[0] = '\0';
    for (unsigned w = 0; w < WEAKNESSES; w++)
        if (is_open((enum weakness)w))
            used += fmt_sn(text + used, size - used, "%s%s", used ? " " : "", weaknesses[w].name);
}

/* ---- What guests see ---- */

bool spec_has_ctrl(void)
{
    return cpu.edx & CPUID_7D_SPEC_CTRL;
}

bool spec_has_barrier(void)
{
    return spec_has_ctrl() || cpu.amd_ibpb;
}

bool spec_has_flush(void)
{
    return cpu.edx & CPUID_7D_FLUSH_L1D;
}

bool spec_guest_capabilities(uint64_t *value)
{
    *value = cpu.capabilities & SHOWN_CAPABILITIES;
    return cpu.edx & CPUID_7D_ARCH_CAPS;
}
