/*
 * The operations of sysctl that have files of their own. Not for other rooms.
 *
 * Each is one operation on the machine. op: a copy of the caller's structure, which goes back to it
 * after a 0. Result, negative errno, or HYPERCALL_CONTINUE.
 */
#ifndef CAISSON_CONTROL_SYSCTL_H
#define CAISSON_CONTROL_SYSCTL_H

#include "domain/domain.h"
#include "include/public/control.h"

/* Of `cmd`, in the caller's own structure: this is a continuation. */
#define SYSCTL_GOES_ON (1u << 31)

int64_t sysctl_getdomaininfolist(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_getcpuinfo(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_cputopoinfo(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_physinfo(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_numainfo(struct vcpu *v, struct xen_sysctl *op);
/* sysctl_log.c */
int64_t sysctl_readconsole(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_debug_keys(struct vcpu *v, struct xen_sysctl *op);
/* policy.c */
int64_t sysctl_cpu_policy(struct vcpu *v, struct xen_sysctl *op);
int64_t sysctl_cpu_featureset(struct vcpu *v, struct xen_sysctl *op);

#endif
