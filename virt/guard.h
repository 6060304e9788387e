/*
 * Against speculation, what both back ends do alike: between two domains' vCPUs here, and on the
 * way out of a guest (guard.inc). docs/speculation.md.
 */
#ifndef CAISSON_VIRT_GUARD_H
#define CAISSON_VIRT_GUARD_H

struct virt_vcpu;

/* v is about to be loaded here; v->pcpu is still where it was. Forgets what another domain's vCPUs
 * have taught this pCPU's predictors, and the return stack. For CPUs with spec_switch.barrier. */
void guard_load(const struct virt_vcpu *v);

#endif
