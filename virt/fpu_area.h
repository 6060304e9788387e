/*
 * The area in which a vCPU's FPU, SSE and extended states lie while it is not loaded: FXSAVE's
 * image and XSAVE's header (SDM volume 1, "Legacy Region of an XSAVE Area"). Only for fpu*.c.
 */
#ifndef CAISSON_VIRT_FPU_AREA_H
#define CAISSON_VIRT_FPU_AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct virt_vcpu;

#define FPU_XSAVE_LEAF  0xD  /* of CPUID; subleaf n: where state component n is */
#define FPU_TAGS_IN_USE 0xFF /* all registers, in the abridged form */

struct fpu_area {
    uint16_t fcw, fsw;
    uint8_t ftw, zero;
    uint16_t fop; /* of the last x87 instruction: opcode, address, and that of its operand */
    uint64_t fip, fdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[8][16]; /* from the top of the stack on */
    uint8_t xmm[16][16];
    uint8_t unused[96];
    uint64_t xstate_bv, xcomp_bv, reserved[6];
};
_Static_assert(sizeof(struct fpu_area) == 576, "as the SDM draws it");
_Static_assert(offsetof(struct fpu_area, mxcsr) == 24, "as the SDM draws it");
_Static_assert(offsetof(struct fpu_area, xstate_bv) == 512, "as the SDM draws it");

/* How large an area with these states is; would XSETBV take this value, if these can be on? */
uint32_t fpu_area_bytes(uint64_t mask);
bool fpu_xcr0_fits(uint64_t value, uint64_t mask);
/* What is not in use is spelt out, and is in use from now on. */
void fpu_spell_out(struct fpu_area *area);
/* All registers of the loaded vCPU, in its area; fpu_load() puts them back. A component in its
 * initial configuration is spelt out, so that one register of it can be changed. */
struct fpu_area *fpu_take_out(struct virt_vcpu *v);

#endif
