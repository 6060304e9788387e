/*
 * Host tests' twin of the mode, of what an I/O exit tells and of stepping over an instruction: see
 * tests/fakes/virt.c.
 */
#ifndef CAISSON_VMX_FAST_H
#define CAISSON_VMX_FAST_H

#include "virt/virt.h"

void virt_mode(const struct virt_vcpu *v, struct virt_mode *m);
bool virt_mode_same(const struct virt_mode *a, const struct virt_mode *b);
bool virt_in_64bit_kernel(const struct virt_vcpu *v);
struct virt_io virt_io(const struct virt_vcpu *v);
struct virt_io_string virt_io_string(const struct virt_vcpu *v, struct virt_io io);
void virt_skip(struct virt_vcpu *v);
void virt_skip_len(struct virt_vcpu *v, uint64_t len);

#endif
