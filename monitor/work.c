/*
 * Work for the boot CPU's loop. See monitor/work.h.
 *
 * The interrupt is what makes raising it safe under any lock: who raises it may hold the log's.
 */
#include "monitor/work.h"
#include "arch/x86/irq.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "lib/assert.h"
#include "sched/sched.h"

static struct sched_unit unit;
static struct sched_group own_time; /* the unit's */
static void (*work)(void);          /* boot only */
static int vector;                  /* boot only */
static bool raised;                 /* atomic: the interrupt is on its way, or the unit awake */

static bool run(struct sched_unit *u, uint64_t deadline)
{
    (void)u;
    (void)deadline;
    __atomic_store_n(&raised, false, __ATOMIC_SEQ_CST);
    work();
    return false;
}

/* It keeps no registers. */
static void leave_nothing(struct sched_unit *u)
{
    (void)u;
}

static void arrived(void)
{
    sched_wake(&unit);
}

void work_init(void (*fn)(void))
{
    ASSERT(fn && !work && cpu_id() == 0);
    sched_group_init(&own_time, SCHED_DEFAULT_WEIGHT, 0);
    sched_unit_init(&unit, &own_time, 1, run, leave_nothing);
    vector = irq_alloc_vector(arrived);
    ASSERT(vector > 0);
    work = fn;
}

void work_raise(void)
{
    if (work && !__atomic_exchange_n(&raised, true, __ATOMIC_SEQ_CST))
        lapic_send(percpu[0].apic_id, (uint8_t)vector);
}
