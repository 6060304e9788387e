/*
 * The state in which a vCPU is to begin, in the words of VCPUOP_initialise.
 */
#ifndef CAISSON_XEN_XEN_CONTEXT_H
#define CAISSON_XEN_XEN_CONTEXT_H

#include "include/public/hvm/hvm_vcpu.h"
#include "lib/errno.h"
#include "virt/start.h"

/* c, which a call gives, checked. 0; -EINVAL. */
int must_check xen_context_read(const struct xen_vcpu_hvm_context *c, struct virt_start *out);

#endif
