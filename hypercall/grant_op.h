/*
 * Grant tables: memory that one domain lends to another. See grant_table.c.
 */
#ifndef CAISSON_HYPERCALL_GRANT_OP_H
#define CAISSON_HYPERCALL_GRANT_OP_H

#include <stdbool.h>
#include <stdint.h>
#include "domain/vcpu.h"
#include "lib/addr.h"

int64_t hypercall_grant_table_op(struct vcpu *v, uint64_t *args);

/* The frame of d's table with this index (XENMAPSPACE_GRANT_TABLE), growing the table to it. 0,
 * -EINVAL beyond its limit, -ENOMEM. The frame stays the table's. */
int must_check grant_table_frame(struct domain *d, uint64_t index, mfn_t *out);
/* Is this one of them? */
bool grant_table_has(const struct domain *d, mfn_t m);

#endif
