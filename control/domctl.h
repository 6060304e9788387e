/*
 * The operations of domctl that have files of their own. Not for other rooms.
 *
 * Each is one operation on d, which is kept from going away and not locked, but where it is the
 * caller's own. op: a copy of the caller's structure, whose union goes back to it after a 0 if the
 * table in domctl.c says so. Result, negative errno, or HYPERCALL_CONTINUE.
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
/* ---- domctl_create.c. d: NULL for createdomain ---- */
int64_t domctl_createdomain(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_max_vcpus(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_max_mem(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_set_paging_mempool_size(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_setnodeaffinity(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_gettscinfo(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_settscinfo(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_resumedomain(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_destroydomain(struct vcpu *v, struct domain *d, struct xen_domctl *op);
/* ---- domctl_save.c ---- */
int64_t domctl_getpageframeinfo3(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_shadow_op(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_subscribe(struct vcpu *v, struct domain *d, struct xen_domctl *op);
/* ---- vcpu_context.c ---- */
int64_t domctl_getvcpucontext(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_setvcpucontext(struct vcpu *v, struct domain *d, struct xen_domctl *op);
/* ---- policy.c, context.c ---- */
int64_t domctl_get_cpu_policy(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_set_cpu_policy(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_gethvmcontext(struct vcpu *v, struct domain *d, struct xen_domctl *op);
int64_t domctl_sethvmcontext(struct vcpu *v, struct domain *d, struct xen_domctl *op);

/* Of `cmd`, in the caller's own structure: this is a continuation. */
#define DOMCTL_GOES_ON (1u << 31)
/* Of destroydomain: 0 once this domain exists no more. */
int64_t domctl_is_gone(struct vcpu *v, uint16_t id);

#endif
