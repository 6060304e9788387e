/*
 * PUSH, POP, and near CALL and JMP, whose operand or whose stack lies in device memory: which of
 * the two the exit was for does not matter. See emulate/mmio_form.h.
 */
#include "arch/x86/cpu.h"
#include "decode/decode.h"
#include "emulate/emulator.h"
#include "emulate/mmio_form.h"
#include "emulate/operand.h"

/* SDM volume 1, "Address-Size Attribute for Stack". */
static unsigned stack_width(struct emulator *e)
{
    struct segment ss;

    if (virt_in_64bit_code(e->virt))
        return 8;
    virt_segment(e->virt, SEG_SS, &ss);
    return ss.ar & SEG_AR_DB ? 4 : 2;
}

static int stack_access(struct emulator *e, uint64_t offset, uint64_t *value, unsigned size,
                        bool write)
{
    gva_t at;
    int err = operand_linear(e, SEG_SS, offset, size, write, &at);

    return err ? err : operand_access(e, at, value, size, write);
}

static int memory_access(struct emulator *e, const struct decode *insn, uint64_t *value, bool write)
{
    gva_t at;
    int err = operand_effective(e, insn, write, &at);

    return err ? err : operand_access(e, at, value, insn->size, write);
}

/* Both move the stack pointer once all that can fault is done. */
static int push(struct emulator *e, uint64_t value, unsigned size)
{
    unsigned width = stack_width(e);
    uint64_t rsp = virt_gpr(e->virt, GPR_RSP);
    int err = stack_access(e, operand_truncate(rsp - size, width), &value, size, true);

    if (!err)
        virt_set_gpr(e->virt, GPR_RSP, operand_merge(rsp, rsp - size, width));
    return err;
}

static int pop(struct emulator *e, const struct decode *insn)
{
    unsigned width = stack_width(e), size = insn->size;
    uint64_t rsp = virt_gpr(e->virt, GPR_RSP), value;
    int err = stack_access(e, operand_truncate(rsp, width), &value, size, false);

    if (!err)
        err = memory_access(e, insn, &value, true);
    if (!err)
        virt_set_gpr(e->virt, GPR_RSP, operand_merge(rsp, rsp + size, width));
    return err;
}

/* A near jump: SDM volume 2, "JMP--Jump", on limits and canonical addresses. */
static int check_target(struct emulator *e, uint64_t to)
{
    struct segment cs;
    bool ok = is_canonical(to);

    if (!virt_in_64bit_code(e->virt)) {
        virt_segment(e->virt, SEG_CS, &cs);
        ok = to <= cs.limit;
    }
    return ok ? 0 : emulator_refuse(e, VECTOR_GP);
}

static int jump(struct emulator *e, const struct decode *insn, uint64_t to)
{
    int err = check_target(e, to);

    if (!err && insn->op == DECODE_CALL)
        err = push(e, virt_rip(e->virt) + insn->length, insn->size);
    if (err)
        return err;
    virt_set_rip(e->virt, to);
    virt_skip_len(e->virt, 0); /* what else the end of an instruction means */
    return 0;
}

int mmio_stack(struct emulator *e, const struct decode *insn)
{
    uint64_t value;
    int err = insn->op == DECODE_POP ? pop(e, insn) : memory_access(e, insn, &value, false);

    if (err)
        return err;
    if (insn->op == DECODE_CALL || insn->op == DECODE_JMP)
        return jump(e, insn, operand_truncate(value, insn->size));
    if (insn->op == DECODE_PUSH)
        err = push(e, value, insn->size);
    if (!err)
        virt_skip_len(e->virt, insn->length);
    return err;
}
