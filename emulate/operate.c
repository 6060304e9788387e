/*
 * Registers, flags and the value of a memory operand. See emulate/operate.h. Source: SDM volume 2,
 * "Operation" of each instruction.
 */
#include "emulate/operate.h"
#include "arch/x86/cpu.h"
#include "decode/alu.h"
#include "emulate/vector.h"

/* ---- Kinds of instructions ---- */

/* SDM volume 1, "EFLAGS Condition Codes". */
static bool holds(unsigned condition, uint64_t flags)
{
    bool less = !(flags & RFLAGS_SF) != !(flags & RFLAGS_OF);
    bool is[] = { flags & RFLAGS_OF,
                  flags & RFLAGS_CF,
                  flags & RFLAGS_ZF,
                  flags & (RFLAGS_CF | RFLAGS_ZF),
                  flags & RFLAGS_SF,
                  flags & RFLAGS_PF,
                  less,
                  less || flags & RFLAGS_ZF };

    return is[condition >> 1] != (condition & 1);
}

static void set_memory(struct operation *o, uint64_t value)
{
    o->memory[0] = value;
    o->writes = true;
}

static void set_reg(struct operation *o, uint64_t value)
{
    o->reg = value;
    o->sets_reg = true;
}

static void set_rax(struct operation *o, unsigned bytes, uint64_t value)
{
    o->sets_rax = (uint8_t)bytes;
    o->low = value;
}

static void set_rdx(struct operation *o, unsigned bytes, uint64_t value)
{
    o->sets_rdx = (uint8_t)bytes;
    o->high = value;
}

/* Of bytes, AX holds both halves: AH is the high one. */
static void set_halves(struct operation *o, unsigned size, const uint64_t half[2])
{
    if (size == 1) {
        set_rax(o, 2, half[0] | half[1] << 8);
        return;
    }
    set_rax(o, size, half[0]);
    set_rdx(o, size, half[1]);
}

static int multiply_or_divide(const struct virt_vcpu *v, const struct decode *insn,
                              struct operation *o)
{
    uint64_t rax = virt_gpr(v, GPR_RAX), rdx = virt_gpr(v, GPR_RDX);
    uint64_t half[2] = { rax, insn->size == 1 ? rax >> 8 : rdx };
    bool is_signed = insn->op == DECODE_IMUL_WIDE || insn->op == DECODE_IDIV;

    if (insn->op == DECODE_MUL || insn->op == DECODE_IMUL_WIDE)
        alu_multiply(rax, o->memory[0], insn->size, is_signed, half, &o->flags);
    else if (!alu_divide(half, o->memory[0], insn->size, is_signed))
        return -ERANGE;
    set_halves(o, insn->size, half);
    return 0;
}

static void compare_exchange(const struct virt_vcpu *v, const struct decode *insn,
                             struct operation *o)
{
    uint64_t old = o->memory[0];

    alu(DECODE_CMP, virt_gpr(v, GPR_RAX), old, insn->size, &o->flags);
    o->writes = o->flags & RFLAGS_ZF;
    if (o->writes)
        o->memory[0] = operate_register(v, insn);
    else
        set_rax(o, insn->size, old);
}

/* CMPXCHG8B has its halves in one word. */
static void compare_exchange_pair(const struct virt_vcpu *v, unsigned size, struct operation *o)
{
    uint64_t rax = virt_gpr(v, GPR_RAX), rdx = virt_gpr(v, GPR_RDX);
    uint64_t rbx = virt_gpr(v, GPR_RBX), rcx = virt_gpr(v, GPR_RCX);
    bool wide = size == 16;
    uint64_t low = wide ? o->memory[0] : (uint32_t)o->memory[0];
    uint64_t high = wide ? o->memory[1] : o->memory[0] >> 32;

    o->writes = wide ? low == rax && high == rdx : low == (uint32_t)rax && high == (uint32_t)rdx;
    o->flags = (o->flags & ~RFLAGS_ZF) | (o->writes ? RFLAGS_ZF : 0);
    if (!o->writes) {
        set_rax(o, size / 2, low);
        set_rdx(o, size / 2, high);
        return;
    }
    o->memory[0] = wide ? rbx : (uint32_t)rbx | rcx << 32;
    o->memory[1] = rcx;
}

static void shift(const struct virt_vcpu *v, const struct decode *insn, struct operation *o)
{
    uint64_t count = insn->by_cl ? virt_gpr(v, GPR_RCX) : insn->immediate;
    uint64_t from = insn->reg < 0 ? 0 : operate_register(v, insn);

    set_memory(
        o, alu_shift(insn->op, o->memory[0], from, (unsigned)count & 0xff, insn->size, &o->flags));
}

static uint64_t swapped(const struct decode *insn, uint64_t value)
{
    return insn->swap ? __builtin_bswap64(value) >> (64 - 8 * insn->size) : value;
}

/* Memory op register or immediate, or the other way round. */
static void arithmetic(const struct virt_vcpu *v, const struct decode *insn, struct operation *o)
{
    bool unary = insn->reg < 0 && !insn->has_immediate;
    uint64_t other = unary ? 0 : operate_source(v, insn);

    if (insn->to_register) {
        o->reg = alu(insn->op, other, o->memory[0], insn->size, &o->flags);
        o->sets_reg = insn->op != DECODE_CMP;
    } else {
        o->memory[0] = alu(insn->op, o->memory[0], other, insn->size, &o->flags);
        o->writes = insn->op != DECODE_CMP && insn->op != DECODE_TEST && insn->op != DECODE_BT;
    }
}

/* ---- All of them ---- */

bool operate_reads(enum decode_op op)
{
    switch (op) {
    case DECODE_STORE:
    case DECODE_SETCC:
    case DECODE_VECTOR_STORE:
    case DECODE_X87_STORE:
    case DECODE_FLUSH:
    case DECODE_STORE_SELECTOR:
    case DECODE_SMSW:
    case DECODE_POP:
        return false;
    default:
        return true;
    }
}

bool operate_writes(const struct decode *insn)
{
    switch (insn->op) {
    case DECODE_LOAD:
    case DECODE_CMP:
    case DECODE_TEST:
    case DECODE_BT:
    case DECODE_MUL:
    case DECODE_IMUL_WIDE:
    case DECODE_DIV:
    case DECODE_IDIV:
    case DECODE_CMOV:
    case DECODE_VECTOR_LOAD:
    case DECODE_X87_LOAD:
    case DECODE_FLUSH:
    case DECODE_LOAD_SELECTOR:
    case DECODE_PUSH:
    case DECODE_CALL:
    case DECODE_JMP:
        return false;
    default:
        return !insn->to_register;
    }
}

int operate(struct virt_vcpu *v, const struct decode *insn, struct operation *o)
{
    struct segment segment;

    switch (insn->op) {
    case DECODE_LOAD:
        set_reg(o, operate_extend(insn, swapped(insn, o->memory[0])));
        return 0;
    case DECODE_STORE:
        set_memory(o, swapped(insn, operate_source(v, insn)));
        return 0;
    case DECODE_XCHG:
        set_reg(o, o->memory[0]);
        set_memory(o, operate_register(v, insn));
        return 0;
    case DECODE_MUL:
    case DECODE_IMUL_WIDE:
    case DECODE_DIV:
    case DECODE_IDIV:
        return multiply_or_divide(v, insn, o);
    case DECODE_CMPXCHG:
        compare_exchange(v, insn, o);
        return 0;
    case DECODE_CMPXCHG_PAIR:
        compare_exchange_pair(v, insn->size, o);
        return 0;
    case DECODE_CMOV:
        set_reg(o, holds(insn->condition, o->flags) ? o->memory[0] : operate_register(v, insn));
        return 0;
    case DECODE_SETCC:
        set_memory(o, holds(insn->condition, o->flags));
        return 0;
    case DECODE_VECTOR_LOAD:
    case DECODE_FLUSH:
        return 0;
    case DECODE_VECTOR_STORE:
        vector_source(v, insn, o->memory);
        o->writes = true;
        return 0;
    case DECODE_STORE_SELECTOR:
        virt_segment(v, (enum seg)insn->reg, &segment);
        set_memory(o, segment.selector);
        return 0;
    case DECODE_SMSW:
        set_memory(o, virt_cr0(v) & 0xffff);
        return 0;
    case DECODE_XADD:
        set_reg(o, o->memory[0]);
        set_memory(o,
                   alu(insn->op, o->memory[0], operate_register(v, insn), insn->size, &o->flags));
        return 0;
    default:
        if (insn->op >= DECODE_ROL && insn->op <= DECODE_SHRD)
            shift(v, insn, o);
        else
            arithmetic(v, insn, o);
        return 0;
    }
}

void operate_finish(struct virt_vcpu *v, const struct decode *insn, const struct operation *o)
{
    virt_set_rflags(v, o->flags);
    if (insn->op == DECODE_VECTOR_LOAD)
        vector_finish(v, insn, o->memory);
    if (o->sets_reg)
        operate_set_register(v, insn, o->reg);
    uint64_t rax = virt_gpr(v, GPR_RAX), rdx = virt_gpr(v, GPR_RDX);
    if (o->sets_rax)
        virt_set_gpr(v, GPR_RAX, operand_merge(rax, o->low, o->sets_rax));
    if (o->sets_rdx)
        virt_set_gpr(v, GPR_RDX, operand_merge(rdx, o->high, o->sets_rdx));
}
