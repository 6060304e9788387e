/*
 * String instructions on device memory. See emulate/mmio_form.h. Source: SDM volume 2, REP.
 */
#include "arch/x86/cpu.h"
#include "emulate/alu.h"
#include "sched/batch.h"
#include "emulate/decode.h"
#include "domain/domain.h"
#include "guestmem/gva.h"
#include "emulate/mmio_form.h"
#include "emulate/operand.h"
#include "domain/vcpu.h"
#include "vmx/fast.h"

#define STRING_BATCH 256 /* repetitions carried out by one exit, as in pio_string.c */

static void advance(struct vcpu *v, const struct decode *insn, enum gpr pointer)
{
    uint64_t old = virt_gpr(&v->virt, pointer);
    uint64_t step = virt_rflags(&v->virt) & RFLAGS_DF ? -(uint64_t)insn->size : insn->size;

    virt_set_gpr(&v->virt, pointer, operand_merge(old, old + step, insn->addr_size));
}

/* Reads or writes the place that RSI or RDI points to. 0, or the guest has its fault. */
static int string_operand(struct vcpu *v, const struct decode *insn, enum gpr pointer, bool write,
                          uint64_t *value)
{
    enum seg s = pointer == GPR_RDI ? SEG_ES : (enum seg)insn->segment;
    gva_t at;
    int err = operand_linear(v, s, operand_truncate(virt_gpr(&v->virt, pointer), insn->addr_size),
                             insn->size, write, &at);

    return err ? err : operand_reach(v, at, value, insn->size, write);
}

static bool uses_rsi(enum decode_op op)
{
    return op != DECODE_STOS && op != DECODE_SCAS;
}

static bool compares(enum decode_op op)
{
    return op == DECODE_CMPS || op == DECODE_SCAS;
}

/* One repetition, less the pointers. */
static int string_step(struct vcpu *v, const struct decode *insn)
{
    uint64_t rax = virt_gpr(&v->virt, GPR_RAX), flags = virt_rflags(&v->virt), other = 0;
    uint64_t value = operand_truncate(rax, insn->size);
    int err = uses_rsi(insn->op) ? string_operand(v, insn, GPR_RSI, false, &value) : 0;

    if (err)
        return err;
    if (insn->op == DECODE_LODS) {
        virt_set_gpr(&v->virt, GPR_RAX, operand_merge(rax, value, insn->size));
        return 0;
    }
    if (!compares(insn->op))
        return string_operand(v, insn, GPR_RDI, true, &value);
    err = string_operand(v, insn, GPR_RDI, false, &other);
    if (err)
        return err;
    alu(DECODE_CMP, value, other, insn->size, &flags);
    virt_set_rflags(&v->virt, flags);
    return 0;
}

static void advance_all(struct vcpu *v, const struct decode *insn)
{
    if (uses_rsi(insn->op))
        advance(v, insn, GPR_RSI);
    if (insn->op != DECODE_LODS)
        advance(v, insn, GPR_RDI);
}

/* REPE and REPNE end by what was compared, too. */
static bool is_over(struct vcpu *v, const struct decode *insn)
{
    bool equal = virt_rflags(&v->virt) & RFLAGS_ZF;

    return compares(insn->op) && (insn->rep ? !equal : equal);
}

void mmio_string(struct vcpu *v, const struct decode *insn)
{
    bool rep = insn->rep || insn->repne, over = false;
    uint64_t rcx = virt_gpr(&v->virt, GPR_RCX);
    uint64_t count = rep ? operand_truncate(rcx, insn->addr_size) : 1;
    struct batch b = { .most = STRING_BATCH };

    while (count && !over && !v->domain->end && batch_more(&b)) {
        if (string_step(v, insn))
            return;
        advance_all(v, insn);
        count--;
        if (rep)
            virt_set_gpr(&v->virt, GPR_RCX, operand_merge(rcx, count, insn->addr_size));
        over = rep && is_over(v, insn);
    }
    if ((!count || over) && !v->domain->end)
        virt_skip_len(&v->virt, insn->length);
}
