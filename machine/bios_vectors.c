/*
 * The interrupt table of real mode, and the handlers behind it. See machine/bios_vectors.h.
 *
 * Entries stand where software that jumps into a BIOS has always found them: the timer's at
 * F000:FEA5, IRET alone at F000:FF53, the first instruction at F000:FFF0.
 */
#include "machine/bios_vectors.h"
#include "lib/string.h"

#define SEGMENT  0xF000u
#define AT_TIMER 0xFEA5u
#define AT_IRET  0xFF53u
#define AT_EOI   0xFF54u
#define AT_EOI2  0xFF5Cu
#define AT_RESET 0xFFF0u

static const uint8_t timer[] = {
    0x1E, 0x50,                   /* push ds; push ax */
    0x31, 0xC0, 0x8E, 0xD8,       /* xor ax, ax; mov ds, ax */
    0x66, 0xFF, 0x06, 0x6C, 0x04, /* inc dword [0x46C] */
    0xCD, 0x1C,                   /* int 0x1C, which is for the user to take */
    0xB0, 0x20, 0xE6, 0x20,       /* EOI */
    0x58, 0x1F, 0xCF,             /* pop ax; pop ds; iret */
};
static const uint8_t just_iret[] = { 0xCF };
static const uint8_t eoi[] = { 0x50, 0xB0, 0x20, 0xE6, 0x20, 0x58, 0xCF };
static const uint8_t eoi2[] = { 0x50, 0xB0, 0x20, 0xE6, 0xA0, 0xE6, 0x20, 0x58, 0xCF };
static const uint8_t reset[] = { 0xB0, 0x06, 0xBA, 0xF9, 0x0C, 0xEE, /* out 0xCF9, 6 */
                                 0xF4, 0xEB, 0xFD };                 /* hlt, for ever */

static uint16_t handler_of(unsigned vector)
{
    if (vector == BIOS_IRQ_VECTOR)
        return AT_TIMER;
    if (vector - BIOS_IRQ_VECTOR < 8)
        return AT_EOI;
    return vector - BIOS_IRQ_VECTOR2 < 8 ? AT_EOI2 : AT_IRET;
}

void bios_vectors_build(uint8_t out[BIOS_VECTORS_SIZE])
{
    for (unsigned vector = 0; vector < BIOS_VECTORS_SIZE / 4; vector++) {
        uint32_t entry = SEGMENT << 16 | handler_of(vector);
        memcpy(out + 4 * vector, &entry, sizeof(entry));
    }
}

void bios_code_build(uint8_t out[BIOS_CODE_SIZE])
{
    static const struct {
        uint16_t at;
        uint8_t size;
        const uint8_t *code;
    } pieces[] = {
        { AT_TIMER, sizeof(timer), timer }, { AT_IRET, sizeof(just_iret), just_iret },
        { AT_EOI, sizeof(eoi), eoi },       { AT_EOI2, sizeof(eoi2), eoi2 },
        { AT_RESET, sizeof(reset), reset },
    };

    memset(out, 0, BIOS_CODE_SIZE);
    for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
        memcpy(out + (SEGMENT * 16 + pieces[i].at - BIOS_CODE_START), pieces[i].code,
               pieces[i].size);
}
