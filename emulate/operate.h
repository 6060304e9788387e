/*
 * What an instruction does with its memory operand, once that has been read and before it is
 * written: registers and flags as they were, the memory as it was, in; the same as they are to be,
 * out. So a fault of the writing leaves everything as it was.
 */
#ifndef CAISSON_EMULATE_OPERATE_H
#define CAISSON_EMULATE_OPERATE_H

#include <stdbool.h>
#include <stdint.h>
#include "decode/decode.h"
#include "emulate/operand.h"
#include "lib/errno.h"
#include "virt/virt.h"

struct operation {
    uint64_t memory[4]; /* from [1] on: of CMPXCHG16B and of vectors */
    uint64_t flags;
    bool writes;      /* memory is to be written */
    bool sets_reg;    /* so is the register operand, ... */
    uint64_t reg;     /* ... with this */
    uint8_t sets_rax; /* bytes of it that are, ... */
    uint8_t sets_rdx;
    uint64_t low, high; /* ... with these */
};

/* Does it read its memory operand, does it ever write it? */
bool operate_reads(enum decode_op op);
bool operate_writes(const struct decode *insn);
/* o->memory and o->flags are given. 0, or -ERANGE: the guest is owed a #DE. Not for
 * string and stack forms. */
int must_check operate(struct virt_vcpu *v, const struct decode *insn, struct operation *o);
/* Registers and flags become what operate() said. */
void operate_finish(struct virt_vcpu *v, const struct decode *insn, const struct operation *o);

/* The register operand. */
static inline uint64_t operate_register(const struct virt_vcpu *v, const struct decode *insn)
{
    uint64_t value = virt_gpr(v, (enum gpr)insn->reg);

    return operand_truncate(insn->high_byte ? value >> 8 : value, insn->reg_size);
}

static inline void operate_set_register(struct virt_vcpu *v, const struct decode *insn,
                                        uint64_t value)
{
    uint64_t old = virt_gpr(v, (enum gpr)insn->reg);

    if (insn->high_byte)
        value = (old & ~0xff00ul) | (value & 0xff) << 8;
    else
        value = operand_merge(old, value, insn->reg_size);
    virt_set_gpr(v, (enum gpr)insn->reg, value);
}

/* What was read from memory, as MOV, MOVZX and MOVSX give it to a register. */
static inline uint64_t operate_extend(const struct decode *insn, uint64_t value)
{
    return insn->sign_extend ? operand_sign_extend(value, insn->size)
                             : operand_truncate(value, insn->size);
}

/* The register or immediate that is the other operand. */
static inline uint64_t operate_source(const struct virt_vcpu *v, const struct decode *insn)
{
    return insn->has_immediate ? insn->immediate : operate_register(v, insn);
}

#endif
