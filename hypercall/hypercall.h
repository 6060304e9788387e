/*
 * The paravirtual interface: hypercalls with Xen's numbers.
 *
 * Each call is decode, then do: decode reads the guest's arguments once, checks everything and
 * changes nothing; do cannot fail. One file per group of Xen's calls.
 */
#ifndef CAISSON_HYPERCALL_HYPERCALL_H
#define CAISSON_HYPERCALL_HYPERCALL_H

#include <stdbool.h>
#include <stdint.h>
#include "domain/domain.h"
#include "guestmem/gva.h"

#define HYPERCALL_ARGS 5

/* Carries out the hypercall that made v exit; false: the guest is to make it again. The
 * hook of domain/domain.h, as the next one is. */
bool hypercall_handle(struct vcpu *v);
/* The answers of calls that look at nothing but the caller, by number and first argument, from
 * 64-bit code at CPL 0, or what domain/domain.h has instead. Without the domain's lock. */
int64_t hypercall_lockless(uint64_t nr, uint64_t first);
/* Carries out one of which it has answered HYPERCALL_NEEDS_LOCK; as hypercall_handle(). */
bool hypercall_locked(struct vcpu *v);

/* The groups: arguments in Xen's order; result, negative errno, or HYPERCALL_CONTINUE. Those of the
 * control domain are in control/. */
int64_t hypercall_xen_version(struct vcpu *v, uint64_t *args);
int64_t hypercall_console_io(struct vcpu *v, uint64_t *args);
int64_t hypercall_sched_op(struct vcpu *v, uint64_t *args);
int64_t hypercall_memory_op(struct vcpu *v, uint64_t *args);
int64_t hypercall_vcpu_op(struct vcpu *v, uint64_t *args);
int64_t hypercall_set_timer_op(struct vcpu *v, uint64_t *args);
int64_t hypercall_hvm_op(struct vcpu *v, uint64_t *args);
int64_t hypercall_vm_assist(struct vcpu *v, uint64_t *args);
int64_t hypercall_event_channel_op(struct vcpu *v, uint64_t *args);
int64_t hypercall_grant_table_op(struct vcpu *v, uint64_t *args);
/* EVTCHNOP_send alone, with its structure at this address. */
int64_t hypercall_event_send(struct vcpu *v, uint64_t at);
int64_t hypercall_multicall(struct vcpu *v, uint64_t *args);
/* Any of them, by number. */
int64_t hypercall_call(struct vcpu *v, uint64_t nr, uint64_t *args);

/* Guest frame numbers have this many bits at most: 48 of address. */
#define HYPERCALL_GFN_BITS 36

/* May the caller control the domain of this id? 0; -ESRCH, -EPERM, see xen/pair.h. */
int must_check hypercall_may_control(struct vcpu *v, uint16_t domid);

#endif
