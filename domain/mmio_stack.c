/*
 * PUSH, POP, and near CALL and JMP, whose operand or whose stack lies in device memory: which of
 * the two the exit was for does not matter. See domain/mmio_form.h.
 */
#include "domain/decode.h"
#include "domain/domain.h"
#include "domain/gva.h"
#include "domain/mmio_form.h"
#include "domain/operand.h"
#include "domain/vcpu.h"
#include "vmx/fast.h"

/* SDM volume 1, "Address-Size Attribute for Stack". */
static unsigned stack_width(struct vcpu *v)
{
    struct segment ss;

    if (operand_is_64bit(v))
        return 8;
    vmx_segment(&v->vmx, SEG_SS, &ss);
    return ss.ar & SEG_AR_DB ? 4 : 2;
}

/* 0, or the guest has its fault; so does the next. */
static int stack_access(struct vcpu *v, uint64_t offset, uint64_t *value, unsigned size, bool write)
{
    gva_t at;
    int err = operand_linear(v, SEG_SS, offset, size, write, &at);

    return err ? err : operand_reach(v, at, value, size, write);
}

static int memory_access(struct vcpu *v, const struct decode *insn, uint64_t *value, bool write)
{
    gva_t at;
    int err = operand_effective(v, insn, write, &at);

    return err ? err : operand_reach(v, at, value, insn->size, write);
}

/* Both move the stack pointer once all that can fault is done. */
static bool push(struct vcpu *v, uint64_t value, unsigned size)
{
    unsigned width = stack_width(v);
    uint64_t rsp = vmx_gpr(&v->vmx, GPR_RSP);

    if (stack_access(v, operand_truncate(rsp - size, width), &value, size, true))
        return false;
    vmx_set_gpr(&v->vmx, GPR_RSP, operand_merge(rsp, rsp - size, width));
    return true;
}

static bool pop(struct vcpu *v, const struct decode *insn)
{
    unsigned width = stack_width(v), size = insn->size;
    uint64_t rsp = vmx_gpr(&v->vmx, GPR_RSP), value = 0;

    if (stack_access(v, operand_truncate(rsp, width), &value, size, false) ||
        memory_access(v, insn, &value, true))
        return false;
    vmx_set_gpr(&v->vmx, GPR_RSP, operand_merge(rsp, rsp + size, width));
    return true;
}

/* A near jump: SDM volume 2, "JMP--Jump", on limits and canonical addresses. */
static bool may_jump(struct vcpu *v, uint64_t to)
{
    struct segment cs;
    bool ok = operand_is_canonical(to);

    if (!operand_is_64bit(v)) {
        vmx_segment(&v->vmx, SEG_CS, &cs);
        ok = to <= cs.limit;
    }
    if (!ok)
        vcpu_gp(v);
    return ok;
}

/* PUSH, POP, CALL, JMP: which of the two places the exit was for does not matter. */
void mmio_stack(struct vcpu *v, const struct decode *insn)
{
    uint64_t value = 0, next = vmx_rip(&v->vmx) + insn->length;

    if (insn->op == DECODE_POP) {
        if (pop(v, insn))
            vmx_skip_len(&v->vmx, insn->length);
        return;
    }
    if (memory_access(v, insn, &value, false))
        return;
    if (insn->op == DECODE_PUSH) {
        if (push(v, value, insn->size))
            vmx_skip_len(&v->vmx, insn->length);
        return;
    }
    value = operand_truncate(value, insn->size);
    if (!may_jump(v, value) || (insn->op == DECODE_CALL && !push(v, next, insn->size)))
        return;
    vmx_set_rip(&v->vmx, value);
    vmx_skip_len(&v->vmx, 0); /* what else the end of an instruction means */
}
