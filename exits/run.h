/*
 * The loop that runs a vCPU: what is due, into the guest, and what its exits ask for.
 */
#ifndef CAISSON_EXITS_RUN_H
#define CAISSON_EXITS_RUN_H

#include "domain/vcpu.h"
#include "lib/likely.h"

/* As a scheduler's unit: runs until deadline (TSC); false: it waits to be woken. */
bool vcpu_run(struct sched_unit *u, uint64_t deadline);
/* When the first of the devices that v answers for has something to do: machine TSC. */
uint64_t vcpu_next_due(const struct vcpu *v);
/* Within its stay in the guest, without the domain's lock: if its local APIC's timer is all that is
 * due, and the processor delivers, it fires and v->virt.due is moved. False: look. */
bool must_check vcpu_tick_lapic(struct vcpu *v);
/* The same after an interrupt of the machine's: if requests posted for its local APIC are all that
 * there is to see to, and the processor delivers, it is told them. */
bool must_check vcpu_take_posted(struct vcpu *v);

#endif
