/*
 * The control domain's calls: domctl, sysctl, platform_op, and what their files share.
 *
 * Each is decoded first, by control_decode(), which asks for the right to it before it reads
 * anything. Then the operation that the structure names is looked up in a table and carried out.
 */
#ifndef CAISSON_CONTROL_CONTROL_H
#define CAISSON_CONTROL_CONTROL_H

#include "domain/domain.h"
#include "guestmem/gva.h"
#include "include/public/control.h"
#include "include/public/version.h"

/* args: the structure; of physdev_op, the operation, then that. Result, negative errno, or
 * HYPERCALL_CONTINUE. -EPERM for all domains but the control domain. The caller's lock is held. */
int64_t control_platform_op(struct vcpu *v, uint64_t *args);
int64_t control_physdev_op(struct vcpu *v, uint64_t *args);
int64_t control_domctl(struct vcpu *v, uint64_t *args);
int64_t control_sysctl(struct vcpu *v, uint64_t *args);

/* A domain's handle, which is something like a UUID: what its maker chose, the beginning of its
 * name if it is of the menu; the control domain's is all zero. */
void control_handle(const struct domain *d, uint8_t out[XENVER_HANDLE_LEN]);

/* ---- For the files of this room ---- */

/* Copies the caller's structure of `size` bytes, which begins with cmd and interface_version.
 * 0; -EPERM: it is not the control domain, nothing was read; -EFAULT; -EACCES: the structure is
 * another version's. */
int must_check control_decode(struct vcpu *v, uint64_t at, void *op, size_t size, uint32_t version);

/* What there is to say of d, kept from going away. */
void control_describe(const struct domain *d, struct xen_domctl_getdomaininfo *out);

/* A mask of pCPUs, out of a bitmap of the caller's and into it; what of it has no place is left
 * out. 0 or -EFAULT. */
int must_check control_read_mask(struct vcpu *v, const struct xen_ctl_bitmap *from, uint64_t *out);
int must_check control_write_mask(struct vcpu *v, const struct xen_ctl_bitmap *to, uint64_t mask);

#endif
