/*
 * An x87 instruction with an operand in memory, carried out by the FPU itself on the registers of
 * the loaded vCPU. See virt/fpu.h. What it leaves of its own address is the guest's afterwards.
 * Source: SDM volume 1, "x87 FPU Instruction and Data (Operand) Pointers", "Last Instruction
 * Opcode".
 */
#include "arch/x86/insn.h"
#include "lib/assert.h"
#include "virt/fpu.h"
#include "virt/fpu_area.h"
#include "virt/virt.h"

#define INSN_BYTES 4 /* of each in the table */
#define RDI        7u
#define IE         (1u << 0)
#define OE         (1u << 3)
#define UE         (1u << 4)
#define ES         (1u << 7)
#define NOT_STORED (IE | OE | UE) /* by a store for which it is not masked */

typedef void insn_fn(void *operand);

/* All 64 of them, D8 /0 to DF /7, on [RDI]. */
extern const uint8_t fpu_x87_insns[];
__asm__(".pushsection .text\n"
        "fpu_x87_insns:\n"
        ".set number, 0\n"
        ".rept 64\n"
        ".byte 0xD8 + number / 8, number % 8 * 8 + 7\n"
        "ret\n nop\n"
        ".set number, number + 1\n"
        ".endr\n"
        ".popsection\n");

bool fpu_x87_exception(void)
{
    return x87_status() & ES;
}

/* The pointers are those of Caisson's, where the FPU has kept any: some do for exceptions alone. */
static void set_pointers(struct fpu_area *area, const struct fpu_x87 *x, const uint8_t *code,
                         const void *operand)
{
    uint16_t own = (uint16_t)((x->opcode & 0x738) | RDI);

    if (area->fip == (uintptr_t)code && area->fop == own)
        area->fop = x->opcode;
    if (area->fip == (uintptr_t)code)
        area->fip = x->rip;
    if (area->fdp == (uintptr_t)operand)
        area->fdp = x->operand;
}

bool fpu_x87(struct virt_vcpu *v, const struct fpu_x87 *x, void *operand)
{
    unsigned number = (x->opcode >> 8 & 7) * 8 + (x->opcode >> 3 & 7);
    const uint8_t *code = fpu_x87_insns + INSN_BYTES * number;

    ((insn_fn *)(uintptr_t)code)(operand);
    struct fpu_area *area = fpu_take_out(v);
    set_pointers(area, x, code, operand);
    bool stored = !(area->fsw & ~area->fcw & NOT_STORED);
    fpu_load(v);
    return stored;
}
