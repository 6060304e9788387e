/*
 * A simulation of several pCPUs with the scheduler on them, thousands of slices, on a pretended
 * clock of 1 GHz.
 *
 * Each pCPU has a clock and a stack of its own; the one that is furthest behind takes a turn, or
 * goes on with one in which it halted. Whatever runs is interrupted after SIM_STEP, so that the
 * clocks stay that close and a kick takes effect by then. Each turn is checked: a unit runs where
 * it may, on one pCPU, with nobody else's registers loaded, and beside nobody whom it must not
 * meet.
 */
#ifndef CAISSON_TESTS_FAKES_SIM_H
#define CAISSON_TESTS_FAKES_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include "sched/sched.h"
#include "sched/timer.h"

#define MS        1000000UL
#define SIM_STEP  (MS / 5)
#define SIM_PCPUS 8
#define SIM_MOST  80
#define HERE      0xfUL

struct sim {
    struct sched_unit unit;
    struct sched_group own;
    struct timer alarm;
    uint64_t burst, sleep; /* runs that long, then sleeps; sleep 0: never */
    uint64_t left;         /* of this burst */
    uint64_t awake_at;     /* until when it sleeps */
    bool blocks;           /* never rests in place */
    bool by_chance;        /* burst and sleep are the most that it takes of each */
    uint64_t beat;         /* sleeps until the next multiple of that; 0: for as long as `sleep` */
    struct sim *wakes;     /* whom it wakes before it sleeps until it is woken itself; or NULL */
    uint64_t woken_at, worst_latency;
    uint64_t came_out, longest_absence; /* of one that never sleeps */
    int loaded_on;
    unsigned leaves;
};

extern struct sim sims[SIM_MOST];
extern unsigned sim_count, sim_pcpus, sim_turns, sim_naps;
extern uint64_t sim_clocks[SIM_PCPUS], sim_idle_ticks[SIM_PCPUS];
extern uint64_t sim_idle_with_work;
/* Pairs of pCPUs are threads of one core: 0 and 1, 2 and 3, and so on. Before sim_begin(). */
extern bool sim_by_core;

/* Setup of a test: so many pCPUs, and never fewer than in the tests before. */
int sim_begin(unsigned n);
/* Teardown: removes everyone, from a pCPU that is theirs or not. */
int sim_end(void **state);

/* A unit of g, or of its own group, which the caller fills then. */
struct sim *sim_make(struct sched_group *g, uint64_t affinity);
struct sim *sim_spinner(unsigned weight, unsigned cap, uint64_t affinity);
struct sim *sim_sleeper(uint64_t burst, uint64_t sleep);
/* A new unit in the place of one that has been removed. */
void sim_renew(struct sim *s);
void sim_wake(struct sim *s);
/* Something at random happens to one of the first n. */
void sim_anything(unsigned n);

/* Of the pCPU that is furthest behind: to the end of its turn, or of a halt in it. */
void sim_turn(void);
void sim_go_on(uint64_t ms);
void sim_reset_counts(void);
/* The same, after it has had time to settle. */
void sim_measure(uint64_t ms);
double sim_ran(const struct sim *s);
void sim_assert_near(double value, double want, double percent);

#endif
