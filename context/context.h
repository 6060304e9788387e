/*
 * The records of a domain's saved state, one for each part of a vCPU.
 *
 * Both domains' locks are held, and v is on no pCPU. Each answers 0 or a negative errno. A record
 * that is taken in part leaves a domain that has not begun, and can be destroyed.
 */
#ifndef CAISSON_CONTEXT_CONTEXT_H
#define CAISSON_CONTEXT_CONTEXT_H

#include "context/stream.h"
#include "domain/domain.h"

/* Of what is written down of a vCPU (exits/state.c). */
static inline uint64_t *context_gpr(struct vcpu *v, enum gpr n)
{
    return n < GPR_R8 ? &v->start.gpr[n] : &v->rest.gpr[n - GPR_R8];
}

/* One for each type of record: put writes those that v has, take reads the one that r describes. */
typedef int context_put(struct stream *s, struct vcpu *v);
typedef int context_take(struct stream *s, const struct hvm_save_descriptor *r, struct vcpu *v);

context_put context_put_cpu, context_put_lapic, context_put_lapic_regs, context_put_mtrr;
context_put context_put_xsave, context_put_tsc_adjust, context_put_msr;
context_take context_take_cpu, context_take_lapic, context_take_lapic_regs, context_take_mtrr;
context_take context_take_xsave, context_take_tsc_adjust, context_take_msr;

#endif
