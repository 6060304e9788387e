/*
 * FPU, SSE and the extended states: whole, and only when a vCPU comes to or leaves a pCPU; and one
 * register of them where an instruction that has it as an operand is carried out for the guest.
 */
#ifndef CAISSON_VIRT_FPU_H
#define CAISSON_VIRT_FPU_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/errno.h"

struct virt_vcpu;

int must_check fpu_create(struct virt_vcpu *v); /* for v->xcr0_mask; state as after RESET */
void fpu_destroy(struct virt_vcpu *v);
void fpu_load(struct virt_vcpu *v);
void fpu_save(struct virt_vcpu *v);

/* ---- fpu_image.c: of a vCPU that is not loaded ---- */

/* All of its states as XSAVE lays them out, and how many bytes they take; without XSAVE, none: its
 * legacy region is all there is. Which states these are; its XCR0. */
#define FPU_LEGACY_BYTES 512
#define FPU_HEADER_BYTES 64
const void *fpu_image(struct virt_vcpu *v);
uint32_t fpu_image_bytes(const struct virt_vcpu *v);
uint64_t fpu_image_states(const struct virt_vcpu *v);
uint64_t fpu_image_xcr0(const struct virt_vcpu *v);
/* Another legacy region, and that it is all there is; legacy region and XSAVE's header behind it,
 * with XCR0. What lies behind the header is a copy for the caller to make, to fpu_image_rest(). 0;
 * -EINVAL, nothing has changed: XRSTOR or XSETBV would refuse it. */
int must_check fpu_image_put_legacy(struct virt_vcpu *v, const void *image);
int must_check fpu_image_put(struct virt_vcpu *v, const void *image, uint64_t xcr0);
void *fpu_image_rest(struct virt_vcpu *v);

/* ---- Of a loaded vCPU ---- */

/* Has the guest enabled AVX by XCR0? */
bool fpu_has_avx(struct virt_vcpu *v);
/* YMMn, 0 to 15; its upper half is zero where the domain has no AVX. To write: the whole register,
 * with zeroes above it (as AVX does), or the lower half alone (as SSE does). */
void fpu_read_vector(struct virt_vcpu *v, unsigned n, uint64_t value[4]);
void fpu_write_vector(struct virt_vcpu *v, unsigned n, const uint64_t value[4], bool whole);
/* MMn, 0 to 7. Both have the effects on the x87 that an MMX instruction has. */
uint64_t fpu_read_mmx(struct virt_vcpu *v, unsigned n);
void fpu_write_mmx(struct virt_vcpu *v, unsigned n, uint64_t value);

/* An x87 instruction with an operand in memory. */
struct fpu_x87 {
    uint16_t opcode;       /* as the FPU keeps it: three bits of the first byte, then ModR/M */
    uint64_t rip, operand; /* offsets in their segments, for the FPU's pointers */
};
/* Is an exception pending, which the next instruction that waits would raise? */
bool fpu_x87_exception(void);
/* The guest's registers become what the instruction makes of them, with *operand as its memory; it
 * must not raise an exception of an earlier one. False: a store stores nothing, since its own is
 * pending now. */
bool fpu_x87(struct virt_vcpu *v, const struct fpu_x87 *x, void *operand);

#endif
