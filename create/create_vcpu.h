/*
 * A vCPU is made, with the state that its domain's image wants, and unmade. By whoever builds or
 * destroys its domain: it does not run.
 */
#ifndef CAISSON_CREATE_CREATE_VCPU_H
#define CAISSON_CREATE_CREATE_VCPU_H

#include "domain/vcpu.h"

struct image_start;

/* The next one of d. 0 or -ENOMEM. */
int must_check vcpu_create(struct domain *d);
/* Puts registers and mode in as the loaded image wants to be entered; v has not run yet. */
void vcpu_set_start(struct vcpu *v, const struct image_start *start);
/* It has been taken out of the scheduler (sched_unit_remove()). */
void vcpu_destroy(struct vcpu *v);

#endif
