/*
 * What neither processor switches by itself. See virt/registers.h.
 * Sources: SDM, "Processor State After Reset"; APM volume 2, "Processor Initialization State".
 */
#include "virt/registers.h"

#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/spec.h"
#include "lib/likely.h"
#include "virt/virt.h"

#define AR_DATA 0x93 /* present, DPL 0, read/write, accessed */
#define AR_CODE 0x9B /* present, DPL 0, execute/read, accessed */
#define AR_LDT  0x82
#define AR_TSS  0x8B /* busy; TR is never unusable in VMX */
#define LIMIT   0xFFFF

static const struct segment reset_segments[SEG_COUNT] = {
    [SEG_ES] = { .limit = LIMIT, .ar = AR_DATA },
    [SEG_CS] = { .base = 0xFFFF0000, .limit = LIMIT, .ar = AR_CODE, .selector = 0xF000 },
    [SEG_SS] = { .limit = LIMIT, .ar = AR_DATA },
    [SEG_DS] = { .limit = LIMIT, .ar = AR_DATA },
    [SEG_FS] = { .limit = LIMIT, .ar = AR_DATA },
    [SEG_GS] = { .limit = LIMIT, .ar = AR_DATA },
    [SEG_LDTR] = { .limit = LIMIT, .ar = AR_LDT },
    [SEG_TR] = { .limit = LIMIT, .ar = AR_TSS },
};

static const uint32_t kept_number[SOFT_KEPT] = {
    [SOFT_STAR] = MSR_IA32_STAR,   [SOFT_LSTAR] = MSR_IA32_LSTAR,     [SOFT_CSTAR] = MSR_IA32_CSTAR,
    [SOFT_FMASK] = MSR_IA32_FMASK, [SOFT_TSC_AUX] = MSR_IA32_TSC_AUX,
};

/* What a pCPU's registers have, once a vCPU has been there; each pCPU its own row. */
static uint64_t held[MAX_PCPUS][SOFT_KEPT];

static void load_breakpoints(const struct virt_vcpu *v)
{
    write_dr0(v->dr[0]);
    write_dr1(v->dr[1]);
    write_dr2(v->dr[2]);
    write_dr3(v->dr[3]);
}

static void put(enum virt_soft_msr which, uint64_t value)
{
    held[cpu_id()][which] = value;
    wrmsr(kept_number[which], value);
}

/* 0: it is there already. */
static uint64_t differs(const struct virt_vcpu *v, const uint64_t *here, enum virt_soft_msr which)
{
    return here[which] ^ v->soft_msr[which];
}

static __attribute__((noinline)) void put_others(const struct virt_vcpu *v, const uint64_t *here)
{
    for (enum virt_soft_msr i = v->switches_calls ? SOFT_STAR : SOFT_TSC_AUX; i < SOFT_KEPT; i++)
        if (differs(v, here, i))
            put(i, v->soft_msr[i]);
}

/* A processor without TSC_AUX has none that differs: it is 0 in each vCPU. */
static void load_kept(const struct virt_vcpu *v)
{
    const uint64_t *here = held[cpu_id()];
    uint64_t any = differs(v, here, SOFT_TSC_AUX);

    if (v->switches_calls)
        any |= differs(v, here, SOFT_STAR) | differs(v, here, SOFT_LSTAR) |
               differs(v, here, SOFT_CSTAR) | differs(v, here, SOFT_FMASK);
    if (unlikely(any))
        put_others(v, here);
}

cold void registers_arrive(const struct virt_vcpu *v)
{
    for (enum virt_soft_msr i = v->switches_calls ? SOFT_STAR : SOFT_TSC_AUX; i < SOFT_KEPT; i++)
        if (i != SOFT_TSC_AUX || v->has_tsc_aux)
            put(i, v->soft_msr[i]);
}

cold void registers_put_soft(struct virt_vcpu *v, enum virt_soft_msr which, uint64_t value)
{
    if (which < SOFT_KEPT) {
        v->soft_msr[which] = value;
        put(which, value);
    } else {
        wrmsr(MSR_IA32_KERNEL_GS_BASE, value);
    }
}

void registers_load(const struct virt_vcpu *v)
{
    load_breakpoints(v);
    if (v->switches_calls)
        wrmsr(MSR_IA32_KERNEL_GS_BASE, v->soft_msr[SOFT_KERNEL_GS_BASE]);
    load_kept(v);
    if (spec_switch.guest_ctrl)
        wrmsr(MSR_IA32_SPEC_CTRL, v->spec_ctrl);
}

void registers_save(struct virt_vcpu *v)
{
    v->dr[0] = read_dr0();
    v->dr[1] = read_dr1();
    v->dr[2] = read_dr2();
    v->dr[3] = read_dr3();
    if (v->switches_calls)
        v->soft_msr[SOFT_KERNEL_GS_BASE] = rdmsr(MSR_IA32_KERNEL_GS_BASE);
    if (!spec_switch.guest_ctrl)
        return;
    v->spec_ctrl = (uint32_t)rdmsr(MSR_IA32_SPEC_CTRL);
    wrmsr(MSR_IA32_SPEC_CTRL, 0);
}

void virt_breakpoints(const struct virt_vcpu *v, struct virt_breakpoints *out)
{
    *out = (struct virt_breakpoints){ { read_dr0(), read_dr1(), read_dr2(), read_dr3() },
                                      virt_dr7(v) };
}

cold uint64_t registers_spec_ctrl(const struct virt_vcpu *v)
{
    return spec_switch.guest_ctrl ? rdmsr(MSR_IA32_SPEC_CTRL) : v->spec_ctrl;
}

cold int registers_put_spec_ctrl(struct virt_vcpu *v, uint64_t value)
{
    if (value >> 32 || (value && !spec_has_ctrl()))
        return -EINVAL;
    v->spec_ctrl = (uint32_t)value;
    if (spec_switch.guest_ctrl)
        wrmsr(MSR_IA32_SPEC_CTRL, value);
    return 0;
}

cold void registers_put_breakpoints(struct virt_vcpu *v, const uint64_t at[4])
{
    for (unsigned i = 0; i < 4; i++)
        v->dr[i] = at[i];
    load_breakpoints(v);
}

cold void registers_reset(struct virt_vcpu *v)
{
    for (unsigned i = 0; i < GPR_COUNT; i++)
        v->gpr[i] = 0;
    v->gpr[GPR_RDX] = cpuid(1, 0).eax;
    v->pending.valid = false;
    v->nmis_waiting = 0;
    for (unsigned i = 0; i < 4; i++)
        v->dr[i] = 0;
    load_breakpoints(v);
    v->spec_ctrl = 0;
    if (spec_switch.guest_ctrl)
        wrmsr(MSR_IA32_SPEC_CTRL, 0);
}

cold void registers_reset_segments(struct virt_vcpu *v)
{
    for (unsigned s = 0; s < SEG_COUNT; s++)
        virt_set_segment(v, (enum seg)s, &reset_segments[s]);
}
