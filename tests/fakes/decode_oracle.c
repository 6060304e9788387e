/*
 * The comparison of our decoder with Zydis.
 *
 * What we are to accept is said here in Zydis's terms (mnemonic and kinds of operands), not by
 * opcode, so that a hole in our opcode table shows as a difference.
 */
#include "tests/fakes/decode_oracle.h"
#include <stddef.h>
#include <Zydis/Zydis.h>
#include "virt/virt.h"

static const struct {
    ZydisMnemonic mnemonic;
    enum decode_op op;
} names[] = {
    { ZYDIS_MNEMONIC_ADD, DECODE_ADD },
    { ZYDIS_MNEMONIC_OR, DECODE_OR },
    { ZYDIS_MNEMONIC_AND, DECODE_AND },
    { ZYDIS_MNEMONIC_SUB, DECODE_SUB },
    { ZYDIS_MNEMONIC_XOR, DECODE_XOR },
    { ZYDIS_MNEMONIC_CMP, DECODE_CMP },
    { ZYDIS_MNEMONIC_TEST, DECODE_TEST },
    { ZYDIS_MNEMONIC_XCHG, DECODE_XCHG },
    { ZYDIS_MNEMONIC_MOVZX, DECODE_LOAD },
    { ZYDIS_MNEMONIC_MOVSX, DECODE_LOAD },
    { ZYDIS_MNEMONIC_MOVSXD, DECODE_LOAD },
    { ZYDIS_MNEMONIC_MOVSB, DECODE_MOVS },
    { ZYDIS_MNEMONIC_MOVSW, DECODE_MOVS },
    { ZYDIS_MNEMONIC_MOVSD, DECODE_MOVS },
    { ZYDIS_MNEMONIC_MOVSQ, DECODE_MOVS },
    { ZYDIS_MNEMONIC_STOSB, DECODE_STOS },
    { ZYDIS_MNEMONIC_STOSW, DECODE_STOS },
    { ZYDIS_MNEMONIC_STOSD, DECODE_STOS },
    { ZYDIS_MNEMONIC_STOSQ, DECODE_STOS },
    { ZYDIS_MNEMONIC_LODSB, DECODE_LODS },
    { ZYDIS_MNEMONIC_LODSW, DECODE_LODS },
    { ZYDIS_MNEMONIC_LODSD, DECODE_LODS },
    { ZYDIS_MNEMONIC_LODSQ, DECODE_LODS },
    { ZYDIS_MNEMONIC_BT, DECODE_BT },
    { ZYDIS_MNEMONIC_BTS, DECODE_BTS },
    { ZYDIS_MNEMONIC_BTR, DECODE_BTR },
    { ZYDIS_MNEMONIC_BTC, DECODE_BTC },
    { ZYDIS_MNEMONIC_NEG, DECODE_NEG },
    { ZYDIS_MNEMONIC_NOT, DECODE_NOT },
    { ZYDIS_MNEMONIC_INC, DECODE_INC },
    { ZYDIS_MNEMONIC_DEC, DECODE_DEC },
    { ZYDIS_MNEMONIC_CMPXCHG, DECODE_CMPXCHG },
    { ZYDIS_MNEMONIC_ADC, DECODE_ADC },
    { ZYDIS_MNEMONIC_SBB, DECODE_SBB },
    { ZYDIS_MNEMONIC_CMPSB, DECODE_CMPS },
    { ZYDIS_MNEMONIC_CMPSW, DECODE_CMPS },
    { ZYDIS_MNEMONIC_CMPSD, DECODE_CMPS },
    { ZYDIS_MNEMONIC_CMPSQ, DECODE_CMPS },
    { ZYDIS_MNEMONIC_SCASB, DECODE_SCAS },
    { ZYDIS_MNEMONIC_SCASW, DECODE_SCAS },
    { ZYDIS_MNEMONIC_SCASD, DECODE_SCAS },
    { ZYDIS_MNEMONIC_SCASQ, DECODE_SCAS },
    { ZYDIS_MNEMONIC_ROL, DECODE_ROL },
    { ZYDIS_MNEMONIC_ROR, DECODE_ROR },
    { ZYDIS_MNEMONIC_RCL, DECODE_RCL },
    { ZYDIS_MNEMONIC_RCR, DECODE_RCR },
    { ZYDIS_MNEMONIC_SHL, DECODE_SHL },
    { ZYDIS_MNEMONIC_SHR, DECODE_SHR },
    { ZYDIS_MNEMONIC_SAR, DECODE_SAR },
    { ZYDIS_MNEMONIC_SHLD, DECODE_SHLD },
    { ZYDIS_MNEMONIC_SHRD, DECODE_SHRD },
    { ZYDIS_MNEMONIC_MUL, DECODE_MUL },
    { ZYDIS_MNEMONIC_DIV, DECODE_DIV },
    { ZYDIS_MNEMONIC_IDIV, DECODE_IDIV },
    { ZYDIS_MNEMONIC_BSF, DECODE_BSF },
    { ZYDIS_MNEMONIC_BSR, DECODE_BSR },
    { ZYDIS_MNEMONIC_TZCNT, DECODE_TZCNT },
    { ZYDIS_MNEMONIC_LZCNT, DECODE_LZCNT },
    { ZYDIS_MNEMONIC_XADD, DECODE_XADD },
    { ZYDIS_MNEMONIC_POPCNT, DECODE_POPCNT },
    { ZYDIS_MNEMONIC_PUSH, DECODE_PUSH },
    { ZYDIS_MNEMONIC_POP, DECODE_POP },
    { ZYDIS_MNEMONIC_CALL, DECODE_CALL },
    { ZYDIS_MNEMONIC_JMP, DECODE_JMP },
    { ZYDIS_MNEMONIC_SLDT, DECODE_STORE_SELECTOR },
    { ZYDIS_MNEMONIC_STR, DECODE_STORE_SELECTOR },
    { ZYDIS_MNEMONIC_LLDT, DECODE_LOAD_SELECTOR },
    { ZYDIS_MNEMONIC_LTR, DECODE_LOAD_SELECTOR },
    { ZYDIS_MNEMONIC_SMSW, DECODE_SMSW },
    { ZYDIS_MNEMONIC_RET, DECODE_RET },
    { ZYDIS_MNEMONIC_LEAVE, DECODE_LEAVE },
    { ZYDIS_MNEMONIC_PUSHF, DECODE_PUSHF },
    { ZYDIS_MNEMONIC_PUSHFD, DECODE_PUSHF },
    { ZYDIS_MNEMONIC_PUSHFQ, DECODE_PUSHF },
    { ZYDIS_MNEMONIC_POPF, DECODE_POPF },
    { ZYDIS_MNEMONIC_POPFD, DECODE_POPF },
    { ZYDIS_MNEMONIC_POPFQ, DECODE_POPF },
    { ZYDIS_MNEMONIC_CMPXCHG8B, DECODE_CMPXCHG_PAIR },
    { ZYDIS_MNEMONIC_CMPXCHG16B, DECODE_CMPXCHG_PAIR },
    { ZYDIS_MNEMONIC_MOVNTI, DECODE_STORE },
    { ZYDIS_MNEMONIC_CLFLUSH, DECODE_FLUSH },
    { ZYDIS_MNEMONIC_CLFLUSHOPT, DECODE_FLUSH },
};

/* Moves between memory and a vector register. With VEX those of them that have no third operand. */
static const ZydisMnemonic moves[] = {
    ZYDIS_MNEMONIC_MOVUPS,   ZYDIS_MNEMONIC_MOVUPD,   ZYDIS_MNEMONIC_MOVAPS,
    ZYDIS_MNEMONIC_MOVAPD,   ZYDIS_MNEMONIC_MOVDQA,   ZYDIS_MNEMONIC_MOVDQU,
    ZYDIS_MNEMONIC_MOVNTPS,  ZYDIS_MNEMONIC_MOVNTPD,  ZYDIS_MNEMONIC_MOVNTDQ,
    ZYDIS_MNEMONIC_MOVNTDQA, ZYDIS_MNEMONIC_LDDQU,    ZYDIS_MNEMONIC_MOVSS,
    ZYDIS_MNEMONIC_MOVSD,    ZYDIS_MNEMONIC_MOVD,     ZYDIS_MNEMONIC_MOVQ,
    ZYDIS_MNEMONIC_MOVLPS,   ZYDIS_MNEMONIC_MOVLPD,   ZYDIS_MNEMONIC_MOVHPS,
    ZYDIS_MNEMONIC_MOVHPD,   ZYDIS_MNEMONIC_MOVNTQ,   ZYDIS_MNEMONIC_VMOVUPS,
    ZYDIS_MNEMONIC_VMOVUPD,  ZYDIS_MNEMONIC_VMOVAPS,  ZYDIS_MNEMONIC_VMOVAPD,
    ZYDIS_MNEMONIC_VMOVDQA,  ZYDIS_MNEMONIC_VMOVDQU,  ZYDIS_MNEMONIC_VMOVNTPS,
    ZYDIS_MNEMONIC_VMOVNTPD, ZYDIS_MNEMONIC_VMOVNTDQ, ZYDIS_MNEMONIC_VMOVNTDQA,
    ZYDIS_MNEMONIC_VLDDQU,   ZYDIS_MNEMONIC_VMOVSS,   ZYDIS_MNEMONIC_VMOVSD,
    ZYDIS_MNEMONIC_VMOVD,    ZYDIS_MNEMONIC_VMOVQ,    ZYDIS_MNEMONIC_VMOVLPS,
    ZYDIS_MNEMONIC_VMOVLPD,  ZYDIS_MNEMONIC_VMOVHPS,  ZYDIS_MNEMONIC_VMOVHPD,
};

/* Their memory, at rDI, is no visible operand; the registers are data and mask. */
static bool is_masked(ZydisMnemonic mnemonic)
{
    return mnemonic == ZYDIS_MNEMONIC_MASKMOVQ || mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU ||
           mnemonic == ZYDIS_MNEMONIC_VMASKMOVDQU;
}

struct theirs {
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    const ZydisDecodedOperand *memory, *reg, *immediate; /* first of each, or NULL */
    bool memory_first, other_reg;
};

static bool is_gpr(ZydisRegister r)
{
    ZydisRegisterClass c = ZydisRegisterGetClass(r);
    return c == ZYDIS_REGCLASS_GPR8 || c == ZYDIS_REGCLASS_GPR16 || c == ZYDIS_REGCLASS_GPR32 ||
           c == ZYDIS_REGCLASS_GPR64;
}

static void sort_operands(struct theirs *t)
{
    for (unsigned i = 0; i < t->insn.operand_count; i++) {
        const ZydisDecodedOperand *o = &t->operands[i];
        bool visible = i < t->insn.operand_count_visible;
        bool masked = is_masked(t->insn.mnemonic);
        bool counts = visible || masked || t->insn.meta.category == ZYDIS_CATEGORY_STRINGOP;
        if (o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.type == ZYDIS_MEMOP_TYPE_MEM) {
            if (!counts) /* the stack */
                continue;
            if (!t->memory)
                t->memory_first = i == 0 || masked;
            /* Of two, the source: that is how MOVS is described. Of CMPS's, the first. */
            if (!t->memory || t->memory->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
                t->memory = o;
        } else if (o->type == ZYDIS_OPERAND_TYPE_REGISTER && visible) {
            t->other_reg |= !is_gpr(o->reg.value);
            t->reg = t->reg ? t->reg : o;
        } else if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && visible) {
            t->immediate = o;
        }
    }
}

static bool zydis_decodes(const uint8_t *bytes, unsigned count, enum decode_mode mode,
                          struct theirs *t)
{
    static const ZydisMachineMode modes[] = { ZYDIS_MACHINE_MODE_LEGACY_16,
                                              ZYDIS_MACHINE_MODE_LEGACY_32,
                                              ZYDIS_MACHINE_MODE_LONG_64 };
    static const ZydisStackWidth stacks[] = { ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32,
                                              ZYDIS_STACK_WIDTH_64 };
    ZydisDecoder decoder;

    ZydisDecoderInit(&decoder, modes[mode], stacks[mode]);
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, count, &t->insn, t->operands)))
        return false;
    sort_operands(t);
    return true;
}

/* MOVSD has a namesake among the strings, MOVQ and others one between registers. */
static bool is_vector_move(const struct theirs *t)
{
    if (!t->memory || t->insn.operand_count_visible != 2 || !t->other_reg ||
        t->insn.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT)
        return false;
    for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++) {
        if (moves[i] == t->insn.mnemonic)
            return true;
    }
    return is_masked(t->insn.mnemonic);
}

static bool is_segment_move(const struct theirs *t)
{
    return t->insn.mnemonic == ZYDIS_MNEMONIC_MOV && t->memory && t->reg &&
           ZydisRegisterGetClass(t->reg->reg.value) == ZYDIS_REGCLASS_SEGMENT;
}

/* But for those that move the whole state. */
static bool is_x87(const struct theirs *t)
{
    return t->memory && t->insn.meta.category == ZYDIS_CATEGORY_X87_ALU &&
           t->insn.mnemonic != ZYDIS_MNEMONIC_FLDENV &&
           t->insn.mnemonic != ZYDIS_MNEMONIC_FNSTENV &&
           t->insn.mnemonic != ZYDIS_MNEMONIC_FRSTOR && t->insn.mnemonic != ZYDIS_MNEMONIC_FNSAVE;
}

/* The operation in our terms, or -1. MOV is a load or a store by where the memory stands. */
static int op_of(const struct theirs *t)
{
    if (is_x87(t))
        return t->memory->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE ? DECODE_X87_STORE
                                                                    : DECODE_X87_LOAD;
    if (is_segment_move(t))
        return t->memory_first ? DECODE_STORE_SELECTOR : DECODE_LOAD_SELECTOR;
    if (t->insn.mnemonic == ZYDIS_MNEMONIC_MOV || t->insn.mnemonic == ZYDIS_MNEMONIC_MOVBE)
        return t->memory_first ? DECODE_STORE : DECODE_LOAD;
    if (is_vector_move(t))
        return t->memory_first ? DECODE_VECTOR_STORE : DECODE_VECTOR_LOAD;
    if (t->insn.mnemonic == ZYDIS_MNEMONIC_IMUL)
        return t->insn.operand_count_visible == 1 ? DECODE_IMUL_WIDE : DECODE_IMUL;
    if (t->insn.meta.category == ZYDIS_CATEGORY_CMOV)
        return DECODE_CMOV;
    if (t->insn.meta.category == ZYDIS_CATEGORY_SETCC)
        return DECODE_SETCC;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].mnemonic == t->insn.mnemonic)
            return (int)names[i].op;
    }
    return -1;
}

/* No memory but the stack: all of these but jumps that are relative. */
static bool is_bare(const struct theirs *t, enum decode_op op)
{
    return op >= DECODE_PUSH && !t->memory && !(op == DECODE_JMP && t->immediate);
}

/* True if decode.h promises to accept it. */
static bool is_ours(const struct theirs *t)
{
    int op = op_of(t);
    bool map_ok = t->insn.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT ||
                  t->insn.opcode_map == ZYDIS_OPCODE_MAP_0F ||
                  t->insn.mnemonic == ZYDIS_MNEMONIC_MOVBE;

    if (is_segment_move(t) || is_x87(t))
        return true;
    if (is_vector_move(t)) /* of modes with 16 bits, one knows no VEX */
        return t->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY ||
               (t->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX &&
                t->insn.machine_mode != ZYDIS_MACHINE_MODE_LEGACY_16);
    if (op < 0 || (!t->memory && !is_bare(t, (enum decode_op)op)) || t->other_reg || !map_ok)
        return false;
    if (t->insn.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return false;
    if (decode_is_string((enum decode_op)op) && t->insn.opcode_map != ZYDIS_OPCODE_MAP_DEFAULT)
        return false; /* MOVSD and CMPSD of SSE2 */
    if (t->insn.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
        return false;
    if (op >= DECODE_CALL && t->insn.machine_mode == ZYDIS_MACHINE_MODE_LONG_64 &&
        (t->insn.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE))
        return false;
    if (t->insn.mnemonic == ZYDIS_MNEMONIC_MOVSXD && t->insn.operand_width == 16)
        return false;
    return !(t->insn.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && t->insn.opcode == 0x82);
}

static int number_of(ZydisRegister r)
{
    return r == ZYDIS_REGISTER_NONE ? -1 : ZydisRegisterGetId(r);
}

static const char *memory_differs(const struct decode *d, const struct theirs *t)
{
    if (d->bare != !t->memory)
        return "bare";
    if (d->bare) /* Zydis has an operand width for them all */
        return t->insn.operand_width == 8 * d->size ? NULL : "size on the stack";
    const ZydisDecodedOperandMem *m = &t->memory->mem;
    bool rip = m->base == ZYDIS_REGISTER_RIP || m->base == ZYDIS_REGISTER_EIP;
    uint64_t mask = d->addr_size == 8 ? UINT64_MAX : (1UL << (8 * d->addr_size)) - 1;
    int64_t displacement = m->disp.has_displacement ? m->disp.value : 0;

    if (t->memory->size != 8 * d->size && d->op != DECODE_FLUSH) /* there it is a line's */
        return "size";
    if (t->insn.address_width != 8 * d->addr_size)
        return "address size";
    if (rip != d->rip_relative)
        return "rip_relative";
    if (d->base != (rip ? -1 : number_of(m->base)))
        return "base";
    if (d->index != number_of(m->index))
        return "index";
    if (d->index >= 0 && d->scale != (m->scale ? m->scale : 1))
        return "scale";
    /* Zydis takes 3E for NOTRACK alone there; it is the segment as well, if it comes last. */
    bool notrack = t->insn.attributes & ZYDIS_ATTRIB_HAS_NOTRACK;
    if (!notrack && d->segment != ZydisRegisterGetId(m->segment))
        return "segment";
    if (((uint64_t)d->displacement ^ (uint64_t)displacement) & mask)
        return "displacement";
    return NULL;
}

static bool is_shift(enum decode_op op)
{
    return op >= DECODE_ROL && op <= DECODE_SAR;
}

static const char *vector_differs(const struct decode *d, const struct theirs *t)
{
    ZydisRegisterClass class = ZydisRegisterGetClass(t->reg->reg.value);
    bool high =
        t->insn.mnemonic == ZYDIS_MNEMONIC_MOVHPS || t->insn.mnemonic == ZYDIS_MNEMONIC_MOVHPD ||
        t->insn.mnemonic == ZYDIS_MNEMONIC_VMOVHPS || t->insn.mnemonic == ZYDIS_MNEMONIC_VMOVHPD;
    bool low =
        t->insn.mnemonic == ZYDIS_MNEMONIC_MOVLPS || t->insn.mnemonic == ZYDIS_MNEMONIC_MOVLPD;

    if (d->mmx != (class == ZYDIS_REGCLASS_MMX))
        return "class of a vector register";
    if (d->reg != ZydisRegisterGetId(t->reg->reg.value))
        return "vector register";
    if (d->vex != (t->insn.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX))
        return "vex";
    if (d->high_half != high)
        return "high half";
    if (d->mask !=
        (is_masked(t->insn.mnemonic) ? ZydisRegisterGetId(t->operands[1].reg.value) : -1))
        return "mask";
    bool half = (high || low) && d->op == DECODE_VECTOR_LOAD;
    return d->keeps == half ? NULL : "keeps the other half";
}

static const char *register_differs(const struct decode *d, const struct theirs *t)
{
    if (is_x87(t))
        return d->immediate == ((t->insn.opcode & 7u) << 8 | t->insn.raw.modrm.mod << 6 |
                                t->insn.raw.modrm.reg << 3 | t->insn.raw.modrm.rm)
                   ? NULL
                   : "opcode of the x87";
    if (is_segment_move(t))
        return d->reg == ZydisRegisterGetId(t->reg->reg.value) ? NULL : "segment register";
    if (d->op == DECODE_STORE_SELECTOR || d->op == DECODE_LOAD_SELECTOR) {
        bool task =
            t->insn.mnemonic == ZYDIS_MNEMONIC_STR || t->insn.mnemonic == ZYDIS_MNEMONIC_LTR;
        return d->reg == (task ? SEG_TR : SEG_LDTR) ? NULL : "system segment register";
    }
    if (d->op == DECODE_VECTOR_LOAD || d->op == DECODE_VECTOR_STORE)
        return vector_differs(d, t);
    if (decode_is_string(d->op)) {
        bool two = d->op == DECODE_MOVS || d->op == DECODE_CMPS;
        return d->reg == (two ? -1 : 0) ? NULL : "register of a string form";
    }
    bool count = t->reg && t->reg->reg.value == ZYDIS_REGISTER_CL && is_shift(d->op);
    if (count)
        return d->reg == -1 && d->by_cl ? NULL : "count in CL";
    if (!t->reg)
        return d->reg == -1 ? NULL : "a register where there is none";
    ZydisRegister r = t->reg->reg.value;
    bool high = r >= ZYDIS_REGISTER_AH && r <= ZYDIS_REGISTER_BH;
    /* Zydis counts AL CL DL BL AH CH DH BH SPL ...: all above BL stand four higher. */
    int number = ZydisRegisterGetId(r);
    if (ZydisRegisterGetClass(r) == ZYDIS_REGCLASS_GPR8)
        number = r < ZYDIS_REGISTER_AH ? r - ZYDIS_REGISTER_AL
                 : high                ? r - ZYDIS_REGISTER_AH
                                       : r - ZYDIS_REGISTER_SPL + 4;
    if (high != d->high_byte)
        return "high_byte";
    if (number != d->reg)
        return "register";
    return t->reg->size == 8 * d->reg_size ? NULL : "register's size";
}

static const char *immediate_differs(const struct decode *d, const struct theirs *t)
{
    uint64_t mask = d->size >= 8 ? UINT64_MAX : (1UL << (8 * d->size)) - 1;

    if (d->has_immediate != !!t->immediate)
        return "has_immediate";
    if (!t->immediate)
        return NULL;
    if (d->op >= DECODE_BT && d->op <= DECODE_BTC)
        mask = 8 * d->size - 1;
    if (is_shift(d->op) || d->op == DECODE_SHLD || d->op == DECODE_SHRD)
        return (d->immediate ^ t->immediate->imm.value.u) & 0xff ? "count" : NULL;
    return d->immediate == (t->immediate->imm.value.u & mask) ? NULL : "immediate";
}

/* The last of F2 and F3 among the prefixes of a string form, or 0. Zydis has no attribute for F2
 * with MOVS, STOS and LODS, though it keeps the byte. */
static uint8_t repeat_prefix(const struct decode *d, const struct theirs *t)
{
    uint8_t last = 0;
    if (!decode_is_string(d->op))
        return 0;
    for (unsigned i = 0; i < t->insn.raw.prefix_count; i++) {
        uint8_t byte = t->insn.raw.prefixes[i].value;
        if (byte == 0xF2 || byte == 0xF3)
            last = byte;
    }
    return last;
}

static const char *all_differs(const struct decode *d, const struct theirs *t)
{
    bool arithmetic = d->op >= DECODE_AND && d->op <= DECODE_CMP;
    const char *what;

    if (d->length != t->insn.length)
        return "length";
    if ((int)d->op != op_of(t))
        return "operation";
    if ((what = memory_differs(d, t)) || (what = register_differs(d, t)) ||
        (what = immediate_differs(d, t)))
        return what;
    if (arithmetic && d->to_register == t->memory_first)
        return "to_register";
    if (d->lock != !!(t->insn.attributes & ZYDIS_ATTRIB_HAS_LOCK))
        return "lock";
    if (d->rep != (repeat_prefix(d, t) == 0xF3) || d->repne != (repeat_prefix(d, t) == 0xF2))
        return "rep";
    if (d->swap != (t->insn.mnemonic == ZYDIS_MNEMONIC_MOVBE))
        return "swap";
    if ((d->op == DECODE_CMOV || d->op == DECODE_SETCC) && d->condition != (t->insn.opcode & 15))
        return "condition";
    if (d->sign_extend !=
        (t->insn.mnemonic == ZYDIS_MNEMONIC_MOVSX || t->insn.mnemonic == ZYDIS_MNEMONIC_MOVSXD))
        return "sign_extend";
    return NULL;
}

/* Zydis 4.0 takes R13D as base where a SIB byte says "no base, disp32", if REX.B meets a 32-bit
 * address. SDM, "Special Cases of REX Encodings": REX.B does not count there; binutils agrees. */
static bool is_zydis_error(const struct theirs *t)
{
    return t->insn.address_width == 32 && t->insn.raw.rex.B && t->insn.raw.modrm.mod == 0 &&
           t->insn.raw.modrm.rm == 4 && t->insn.raw.sib.base == 5;
}

/* What docs/guests.md leaves out, by Zydis's categories, and single ones of the others. */
static bool is_left_out(const struct theirs *t)
{
    static const ZydisInstructionCategory categories[] = {
        ZYDIS_CATEGORY_SSE,
        ZYDIS_CATEGORY_MMX,
        ZYDIS_CATEGORY_CONVERT,
        ZYDIS_CATEGORY_LOGICAL_FP,
        ZYDIS_CATEGORY_AES,
        ZYDIS_CATEGORY_SHA,
        ZYDIS_CATEGORY_GFNI,
        ZYDIS_CATEGORY_PCLMULQDQ,
        ZYDIS_CATEGORY_XSAVE,
        ZYDIS_CATEGORY_XSAVEOPT,
        ZYDIS_CATEGORY_SEGOP,
        ZYDIS_CATEGORY_SYSTEM,
        ZYDIS_CATEGORY_VTX,
        ZYDIS_CATEGORY_CET,
        ZYDIS_CATEGORY_MPX,
        ZYDIS_CATEGORY_KEYLOCKER,
        ZYDIS_CATEGORY_KEYLOCKER_WIDE,
        ZYDIS_CATEGORY_PT,
        ZYDIS_CATEGORY_ENQCMD,
        ZYDIS_CATEGORY_MOVDIR,
        ZYDIS_CATEGORY_ADOX_ADCX,
        ZYDIS_CATEGORY_CLWB,
        ZYDIS_CATEGORY_CLDEMOTE,
        ZYDIS_CATEGORY_PREFETCH,
        ZYDIS_CATEGORY_PREFETCHWT1,
        ZYDIS_CATEGORY_WIDENOP,
        ZYDIS_CATEGORY_INTERRUPT,
        ZYDIS_CATEGORY_IOSTRINGOP,
        ZYDIS_CATEGORY_PADLOCK,
    };
    static const ZydisMnemonic single[] = {
        ZYDIS_MNEMONIC_FLDENV,  ZYDIS_MNEMONIC_FNSTENV,  ZYDIS_MNEMONIC_FRSTOR,
        ZYDIS_MNEMONIC_FNSAVE,  ZYDIS_MNEMONIC_ENTER,    ZYDIS_MNEMONIC_INVPCID,
        ZYDIS_MNEMONIC_UD0,     ZYDIS_MNEMONIC_UD1,      ZYDIS_MNEMONIC_XLAT,
        ZYDIS_MNEMONIC_PUSHA,   ZYDIS_MNEMONIC_PUSHAD,   ZYDIS_MNEMONIC_POPA,
        ZYDIS_MNEMONIC_POPAD,   ZYDIS_MNEMONIC_IRET,     ZYDIS_MNEMONIC_IRETD,
        ZYDIS_MNEMONIC_IRETQ,   ZYDIS_MNEMONIC_PAND,     ZYDIS_MNEMONIC_PANDN,
        ZYDIS_MNEMONIC_POR,     ZYDIS_MNEMONIC_PXOR,     ZYDIS_MNEMONIC_PTEST,
        ZYDIS_MNEMONIC_MOVDDUP, ZYDIS_MNEMONIC_MOVSHDUP, ZYDIS_MNEMONIC_MOVSLDUP,
        ZYDIS_MNEMONIC_MOVNTSD, ZYDIS_MNEMONIC_MOVNTSS,
    };
    bool segment = t->reg && ZydisRegisterGetClass(t->reg->reg.value) == ZYDIS_REGCLASS_SEGMENT;

    if (t->insn.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR || (segment && !t->memory))
        return true; /* PUSH and POP of them */
    if (t->insn.mnemonic == ZYDIS_MNEMONIC_MOVSXD && t->insn.operand_width == 16)
        return true;
    if (t->insn.opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && t->insn.opcode == 0x82)
        return true; /* an alias of 0x80 */
    if ((t->insn.mnemonic == ZYDIS_MNEMONIC_CALL || t->insn.mnemonic == ZYDIS_MNEMONIC_JMP ||
         t->insn.mnemonic == ZYDIS_MNEMONIC_RET) &&
        t->insn.machine_mode == ZYDIS_MACHINE_MODE_LONG_64)
        return t->insn.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE;
    for (size_t i = 0; i < sizeof(categories) / sizeof(categories[0]); i++) {
        if (categories[i] == t->insn.meta.category)
            return true;
    }
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
        if (single[i] == t->insn.mnemonic)
            return true;
    }
    return false;
}

static bool touches_memory(const struct theirs *t)
{
    for (unsigned i = 0; i < t->insn.operand_count; i++) {
        if (t->operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
            t->operands[i].mem.type == ZYDIS_MEMOP_TYPE_MEM)
            return true;
    }
    return false;
}

const char *decode_forgotten(const uint8_t *bytes, unsigned count, enum decode_mode mode)
{
    struct theirs t = { 0 };
    struct decode d;

    if (!zydis_decodes(bytes, count, mode, &t) || !touches_memory(&t) ||
        t.insn.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return NULL;
    if (decode_insn(bytes, count, mode, &d) == 0 || is_left_out(&t))
        return NULL;
    return ZydisMnemonicGetString(t.insn.mnemonic);
}

const char *decode_oracle(const uint8_t *bytes, unsigned count, enum decode_mode mode,
                          bool *accepted)
{
    struct theirs t = { 0 };
    struct decode d;
    bool known = zydis_decodes(bytes, count, mode, &t);
    int error = decode_insn(bytes, count, mode, &d);

    *accepted = error == 0;
    if (known && is_zydis_error(&t))
        return NULL;
    if (error == 0)
        return known ? all_differs(&d, &t) : "accepted, and is no instruction";
    if (error != -EINVAL && error != -ENODATA && error != -EOPNOTSUPP)
        return "an error that is not in the contract";
    if (known && error != -EOPNOTSUPP)
        return error == -EINVAL ? "called illegal" : "called cut short";
    if (known && is_ours(&t))
        return "refused, and is one of ours";
    return NULL;
}
