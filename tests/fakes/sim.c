/*
 * See tests/fakes/sim.h.
 */
#include "tests/fakes/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "lib/lockdep.h"
#include "sched/queue.h"

struct sim sims[SIM_MOST];
unsigned sim_count, sim_pcpus, sim_turns, sim_naps;
uint64_t sim_clocks[SIM_PCPUS], sim_idle_ticks[SIM_PCPUS], sim_idle_with_work;
bool sim_by_core;
static struct sim *on[SIM_PCPUS]; /* whose registers each pCPU holds */
static struct sim *napping;       /* about to halt in place */
static ucontext_t sim_context, pcpu_context[SIM_PCPUS];
static char stacks[SIM_PCPUS][1 << 17];

/* Of a pCPU that halts: an interrupt has come; when its timer's does. */
static bool kicked[SIM_PCPUS];
static uint64_t alarms[SIM_PCPUS];

void irq_kick(unsigned cpu)
{
    assert_true(cpu != fake_cpu_id && cpu < sim_pcpus);
    kicked[cpu] = true;
}

void lapic_timer_set(uint64_t deadline)
{
    alarms[fake_cpu_id] = deadline;
}

static unsigned this_cpu_id(void)
{
    return fake_cpu_id;
}

static void check_place(struct sim *s)
{
    unsigned me = fake_cpu_id;

    assert_int_equal(lockdep_held(), 0);
    assert_true(s->unit.state == SCHED_RUNNING && s->unit.pcpu == me);
    assert_false(s->unit.going);
    assert_true(s->unit.affinity >> me & 1);
    assert_true(!on[me] || on[me] == s);
    assert_true(s->loaded_on < 0 || s->loaded_on == (int)me);
    on[me] = s;
    s->loaded_on = (int)me;
}

static bool someone_waits(void)
{
    for (unsigned i = 0; i < sim_count; i++) {
        if (sims[i].unit.state == SCHED_RUNNABLE && sims[i].unit.affinity >> fake_cpu_id & 1)
            return true;
    }
    return false;
}

static void let_others_go_on(unsigned me)
{
    sim_clocks[me] = fake_tsc;
    swapcontext(&pcpu_context[me], &sim_context);
}

/* In place: no longer than SIM_STEP, an interrupt that means nothing. */
static void time_in_nap(unsigned me)
{
    uint64_t left = napping->awake_at - fake_tsc, most = left < SIM_STEP ? left : SIM_STEP;

    napping = NULL;
    fake_tsc += most;
    sim_idle_ticks[me] += most;
    sim_naps++;
    let_others_go_on(me);
}

/* Until an interrupt comes that means something. */
static void time_idle(unsigned me)
{
    do {
        sim_idle_ticks[me] += SIM_STEP / 4;
        sim_idle_with_work += someone_waits() ? SIM_STEP / 4 : 0;
        fake_tsc += SIM_STEP / 4;
        let_others_go_on(me);
    } while (!kicked[me] && fake_tsc < alarms[me]);
}

static void time_in_halt(void)
{
    unsigned me = fake_cpu_id;

    assert_int_equal(lockdep_held(), 0);
    assert_true(queue_idle() >> me & 1 || kicked[me]); /* somebody has spoken for it meanwhile */
    if (napping)
        time_in_nap(me);
    else
        time_idle(me);
}

/* Until it is time to be awake, in place if it may; else its alarm wakes it: false. */
static bool sleeps_here(struct sim *s)
{
    bool on = true;

    while (on && fake_tsc < s->awake_at) {
        napping = s;
        on = !s->blocks && sched_halt_in_place(s->awake_at);
        napping = NULL;
    }
    if (!on)
        timer_set(&s->alarm, s->awake_at);
    return on;
}

static uint64_t some_of(const struct sim *s, uint64_t most)
{
    return s->by_chance ? 1 + (uint64_t)rand() % most : most;
}

/* A burst is over. Who is woken by another one sleeps until then, in no place of its own. */
static bool rests(struct sim *s)
{
    s->left = some_of(s, s->burst);
    if (s->wakes) {
        sim_wake(s->wakes);
        return false;
    }
    s->awake_at = fake_tsc + some_of(s, s->sleep);
    if (s->beat)
        s->awake_at = (fake_tsc / s->beat + 1) * s->beat;
    return sleeps_here(s);
}

static bool unit_work(struct sched_unit *u, uint64_t deadline)
{
    struct sim *s = (struct sim *)u;
    uint64_t most = SIM_STEP;

    check_place(s);
    sim_turns++;
    if (s->woken_at) {
        uint64_t latency = fake_tsc - s->woken_at;
        if (fake_tsc > s->woken_at && latency > s->worst_latency)
            s->worst_latency = latency;
        s->woken_at = 0;
    }
    if (!sleeps_here(s))
        return false;
    if (deadline <= fake_tsc)
        return true;
    if (deadline - fake_tsc < most)
        most = deadline - fake_tsc;
    if (s->sleep && s->left < most)
        most = s->left;
    fake_tsc += most;
    s->left -= s->sleep ? most : 0;
    if (!s->sleep || s->left)
        return true;
    return rests(s);
}

/* ---- Siblings ---- */

/* The last run on each pCPU. */
static struct {
    const struct sched_group *group;
    uint64_t begin, end;
} runs[SIM_PCPUS];

static uint32_t core_number(unsigned pcpu)
{
    return pcpu < 4 ? pcpu / 2 : 2;
}

static bool may_not_meet(unsigned a, unsigned b)
{
    return runs[a].group && runs[b].group && runs[a].group != runs[b].group;
}

/* This run has just ended: nobody ran on another thread of the core who must not meet it. */
static void check_sibling(const struct sim *s, uint64_t begin)
{
    unsigned me = fake_cpu_id;

    runs[me].group = s->unit.group->apart ? s->unit.group : NULL;
    runs[me].begin = begin;
    runs[me].end = fake_tsc;
    for (unsigned i = 0; i < sim_pcpus; i++)
        if (sim_by_core && core_number(i) == core_number(me) && may_not_meet(me, i))
            assert_true(runs[me].end <= runs[i].begin || runs[i].end <= begin);
}

static void check_absence(struct sim *s)
{
    if (s->came_out && fake_tsc > s->came_out && fake_tsc - s->came_out > s->longest_absence)
        s->longest_absence = fake_tsc - s->came_out;
}

static bool unit_run(struct sched_unit *u, uint64_t deadline)
{
    struct sim *s = (struct sim *)u;
    uint64_t begin = fake_tsc;

    check_absence(s);
    bool stays = unit_work(u, deadline);
    check_sibling(s, begin);
    s->came_out = stays ? fake_tsc : 0;
    return stays;
}

static void unit_leave(struct sched_unit *u)
{
    struct sim *s = (struct sim *)u;

    assert_int_equal(lockdep_held(), 0);
    assert_int_equal(s->loaded_on, fake_cpu_id);
    assert_ptr_equal(on[fake_cpu_id], s);
    on[fake_cpu_id] = NULL;
    s->loaded_on = -1;
    s->leaves++;
}

void sim_wake(struct sim *s)
{
    if (s->unit.state == SCHED_BLOCKED)
        s->woken_at = fake_tsc;
    sched_wake(&s->unit);
}

static void alarm_rings(struct timer *t)
{
    sim_wake(LIST_ENTRY(t, struct sim, alarm));
}

struct sim *sim_make(struct sched_group *g, uint64_t affinity)
{
    struct sim *s = &sims[sim_count++];

    *s = (struct sim){ .loaded_on = -1 };
    timer_init(&s->alarm, alarm_rings);
    sched_unit_init(&s->unit, g ? g : &s->own, affinity, unit_run, unit_leave);
    return s;
}

struct sim *sim_spinner(unsigned weight, unsigned cap, uint64_t affinity)
{
    struct sim *s = sim_make(NULL, affinity);

    sched_group_init(&s->own, weight, cap);
    s->own.apart = sim_by_core;
    sim_wake(s);
    return s;
}

struct sim *sim_sleeper(uint64_t burst, uint64_t sleep)
{
    struct sim *s = sim_spinner(256, 0, HERE);

    s->burst = s->left = burst;
    s->sleep = sleep;
    return s;
}

/* On a stack of its own, so that it may halt in the midst of a turn. */
static void pcpu_loop(void)
{
    for (unsigned me = fake_cpu_id;;) {
        kicked[me] = false;
        sched_turn();
        let_others_go_on(me);
    }
}

/* Of the pCPU that is furthest behind: to the end of its turn, or of a halt in it. */
void sim_turn(void)
{
    unsigned me = 0;

    for (unsigned i = 1; i < sim_pcpus; i++)
        me = sim_clocks[i] < sim_clocks[me] ? i : me;
    fake_cpu_id = me;
    fake_tsc = sim_clocks[me];
    swapcontext(&sim_context, &pcpu_context[me]);
}

void sim_go_on(uint64_t ms)
{
    uint64_t end = sim_clocks[0] + ms * MS;

    kicked[fake_cpu_id] = true; /* the test may have acted in its name */

    while (sim_clocks[0] < end)
        sim_turn();
}

void sim_reset_counts(void)
{
    sim_idle_with_work = 0;
    for (unsigned i = 0; i < sim_count; i++) {
        sims[i].unit.stats = (struct sched_stats){ 0 };
        sims[i].longest_absence = 0;
    }
    memset(sim_idle_ticks, 0, sizeof(sim_idle_ticks));
}

/* After it has had time to settle. */
void sim_measure(uint64_t ms)
{
    sim_go_on(500);
    sim_reset_counts();
    sim_go_on(ms);
}

void sim_assert_near(double value, double want, double percent)
{
    if (value < want * (1 - percent / 100) || value > want * (1 + percent / 100))
        fail_msg("%.3f is not within %.1f %% of %.3f", value, percent, want);
}

double sim_ran(const struct sim *s)
{
    return (double)s->unit.stats.ran;
}

static void pcpu_start(unsigned n)
{
    getcontext(&pcpu_context[n]);
    pcpu_context[n].uc_stack.ss_sp = stacks[n];
    pcpu_context[n].uc_stack.ss_size = sizeof(stacks[n]);
    makecontext(&pcpu_context[n], pcpu_loop, 0);
}

int sim_begin(unsigned n)
{
    sim_pcpus = n;
    sim_count = 0;
    tsc_set_rate(1000000000);
    lockdep_start(this_cpu_id);
    sched_use_cores(sim_by_core ? core_number : NULL);
    memset(runs, 0, sizeof(runs));
    if (!sched_joined())
        sched_start();
    for (fake_cpu_id = 0; fake_cpu_id < n; fake_cpu_id++) {
        sim_clocks[fake_cpu_id] = sim_clocks[0] > 1000 ? sim_clocks[0] : 1000;
        sched_join();
        queue_set_idle(fake_cpu_id, false);
        pcpu_start(fake_cpu_id);
    }
    fake_cpu_id = 0;
    fake_tsc = sim_clocks[0];
    fake_while_halted = time_in_halt;
    return 0;
}

/* Removes everyone, from a pCPU that is theirs or not. */
int sim_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sim_count; i++) {
        for (unsigned n = 0; sched_unit_remove(&sims[i].unit); n++) {
            assert_true(n < 100);
            sim_turn();
        }
        timer_cancel(&sims[i].alarm);
        assert_int_equal(sims[i].loaded_on, -1);
    }
    for (unsigned i = 0; i < SIM_PCPUS; i++) {
        assert_int_equal(sched_queues[i].count, 0);
        assert_int_equal(sched_queues[i].load, 0);
    }
    return 0;
}

void sim_renew(struct sim *s)
{
    sched_unit_init(&s->unit, s->unit.group, (1UL << sim_pcpus) - 1, unit_run, unit_leave);
    sim_wake(s);
}

void sim_anything(unsigned n)
{
    struct sim *s = &sims[(unsigned)rand() % n];
    unsigned everywhere = (1u << sim_pcpus) - 1;

    kicked[fake_cpu_id] = true;
    switch (rand() % 12) {
    case 0:
        assert_int_equal(sched_set_affinity(&s->unit, 1 + (unsigned)rand() % everywhere), 0);
        break;
    case 1:
        sim_wake(s);
        break;
    case 2:
        sched_group_set_cap(&s->own, (unsigned)rand() % 3 * 20);
        break;
    case 3:
        sched_yield_to(&s->unit);
        break;
    case 4:
        if (sched_unit_remove(&s->unit))
            break; /* later, or at the end */
        timer_cancel(&s->alarm);
        assert_int_equal(s->loaded_on, -1);
        assert_int_equal(s->own.active, 0);
        sim_renew(s);
        break;
    default:
        break;
    }
}
