/*
 * The instructions that exit, from their bytes. See svm/decode.h.
 * Source: APM volume 3, "Instruction Encoding" and the pages of the instructions.
 */
#include "svm/decode.h"

#include "virt/virt.h"

#define PREFIX_LOCK      0xF0
#define PREFIX_ADDR_SIZE 0x67
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
    return byte == PREFIX_ADDR_SIZE || byte == PREFIX_LOCK || byte == 0x66 || byte == 0xF2 ||
           byte == 0xF3;
}

/* Those with a ModRM byte behind their opcode: MOV to and from CRn and DRn, group 7. */
static bool has_modrm(uint16_t opcode)
{
    return opcode == 0x0F01 || (opcode >= 0x0F20 && opcode <= 0x0F23);
}

/* Without operands, or with an immediate byte behind them. */
static unsigned immediate_bytes(uint16_t opcode)
{
    switch (opcode) {
    case 0xE4: /* IN and OUT */
    case 0xE5:
    case 0xE6:
    case 0xE7:
        return 1;
    }
    return 0;
}

/* MOV to CRn takes its second operand for a register, whatever mod says. */
static bool is_register(const struct decoded *d)
{
    return d->opcode != 0x0F01 || (d->modrm & MODRM_MOD) == MODRM_MOD;
}

/* REX that stands there, or 0: before another prefix it does not count. */
static uint8_t rex_of(uint8_t byte, unsigned size)
{
    return size == 8 && (byte & 0xF0) == 0x40 ? byte : 0;
}

struct decoded decode_exiting(const uint8_t *bytes, unsigned count, unsigned size)
{
    struct decoded d = { .addr_size = (uint8_t)size, .segment = SEG_DS };
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
        if (!is_register(&d))
            return d;
    }
    at += immediate_bytes(d.opcode);
    if (at <= count)
        d.length = (uint8_t)at;
    return d;
}
