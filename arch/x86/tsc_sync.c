/*
 * Comparing time-stamp counters. See arch/x86/tsc_sync.h.
 *
 * The boot CPU asks, the other one stamps, the boot CPU looks how long that took: the stamp was
 * made some time in between. Of a few rounds the quickest counts, so a round that was interrupted
 * from below (SMI) does no harm. Each is a matter of a microsecond.
 *
 * Source: SDM volume 3, "Time-Stamp Counter Adjustment" and "Invariant TSC".
 */
#include "arch/x86/tsc_sync.h"

#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "lib/log.h"

#define ROUNDS   8
#define STEPS    (ROUNDS + 1) /* and one to tell the result */
#define PATIENCE 1000000

/* One number for each step with each CPU, ever increasing: nobody answers for another. */
static uint64_t asked, answered; /* atomic */
static uint64_t stamp;           /* of the last answer */
static int64_t offsets[MAX_PCPUS];

static uint64_t number_of(unsigned cpu, unsigned step)
{
    return (uint64_t)cpu * STEPS + step;
}

static bool wait_for(const uint64_t *what, uint64_t number)
{
    for (unsigned i = 0; i < PATIENCE; i++) {
        if (__atomic_load_n(what, __ATOMIC_ACQUIRE) == number)
            return true;
        cpu_relax();
    }
    return false;
}

void tsc_check_invariant(void)
{
    bool known = cpuid(0x80000000, 0).eax >= 0x80000007;

    if (!known || !(cpuid(0x80000007, 0).edx & CPUID_EXT7D_INVARIANT_TSC))
        log_warn("tsc: not invariant by CPUID: it may stop or change its rate in power saving");
}

static bool can_adjust(void)
{
    return cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ebx & CPUID_7B_TSC_ADJUST);
}

void tsc_sync_answer(void)
{
    unsigned me = cpu_id();
    int64_t offset;

    for (unsigned i = 0; i < ROUNDS; i++) {
        if (!wait_for(&asked, number_of(me, i)))
            return;
        stamp = rdtsc();
        __atomic_store_n(&answered, number_of(me, i), __ATOMIC_RELEASE);
    }
    if (!wait_for(&asked, number_of(me, ROUNDS)))
        return;
    offset = offsets[me];
    if (offset && can_adjust())
        wrmsr(MSR_IA32_TSC_ADJUST, rdmsr(MSR_IA32_TSC_ADJUST) - (uint64_t)offset);
}

/* How far cpu's stamp lies outside the time in which it was made, less what cannot be told. */
static int64_t excess(uint64_t before, uint64_t made, uint64_t after)
{
    if ((int64_t)(made - before) < 0 || (int64_t)(after - made) < 0)
        return (int64_t)(made - before - (after - before) / 2);
    return 0;
}

void tsc_sync_compare(unsigned cpu)
{
    uint64_t quickest = UINT64_MAX;
    int64_t offset = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t before = rdtsc(), after;

        __atomic_store_n(&asked, number_of(cpu, i), __ATOMIC_RELEASE);
        if (!wait_for(&answered, number_of(cpu, i))) {
            log_warn("tsc: pCPU %u did not answer, its TSC is not compared", cpu);
            return;
        }
        after = rdtsc();
        if (after - before < quickest) {
            quickest = after - before;
            offset = excess(before, stamp, after);
        }
    }
    offsets[cpu] = offset;
    __atomic_store_n(&asked, number_of(cpu, ROUNDS), __ATOMIC_RELEASE);
    if (offset)
        log_warn("tsc: pCPU %u is %ld ticks ahead of the boot CPU%s", cpu, offset,
                 can_adjust() ? ", put right" : ": guests will see time jump");
}

int64_t tsc_sync_offset(unsigned cpu)
{
    return offsets[cpu];
}
