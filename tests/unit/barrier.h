/*
 * When virt_load() of either back end has the predictors forget what they were taught, and fills
 * the return stack. Whoever includes it links virt/guard.c and tests/fakes/spec.c.
 */
#ifndef CAISSON_TESTS_BARRIER_H
#define CAISSON_TESTS_BARRIER_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/spec.h"
#include "virt/virt.h"

static unsigned return_stack_fills;

void virt_fill_return_stack(void)
{
    return_stack_fills++;
}

/* Loads v here, as owner's, for a moment, and says whether what others have taught is forgotten. */
static bool barrier_for(struct virt_vcpu *v, uint16_t owner)
{
    unsigned fills = return_stack_fills;

    v->owner_id = owner;
    wrmsr(MSR_IA32_PRED_CMD, 0);
    virt_load(v);
    bool barrier = rdmsr(MSR_IA32_PRED_CMD) == PRED_CMD_IBPB;
    virt_unload(v);
    assert_int_equal(return_stack_fills, fills + barrier);
    return barrier;
}

/* Between two domains, and for one that comes from another pCPU: there may have been one of its id
 * before. v is not loaded. */
static void check_barrier(struct virt_vcpu *v)
{
    uint16_t owner = v->owner_id;

    assert_false(barrier_for(v, 7));
    spec_switch.barrier = true;
    v->pcpu = VIRT_NOWHERE;
    assert_true(barrier_for(v, 7));
    assert_false(barrier_for(v, 7));
    assert_true(barrier_for(v, 8));
    assert_true(barrier_for(v, 7));
    assert_false(barrier_for(v, 7));
    fake_cpu_id = 1;
    assert_true(barrier_for(v, 7));
    assert_false(barrier_for(v, 7));
    fake_cpu_id = 0;
    assert_true(barrier_for(v, 7));
    spec_switch.barrier = false;
    assert_false(barrier_for(v, 8));
    v->owner_id = owner;
}

#endif
