/*
 * CPUID as a vCPU sees it: the CPU model, with what depends on the vCPU, and Xen's leaves. See
 * exits/cpuid.h. Source: SDM volume 2, "CPUID—CPU Identification".
 */
#include "exits/cpuid.h"
#include "arch/x86/cpu.h"
#include "arch/x86/tsc.h"
#include "domain/domain.h"
#include "domain/vcpu.h"
#include "include/public/arch-x86/cpuid.h"
#include "lib/likely.h"
#include "cpu/cpu_model.h"

#define LEAF_HYPERVISOR 0x40000000u
#define LEAF_KVM        (LEAF_HYPERVISOR + 0x100)

/* Ids of local APICs in the package, those that nobody has included. */
static uint32_t apic_ids(const struct vcpu *v)
{
    return v->domain->xen.vcpu_count << v->domain->apic_id_shift;
}

static void features(struct vcpu *v, struct cpuid_regs *r)
{
    r->ebx |= v->lapic.id << 24;
    if ((r->ecx & CPUID_1C_XSAVE) && (virt_cr4(&v->virt) & CR4_OSXSAVE))
        r->ecx |= CPUID_1C_OSXSAVE;
    if (vlapic_enabled(&v->lapic))
        r->edx |= CPUID_1D_APIC;
    if (v->domain->xen.vcpu_count > 1) {
        r->edx |= CPUID_1D_HTT;
        r->ebx |= apic_ids(v) << 16;
    }
}

static void structured_features(struct vcpu *v, struct cpuid_regs *r)
{
    if ((r->ecx & CPUID_7C_PKU) && (virt_cr4(&v->virt) & CR4_PKE))
        r->ecx |= CPUID_7C_OSPKE;
}

static uint32_t apic_id_bits(const struct vcpu *v)
{
    uint32_t bits = 0;

    while ((1u << bits) < apic_ids(v))
        bits++;
    return bits;
}

/* Topology: one thread a core, all vCPUs in one package. */
static struct cpuid_regs topology(struct vcpu *v, uint32_t subleaf)
{
    static const uint32_t type[] = { 1 << 8, 2 << 8 }; /* SMT, core */
    struct cpuid_regs r = { .ecx = subleaf & 0xff, .edx = v->lapic.id };

    if (subleaf > 1)
        return r;
    r.ecx |= type[subleaf];
    r.ebx = subleaf == 0 ? 1 : v->domain->xen.vcpu_count;
    r.eax = subleaf == 0 ? v->domain->apic_id_shift : apic_id_bits(v);
    return r;
}

/* The same in the words of AMD's CPUs. */
static void amd_topology(struct vcpu *v, uint32_t leaf, struct cpuid_regs *r)
{
    uint32_t cores = v->domain->xen.vcpu_count;

    if (leaf == 0x80000001 && cores > 1)
        r->ecx |= CPUID_EXT1C_CMP_LEGACY;
    if (leaf == 0x80000008)
        r->ecx = apic_id_bits(v) << 12 | (cores - 1);
    if (leaf == 0x8000001E && cpu_model_has_topoext())
        r->eax = v->lapic.id, r->ebx = v->id; /* core, with one thread */
}

/* An hvm guest is told who we are: it has COM1 and its timers, and Linux would look for Xen's
 * platform devices besides. Behind that comes KVM's name with none of its features: by a name that
 * it knows Linux believes that the local APIC's x2APIC mode is safe without interrupt remapping.
 * Source: Linux, Documentation/virt/kvm/x86/cpuid.rst. */
static struct cpuid_regs hypervisor(const struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    if (v->domain->type == DOMAIN_PVH)
        return xen_cpuid(&v->xen, leaf, subleaf);
    if (leaf == LEAF_KVM)
        return (struct cpuid_regs){ LEAF_KVM + 1, 0x4b4d564b, 0x564b4d56, 0x4d };
    if (leaf != LEAF_HYPERVISOR)
        return (struct cpuid_regs){ 0 };
    return (struct cpuid_regs){ LEAF_HYPERVISOR, 0x73696143, 0x436e6f73, 0x73736961 };
}

struct cpuid_regs cpuid_guest(struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    if (leaf >= LEAF_HYPERVISOR && leaf < LEAF_KVM + 0x100)
        return hypervisor(v, leaf, subleaf);
    if (leaf == 0xb)
        return topology(v, subleaf);
    struct cpuid_regs r = cpu_model_common(leaf, subleaf);
    if (leaf == 0x1)
        features(v, &r);
    if (leaf == 0x7 && subleaf == 0)
        structured_features(v, &r);
    if (virt_caps.amd)
        amd_topology(v, leaf, &r);
    if (unlikely(v->domain->cpu_policy.narrower))
        cpu_policy_narrow(&v->domain->cpu_policy, leaf, subleaf, &r);
    return r;
}

/* ---- What has been answered before ---- */

/* What leaves 1 and 7 tell of besides the CPU model; the guest may change CR4 without an exit. */
static uint64_t state_of(const struct vcpu *v)
{
    return (virt_cr4(&v->virt) & (CR4_OSXSAVE | CR4_PKE)) |
           (vlapic_apicbase(&v->lapic) & APICBASE_ENABLE);
}

static __attribute__((noinline)) const struct cpuid_regs *
answer_anew(struct vcpu *v, struct cpuid_answer *a, uint32_t leaf, uint32_t subleaf)
{
    bool follows = leaf == 0x1 || leaf == 0x7;

    *a = (struct cpuid_answer){ .leaf = leaf,
                                .subleaf = subleaf,
                                .stays = !follows && leaf != 0xd, /* which tells of XCR0 */
                                .follows = follows,
                                .state = state_of(v),
                                .regs = cpuid_guest(v, leaf, subleaf) };
    return &a->regs;
}

static __attribute__((noinline)) const struct cpuid_regs *follow(struct vcpu *v,
                                                                 struct cpuid_answer *a)
{
    uint64_t state = state_of(v);

    if (likely(a->state == state && a->follows))
        return &a->regs;
    return answer_anew(v, a, a->leaf, a->subleaf);
}

/* Each way out is a return or a jump, so the common one has no registers to keep. */
const struct cpuid_regs *cpuid_answer(struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_answer *a = &v->cpuid[(leaf ^ leaf >> 28 ^ subleaf << 2) % CPUID_ANSWERS];

    if (unlikely(a->leaf != leaf || a->subleaf != subleaf))
        return answer_anew(v, a, leaf, subleaf);
    if (likely(a->stays))
        return &a->regs;
    return follow(v, a);
}
