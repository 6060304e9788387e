/*
 * Device memory: fetch the instruction (domain/code.h), do what it does. See domain/mmio.h.
 *
 * The exit tells the guest-physical address, so the ordinary forms need no address arithmetic and
 * no walk but that of the code itself. Only the string forms, which touch two places, compute.
 */
#include "domain/mmio.h"
#include "arch/x86/cpu.h"
#include "domain/alu.h"
#include "domain/code.h"
#include "domain/decode.h"
#include "domain/domain.h"
#include "domain/gva.h"
#include "domain/operand.h"
#include "domain/vcpu.h"
#include "vmx/fast.h"

#define STRING_BATCH 256 /* repetitions carried out by one exit, as in pio.c */

static uint64_t register_read(struct vcpu *v, const struct decode *insn)
{
    uint64_t value = vmx_gpr(&v->vmx, (enum gpr)insn->reg);

    return operand_truncate(insn->high_byte ? value >> 8 : value, insn->reg_size);
}

static void register_write(struct vcpu *v, const struct decode *insn, uint64_t value)
{
    uint64_t old = vmx_gpr(&v->vmx, (enum gpr)insn->reg);

    if (insn->high_byte)
        value = (old & ~0xff00ul) | (value & 0xff) << 8;
    else
        value = operand_merge(old, value, insn->reg_size);
    vmx_set_gpr(&v->vmx, (enum gpr)insn->reg, value);
}

static uint64_t source(struct vcpu *v, const struct decode *insn)
{
    return insn->has_immediate ? insn->immediate : register_read(v, insn);
}

/* CMPXCHG: compares with the accumulator. */
static void compare_exchange(struct vcpu *v, const struct decode *insn, gpa_t at)
{
    struct machine_hvm *m = &v->domain->machine;
    uint64_t flags = vmx_rflags(&v->vmx), rax = vmx_gpr(&v->vmx, GPR_RAX);
    uint64_t old = machine_mmio_read(m, v, at, insn->size);

    alu(DECODE_CMP, rax, old, insn->size, &flags);
    if (flags & RFLAGS_ZF)
        machine_mmio_write(m, v, at, insn->size, source(v, insn));
    else
        vmx_set_gpr(&v->vmx, GPR_RAX, operand_merge(rax, old, insn->size));
    vmx_set_rflags(&v->vmx, flags);
}

/* The forms that read, compute and perhaps write back. */
static void modify(struct vcpu *v, const struct decode *insn, gpa_t at)
{
    struct machine_hvm *m = &v->domain->machine;
    bool unary = insn->reg < 0 && !insn->has_immediate;
    uint64_t flags = vmx_rflags(&v->vmx);
    uint64_t memory = machine_mmio_read(m, v, at, insn->size);
    uint64_t other = unary ? 0 : source(v, insn);
    uint64_t result = insn->to_register ? alu(insn->op, other, memory, insn->size, &flags)
                                        : alu(insn->op, memory, other, insn->size, &flags);

    if (insn->op != DECODE_NOT)
        vmx_set_rflags(&v->vmx, flags);
    if (insn->op == DECODE_CMP || insn->op == DECODE_TEST || insn->op == DECODE_BT)
        return;
    if (insn->to_register)
        register_write(v, insn, result);
    else
        machine_mmio_write(m, v, at, insn->size, result);
}

static void simple(struct vcpu *v, const struct decode *insn, gpa_t at)
{
    struct machine_hvm *m = &v->domain->machine;
    uint64_t value;

    switch (insn->op) {
    case DECODE_LOAD:
        value = machine_mmio_read(m, v, at, insn->size);
        if (insn->sign_extend)
            value = operand_sign_extend(value, insn->size);
        else
            value = operand_truncate(value, insn->size);
        register_write(v, insn, value);
        break;
    case DECODE_STORE:
        machine_mmio_write(m, v, at, insn->size, source(v, insn));
        break;
    case DECODE_XCHG:
        value = machine_mmio_read(m, v, at, insn->size);
        machine_mmio_write(m, v, at, insn->size, register_read(v, insn));
        register_write(v, insn, value);
        break;
    case DECODE_CMPXCHG:
        compare_exchange(v, insn, at);
        break;
    default:
        modify(v, insn, at);
        break;
    }
    if (!v->domain->end)
        vmx_skip_len(&v->vmx, insn->length);
}

static void advance(struct vcpu *v, const struct decode *insn, enum gpr pointer)
{
    uint64_t old = vmx_gpr(&v->vmx, pointer);
    uint64_t step = vmx_rflags(&v->vmx) & RFLAGS_DF ? -(uint64_t)insn->size : insn->size;

    vmx_set_gpr(&v->vmx, pointer, operand_merge(old, old + step, insn->addr_size));
}

/* Reads or writes the place that RSI or RDI points to. 0, or the guest has its fault. */
static int string_operand(struct vcpu *v, const struct decode *insn, bool destination,
                          uint64_t *value)
{
    enum gpr pointer = destination ? GPR_RDI : GPR_RSI;
    enum seg s = destination ? SEG_ES : (enum seg)insn->segment;
    struct gva_fault fault = { 0 };
    gva_t at;
    int err = operand_linear(v, s, operand_truncate(vmx_gpr(&v->vmx, pointer), insn->addr_size),
                             insn->size, destination, &at);

    if (err)
        return err;
    err = operand_access(v, at, value, insn->size, destination, &fault);
    if (err)
        operand_fault(v, err, &fault);
    return err;
}

static int string_step(struct vcpu *v, const struct decode *insn)
{
    uint64_t rax = vmx_gpr(&v->vmx, GPR_RAX), value = operand_truncate(rax, insn->size);
    int err = 0;

    if (insn->op != DECODE_STOS)
        err = string_operand(v, insn, false, &value);
    if (!err && insn->op != DECODE_LODS)
        err = string_operand(v, insn, true, &value);
    if (err)
        return err;
    if (insn->op == DECODE_LODS)
        vmx_set_gpr(&v->vmx, GPR_RAX, operand_merge(rax, value, insn->size));
    if (insn->op != DECODE_STOS)
        advance(v, insn, GPR_RSI);
    if (insn->op != DECODE_LODS)
        advance(v, insn, GPR_RDI);
    return 0;
}

static void string(struct vcpu *v, const struct decode *insn)
{
    bool rep = insn->rep || insn->repne;
    uint64_t rcx = vmx_gpr(&v->vmx, GPR_RCX);
    uint64_t count = rep ? operand_truncate(rcx, insn->addr_size) : 1;

    for (unsigned i = 0; i < STRING_BATCH && count && !v->domain->end; i++) {
        if (string_step(v, insn))
            return;
        count--;
        if (rep)
            vmx_set_gpr(&v->vmx, GPR_RCX, operand_merge(rcx, count, insn->addr_size));
    }
    if (!count && !v->domain->end)
        vmx_skip_len(&v->vmx, insn->length);
}

/* From a large mapping, perhaps, which becomes small ones. From a device it reads all ones, which
 * is no instruction. */
static void fetched(struct vcpu *v, const struct vmx_exit *e)
{
    int err = e->memory.present ? p2m_execute(&v->domain->p2m, gpa_to_gfn(e->memory.gpa)) : -EFAULT;

    if (err == -ENOMEM)
        domain_end(v->domain, END_KILLED, "no memory left for its page tables");
    else if (err)
        vcpu_ud(v);
}

void mmio_handle(struct vcpu *v, const struct vmx_exit *e)
{
    if (e->memory.page_walk) { /* page tables where only ones are read: reserved bits are set */
        uint32_t error = GVA_PRESENT | GVA_RESERVED | (e->memory.write ? GVA_WRITE : 0);
        vcpu_fault(v, vmx_inject_pf(&v->vmx, e->memory.gva, error));
        return;
    }
    if (e->memory.fetch) {
        fetched(v, e);
        return;
    }
    if (e->memory.delivery) { /* what stands at RIP has nothing to do with it */
        domain_end(v->domain, END_KILLED, "an event is delivered through device memory at 0x%lx",
                   e->memory.gpa.v);
        return;
    }
    const struct decode *insn = code_fetch(v, e->memory.gpa);
    if (!insn)
        return;
    if (insn->op != DECODE_MOVS && insn->op != DECODE_STOS && insn->op != DECODE_LODS) {
        simple(v, insn, e->memory.gpa);
        return;
    }
    string(v, insn);
    v->attention = true; /* it may have written to a device that it read before */
}
