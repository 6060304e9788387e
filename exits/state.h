/*
 * Where a vCPU goes on, and the state of one that stops. For run.c, with the vCPU loaded.
 */
#ifndef CAISSON_EXITS_STATE_H
#define CAISSON_EXITS_STATE_H

#include "domain/vcpu.h"

/* Acts on what says where it goes on: INIT, STARTUP, a state to begin with. */
static inline bool vcpu_is_directed(const struct vcpu *v)
{
    return v->init_pending | v->begins | (v->startup_page >= 0);
}
void vcpu_direct(struct vcpu *v);
/* It may not enter, and leaves this pCPU; if its domain is suspended its state is written down. */
void vcpu_stay_out(struct vcpu *v);

#endif
