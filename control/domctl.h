/*
 * The operations of domctl that have files of their own. Not for other rooms.
 *
 * Each is one operation on d, which is kept from going away and not locked, but where it is the
 * caller's own. op: a copy of the caller's structure, whose union goes back to it after a 0 if the
 * table in domctl.c says so. Result, or negative errno.
 */
#ifndef CAISSON_CONTROL_DOMCTL_H
#define CAISSON_CONTROL_DOMCTL_H

#include "domain/domain.h"
#include "include/public/control.h"

int64_t domctl_getdomaininfo(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_getvcpuinfo(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_getvcpuaffinity(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_setvcpuaffinity(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_scheduler_op(struct vcpu *v, struct domain *d, struct xen_domctl *op);

#endif
