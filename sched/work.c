/*
 * Work for the boot CPU's loop. See sched/work.h.
 *
 * The interrupt is what makes raising it safe under any lock: who raises it may hold the log's.
 */
#include "sched/work.h"
#include "arch/x86/bound.h"
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "lib/assert.h"
#include "lib/list.h"

#define STAY_NS 1000000
#define REST_NS 1000000

static struct work *works; /* boot only, as the vector */
static int vector;

static struct work *of_unit(struct sched_unit *u)
{
    return LIST_ENTRY(u, struct work, unit);
}

/* Guests on this CPU want in: who has more to do than fits into STAY_NS goes on after a rest. What
 * is raised meanwhile comes then, too. */
static bool run(struct sched_unit *u, uint64_t deadline)
{
    struct work *w = of_unit(u);
    uint64_t now = rdtsc();

    (void)deadline;
    if (w->rest.armed)
        return false;
    __atomic_store_n(&w->raised, false, __ATOMIC_SEQ_CST);
    span_begin(NULL, (const void *)w->fn, now);
    if (!w->until)
        w->until = now + tsc_from_ns(STAY_NS);
    bool more = w->fn();
    if (more && rdtsc() < w->until)
        return true;
    w->until = 0;
    if (more)
        timer_set(&w->rest, rdtsc() + tsc_from_ns(REST_NS));
    return false;
}

bool work_has_time(const struct work *w)
{
    return rdtsc() < w->until;
}

/* The interrupt is that of all works. */
static void arrived(void)
{
    for (struct work *w = works; w; w = w->next) {
        if (__atomic_load_n(&w->raised, __ATOMIC_SEQ_CST))
            sched_wake(&w->unit);
    }
}

void work_init(struct work *w, bool (*fn)(void), unsigned cap)
{
    ASSERT(fn && !w->fn && cpu_id() == 0);
    sched_group_init(&w->group, SCHED_DEFAULT_WEIGHT, cap);
    sched_unit_init(&w->unit, &w->group, 1, run, sched_leave_nothing);
    timer_init_wake(&w->rest, &w->unit);
    if (!works)
        vector = irq_alloc_vector(arrived);
    ASSERT(vector > 0);
    w->fn = fn;
    w->next = works;
    works = w;
}

void work_raise(struct work *w)
{
    if (w->fn && !__atomic_exchange_n(&w->raised, true, __ATOMIC_SEQ_CST))
        lapic_send(percpu[0].apic_id, (uint8_t)vector);
}
