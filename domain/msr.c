/*
 * The MSR policy: who answers for which register.
 *
 * Asked in this order: the local APIC and time, which a running guest uses most; the state that
 * the back end switches (vmx/, svm/); registers that read a fixed value (cpu/cpu_msr.h); memory
 * types. Whatever remains is a register that this machine does not have: #GP, and one warning for
 * each. The TSC is kept from vmx/, which knows it too: the domain's clock, TSC_ADJUST and the timer
 * have to be told when it is written.
 */
#include "domain/msr.h"
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/msr.h"
#include "arch/x86/tsc.h"
#include "cpu/cpu_mtrr.h"
#include "domain/domain.h"
#include "domain/lapic.h"
#include "domain/vcpu.h"
#include "include/public/arch-x86/cpuid.h"
#include "lib/likely.h"
#include "lib/log.h"
#include "lib/time.h"

/* Bits of MISC_ENABLE (SDM volume 4, "Architectural MSRs"). Those that can be written are kept and
 * have no effect; the others that are known are read-only: no BTS, no PEBS. */
#define FAST_STRINGS   1u
#define MISC_WRITABLE  (FAST_STRINGS | 1u << 3 | 1u << 16 | 1u << 18 | 3u << 22 | 1ul << 34)
#define MISC_READ_ONLY (1u << 7 | 3u << 11)
#define MISC_ALWAYS    (3u << 11)

static bool is_misc_enable(uint32_t msr)
{
    return msr == MSR_IA32_MISC_ENABLE && !virt_caps.amd;
}

static bool is_lapic(uint32_t msr)
{
    return msr == MSR_IA32_APIC_BASE || (msr >= MSR_X2APIC_FIRST && msr <= MSR_X2APIC_LAST);
}

static uint64_t guest_tsc(const struct vcpu *v)
{
    return rdtsc() + v->xen.tsc_offset;
}

/* The timer compares with the guest's TSC and without sign: a deadline beyond what the machine's
 * TSC can reach never comes (SDM, "TSC-Deadline Mode"). */
static void set_deadline(struct vcpu *v, uint64_t value)
{
    uint64_t tsc = rdtsc(), zero = v->domain->xen.tsc_zero, guest = tsc + v->xen.tsc_offset, then;
    uint64_t ahead = value > guest ? value - guest : 0;
    bool comes = !__builtin_add_overflow(tsc, ahead, &then);
    uint64_t at = comes ? tsc_to_ns(then - zero) : TIME_NEVER;

    vlapic_set_deadline(&v->lapic, value, at, tsc_to_ns(tsc - zero));
    if (comes && v->lapic_due.ns == at) /* armed: its tick of the TSC is known better than by ns */
        lapic_set_due(v, at, then);
}

/* A deadline that has passed fires at once; one so far that it does not come is left to others. */
static __attribute__((noinline)) enum msr_written fire(struct vcpu *v, uint64_t value)
{
    uint8_t vector = 0;

    if (value <= guest_tsc(v) && lapic_is_quick(v))
        vector = vlapic_deadline_passed_own(&v->lapic);
    if (!vector)
        return MSR_UNKNOWN;
    lapic_tell_own(v, vector);
    return MSR_MOVED;
}

/* Arming the timer, when it is not due yet: all of it concerns the vCPU alone. MSR_UNKNOWN where
 * more has to be done. */
static __attribute__((noinline)) enum msr_written arm(struct vcpu *v, uint64_t value)
{
    uint64_t tsc = rdtsc(), ahead = value - (tsc + v->xen.tsc_offset), then = tsc + ahead;

    if (v->lapic_due.tsc <= tsc || !value)
        return MSR_UNKNOWN;
    if (ahead > INT64_MAX || then < tsc)
        return fire(v, value);
    uint64_t at = tsc_to_ns(then - v->domain->xen.tsc_zero);
    if (!vlapic_arm_ahead(&v->lapic, value, at))
        return MSR_UNKNOWN;
    lapic_set_due(v, at, then);
    return MSR_MOVED;
}

/* Writing the TSC moves TSC_ADJUST by as much, and the reverse (SDM, "IA32_TSC_ADJUST MSR"). A
 * deadline that is set comes sooner or later by it. */
static void tsc_move(struct vcpu *v, uint64_t by)
{
    uint64_t deadline = vlapic_deadline_tsc(&v->lapic, xen_now(&v->domain->xen));

    v->tsc_adjust += by;
    pv_time_set_offset(&v->xen, v->xen.tsc_offset + by);
    virt_set_tsc_offset(&v->virt, v->xen.tsc_offset);
    if (deadline)
        set_deadline(v, deadline);
}

/* A guest that was restored may count on a register of the machine on which it began: libxl asks
 * for this then. As on Xen, it must be one of this machine's. */
static bool is_let_pass(const struct vcpu *v, uint32_t msr)
{
    uint64_t real;

    return v->domain->config->msr_relaxed && !rdmsr_safe(msr, &real);
}

static int unknown(struct vcpu *v, uint32_t msr, const char *what)
{
    if (is_let_pass(v, msr))
        return 0;
    if (!cpu_msr_is_probed(msr) && warned_add(&v->domain->unknown_msrs, msr))
        log_warn("%s: %s of MSR 0x%x, which this machine does not have: #GP", v->domain->name, what,
                 msr);
    return -EINVAL;
}

/* Registers that are time, or look at it: those of the timer and the TSC. */
static bool is_time(uint32_t msr)
{
    return msr == MSR_IA32_TSC_DEADLINE || msr == MSR_IA32_TSC || msr == MSR_IA32_TSC_ADJUST;
}

/* Those that are neither fixed nor time. */
static __attribute__((noinline)) struct msr_value read_other(struct vcpu *v, uint32_t msr)
{
    uint64_t value = 0;
    int i;

    if (is_time(msr) || is_lapic(msr))
        return (struct msr_value){ 0, false };
    if (virt_msr_read(&v->virt, msr, &value))
        return (struct msr_value){ value, true };
    if (is_misc_enable(msr))
        return (struct msr_value){ v->misc_enable | MISC_ALWAYS, true };
    i = cpu_mtrr_index(msr);
    return i < 0 ? (struct msr_value){ 0, false } : (struct msr_value){ v->mtrr[i], true };
}

/* The current count is what is read most of the local APIC, and the timer is its vCPU's alone. If
 * it is due, there is more to do than to look. */
static __attribute__((noinline)) struct msr_value read_count(const struct vcpu *v)
{
    int64_t count = vlapic_count_ahead(&v->lapic, xen_now(&v->domain->xen));

    return (struct msr_value){ (uint64_t)count, count >= 0 };
}

struct msr_value msr_read_lockless(struct vcpu *v, uint32_t msr)
{
    if (msr == MSR_X2APIC_CURRENT)
        return read_count(v);
    if (msr == MSR_IA32_APIC_BASE)
        return (struct msr_value){ vlapic_apicbase(&v->lapic), true };
    struct msr_value fixed = cpu_msr_read(msr);
    return likely(fixed.known) ? fixed : read_other(v, msr);
}

int msr_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    if (is_lapic(msr))
        return vlapic_msr_read(&v->lapic, msr, value, xen_now(&v->domain->xen));
    if (msr == MSR_IA32_TSC_DEADLINE)
        *value = vlapic_deadline_tsc(&v->lapic, xen_now(&v->domain->xen));
    else if (msr == MSR_IA32_TSC)
        *value = guest_tsc(v);
    else if (msr == MSR_IA32_TSC_ADJUST)
        *value = v->tsc_adjust;
    else {
        struct msr_value r = msr_read_lockless(v, msr);
        *value = r.value;
        return r.known ? 0 : unknown(v, msr, "read");
    }
    return 0;
}

static enum msr_written answer(bool taken)
{
    return taken ? MSR_WRITTEN : MSR_REFUSED;
}

static __attribute__((noinline)) enum msr_written write_other(struct vcpu *v, uint32_t msr,
                                                              uint64_t value)
{
    if (cpu_msr_read(msr).known)
        return answer(cpu_msr_takes(msr, value));
    if (is_misc_enable(msr)) {
        if (value & ~(MISC_WRITABLE | MISC_READ_ONLY))
            return MSR_REFUSED;
        v->misc_enable = value & MISC_WRITABLE;
        return MSR_WRITTEN;
    }
    int i = cpu_mtrr_index(msr);
    if (i < 0)
        return MSR_UNKNOWN;
    if (!cpu_mtrr_valid(msr, value))
        return MSR_REFUSED;
    v->mtrr[i] = value;
    return MSR_WRITTEN;
}

/* Those of the back end, and others. */
static __attribute__((noinline)) enum msr_written write_state(struct vcpu *v, uint32_t msr,
                                                              uint64_t value)
{
    int err = virt_msr_write(&v->virt, msr, value);

    return err == -ENOENT ? write_other(v, msr, value) : answer(!err);
}

enum msr_written msr_write_lockless(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (msr == MSR_IA32_TSC_DEADLINE)
        return arm(v, value);
    if (is_lapic(msr) || is_time(msr) || msr == XEN_HYPERCALL_MSR)
        return msr == MSR_X2APIC_ICR ? lapic_icr_written(v, value) : MSR_UNKNOWN;
    return write_state(v, msr, value);
}

int msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    if (is_lapic(msr))
        return vlapic_msr_write(&v->lapic, msr, value, xen_now(&v->domain->xen));
    if (msr == XEN_HYPERCALL_MSR && v->domain->type == DOMAIN_PVH)
        return pv_hypercall_page(&v->domain->xen, value, !virt_in_64bit_code(&v->virt));
    if (msr == MSR_IA32_TSC_DEADLINE)
        set_deadline(v, value);
    else if (msr == MSR_IA32_TSC)
        tsc_move(v, value - guest_tsc(v));
    else if (msr == MSR_IA32_TSC_ADJUST)
        tsc_move(v, value - v->tsc_adjust);
    else {
        enum msr_written how = msr_write_lockless(v, msr, value);
        if (how == MSR_UNKNOWN)
            return unknown(v, msr, "write");
        return how == MSR_REFUSED ? -EINVAL : 0;
    }
    return 0;
}

/* Whether string instructions are fast is the machine's to say: kernels choose by it how they clear
 * a page. */
void msr_reset(struct vcpu *v)
{
    uint64_t real;

    v->misc_enable = rdmsr_safe(MSR_IA32_MISC_ENABLE, &real) ? 0 : real & FAST_STRINGS;
    cpu_mtrr_reset(v->mtrr);
}
