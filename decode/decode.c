/*
 * The instruction decoder: prefixes, opcode by table, operands, immediate.
 *
 * Source: SDM volume 2, "Instruction Format". What an opcode means is in decode/decode_form.c;
 * this file knows only how operands are encoded.
 */
#include "decode/decode.h"
#include "decode/decode_form.h"
#include "virt/virt.h"

/* The bytes, how far we are, and what the prefixes said. */
struct cursor {
    const uint8_t *bytes;
    unsigned count, pos;
    int error; /* the first one; sticks */
    enum decode_mode mode;
    uint8_t rex;
    bool size_prefix, address_prefix;
    int segment;            /* override, or -1 */
    bool behind_0f38, wide; /* wide: VEX.L */
};

#define REX_W 8
#define REX_R 4
#define REX_X 2
#define REX_B 1

/* Are there that many more? If not: is it the fetch that ended, or the longest instruction? */
static bool have(struct cursor *c, unsigned bytes)
{
    if (c->error)
        return false;
    if (c->pos + bytes <= c->count && c->pos + bytes <= DECODE_MAX_BYTES)
        return true;
    c->error = c->count < DECODE_MAX_BYTES ? -ENODATA : -EINVAL;
    return false;
}

static uint8_t next(struct cursor *c)
{
    return have(c, 1) ? c->bytes[c->pos++] : 0;
}

/* A little-endian number of 1, 2, 4 or 8 bytes, sign-extended. */
static int64_t next_signed(struct cursor *c, unsigned bytes)
{
    uint64_t v = 0;
    if (!bytes || !have(c, bytes))
        return 0;
    for (unsigned i = bytes; i-- > 0;)
        v = v << 8 | c->bytes[c->pos + i];
    c->pos += bytes;
    unsigned unused = 64 - 8 * bytes;
    return (int64_t)(v << unused) >> unused;
}

/* In 64-bit mode only FS and GS can be chosen: the other four overrides are passed over. */
static void set_segment(struct cursor *c, enum seg segment)
{
    if (c->mode != DECODE_64 || segment >= SEG_FS)
        c->segment = (int)segment;
}

/* Takes one legacy prefix; false if the byte is none. Of F2 and F3 the last counts. */
static bool take_prefix(struct cursor *c, struct decode *d, uint8_t byte)
{
    switch (byte) {
    case 0x26:
    case 0x2E:
    case 0x36:
    case 0x3E:
        set_segment(c, (byte >> 3) & 3);
        return true;
    case 0x64:
    case 0x65:
        set_segment(c, byte & 1 ? SEG_GS : SEG_FS);
        return true;
    case 0x66:
        c->size_prefix = true;
        return true;
    case 0x67:
        c->address_prefix = true;
        return true;
    case 0xF0:
        d->lock = true;
        return true;
    case 0xF2:
    case 0xF3:
        d->rep = byte == 0xF3;
        d->repne = byte == 0xF2;
        return true;
    default:
        return false;
    }
}

/* Eats the prefixes; returns the first byte of the opcode. A REX counts only right before it. */
static uint8_t take_prefixes(struct cursor *c, struct decode *d)
{
    for (;;) {
        uint8_t byte = next(c);
        if (c->error)
            return 0;
        if (take_prefix(c, d, byte))
            c->rex = 0;
        else if (c->mode == DECODE_64 && (byte & 0xF0) == 0x40)
            c->rex = byte;
        else
            return byte;
    }
}

static uint8_t address_size(const struct cursor *c)
{
    if (c->mode == DECODE_64)
        return c->address_prefix ? 4 : 8;
    return (c->mode == DECODE_32) != c->address_prefix ? 4 : 2;
}

static uint8_t operand_size(const struct cursor *c)
{
    if (c->rex & REX_W)
        return 8;
    return (c->mode == DECODE_16) != c->size_prefix ? 2 : 4;
}

/* SDM, "16-Bit Addressing Forms with the ModR/M Byte". */
static void take_memory16(struct cursor *c, struct decode *d, uint8_t modrm)
{
    static const int8_t bases[8] = { GPR_RBX, GPR_RBX, GPR_RBP, GPR_RBP,
                                     GPR_RSI, GPR_RDI, GPR_RBP, GPR_RBX };
    static const int8_t indexes[8] = { GPR_RSI, GPR_RDI, GPR_RSI, GPR_RDI, -1, -1, -1, -1 };
    unsigned mod = modrm >> 6, rm = modrm & 7;

    if (mod == 0 && rm == 6) {
        d->displacement = next_signed(c, 2);
        return;
    }
    d->base = bases[rm];
    d->index = indexes[rm];
    if (mod)
        d->displacement = next_signed(c, mod);
}

/* SDM, "32-Bit Addressing Forms with the SIB Byte". */
static void take_sib(struct cursor *c, struct decode *d, unsigned mod)
{
    uint8_t sib = next(c);
    unsigned index = ((sib >> 3) & 7) | (c->rex & REX_X ? 8 : 0);
    unsigned base = sib & 7;

    if (index != GPR_RSP) {
        d->index = (int8_t)index;
        d->scale = (uint8_t)(1u << (sib >> 6));
    }
    if (mod == 0 && base == GPR_RBP)
        d->displacement = next_signed(c, 4);
    else
        d->base = (int8_t)(base | (c->rex & REX_B ? 8 : 0));
}

/* SDM, "32-Bit Addressing Forms with the ModR/M Byte" and "RIP-Relative Addressing". */
static void take_memory32(struct cursor *c, struct decode *d, uint8_t modrm)
{
    unsigned mod = modrm >> 6, rm = modrm & 7;

    if (rm == GPR_RSP) {
        take_sib(c, d, mod);
    } else if (mod == 0 && rm == GPR_RBP) {
        d->rip_relative = c->mode == DECODE_64;
        d->displacement = next_signed(c, 4);
    } else {
        d->base = (int8_t)(rm | (c->rex & REX_B ? 8 : 0));
    }
    if (mod)
        d->displacement = next_signed(c, mod == 1 ? 1 : 4);
}

/* Fills in the memory operand. The stack's registers as base make SS the default segment. */
static void take_memory(struct cursor *c, struct decode *d, uint8_t modrm)
{
    if (d->addr_size == 2)
        take_memory16(c, d, modrm);
    else
        take_memory32(c, d, modrm);
    d->segment = d->base == GPR_RSP || d->base == GPR_RBP ? SEG_SS : SEG_DS;
}

/* The register operand: with a byte and no REX, 4..7 are the high halves of the first four. */
static void set_register(const struct cursor *c, struct decode *d, unsigned field)
{
    d->high_byte = d->reg_size == 1 && !c->rex && field >= 4;
    d->reg = (int8_t)(d->high_byte ? field - 4 : field | (c->rex & REX_R ? 8 : 0));
}

static uint8_t operand_size_of(const struct cursor *c, unsigned flags)
{
    if (flags & F_BYTE)
        return 1;
    if (flags & F_PAIR)
        return c->rex & REX_W ? 16 : 8;
    if (c->mode == DECODE_64 && (flags & F_NEAR || (flags & F_STACK && !c->size_prefix)))
        return 8;
    return operand_size(c);
}

static void set_sizes(const struct cursor *c, struct decode *d, unsigned flags)
{
    d->reg_size = operand_size_of(c, flags);
    d->size = d->reg_size;
    if (flags & F_MEM8)
        d->size = 1;
    if (flags & F_MEM16)
        d->size = 2;
    if (flags & F_MEM32)
        d->size = 4;
}

static void take_immediate(struct cursor *c, struct decode *d, unsigned flags)
{
    unsigned bytes = flags & F_IMM8 ? 1 : d->size > 4 ? 4 : d->size;

    if (d->op == DECODE_RET)
        bytes = 2;
    d->has_immediate = true;
    d->immediate = (uint64_t)next_signed(c, bytes);
    if (d->size < 8)
        d->immediate &= (1UL << (8 * d->size)) - 1;
    /* SDM, "BT--Bit Test": an immediate bit number is taken modulo the operand's size. */
    if (d->op >= DECODE_BT && d->op <= DECODE_BTC)
        d->immediate &= 8 * d->size - 1;
    if (d->op == DECODE_RET) /* the one that is not signed */
        d->immediate &= 0xffff;
}

static void set_string(struct decode *d)
{
    bool by_rdi = d->op == DECODE_STOS || d->op == DECODE_SCAS;
    d->base = by_rdi ? GPR_RDI : GPR_RSI;
    d->segment = by_rdi ? SEG_ES : SEG_DS;
    d->reg = d->op == DECODE_MOVS || d->op == DECODE_CMPS ? -1 : GPR_RAX;
}

/* Registers stand in the opcode, or where ModR/M would have memory. */
static void take_bare(const struct cursor *c, struct decode *d, unsigned flags, uint8_t byte)
{
    d->bare = true;
    if (flags & (F_COND | F_UNARY))
        d->reg = (int8_t)((byte & 7) | (c->rex & REX_B ? 8 : 0));
}

/* byte: ModR/M, or, of a form without it, the opcode. */
static void take_operands(struct cursor *c, struct decode *d, unsigned flags, uint8_t byte)
{
    d->addr_size = address_size(c);
    set_sizes(c, d, flags);
    d->sign_extend = flags & F_SIGNED;
    d->to_register = flags & F_TO_REG;
    d->swap = flags & F_SWAP;
    d->by_cl = flags & F_CL;
    d->aligned = (flags & F_PAIR) && d->size == 16;

    if (flags & F_STRING) {
        set_string(d);
    } else if (flags & F_BARE || (byte >> 6 == 3 && flags & (F_STACK | F_NEAR))) {
        take_bare(c, d, flags, byte);
    } else if (flags & F_MOFFS) {
        d->displacement = next_signed(c, d->addr_size);
        d->segment = SEG_DS;
        d->reg = GPR_RAX;
    } else {
        take_memory(c, d, byte);
    }
    if (flags & F_MODRM)
        set_register(c, d, (byte >> 3) & 7);
    if (flags & (F_IMM8 | F_IMMZ))
        take_immediate(c, d, flags);
    if (flags & F_ONE) {
        d->has_immediate = true;
        d->immediate = 1;
    }
    /* SDM, "String Destination": ES of STOS and SCAS cannot be overridden. */
    if (c->segment >= 0 && d->op != DECODE_STOS && d->op != DECODE_SCAS)
        d->segment = (uint8_t)c->segment;
}

/* The register of a selector: of SLDT, STR, LLDT and LTR by the lowest bit of ModR/M's field. */
static int set_selector(struct decode *d, unsigned flags, unsigned field)
{
    bool system = flags & F_UNARY;

    d->reg = (int8_t)(system ? SEG_LDTR + (field & 1) : field);
    d->reg_size = 2;
    if (!system && (field > SEG_GS || (d->op == DECODE_LOAD_SELECTOR && field == SEG_CS)))
        return -EOPNOTSUPP;
    return 0;
}

/* What makes an encoding of a known form illegal or not ours. */
static int check_form(const struct cursor *c, const struct decode *d, unsigned flags)
{
    if (d->lock && !(flags & F_LOCK))
        return -EINVAL;
    if ((flags & F_ONLY64) && c->mode != DECODE_64)
        return -EOPNOTSUPP;
    /* MOVSXD to 16 bits: the vendors do not agree on how much memory it reads. */
    if ((flags & F_MEM32) && operand_size(c) == 2)
        return -EOPNOTSUPP;
    if ((flags & F_NO66) && c->mode == DECODE_64 && c->size_prefix)
        return -EOPNOTSUPP;
    if ((flags & F_NOREP) && (d->rep || d->repne))
        return -EOPNOTSUPP;
    return 0;
}

/* ---- Vector moves ---- */

/* SDM volume 2, "The VEX Prefix"; behind its first byte. Only forms without a third operand.
 * Returns the opcode, which stands for 0F or 0F 38 too; *prefix: 66, F3 or F2, by number. */
static uint8_t take_vex(struct cursor *c, struct decode *d, bool three_bytes, unsigned *prefix)
{
    uint8_t first = next(c), last = three_bytes ? next(c) : first;
    unsigned map = three_bytes ? first & 31 : 1;
    bool none_else = !c->rex && !c->size_prefix && !d->lock && !d->rep && !d->repne;

    if (!c->error && (!none_else || (last >> 3 & 15) != 15 || map < 1 || map > 2))
        c->error = -EOPNOTSUPP;
    if (c->mode == DECODE_64) /* elsewhere there are no more than eight registers */
        c->rex =
            (~first >> 5 & (three_bytes ? 7 : REX_R)) | (three_bytes && last & 0x80 ? REX_W : 0);
    c->behind_0f38 = map == 2;
    c->wide = last & 4;
    d->vex = true;
    *prefix = last & 3;
    return next(c);
}

/* C4 and C5 are VEX in 64-bit mode, and where the next byte would give LES and LDS a register. The
 * modes of 16 bits, where one of them knows no VEX, are left out. */
static bool is_vex(const struct cursor *c, uint8_t byte)
{
    if ((byte & 0xFE) != 0xC4 || c->mode == DECODE_16 || c->pos == c->count)
        return false;
    return c->mode == DECODE_64 || c->bytes[c->pos] >= 0xC0;
}

static unsigned legacy_prefix(const struct cursor *c, const struct decode *d)
{
    return d->rep ? 2 : d->repne ? 3 : c->size_prefix;
}

/* SDM volume 2, "MASKMOVDQU": data in the one register of ModR/M, the mask in the other. */
static void take_masked(const struct cursor *c, struct decode *d, uint8_t modrm)
{
    d->addr_size = address_size(c);
    d->base = GPR_RDI;
    d->segment = c->segment >= 0 ? (uint8_t)c->segment : SEG_DS;
    set_register(c, d, (modrm >> 3) & 7);
    d->mask = (int8_t)((modrm & 7) | (c->rex & REX_B ? 8 : 0));
}

/* There are but eight. */
static void set_mmx(struct decode *d)
{
    d->mmx = true;
    d->reg &= 7;
    if (d->mask >= 0)
        d->mask &= 7;
}

static int decode_vector(struct cursor *c, struct decode *d, uint8_t opcode, unsigned prefix)
{
    const struct vector_form *f = decode_form_vector(opcode, c->behind_0f38, prefix);

    if (c->error || !f)
        return c->error ? c->error : -EOPNOTSUPP;
    if (d->vex && (f->flags & (V_MMX | V_INTEGER | V_KEEP) || (c->wide && f->flags & V_NARROW)))
        return -EOPNOTSUPP;
    uint8_t modrm = next(c);
    if (!c->error && (modrm >> 6 == 3) != !!(f->flags & V_MASK))
        return -EOPNOTSUPP;
    d->op = f->flags & V_STORE ? DECODE_VECTOR_STORE : DECODE_VECTOR_LOAD;
    if (f->flags & V_INTEGER)
        d->op = DECODE_STORE;
    if (f->flags & V_MASK)
        take_masked(c, d, modrm);
    else
        take_operands(c, d, F_MODRM, modrm);
    d->size = f->flags & V_W && c->rex & REX_W ? 8 : f->size;
    if (f->size == 16 && c->wide)
        d->size = 32;
    d->reg_size = d->size;
    if (f->flags & V_MMX)
        set_mmx(d);
    d->aligned = f->flags & V_ALIGNED;
    d->high_half = f->flags & V_HIGH;
    d->keeps = f->flags & V_KEEP;
    return d->lock ? -EINVAL : c->error;
}

/* ---- x87 ---- */

static int decode_x87(struct cursor *c, struct decode *d, uint8_t opcode)
{
    uint8_t modrm = next(c);
    int bytes = decode_form_x87(opcode, modrm >> 3 & 7);

    if (c->error)
        return c->error;
    if (!bytes || modrm >> 6 == 3)
        return -EOPNOTSUPP;
    d->op = bytes > 0 ? DECODE_X87_LOAD : DECODE_X87_STORE;
    take_operands(c, d, 0, modrm);
    d->size = d->reg_size = (uint8_t)(bytes > 0 ? bytes : -bytes);
    d->immediate = (opcode & 7u) << 8 | modrm;
    return d->lock ? -EINVAL : c->error;
}

/* ---- All of them ---- */

/* Behind 0F: *opcode becomes the one that counts. */
static const struct form *form_behind_0f(struct cursor *c, const struct decode *d, uint8_t *opcode)
{
    *opcode = next(c);
    c->behind_0f38 = *opcode == 0x38;
    if (!c->behind_0f38)
        return d->rep ? decode_form_f3_0f(*opcode) : decode_form_0f(*opcode);
    *opcode = next(c);
    return decode_form_0f38(*opcode);
}

static int decode_body(struct cursor *c, struct decode *d)
{
    uint8_t opcode = take_prefixes(c, d), modrm = 0;
    const struct form *form = decode_form(opcode);
    unsigned prefix;

    if (is_vex(c, opcode)) {
        opcode = take_vex(c, d, opcode == 0xC4, &prefix);
        return decode_vector(c, d, opcode, prefix);
    }
    if (opcode >= 0xD8 && opcode <= 0xDF && !c->error)
        return decode_x87(c, d, opcode);
    bool two_bytes = opcode == 0x0F;
    if (two_bytes)
        form = form_behind_0f(c, d, &opcode);
    if (c->error)
        return c->error;
    if (!form->flags)
        return two_bytes ? decode_vector(c, d, opcode, legacy_prefix(c, d)) : -EOPNOTSUPP;
    if (form->flags & (F_MODRM | F_GROUP | F_UNARY)) {
        modrm = next(c);
        if (c->error)
            return c->error;
        if (form->flags & F_GROUP)
            form = decode_form_group(form, (modrm >> 3) & 7);
        if (!form->flags || (modrm >> 6 == 3 && !(form->flags & (F_STACK | F_NEAR))))
            return -EOPNOTSUPP;
    }
    d->op = form->op;
    int error = check_form(c, d, form->flags);
    if (error)
        return error;
    take_operands(c, d, form->flags, form->flags & F_BARE ? opcode : modrm);
    if (form->flags & F_COND)
        d->condition = opcode & 15;
    if (d->op == DECODE_STORE_SELECTOR || d->op == DECODE_LOAD_SELECTOR)
        error = set_selector(d, form->flags, modrm >> 3 & 7);
    return c->error ? c->error : error;
}

int decode_insn(const uint8_t *bytes, unsigned count, enum decode_mode mode, struct decode *out)
{
    struct cursor c = { .bytes = bytes, .count = count, .mode = mode, .segment = -1 };
    *out = (struct decode){ .reg = -1, .mask = -1, .base = -1, .index = -1, .scale = 1 };

    int error = decode_body(&c, out);
    if (error)
        return error;
    out->length = (uint8_t)c.pos;
    out->plain = out->op <= DECODE_STORE && !out->swap;
    if (!decode_is_string(out->op))
        out->rep = out->repne = false; /* there they mean nothing */
    return 0;
}
