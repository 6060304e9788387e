/*
 * The stay in the guest: the inner loop of each exit, written once and compiled once for each back
 * end, whose functions come as constants and so end up in line. An exit takes no indirect call but
 * that of its action; only vmx/stay.c (and its like of other back ends) includes this.
 */
#ifndef CAISSON_VIRT_STAY_H
#define CAISSON_VIRT_STAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/x86/bound.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "lib/likely.h"
#include "lib/time.h"
#include "virt/virt.h"

/* TSC ticks, which any timer that bounds a stay can count. */
#define STAY_LONGEST ((uint64_t)UINT32_MAX)

/* A back end's: into the guest until `deadline`, at most STAY_LONGEST from `now`, and out; and over
 * the instruction that caused the last exit. The first gives back v, which it has in a register
 * then. */
typedef struct virt_vcpu *stay_enter(struct virt_vcpu *v, uint64_t now, uint64_t deadline);
typedef void stay_skip(struct virt_vcpu *v);

/* In the guest as long as each exit is done with at once: the answer of the first that is not. */
static inline __attribute__((always_inline)) enum exit_answer
stay_until(struct virt_vcpu **v, uint64_t *now, uint64_t until, const struct virt_action *actions,
           stay_enter *enter, stay_skip *skip)
{
    for (;;) {
        span_end();
        *v = enter(*v, *now, until);
        span_begin(virt_exit_name[(*v)->exit.kind], NULL, (*v)->exit.left);
        enum exit_answer answer = actions[(*v)->exit.kind].quick(*v, &(*v)->exit);
        if (likely(answer == EXIT_NEXT))
            skip(*v);
        else if (answer != EXIT_HERE)
            return answer;
        *now = rdtsc();
        virt_count_exit(*v, *now);
    }
}

/* What virt_stay() promises. */
static inline __attribute__((always_inline)) bool stay(struct virt_vcpu *v, uint64_t now,
                                                       const struct virt_action *actions,
                                                       stay_enter *enter, stay_skip *skip)
{
    enum exit_answer answer;

    do {
        uint64_t until = time_earlier(now + STAY_LONGEST, time_earlier(v->due, v->deadline));
        if (unlikely(!virt_caps.preemption_timer))
            lapic_timer_set(until);
        answer = stay_until(&v, &now, until, actions, enter, skip);
        if (answer & EXIT_UNHANDLED)
            return true;
        if (!(answer & EXIT_HERE))
            skip(v);
        now = rdtsc();
        virt_count_exit(v, now);
    } while (!(answer & EXIT_LOOK));
    return false;
}

#endif
