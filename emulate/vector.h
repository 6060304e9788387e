/*
 * Moves between memory and a register of MMX, SSE or AVX. They stay in the CPU while Caisson works
 * for the guest (virt/fpu.h).
 */
#ifndef CAISSON_EMULATE_VECTOR_H
#define CAISSON_EMULATE_VECTOR_H

#include <stdint.h>
#include "lib/errno.h"

struct decode;
struct emulator;
struct virt_vcpu;

/* May the guest execute it? 0, or an error of emulate/emulator.h. Without this, registers must not
 * be touched: the CPU may have none, and another vCPU may have changed the code since the exit. */
int must_check vector_check(struct emulator *e, const struct decode *insn);
/* What a store writes; and what a load has read. */
void vector_source(struct virt_vcpu *v, const struct decode *insn, uint64_t value[4]);
/* The register that says which bytes of that are written. */
void vector_mask(struct virt_vcpu *v, const struct decode *insn, uint64_t value[4]);
void vector_finish(struct virt_vcpu *v, const struct decode *insn, const uint64_t value[4]);

#endif
