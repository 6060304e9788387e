/*
 * PUSH, POP and their kin, near CALL, JMP and RET, whose operand or whose stack lies in device
 * memory: which of the two the exit was for does not matter. See emulate/mmio_form.h.
 */
#include "arch/x86/cpu.h"
#include "decode/decode.h"
#include "emulate/emulator.h"
#include "emulate/mmio_form.h"
#include "emulate/operand.h"
#include "emulate/operate.h"

static int memory_access(struct emulator *e, const struct decode *insn, uint64_t *value, bool write)
{
    gva_t at;
    int err = operand_effective(e, insn, write, &at);

    return err ? err : operand_access(e, at, value, insn->size, write);
}

/* What an instruction has besides the stack: memory, a register or a constant. */
static int source(struct emulator *e, const struct decode *insn, uint64_t *value)
{
    if (!insn->bare)
        return memory_access(e, insn, value, false);
    *value = operate_source(e->virt, insn);
    return 0;
}

/* What lies on a stack that begins there. */
static int top(struct emulator *e, uint64_t rsp, unsigned size, uint64_t *value)
{
    return operand_stack(e, rsp, value, size, false);
}

static int pop(struct emulator *e, const struct decode *insn)
{
    uint64_t rsp = virt_gpr(e->virt, GPR_RSP), value;
    int err = top(e, rsp, insn->size, &value);

    if (!err && !insn->bare)
        err = memory_access(e, insn, &value, true);
    if (err)
        return err;
    operand_move_stack(e, rsp + insn->size);
    if (insn->bare)
        operate_set_register(e->virt, insn, value);
    return 0;
}

static int leave(struct emulator *e, unsigned size)
{
    uint64_t rbp = virt_gpr(e->virt, GPR_RBP), value;
    int err = top(e, rbp, size, &value);

    if (err)
        return err;
    operand_move_stack(e, rbp + size);
    virt_set_gpr(e->virt, GPR_RBP, operand_merge(rbp, value, size));
    return 0;
}

/* ---- Flags ---- */

/* SDM volume 2, "POPF--Pop Stack Into EFLAGS Register". */
static uint64_t settable(struct emulator *e, uint64_t old, unsigned size)
{
    uint64_t mask = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_TF |
                    RFLAGS_DF | RFLAGS_OF | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID | RFLAGS_RF;
    unsigned cpl = virt_cpl(e->virt);

    if (cpl <= (old & RFLAGS_IOPL) >> 12)
        mask |= RFLAGS_IF;
    if (cpl == 0)
        mask |= RFLAGS_IOPL;
    return operand_truncate(mask, size);
}

/* Virtual-8086 mode is left out: with IOPL below 3 it is another instruction. */
static int pop_flags(struct emulator *e, const struct decode *insn)
{
    uint64_t old = virt_rflags(e->virt), rsp = virt_gpr(e->virt, GPR_RSP), value;

    if (old & RFLAGS_VM)
        return emulator_refuse(e, VECTOR_GP);
    int err = top(e, rsp, insn->size, &value);
    if (err)
        return err;
    uint64_t mask = settable(e, old, insn->size);
    operand_move_stack(e, rsp + insn->size);
    virt_skip_len(e->virt, insn->length); /* by TF as it was */
    virt_set_rflags(e->virt, (old & ~mask) | (value & mask & ~RFLAGS_RF));
    return 0;
}

static int push_flags(struct emulator *e, unsigned size)
{
    return operand_push(e, operand_truncate(virt_rflags(e->virt) & ~(RFLAGS_VM | RFLAGS_RF), size),
                        size);
}

/* ---- Branches ---- */

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

static int branch(struct emulator *e, const struct decode *insn)
{
    uint64_t next = virt_rip(e->virt) + insn->length, rsp = virt_gpr(e->virt, GPR_RSP), to;
    bool returns = insn->op == DECODE_RET;
    int err = returns ? top(e, rsp, insn->size, &to) : source(e, insn, &to);

    if (err)
        return err;
    if (insn->has_immediate && !returns)
        to += next;
    to = operand_truncate(to, insn->size);
    err = check_target(e, to);
    if (!err && insn->op == DECODE_CALL)
        err = operand_push(e, next, insn->size);
    if (err)
        return err;
    if (returns)
        operand_move_stack(e, rsp + insn->size + insn->immediate);
    virt_set_rip(e->virt, to);
    virt_skip_len(e->virt, 0); /* what else the end of an instruction means */
    return 0;
}

/* ---- All of them ---- */

static int move(struct emulator *e, const struct decode *insn)
{
    uint64_t value;

    switch (insn->op) {
    case DECODE_POP:
        return pop(e, insn);
    case DECODE_LEAVE:
        return leave(e, insn->size);
    case DECODE_PUSHF:
        return push_flags(e, insn->size);
    default: {
        int err = source(e, insn, &value);
        return err ? err : operand_push(e, value, insn->size);
    }
    }
}

int mmio_stack(struct emulator *e, const struct decode *insn)
{
    if (insn->op >= DECODE_CALL)
        return branch(e, insn);
    if (insn->op == DECODE_POPF)
        return pop_flags(e, insn);
    int err = move(e, insn);
    if (!err)
        virt_skip_len(e->virt, insn->length);
    return err;
}
