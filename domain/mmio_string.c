/*
 * String instructions on device memory. See domain/mmio_form.h. Source: SDM volume 2, REP.
 */
#include "arch/x86/cpu.h"
#include "domain/alu.h"
#include "domain/batch.h"
#include "domain/decode.h"
#include "domain/domain.h"
#include "domain/gva.h"
#include "domain/mmio_form.h"
#include "domain/operand.h"
#include "domain/vcpu.h"
#include "vmx/fast.h"

#define STRING_BATCH 256 /* repetitions carried out by one exit, as in pio_string.c */

static void advance(struct vcpu *v, const struct decode *insn, enum gpr pointer)
{
    uint64_t old = vmx_gpr(&v->vmx, pointer);
    uint64_t step = vmx_rflags(&v->vmx) & RFLAGS_DF ? -(uint64_t)insn->size : insn->size;

    vmx_set_gpr(&v->vmx, pointer, operand_merge(old, old + step, insn->addr_size));
}

/* Reads or writes the place that RSI or RDI points to. 0, or the guest has its fault. */
static int string_operand(struct vcpu *v, const struct decode *insn, enum gpr pointer, bool write,
                          uint64_t *value)
{
    enum seg s = pointer == GPR_RDI ? SEG_ES : (enum seg)insn->segment;
    gva_t at;
    int err = operand_linear(v, s, operand_truncate(vmx_gpr(&v->vmx, pointer), insn->addr_size),
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
    uint64_t rax = vmx_gpr(&v->vmx, GPR_RAX), flags = vmx_rflags(&v->vmx), other = 0;
    uint64_t value = operand_truncate(rax, insn->size);
    int err = uses_rsi(insn->op) ? string_operand(v, insn, GPR_RSI, false, &value) : 0;

    if (err)
        return err;
    if (insn->op == DECODE_LODS) {
        vmx_set_gpr(&v->vmx, GPR_RAX, operand_merge(rax, value, insn->size));
        return 0;
    }
    if (!compares(insn->op))
        return string_operand(v, insn, GPR_RDI, true, &value);
    err = string_operand(v, insn, GPR_RDI, false, &other);
    if (err)
        return err;
    alu(DECODE_CMP, value, other, insn->size, &flags);
    vmx_set_rflags(&v->vmx, flags);
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
    bool equal = vmx_rflags(&v->vmx) & RFLAGS_ZF;

    return compares(insn->op) && (insn->rep ? !equal : equal);
}

void mmio_string(struct vcpu *v, const struct decode *insn)
{
    bool rep = insn->rep || insn->repne, over = false;
    uint64_t rcx = vmx_gpr(&v->vmx, GPR_RCX);
    uint64_t count = rep ? operand_truncate(rcx, insn->addr_size) : 1;
    struct batch b = { .most = STRING_BATCH };

    while (count && !over && !v->domain->end && batch_more(&b)) {
        if (string_step(v, insn))
            return;
        advance_all(v, insn);
        count--;
        if (rep)
            vmx_set_gpr(&v->vmx, GPR_RCX, operand_merge(rcx, count, insn->addr_size));
        over = rep && is_over(v, insn);
    }
    if ((!count || over) && !v->domain->end)
        vmx_skip_len(&v->vmx, insn->length);
}
