/*
 * Operands of an instruction that Caisson carries out for a guest: how a register takes a value of
 * a given width, where a segmented address is, and what is there.
 *
 * Widths are bytes: 1, 2, 4, 8.
 */
#ifndef CAISSON_EMULATE_OPERAND_H
#define CAISSON_EMULATE_OPERAND_H

#include <stdbool.h>
#include <stdint.h>
#include "decode/decode.h"
#include "guestmem/gva.h"
#include "lib/addr.h"
#include "lib/errno.h"
#include "virt/virt.h"

struct emulator;

static inline uint64_t operand_truncate(uint64_t value, unsigned width)
{
    return width == 8 ? value : value & ((1ul << (8 * width)) - 1);
}

static inline uint64_t operand_sign_extend(uint64_t value, unsigned width)
{
    unsigned shift = 64 - 8 * width;

    return (uint64_t)((int64_t)(value << shift) >> shift);
}

/* A register that held `old` after a write of `width` bytes: 32-bit writes clear the upper half,
 * narrower ones leave the rest alone (SDM volume 1, "General-Purpose Registers in 64-Bit Mode"). */
static inline uint64_t operand_merge(uint64_t old, uint64_t value, unsigned width)
{
    if (width >= 4)
        return operand_truncate(value, width);
    uint64_t mask = (1ul << (8 * width)) - 1;
    return (old & ~mask) | (value & mask);
}

/* Errors of all: emulate/emulator.h. */

/* The linear address of segment:offset for an access of size bytes, which limit, rights and
 * canonical form allow. */
int must_check operand_linear(struct emulator *e, enum seg s, uint64_t offset, unsigned size,
                              bool write, gva_t *out);
/* The linear address of an instruction's memory operand, as its encoding says. As above. */
int must_check operand_effective(struct emulator *e, const struct decode *insn, bool write,
                                 gva_t *out);

/* The linear address n bytes further on: outside 64-bit code that is round 4 GiB (SDM volume 3,
 * "Logical Address Translation": the segmentation unit truncates it to 32 bits). */
gva_t operand_further(const struct emulator *e, gva_t at, unsigned n);

/* RSP becomes this, as far as its width goes. */
void operand_move_stack(struct emulator *e, uint64_t rsp);
/* Reads or writes what lies on the stack, at an offset into it. */
int must_check operand_stack(struct emulator *e, uint64_t offset, uint64_t *value, unsigned size,
                             bool write);
int must_check operand_push(struct emulator *e, uint64_t value, unsigned size);

/* Could the guest write these bytes, which may lie in two pages? */
int must_check operand_probe_write(struct emulator *e, gva_t at, unsigned size);
/* Reads or writes size bytes, 8 at most, with the guest's own privilege: each part in RAM, in
 * device memory, or where nothing is (ones are read there, and writes vanish). -EFAULT: nothing has
 * been touched. */
int must_check operand_access(struct emulator *e, gva_t at, uint64_t *value, unsigned size,
                              bool write);

#endif
