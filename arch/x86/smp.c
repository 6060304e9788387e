/*
 * Starting the other CPUs, and stopping them for good.
 *
 * One at a time: the trampoline's parameters are one block, and a boot that goes wrong should go
 * wrong at one CPU. Whoever does not answer is left out, with a last INIT so that it does not turn
 * up later; the next one gets its number and its stack.
 *
 * Source: SDM volume 3, "Multiple-Processor (MP) Initialization".
 */
#include "arch/x86/smp.h"

#include <stddef.h>
#include "arch/x86/acpi.h"
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/trampoline.h"
#include "arch/x86/trap.h"
#include "arch/x86/tsc.h"
#include "arch/x86/tsc_sync.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "lib/string.h"

#define INIT_WAIT_US    10000
#define STARTUP_WAIT_US 200
#define ANSWER_WAIT_US  100000 /* after each of the two STARTUPs */
#define STOP_WAIT_US    100000
#define LOCATE_WAIT_US  1000
#define POLL_US         20
#define LOW_END         0x100000u /* a STARTUP names one of the first 256 pages */

#define NOBODY (-1)

extern const uint8_t boot_pml4[], image_base[]; /* boot/entry.asm, linker.ld */
extern uint64_t image_phys_base;

static void (*cpu_entry)(void); /* boot only, as are the next two */
static void (*stop_hook)(void);
static unsigned limit = MAX_PCPUS;
static int located = NOBODY; /* who is to say where it is; atomic */
static uint64_t location;    /* what it said; atomic */
static int stopper = NOBODY; /* the pCPU that stops the others; set once */

/* Where a started CPU arrives: on its own stack, with the final page tables and its GS base. */
static _Noreturn void smp_arrive(void)
{
    __atomic_store_n(&this_cpu()->online, true, __ATOMIC_RELEASE);
    tsc_sync_answer();
    cpu_entry();
    panic("CPU %u: its main function came back", cpu_id());
}

static bool smp_wait_online(const struct percpu *p, unsigned us)
{
    for (unsigned waited = 0; waited < us; waited += POLL_US) {
        if (__atomic_load_n(&p->online, __ATOMIC_ACQUIRE))
            return true;
        tsc_delay_us(POLL_US);
    }
    return false;
}

/* The sequence of "MP Initialization Protocol Algorithm": a second STARTUP only if the first one
 * got lost, since a CPU that is on its way must not be taken by surprise. */
static bool smp_wake(const struct percpu *p, uint8_t page)
{
    lapic_send_init(p->apic_id);
    tsc_delay_us(INIT_WAIT_US);
    lapic_send_startup(p->apic_id, page);
    tsc_delay_us(STARTUP_WAIT_US);
    if (smp_wait_online(p, ANSWER_WAIT_US))
        return true;
    lapic_send_startup(p->apic_id, page);
    return smp_wait_online(p, ANSWER_WAIT_US);
}

/* Copies the trampoline and fills in what is the same for all CPUs; returns its parameters. */
static volatile struct trampoline_params *smp_lay_trampoline(void *low_map, maddr_t cr3)
{
    size_t size = (size_t)(trampoline_end - trampoline_start);
    volatile struct trampoline_params *params;

    ASSERT(size <= PAGE_SIZE);
    memcpy(low_map, trampoline_start, size);
    params = (void *)((uint8_t *)low_map + (trampoline_params - trampoline_start));
    params->efer = rdmsr(MSR_IA32_EFER) & ~(EFER_LMA | EFER_SVME | EFER_AIBRS); /* set by each */
    params->temp_cr3 = image_phys_base + (uint64_t)(boot_pml4 - image_base);
    params->cr3 = cr3.v;
    params->entry = (uint64_t)smp_arrive;
    return params;
}

/* Starts one CPU as number cpu_count. */
static bool smp_start_cpu(volatile struct trampoline_params *params, uint32_t apic_id, uint8_t page,
                          void *stack)
{
    struct percpu *p = percpu_prepare(cpu_count, apic_id, stack);

    params->percpu = (uint64_t)p;
    params->stack = (uint64_t)stack;
    if (!smp_wake(p, page)) {
        log_warn("smp: the CPU with APIC id %u does not answer, left out", apic_id);
        lapic_send_init(apic_id);
        return false;
    }
    tsc_sync_compare(cpu_count);
    cpu_count++;
    return true;
}

/* Where this pCPU is, if that is what the NMI was sent for. */
static bool smp_answer_locate(const struct trap_frame *frame)
{
    int me = (int)cpu_id();

    if (!__atomic_compare_exchange_n(&located, &me, NOBODY, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return false;
    __atomic_store_n(&location, frame->rip, __ATOMIC_RELEASE);
    return true;
}

/* On the NMI's own stack; what a CPU that is stopped did is never taken up again. */
static bool smp_nmi(const struct trap_frame *frame)
{
    if (__atomic_load_n(&stopper, __ATOMIC_ACQUIRE) == NOBODY)
        return frame && smp_answer_locate(frame);
    if (stop_hook)
        stop_hook();
    __atomic_store_n(&this_cpu()->online, false, __ATOMIC_RELEASE);
    host_halt();
}

static bool smp_wants(uint32_t apic_id)
{
    if (apic_id == lapic_id())
        return false;
    if (!lapic_reaches(apic_id))
        log_warn("smp: APIC id %u cannot be reached in xAPIC mode, left out", apic_id);
    return lapic_reaches(apic_id);
}

void smp_set_limit(unsigned n)
{
    ASSERT(n >= 1 && n <= MAX_PCPUS);
    limit = n;
}

void smp_start(maddr_t low, void *low_map, maddr_t cr3, void *(*stack)(void), void (*entry)(void))
{
    volatile struct trampoline_params *params = smp_lay_trampoline(low_map, cr3);
    void *next_stack = NULL;

    ASSERT(low.v < LOW_END && low.v % PAGE_SIZE == 0);
    cpu_entry = entry;
    trap_on_nmi(smp_nmi);
    for (unsigned i = 0; i < acpi.cpu_count && cpu_count < limit; i++) {
        if (!smp_wants(acpi.apic_id[i]))
            continue;
        if (!next_stack)
            next_stack = stack();
        if (!next_stack) {
            log_warn("smp: no memory for another stack, the remaining CPUs stay off");
            break;
        }
        if (smp_start_cpu(params, acpi.apic_id[i], (uint8_t)(low.v >> PAGE_SHIFT), next_stack))
            next_stack = NULL;
    }
    log_info("smp: %u of %u CPUs online", cpu_count, acpi.cpu_count);
}

uint64_t smp_locate(unsigned cpu)
{
    int nobody = NOBODY;
    uint64_t address = 0;

    if (!__atomic_compare_exchange_n(&located, &nobody, (int)cpu, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        return 0;
    __atomic_store_n(&location, 0, __ATOMIC_RELEASE);
    lapic_send_nmi(percpu[cpu].apic_id);
    for (unsigned us = 0; us < LOCATE_WAIT_US && !address; us += POLL_US) {
        tsc_delay_us(POLL_US);
        address = __atomic_load_n(&location, __ATOMIC_ACQUIRE);
    }
    __atomic_store_n(&located, NOBODY, __ATOMIC_RELEASE);
    return address;
}

void smp_on_stop(void (*fn)(void))
{
    stop_hook = fn;
}

static bool smp_others_online(void)
{
    for (unsigned i = 0; i < cpu_count; i++) {
        if (i != cpu_id() && __atomic_load_n(&percpu[i].online, __ATOMIC_ACQUIRE))
            return true;
    }
    return false;
}

void smp_stop_others(void)
{
    int expected = NOBODY, me = (int)cpu_id();

    if (!__atomic_compare_exchange_n(&stopper, &expected, me, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        if (expected != me)
            smp_nmi(NULL);
        return;
    }
    for (unsigned i = 0; i < cpu_count; i++) {
        if (i != (unsigned)me && __atomic_load_n(&percpu[i].online, __ATOMIC_ACQUIRE))
            lapic_send_nmi(percpu[i].apic_id);
    }
    for (unsigned us = 0; us < STOP_WAIT_US && smp_others_online(); us += POLL_US)
        tsc_delay_us(POLL_US);
}
