/*
 * PUSH, POP, and near CALL and JMP, whose operand or whose stack lies in device memory: which of
 * the two the exit was for does not matter. See emulate/mmio_form.h.
 */
#include "arch/x86/cpu.h"
#include "emulate/decode.h"
#include "domain/domain.h"
#include "guestmem/gva.h"
#include "emulate/mmio_form.h"
#include "emulate/operand.h"
#include "domain/vcpu.h"
#include "vmx/fast.h"

/* SDM volume 1, "Address-Size Attribute for Stack". */
static unsigned stack_width(struct vcpu *v)
{
    struct segment ss;

    if (virt_in_64bit_code(&v->virt))
        return 8;
    virt_segment(&v->virt, SEG_SS, &ss);
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
    uint64_t rsp = virt_gpr(&v->virt, GPR_RSP);

    if (stack_access(v, operand_truncate(rsp - size, width), &value, size, true))
        return false;
    virt_set_gpr(&v->virt, GPR_RSP, operand_merge(rsp, rsp - size, width));
    return true;
}

static bool pop(struct vcpu *v, const struct decode *insn)
{
    unsigned width = stack_width(v), size = insn->size;
    uint64_t rsp = virt_gpr(&v->virt, GPR_RSP), value = 0;

    if (stack_access(v, operand_truncate(rsp, width), &value, size, false) ||
        memory_access(v, insn, &value, true))
        return false;
    virt_set_gpr(&v->virt, GPR_RSP, operand_merge(rsp, rsp + size, width));
    return true;
}

/* A near jump: SDM volume 2, "JMP--Jump", on limits and canonical addresses. */
static bool may_jump(struct vcpu *v, uint64_t to)
{
    struct segment cs;
    bool ok = is_canonical(to);

    if (!virt_in_64bit_code(&v->virt)) {
        virt_segment(&v->virt, SEG_CS, &cs);
        ok = to <= cs.limit;
    }
    if (!ok)
        vcpu_gp(v);
    return ok;
}

/* PUSH, POP, CALL, JMP: which of the two places the exit was for does not matter. */
void mmio_stack(struct vcpu *v, const struct decode *insn)
{
    uint64_t value = 0, next = virt_rip(&v->virt) + insn->length;

    if (insn->op == DECODE_POP) {
        if (pop(v, insn))
            virt_skip_len(&v->virt, insn->length);
        return;
    }
    if (memory_access(v, insn, &value, false))
        return;
    if (insn->op == DECODE_PUSH) {
        if (push(v, value, insn->size))
            virt_skip_len(&v->virt, insn->length);
        return;
    }
    value = operand_truncate(value, insn->size);
    if (!may_jump(v, value) || (insn->op == DECODE_CALL && !push(v, next, insn->size)))
        return;
    virt_set_rip(&v->virt, value);
    virt_skip_len(&v->virt, 0); /* what else the end of an instruction means */
}
