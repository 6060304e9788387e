/*
 * The instructions that exit, from their bytes. See svm/decode.h.
 * Source: APM volume 3, "Instruction Encoding" and the pages of the instructions.
 */
#include "svm/decode.h"

#include "virt/virt.h"

#define PREFIX_LOCK      0xF0
#define PREFIX_OP_SIZE   0x66
#define PREFIX_ADDR_SIZE 0x67
#define OPCODE_GROUP_5   0xFF /* far CALL and JMP through memory, of its members */
#define REX_R            4
#define REX_B            1
#define MODRM_MOD        0xC0

/* 66, F2, F3, LOCK, address size, or a segment: true, and what it changes is noted. */
static bool take_prefix(struct decoded *d, uint8_t byte, unsigned size)
{
    static const uint8_t segments[] = { 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65 }; /* ES to GS */

    for (unsigned s = 0; s < sizeof(segments); s++) {
        if (byte != segments[s])
            continue;
        if (size != 8 || s >= SEG_FS) /* 64-bit code knows only FS and GS */
            d->segment = (uint8_t)s;
        return true;
    }
    if (byte == PREFIX_ADDR_SIZE)
        d->addr_size = size == 4 ? 2 : 4;
    if (byte == PREFIX_LOCK)
        d->lock = true;
    if (byte == PREFIX_OP_SIZE)
        d->far_bytes = size == 2 ? 6 : 4;
    return byte == PREFIX_ADDR_SIZE || byte == PREFIX_LOCK || byte == PREFIX_OP_SIZE ||
           byte == 0xF2 || byte == 0xF3;
}

/* Those with a ModRM byte behind their opcode: MOV to and from CRn and DRn, groups 5 and 7. */
static bool has_modrm(uint16_t opcode)
{
    return opcode == 0x0F01 || (opcode >= 0x0F20 && opcode <= 0x0F23) || opcode == OPCODE_GROUP_5;
}

/* Without operands, or with an immediate behind them. */
static unsigned immediate_bytes(const struct decoded *d)
{
    switch (d->opcode) {
    case 0xE4: /* IN and OUT */
    case 0xE5:
    case 0xE6:
    case 0xE7:
    case 0xCD: /* INT n */
        return 1;
    case 0x9A: /* far CALL and JMP */
    case 0xEA:
        return d->far_bytes;
    }
    return 0;
}

/* SIB and displacement (APM volume 3, "ModRM and SIB Bytes"), of 16- and 32-bit code. */
static unsigned memory_bytes(const struct decoded *d, uint8_t sib)
{
    unsigned mod = d->modrm >> 6, rm = d->modrm & 7;

    if (d->addr_size == 2)
        return mod ? mod : rm == 6 ? 2 : 0;
    unsigned base = rm == 4 ? sib & 7 : rm, bytes = rm == 4;
    if (mod == 1)
        return bytes + 1;
    return mod == 2 || base == 5 ? bytes + 4 : bytes;
}

/* MOV to CRn takes its second operand for a register, whatever mod says. */
static bool is_register(const struct decoded *d)
{
    return d->opcode >> 4 == 0x0F2 || (d->modrm & MODRM_MOD) == MODRM_MOD;
}

/* REX that stands there, or 0: before another prefix it does not count. */
static uint8_t rex_of(uint8_t byte, unsigned size)
{
    return size == 8 && (byte & 0xF0) == 0x40 ? byte : 0;
}

struct decoded decode_exiting(const uint8_t *bytes, unsigned count, unsigned size)
{
    struct decoded d = { .addr_size = (uint8_t)size,
                         .far_bytes = size == 2 ? 4 : 6,
                         .segment = SEG_DS };
    unsigned at = 0;
    uint8_t rex = 0;

    while (at < count && (rex_of(bytes[at], size) || take_prefix(&d, bytes[at], size)))
        rex = rex_of(bytes[at++], size);
    if (at < count)
        d.opcode = bytes[at++];
    if (d.opcode == 0x0F && at < count)
        d.opcode = (uint16_t)(0x0F00 | bytes[at++]);
    if (has_modrm(d.opcode)) {
        if (at >= count)
            return d;
        d.modrm = bytes[at++];
        d.reg = (uint8_t)((d.modrm >> 3 & 7) | (rex & REX_R) << 1);
        d.rm = (uint8_t)((d.modrm & 7) | (rex & REX_B) << 3);
        if (!is_register(&d) && d.opcode != OPCODE_GROUP_5)
            return d;
        if (!is_register(&d))
            at += memory_bytes(&d, at < count ? bytes[at] : 0);
    }
    at += immediate_bytes(&d);
    if (at <= count)
        d.length = (uint8_t)at;
    return d;
}

bool decode_is_far(const struct decoded *d)
{
    bool group = d->opcode == OPCODE_GROUP_5 && (d->reg == 3 || d->reg == 5) && !is_register(d);

    return group || d->opcode == 0x9A || d->opcode == 0xEA || d->opcode == 0xCF;
}

bool decode_is_int(const struct decoded *d)
{
    return d->opcode >= 0xCC && d->opcode <= 0xCE;
}
