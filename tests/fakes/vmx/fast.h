/*
 * Host tests' twin of the mode, of what an I/O exit tells and of stepping over an instruction: see
 * tests/fakes/vmx.c.
 */
#ifndef CAISSON_VMX_FAST_H
#define CAISSON_VMX_FAST_H

#include "vmx/vmx.h"

void vmx_mode(const struct vmx_vcpu *v, struct vmx_mode *m);
bool vmx_mode_same(const struct vmx_mode *a, const struct vmx_mode *b);
bool vmx_in_64bit_kernel(const struct vmx_vcpu *v);
struct vmx_io vmx_io(const struct vmx_vcpu *v);
struct vmx_io_string vmx_io_string(const struct vmx_vcpu *v, struct vmx_io io);
void vmx_skip(struct vmx_vcpu *v);
void vmx_skip_len(struct vmx_vcpu *v, uint64_t len);

#endif
