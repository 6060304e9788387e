/*
 * The opcode tables, one line each.
 *
 * Source: SDM volume 2, "Opcode Map". What decode.h does not name is left out: far branches and
 * the rest are refused.
 */
#include "decode/decode_form.h"
#include "decode/decode.h"
#include "lib/assert.h"

enum {
    GROUP1_BYTE,
    GROUP1,
    GROUP1_IMM8,
    GROUP1A,
    GROUP2_BYTE_IMM8,
    GROUP2_IMM8,
    GROUP2_BYTE_ONE,
    GROUP2_ONE,
    GROUP2_BYTE_CL,
    GROUP2_CL,
    GROUP3_BYTE,
    GROUP3,
    GROUP4,
    GROUP5,
    GROUP6,
    GROUP7,
    GROUP8,
    GROUP9,
    GROUP11_BYTE,
    GROUP11,
    GROUP15,
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
    ARITHMETIC(0x10, DECODE_ADC, F_LOCK),
    ARITHMETIC(0x18, DECODE_SBB, F_LOCK),
    ARITHMETIC(0x20, DECODE_AND, F_LOCK),
    ARITHMETIC(0x28, DECODE_SUB, F_LOCK),
    ARITHMETIC(0x30, DECODE_XOR, F_LOCK),
    ARITHMETIC(0x38, DECODE_CMP, 0),
    [0x50 ... 0x57] = { DECODE_PUSH, F_BARE | F_STACK | F_COND },
    [0x58 ... 0x5F] = { DECODE_POP, F_BARE | F_STACK | F_COND },
    [0x63] = { DECODE_LOAD, F_MODRM | F_MEM32 | F_SIGNED | F_ONLY64 },
    [0x68] = { DECODE_PUSH, F_BARE | F_STACK | F_IMMZ },
    [0x69] = { DECODE_IMUL, F_MODRM | F_TO_REG | F_IMMZ },
    [0x6A] = { DECODE_PUSH, F_BARE | F_STACK | F_IMM8 },
    [0x6B] = { DECODE_IMUL, F_MODRM | F_TO_REG | F_IMM8 },
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
    [0x8C] = { DECODE_STORE_SELECTOR, F_MODRM | F_MEM16 },
    [0x8E] = { DECODE_LOAD_SELECTOR, F_MODRM | F_MEM16 },
    [0x8F] = { GROUP1A, F_GROUP },
    [0x9C] = { DECODE_PUSHF, F_BARE | F_STACK },
    [0x9D] = { DECODE_POPF, F_BARE | F_STACK },
    [0xA0] = { DECODE_LOAD, F_MOFFS | F_BYTE },
    [0xA1] = { DECODE_LOAD, F_MOFFS },
    [0xA2] = { DECODE_STORE, F_MOFFS | F_BYTE },
    [0xA3] = { DECODE_STORE, F_MOFFS },
    [0xA4] = { DECODE_MOVS, F_STRING | F_BYTE },
    [0xA5] = { DECODE_MOVS, F_STRING },
    [0xA6] = { DECODE_CMPS, F_STRING | F_BYTE },
    [0xA7] = { DECODE_CMPS, F_STRING },
    [0xAA] = { DECODE_STOS, F_STRING | F_BYTE },
    [0xAB] = { DECODE_STOS, F_STRING },
    [0xAC] = { DECODE_LODS, F_STRING | F_BYTE },
    [0xAD] = { DECODE_LODS, F_STRING },
    [0xAE] = { DECODE_SCAS, F_STRING | F_BYTE },
    [0xAF] = { DECODE_SCAS, F_STRING },
    [0xC0] = { GROUP2_BYTE_IMM8, F_GROUP },
    [0xC1] = { GROUP2_IMM8, F_GROUP },
    [0xC2] = { DECODE_RET, F_BARE | F_NEAR | F_NO66 | F_IMMZ },
    [0xC3] = { DECODE_RET, F_BARE | F_NEAR | F_NO66 },
    [0xC6] = { GROUP11_BYTE, F_GROUP },
    [0xC7] = { GROUP11, F_GROUP },
    [0xC9] = { DECODE_LEAVE, F_BARE | F_STACK },
    [0xD0] = { GROUP2_BYTE_ONE, F_GROUP },
    [0xD1] = { GROUP2_ONE, F_GROUP },
    [0xD2] = { GROUP2_BYTE_CL, F_GROUP },
    [0xD3] = { GROUP2_CL, F_GROUP },
    [0xE8] = { DECODE_CALL, F_BARE | F_NEAR | F_NO66 | F_IMMZ },
    [0xF6] = { GROUP3_BYTE, F_GROUP },
    [0xF7] = { GROUP3, F_GROUP },
    [0xFE] = { GROUP4, F_GROUP },
    [0xFF] = { GROUP5, F_GROUP },
};

#define CONDITIONS(first, operation, bits)                                                         \
    [(first)...(first) + 15] = { (operation), (bits) | F_COND }

/* Behind 0F. */
static const struct form two_byte[256] = {
    [0x00] = { GROUP6, F_GROUP },
    [0x01] = { GROUP7, F_GROUP },
    CONDITIONS(0x40, DECODE_CMOV, F_MODRM | F_TO_REG),
    CONDITIONS(0x90, DECODE_SETCC, F_UNARY | F_BYTE),
    [0xA3] = { DECODE_BT, F_MODRM },
    [0xA4] = { DECODE_SHLD, F_MODRM | F_IMM8 },
    [0xA5] = { DECODE_SHLD, F_MODRM | F_CL },
    [0xAB] = { DECODE_BTS, F_MODRM | F_LOCK },
    [0xAC] = { DECODE_SHRD, F_MODRM | F_IMM8 },
    [0xAD] = { DECODE_SHRD, F_MODRM | F_CL },
    [0xAE] = { GROUP15, F_GROUP },
    [0xAF] = { DECODE_IMUL, F_MODRM | F_TO_REG },
    [0xB0] = { DECODE_CMPXCHG, F_MODRM | F_BYTE | F_LOCK },
    [0xB1] = { DECODE_CMPXCHG, F_MODRM | F_LOCK },
    [0xB3] = { DECODE_BTR, F_MODRM | F_LOCK },
    [0xB6] = { DECODE_LOAD, F_MODRM | F_MEM8 },
    [0xB7] = { DECODE_LOAD, F_MODRM | F_MEM16 },
    [0xBA] = { GROUP8, F_GROUP },
    [0xBB] = { DECODE_BTC, F_MODRM | F_LOCK },
    [0xBC] = { DECODE_BSF, F_MODRM | F_TO_REG },
    [0xBD] = { DECODE_BSR, F_MODRM | F_TO_REG },
    [0xBE] = { DECODE_LOAD, F_MODRM | F_MEM8 | F_SIGNED },
    [0xBF] = { DECODE_LOAD, F_MODRM | F_MEM16 | F_SIGNED },
    [0xC0] = { DECODE_XADD, F_MODRM | F_BYTE | F_LOCK },
    [0xC1] = { DECODE_XADD, F_MODRM | F_LOCK },
    [0xC7] = { GROUP9, F_GROUP },
};

#define GROUP_ONE(bits)                                                                            \
    {                                                                                              \
        [0] = { DECODE_ADD, (bits) | F_LOCK }, [1] = { DECODE_OR, (bits) | F_LOCK },               \
        [2] = { DECODE_ADC, (bits) | F_LOCK }, [3] = { DECODE_SBB, (bits) | F_LOCK },              \
        [4] = { DECODE_AND, (bits) | F_LOCK }, [5] = { DECODE_SUB, (bits) | F_LOCK },              \
        [6] = { DECODE_XOR, (bits) | F_LOCK }, [7] = { DECODE_CMP, (bits) },                       \
    }
#define GROUP_TWO(bits)                                                                            \
    {                                                                                              \
        [0] = { DECODE_ROL, (bits) }, [1] = { DECODE_ROR, (bits) }, [2] = { DECODE_RCL, (bits) },  \
        [3] = { DECODE_RCR, (bits) }, [4] = { DECODE_SHL, (bits) }, [5] = { DECODE_SHR, (bits) },  \
        [6] = { DECODE_SHL, (bits) }, [7] = { DECODE_SAR, (bits) },                                \
    }
#define GROUP_THREE(bits, imm)                                                                     \
    {                                                                                              \
        [0] = { DECODE_TEST, (bits) | (imm) }, [1] = { DECODE_TEST, (bits) | (imm) },              \
        [2] = { DECODE_NOT, (bits) | F_UNARY | F_LOCK },                                           \
        [3] = { DECODE_NEG, (bits) | F_UNARY | F_LOCK }, [4] = { DECODE_MUL, (bits) | F_UNARY },   \
        [5] = { DECODE_IMUL_WIDE, (bits) | F_UNARY }, [6] = { DECODE_DIV, (bits) | F_UNARY },      \
        [7] = { DECODE_IDIV, (bits) | F_UNARY },                                                   \
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
    [GROUP1A] = { [0] = { DECODE_POP, F_UNARY | F_STACK } },
    [GROUP2_BYTE_IMM8] = GROUP_TWO(F_BYTE | F_IMM8),
    [GROUP2_IMM8] = GROUP_TWO(F_IMM8),
    [GROUP2_BYTE_ONE] = GROUP_TWO(F_BYTE | F_ONE),
    [GROUP2_ONE] = GROUP_TWO(F_ONE),
    [GROUP2_BYTE_CL] = GROUP_TWO(F_BYTE | F_CL),
    [GROUP2_CL] = GROUP_TWO(F_CL),
    [GROUP3_BYTE] = GROUP_THREE(F_BYTE, F_IMM8),
    [GROUP3] = GROUP_THREE(0, F_IMMZ),
    [GROUP4] = GROUP_FOUR(F_BYTE),
    [GROUP5] = { [0] = { DECODE_INC, F_UNARY | F_LOCK },
                 [1] = { DECODE_DEC, F_UNARY | F_LOCK },
                 [2] = { DECODE_CALL, F_UNARY | F_NEAR | F_NO66 },
                 [4] = { DECODE_JMP, F_UNARY | F_NEAR | F_NO66 },
                 [6] = { DECODE_PUSH, F_UNARY | F_STACK } },
    [GROUP6] = { [0] = { DECODE_STORE_SELECTOR, F_UNARY | F_MEM16 },
                 [1] = { DECODE_STORE_SELECTOR, F_UNARY | F_MEM16 },
                 [2] = { DECODE_LOAD_SELECTOR, F_UNARY | F_MEM16 },
                 [3] = { DECODE_LOAD_SELECTOR, F_UNARY | F_MEM16 } },
    [GROUP7] = { [4] = { DECODE_SMSW, F_UNARY | F_MEM16 } },
    [GROUP8] = { [4] = { DECODE_BT, F_IMM8 },
                 [5] = { DECODE_BTS, F_IMM8 | F_LOCK },
                 [6] = { DECODE_BTR, F_IMM8 | F_LOCK },
                 [7] = { DECODE_BTC, F_IMM8 | F_LOCK } },
    [GROUP9] = { [1] = { DECODE_CMPXCHG_PAIR, F_UNARY | F_PAIR | F_LOCK } },
    [GROUP11_BYTE] = { [0] = { DECODE_STORE, F_BYTE | F_IMM8 } },
    [GROUP11] = { [0] = { DECODE_STORE, F_IMMZ } },
    [GROUP15] = { [7] = { DECODE_FLUSH, F_UNARY | F_BYTE | F_NOREP } },
};

static const struct vector_form vector[] = {
    { 0x10, 16, V_NONE | V_66 }, /* MOVUPS, MOVUPD */
    { 0x11, 16, V_NONE | V_66 | V_STORE },
    { 0x10, 4, V_F3 }, /* MOVSS */
    { 0x11, 4, V_F3 | V_STORE },
    { 0x10, 8, V_F2 }, /* MOVSD */
    { 0x11, 8, V_F2 | V_STORE },
    { 0x12, 8, V_NONE | V_66 | V_KEEP }, /* MOVLPS, MOVLPD */
    { 0x13, 8, V_NONE | V_66 | V_STORE | V_NARROW },
    { 0x16, 8, V_NONE | V_66 | V_KEEP | V_HIGH }, /* MOVHPS, MOVHPD */
    { 0x17, 8, V_NONE | V_66 | V_STORE | V_HIGH | V_NARROW },
    { 0x28, 16, V_NONE | V_66 | V_ALIGNED }, /* MOVAPS, MOVAPD */
    { 0x29, 16, V_NONE | V_66 | V_STORE | V_ALIGNED },
    { 0x2A, 16, V_66 | V_ALIGNED | V_0F38 },           /* MOVNTDQA */
    { 0x2B, 16, V_NONE | V_66 | V_STORE | V_ALIGNED }, /* MOVNTPS, MOVNTPD */
    { 0x6E, 4, V_NONE | V_MMX | V_W },                 /* MOVD, MOVQ */
    { 0x7E, 4, V_NONE | V_MMX | V_W | V_STORE },
    { 0x6E, 4, V_66 | V_W | V_NARROW },
    { 0x7E, 4, V_66 | V_W | V_STORE | V_NARROW },
    { 0x6F, 8, V_NONE | V_MMX }, /* MOVQ */
    { 0x7F, 8, V_NONE | V_MMX | V_STORE },
    { 0x7E, 8, V_F3 | V_NARROW },
    { 0xD6, 8, V_66 | V_STORE | V_NARROW },
    { 0x6F, 16, V_66 | V_ALIGNED }, /* MOVDQA */
    { 0x7F, 16, V_66 | V_STORE | V_ALIGNED },
    { 0x6F, 16, V_F3 }, /* MOVDQU */
    { 0x7F, 16, V_F3 | V_STORE },
    { 0xC3, 4, V_NONE | V_INTEGER | V_W | V_STORE },  /* MOVNTI */
    { 0xE7, 8, V_NONE | V_MMX | V_STORE },            /* MOVNTQ */
    { 0xE7, 16, V_66 | V_STORE | V_ALIGNED },         /* MOVNTDQ */
    { 0xF0, 16, V_F2 },                               /* LDDQU */
    { 0xF7, 8, V_NONE | V_MMX | V_STORE | V_MASK },   /* MASKMOVQ */
    { 0xF7, 16, V_66 | V_STORE | V_NARROW | V_MASK }, /* MASKMOVDQU */
};

const struct form *decode_form(uint8_t opcode)
{
    return &one_byte[opcode];
}

const struct form *decode_form_0f(uint8_t opcode)
{
    return &two_byte[opcode];
}

const struct form *decode_form_f3_0f(uint8_t opcode)
{
    static const struct form counts[] = { { DECODE_POPCNT, F_MODRM | F_TO_REG },
                                          { DECODE_TZCNT, F_MODRM | F_TO_REG },
                                          { DECODE_LZCNT, F_MODRM | F_TO_REG } };

    switch (opcode) {
    case 0xB8:
        return &counts[0];
    case 0xBC:
        return &counts[1];
    case 0xBD:
        return &counts[2];
    default:
        return decode_form_0f(opcode);
    }
}

const struct form *decode_form_0f38(uint8_t opcode)
{
    static const struct form none, movbe[] = { { DECODE_LOAD, F_MODRM | F_SWAP | F_NOREP },
                                               { DECODE_STORE, F_MODRM | F_SWAP | F_NOREP } };

    return opcode == 0xF0 || opcode == 0xF1 ? &movbe[opcode & 1] : &none;
}

const struct form *decode_form_group(const struct form *group, unsigned reg)
{
    ASSERT(group->flags & F_GROUP && group->op < GROUPS && reg < 8);
    return &groups[group->op][reg];
}

const struct vector_form *decode_form_vector(uint8_t opcode, bool behind_0f38, unsigned prefix)
{
    for (unsigned i = 0; i < sizeof(vector) / sizeof(vector[0]); i++) {
        const struct vector_form *f = &vector[i];
        if (f->opcode == opcode && (f->flags & V_NONE << prefix) &&
            !(f->flags & V_0F38) == !behind_0f38)
            return f;
    }
    return NULL;
}

int decode_form_x87(uint8_t opcode, unsigned reg)
{
    static const int8_t bytes[8][8] = {
        { 4, 4, 4, 4, 4, 4, 4, 4 },        /* FADD and its like, of single precision */
        { 4, 0, -4, -4, 0, 2, 0, -2 },     /* FLD, FST, FSTP; FLDCW, FNSTCW */
        { 4, 4, 4, 4, 4, 4, 4, 4 },        /* FIADD and its like */
        { 4, -4, -4, -4, 0, 10, 0, -10 },  /* FILD, FISTTP, FIST, FISTP; FLD, FSTP of 80 bits */
        { 8, 8, 8, 8, 8, 8, 8, 8 },        /* FADD and its like, of double precision */
        { 8, -8, -8, -8, 0, 0, 0, -2 },    /* FLD, FISTTP, FST, FSTP; FNSTSW */
        { 2, 2, 2, 2, 2, 2, 2, 2 },        /* FIADD and its like, of words */
        { 2, -2, -2, -2, 10, 8, -10, -8 }, /* FILD, FISTTP, FIST, FISTP; FBLD, FILD, FBSTP, FISTP */
    };

    return bytes[opcode & 7][reg];
}
