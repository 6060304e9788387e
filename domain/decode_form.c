/*
 * The opcode tables, one line each.
 *
 * Source: SDM volume 2, "Opcode Map". What decode.h does not name is left out: ADC and SBB, bit
 * tests by register, SSE and the rest are refused.
 */
#include "domain/decode_form.h"
#include "domain/decode.h"
#include "lib/assert.h"

enum {
    GROUP1_BYTE,
    GROUP1,
    GROUP1_IMM8,
    GROUP3_BYTE,
    GROUP3,
    GROUP4,
    GROUP5,
    GROUP8,
    GROUP11_BYTE,
    GROUP11,
    GROUPS
};

#define ARITHMETIC(first, operation, lock)                                                         \
    [(first)] = { (operation), F_MODRM | F_BYTE | (lock) },                                        \
    [(first) + 1] = { (operation), F_MODRM | (lock) },                                             \
    [(first) + 2] = { (operation), F_MODRM | F_BYTE | F_TO_REG },                                  \
    [(first) + 3] = { (operation), F_MODRM | F_TO_REG }

static const struct form one_byte[256] = {
    ARITHMETIC(0x00, DECODE_ADD, F_LOCK),
    ARITHMETIC(0x08, DECODE_OR, F_LOCK),
    ARITHMETIC(0x20, DECODE_AND, F_LOCK),
    ARITHMETIC(0x28, DECODE_SUB, F_LOCK),
    ARITHMETIC(0x30, DECODE_XOR, F_LOCK),
    ARITHMETIC(0x38, DECODE_CMP, 0),
    [0x63] = { DECODE_LOAD, F_MODRM | F_MEM32 | F_SIGNED | F_ONLY64 },
    [0x80] = { GROUP1_BYTE, F_GROUP },
    [0x81] = { GROUP1, F_GROUP },
    [0x83] = { GROUP1_IMM8, F_GROUP },
    [0x84] = { DECODE_TEST, F_MODRM | F_BYTE },
    [0x85] = { DECODE_TEST, F_MODRM },
    [0x86] = { DECODE_XCHG, F_MODRM | F_BYTE | F_LOCK },
    [0x87] = { DECODE_XCHG, F_MODRM | F_LOCK },
    [0x88] = { DECODE_STORE, F_MODRM | F_BYTE },
    [0x89] = { DECODE_STORE, F_MODRM },
    [0x8A] = { DECODE_LOAD, F_MODRM | F_BYTE },
    [0x8B] = { DECODE_LOAD, F_MODRM },
    [0xA0] = { DECODE_LOAD, F_MOFFS | F_BYTE },
    [0xA1] = { DECODE_LOAD, F_MOFFS },
    [0xA2] = { DECODE_STORE, F_MOFFS | F_BYTE },
    [0xA3] = { DECODE_STORE, F_MOFFS },
    [0xA4] = { DECODE_MOVS, F_STRING | F_BYTE },
    [0xA5] = { DECODE_MOVS, F_STRING },
    [0xAA] = { DECODE_STOS, F_STRING | F_BYTE },
    [0xAB] = { DECODE_STOS, F_STRING },
    [0xAC] = { DECODE_LODS, F_STRING | F_BYTE },
    [0xAD] = { DECODE_LODS, F_STRING },
    [0xC6] = { GROUP11_BYTE, F_GROUP },
    [0xC7] = { GROUP11, F_GROUP },
    [0xF6] = { GROUP3_BYTE, F_GROUP },
    [0xF7] = { GROUP3, F_GROUP },
    [0xFE] = { GROUP4, F_GROUP },
    [0xFF] = { GROUP5, F_GROUP },
};

/* Behind 0F. */
static const struct form two_byte[256] = {
    [0xB0] = { DECODE_CMPXCHG, F_MODRM | F_BYTE | F_LOCK },
    [0xB1] = { DECODE_CMPXCHG, F_MODRM | F_LOCK },
    [0xB6] = { DECODE_LOAD, F_MODRM | F_MEM8 },
    [0xB7] = { DECODE_LOAD, F_MODRM | F_MEM16 },
    [0xBA] = { GROUP8, F_GROUP },
    [0xBE] = { DECODE_LOAD, F_MODRM | F_MEM8 | F_SIGNED },
    [0xBF] = { DECODE_LOAD, F_MODRM | F_MEM16 | F_SIGNED },
};

#define GROUP_ONE(bits)                                                                            \
    {                                                                                              \
        [0] = { DECODE_ADD, (bits) | F_LOCK }, [1] = { DECODE_OR, (bits) | F_LOCK },               \
        [4] = { DECODE_AND, (bits) | F_LOCK }, [5] = { DECODE_SUB, (bits) | F_LOCK },              \
        [6] = { DECODE_XOR, (bits) | F_LOCK }, [7] = { DECODE_CMP, (bits) },                       \
    }
#define GROUP_THREE(bits, imm)                                                                     \
    {                                                                                              \
        [0] = { DECODE_TEST, (bits) | (imm) }, [2] = { DECODE_NOT, (bits) | F_UNARY | F_LOCK },    \
        [3] = { DECODE_NEG, (bits) | F_UNARY | F_LOCK },                                           \
    }
#define GROUP_FOUR(bits)                                                                           \
    {                                                                                              \
        [0] = { DECODE_INC, (bits) | F_UNARY | F_LOCK },                                           \
        [1] = { DECODE_DEC, (bits) | F_UNARY | F_LOCK },                                           \
    }

static const struct form groups[GROUPS][8] = {
    [GROUP1_BYTE] = GROUP_ONE(F_BYTE | F_IMM8),
    [GROUP1] = GROUP_ONE(F_IMMZ),
    [GROUP1_IMM8] = GROUP_ONE(F_IMM8),
    [GROUP3_BYTE] = GROUP_THREE(F_BYTE, F_IMM8),
    [GROUP3] = GROUP_THREE(0, F_IMMZ),
    [GROUP4] = GROUP_FOUR(F_BYTE),
    [GROUP5] = GROUP_FOUR(0),
    [GROUP8] = { [4] = { DECODE_BT, F_IMM8 },
                 [5] = { DECODE_BTS, F_IMM8 | F_LOCK },
                 [6] = { DECODE_BTR, F_IMM8 | F_LOCK },
                 [7] = { DECODE_BTC, F_IMM8 | F_LOCK } },
    [GROUP11_BYTE] = { [0] = { DECODE_STORE, F_BYTE | F_IMM8 } },
    [GROUP11] = { [0] = { DECODE_STORE, F_IMMZ } },
};

const struct form *decode_form(uint8_t opcode)
{
    return &one_byte[opcode];
}

const struct form *decode_form_0f(uint8_t opcode)
{
    return &two_byte[opcode];
}

const struct form *decode_form_group(const struct form *group, unsigned reg)
{
    ASSERT(group->flags & F_GROUP && group->op < GROUPS && reg < 8);
    return &groups[group->op][reg];
}
