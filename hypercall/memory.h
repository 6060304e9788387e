/*
 * memory_op: what its files share. Not for other rooms.
 */
#ifndef CAISSON_HYPERCALL_MEMORY_H
#define CAISSON_HYPERCALL_MEMORY_H

#include "domain/domain.h"
#include "include/public/memory.h"

/* How far a list has been worked off stands above the command, as in Xen. */
#define MEMORY_CMD_MASK ((1u << XENMEM_CMD_BITS) - 1)
#define MEMORY_BATCH    32 /* frames of a list at a time */

/* One frame number of a list in guest memory. 0 or -EFAULT. */
int must_check memory_read_frame(struct vcpu *v, uint64_t list, uint64_t i, gfn_t *out);
/* After `done` of `all`, an error and perhaps more time: what the call answers, 0 in the end.
 * -EAGAIN: TLBs of d's, whose lock is held, hold on to frames; everyone comes out, and the call is
 * made again. */
int64_t memory_after_some(uint64_t *args, uint64_t done, uint64_t all, int err);
void memory_come_out(struct domain *d);

/* ---- The control domain's; args as hypercall_memory_op() has them ---- */
int64_t memory_set_map(struct vcpu *v, uint64_t at);
int64_t memory_add_batch(struct vcpu *v, uint64_t *args);
int64_t memory_acquire_resource(struct vcpu *v, uint64_t *args);
int64_t memory_pod_target(struct vcpu *v, uint64_t at, bool set);

#endif
