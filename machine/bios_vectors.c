/*
 * The interrupt table of real mode, and the handlers behind it. See machine/bios_vectors.h.
 *
 * Entries stand where software that jumps into a BIOS has always found them: the timer's at
 * F000:FEA5, IRET alone at F000:FF53, the first instruction at F000:FFF0.
 */
#include "machine/bios_vectors.h"

/* Where in the last 64 KiB below 1 MiB. */
#define AT_TIMER 0xFEA5u
#define AT_IRET  0xFF53u
#define AT_EOI   0xFF54u
#define AT_EOI2  0xFF5Cu
#define AT_RESET 0xFFF0u

#define OFFSET(at)  ((at) - (BIOS_CODE_START & 0xFFFF))
#define HANDLER(at) (0xF000u << 16 | (at))

const uint32_t bios_vectors[BIOS_VECTORS] = {
    [0 ... BIOS_IRQ_VECTOR - 1] = HANDLER(AT_IRET),
    [BIOS_IRQ_VECTOR] = HANDLER(AT_TIMER),
    [BIOS_IRQ_VECTOR + 1 ... BIOS_IRQ_VECTOR + 7] = HANDLER(AT_EOI),
    [BIOS_IRQ_VECTOR + 8 ... BIOS_IRQ_VECTOR2 - 1] = HANDLER(AT_IRET),
    [BIOS_IRQ_VECTOR2... BIOS_IRQ_VECTOR2 + 7] = HANDLER(AT_EOI2),
    [BIOS_IRQ_VECTOR2 + 8 ... BIOS_VECTORS - 1] = HANDLER(AT_IRET),
};

/* clang-format off */
const uint8_t bios_code[BIOS_CODE_SIZE] = {
    [OFFSET(AT_TIMER)] =
        0x1E, 0x50,                   /* push ds; push ax */
        0x31, 0xC0, 0x8E, 0xD8,       /* xor ax, ax; mov ds, ax */
        0x66, 0xFF, 0x06, 0x6C, 0x04, /* inc dword [0x46C] */
        0xCD, 0x1C,                   /* int 0x1C, which is for the user to take */
        0xB0, 0x20, 0xE6, 0x20,       /* mov al, 0x20; out 0x20, al */
        0x58, 0x1F, 0xCF,             /* pop ax; pop ds; iret */
    [OFFSET(AT_IRET)] = 0xCF,
    [OFFSET(AT_EOI)] =
        0x50, 0xB0, 0x20, 0xE6, 0x20, /* push ax; mov al, 0x20; out 0x20, al */
        0x58, 0xCF,                   /* pop ax; iret */
    [OFFSET(AT_EOI2)] =
        0x50, 0xB0, 0x20, 0xE6, 0xA0, /* push ax; mov al, 0x20; out 0xA0, al */
        0xE6, 0x20, 0x58, 0xCF,       /* out 0x20, al; pop ax; iret */
    [OFFSET(AT_RESET)] =
        0xB0, 0x06, 0xBA, 0xF9, 0x0C, /* mov al, 6; mov dx, 0xCF9 */
        0xEE, 0xF4, 0xEB, 0xFD,       /* out dx, al; hlt, for ever */
};
/* clang-format on */
