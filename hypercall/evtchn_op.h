/*
 * Event channels: ports of a domain, what they are connected to, and how an event reaches a vCPU.
 * See event_channel.c. What domain/ wants of them is struct pv_events of xen/pv_vcpu.h.
 */
#ifndef CAISSON_HYPERCALL_EVTCHN_OP_H
#define CAISSON_HYPERCALL_EVTCHN_OP_H

#include <stdint.h>
#include "xen/pv_vcpu.h"
#include "domain/vcpu.h"

extern const struct pv_events event_channel_events; /* for pv_set_events() at boot */

int64_t hypercall_event_channel_op(struct vcpu *v, uint64_t *args);

#endif
