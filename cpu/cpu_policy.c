/*
 * The CPU policy of a domain. See cpu/cpu_policy.h.
 */
#include "cpu/cpu_policy.h"
#include "arch/x86/cpu.h"
#include "cpu/cpu_model.h"

#define NO_SUBLEAF XEN_CPUID_NO_SUBLEAF
#define EXTENDED   0x80000000u

enum reg { A, B, C, D };

/* Where each word of features stands. Bits that are not ours to hide, nor theirs to ask for: they
 * follow from topology, or from CR4. */
static const struct {
    uint32_t leaf, subleaf;
    enum reg reg;
    uint32_t free;
} words[XEN_FEATURES] = {
    [XEN_FEATURES_1D] = { 1, 0, D, CPUID_1D_HTT },
    [XEN_FEATURES_1C] = { 1, 0, C, CPUID_1C_OSXSAVE },
    [XEN_FEATURES_E1D] = { EXTENDED | 1, 0, D, 0 },
    [XEN_FEATURES_E1C] = { EXTENDED | 1, 0, C, CPUID_EXT1C_CMP_LEGACY },
    [XEN_FEATURES_DA1] = { 0xd, 1, A, 0 },
    [XEN_FEATURES_7B0] = { 7, 0, B, 0 },
    [XEN_FEATURES_7C0] = { 7, 0, C, CPUID_7C_OSPKE },
    [XEN_FEATURES_E7D] = { EXTENDED | 7, 0, D, 0 },
    [XEN_FEATURES_E8B] = { EXTENDED | 8, 0, B, 0 },
    [XEN_FEATURES_7D0] = { 7, 0, D, 0 },
    [XEN_FEATURES_7A1] = { 7, 1, A, 0 },
    [XEN_FEATURES_E21A] = { EXTENDED | 0x21, 0, A, 0 },
    [XEN_FEATURES_7B1] = { 7, 1, B, 0 },
    [XEN_FEATURES_7D2] = { 7, 2, D, 0 },
    [XEN_FEATURES_7C1] = { 7, 1, C, 0 },
    [XEN_FEATURES_7D1] = { 7, 1, D, 0 },
    [XEN_FEATURES_M10AL] = { NO_SUBLEAF, 0, A, 0 }, /* an MSR that there is not */
    [XEN_FEATURES_M10AH] = { NO_SUBLEAF, 0, D, 0 },
    [XEN_FEATURES_E21C] = { EXTENDED | 0x21, 0, C, 0 },
};

/* How many leaves a hypervisor shows is asked for by two leaves of a list; 0: as many as it likes.
 */
#define HYPERVISOR       0x40000000u
#define HYPERVISOR_OTHER 0x40000100u
static bool is_hypervisors(uint32_t leaf)
{
    return leaf == HYPERVISOR || leaf == HYPERVISOR_OTHER;
}

/* Leaves with sub-leaves. */
static bool has_subleaves(uint32_t leaf)
{
    return leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd;
}

/* What every domain may be shown, each vCPU's own left out. */
static struct cpuid_regs all_of(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r = { 0 };

    if (leaf == 0xb || is_hypervisors(leaf))
        return r; /* topology; how many, or all */
    r = cpu_model_common(leaf, subleaf);
    if (leaf == 1)
        r.edx |= CPUID_1D_APIC;
    if (leaf == 0xd && subleaf == 0)
        r.ebx = r.ecx; /* what the machine's XCR0 needs at this moment */
    return r;
}

static uint32_t *reg_of(struct cpuid_regs *r, enum reg reg)
{
    uint32_t *const regs[] = { &r->eax, &r->ebx, &r->ecx, &r->edx };

    return regs[reg];
}

static uint32_t word_of_all(unsigned i)
{
    if (words[i].leaf == NO_SUBLEAF)
        return 0;
    struct cpuid_regs r = all_of(words[i].leaf, words[i].subleaf);
    return *reg_of(&r, words[i].reg);
}

void cpu_policy_features(uint32_t out[XEN_FEATURES])
{
    for (unsigned i = 0; i < XEN_FEATURES; i++)
        out[i] = word_of_all(i);
}

/* ---- What it hides ---- */

static uint32_t last_of_all(uint32_t first)
{
    return all_of(first, 0).eax;
}

static bool is_beyond(const struct cpu_policy *p, uint32_t leaf)
{
    return leaf >= EXTENDED ? leaf > p->last_extended : leaf > p->last_basic;
}

static bool hides_xsave(const struct cpu_policy *p)
{
    return p->hidden[XEN_FEATURES_1C] & CPUID_1C_XSAVE;
}

void cpu_policy_narrow(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf,
                       struct cpuid_regs *r)
{
    if (!has_subleaves(leaf))
        subleaf = 0;
    if (is_beyond(p, leaf) || (leaf == 0xd && hides_xsave(p)))
        *r = (struct cpuid_regs){ 0 };
    if (leaf == 0)
        r->eax = p->last_basic;
    if (leaf == EXTENDED)
        r->eax = p->last_extended;
    if (leaf == 1 && hides_xsave(p))
        r->ecx &= ~CPUID_1C_OSXSAVE;
    for (unsigned i = 0; i < XEN_FEATURES; i++)
        if (words[i].leaf == leaf && words[i].subleaf == subleaf)
            *reg_of(r, words[i].reg) &= ~p->hidden[i];
}

/* ---- A list that comes in ---- */

static bool is_in_lists(const struct xen_cpuid_leaf *l)
{
    if (is_hypervisors(l->leaf))
        return l->subleaf == NO_SUBLEAF;
    if (l->leaf > XEN_CPUID_LAST_BASIC && (l->leaf < EXTENDED || l->leaf > XEN_CPUID_LAST_EXTENDED))
        return false;
    return has_subleaves(l->leaf) ? l->subleaf < 63 : l->subleaf == NO_SUBLEAF;
}

static uint32_t subleaf_of(const struct xen_cpuid_leaf *l)
{
    return l->subleaf == NO_SUBLEAF ? 0 : l->subleaf;
}

/* Vendor, family, model and stepping: what a kernel chooses its code by. */
static bool is_same_cpu(const struct xen_cpuid_leaf *l)
{
    struct cpuid_regs r = all_of(l->leaf, subleaf_of(l));

    if (l->leaf == 0)
        return l->a <= r.eax && l->b == r.ebx && l->c == r.ecx && l->d == r.edx;
    if (l->leaf == EXTENDED)
        return l->a >= EXTENDED && l->a <= r.eax;
    if (l->leaf == 7 && l->subleaf == 0)
        return l->a <= r.eax;
    return l->leaf != 1 || l->a == r.eax;
}

/* False: it asks for what there is not. */
static bool take_words(struct cpu_policy *p, const struct xen_cpuid_leaf *l)
{
    struct cpuid_regs wanted = { l->a, l->b, l->c, l->d };

    for (unsigned i = 0; i < XEN_FEATURES; i++) {
        if (words[i].leaf != l->leaf || words[i].subleaf != subleaf_of(l))
            continue;
        uint32_t all = word_of_all(i), want = *reg_of(&wanted, words[i].reg) & ~words[i].free;
        if (want & ~all)
            return false;
        p->hidden[i] = all & ~want & ~words[i].free;
    }
    return true;
}

static void become_narrower(struct cpu_policy *p)
{
    if (p->narrower)
        return;
    p->narrower = true;
    p->last_basic = last_of_all(0);
    p->last_extended = last_of_all(EXTENDED);
}

int cpu_policy_take(struct cpu_policy *p, const struct xen_cpuid_leaf *l)
{
    struct cpu_policy next = *p;

    if (!is_in_lists(l))
        return -ERANGE;
    if (!is_same_cpu(l) || !take_words(&next, l))
        return -EINVAL;
    become_narrower(&next);
    if (l->leaf == 0)
        next.last_basic = l->a;
    if (l->leaf == EXTENDED)
        next.last_extended = l->a;
    *p = next;
    return 0;
}

/* ---- A list that goes out ---- */

static struct cpuid_regs shown(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r = all_of(leaf, subleaf);

    if (p->narrower)
        cpu_policy_narrow(p, leaf, subleaf, &r);
    return r;
}

static uint64_t components(const struct cpu_policy *p)
{
    struct cpuid_regs r = shown(p, 0xd, 0);

    return (uint64_t)r.edx << 32 | r.eax;
}

/* The sub-leaf after this one; NO_SUBLEAF: it was the last. */
static uint32_t next_subleaf(const struct cpu_policy *p, const struct xen_cpuid_leaf *l)
{
    uint32_t next = l->subleaf + 1;

    switch (l->leaf) {
    case 4: /* the last one has type 0 */
        return l->a & 0x1f && next < 6 ? next : NO_SUBLEAF;
    case 7:
        return next <= shown(p, 7, 0).eax && next < 3 ? next : NO_SUBLEAF;
    case 0xd: /* two, and without a gap up to that of the last component */
        return next < 2 || (components(p) & ~(1ul << 63)) >> next ? next : NO_SUBLEAF;
    }
    return NO_SUBLEAF;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The leaf after this one; UINT32_MAX: it was the last. */
static uint32_t next_leaf(const struct cpu_policy *p, uint32_t leaf)
{
    uint32_t last = least(shown(p, 0, 0).eax, XEN_CPUID_LAST_BASIC);
    uint32_t extended = least(shown(p, EXTENDED, 0).eax, XEN_CPUID_LAST_EXTENDED);

    if (leaf == UINT32_MAX || leaf < last)
        return leaf + 1;
    if (leaf < HYPERVISOR)
        return HYPERVISOR;
    if (leaf < EXTENDED)
        return leaf == HYPERVISOR ? HYPERVISOR_OTHER : EXTENDED;
    return leaf < extended ? leaf + 1 : UINT32_MAX;
}

bool cpu_policy_next(const struct cpu_policy *p, struct xen_cpuid_leaf *l)
{
    uint32_t leaf = l->leaf, subleaf = NO_SUBLEAF;

    if (has_subleaves(leaf))
        subleaf = next_subleaf(p, l);
    if (subleaf == NO_SUBLEAF) {
        leaf = next_leaf(p, leaf);
        subleaf = has_subleaves(leaf) ? 0 : NO_SUBLEAF;
    }
    if (leaf == UINT32_MAX)
        return false;
    struct cpuid_regs r = shown(p, leaf, subleaf == NO_SUBLEAF ? 0 : subleaf);
    *l = (struct xen_cpuid_leaf){ leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx };
    return true;
}
