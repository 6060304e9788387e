/*
 * The control domain's calls, domctl and sysctl: what their files share. Not for other rooms.
 */
#ifndef CAISSON_HYPERCALL_CONTROL_H
#define CAISSON_HYPERCALL_CONTROL_H

#include "domain/domain.h"
#include "include/public/control.h"

/* One operation on d, which is kept from going away and not locked, but where it is the caller's
 * own. op: a copy of the caller's structure, whose union goes back to it after a 0 if the table in
 * domctl.c says so. Result, or negative errno. */
int64_t domctl_getdomaininfo(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_getvcpuinfo(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_getvcpuaffinity(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_setvcpuaffinity(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_scheduler_op(struct vcpu *v, struct domain *d, struct xen_domctl *op);

/* One operation on the machine; HYPERCALL_CONTINUE too. */
int64_t sysctl_getdomaininfolist(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_cputopoinfo(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_physinfo(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_numainfo(struct vcpu *v, struct xen_sysctl *op);
/* Of `cmd`, in the caller's own structure: this is a continuation. */
#define SYSCTL_GOES_ON (1u << 31)

/* What there is to say of d, kept from going away. */
void control_describe(const struct domain *d, struct xen_domctl_getdomaininfo *out);

/* A mask of pCPUs, out of a bitmap of the caller's and into it; what of it has no place is left
 * out. 0 or -EFAULT. */
int must_check control_read_mask(struct vcpu *v, const struct xen_ctl_bitmap *from, uint64_t *out);
int must_check control_write_mask(struct vcpu *v, const struct xen_ctl_bitmap *to, uint64_t mask);

#endif
