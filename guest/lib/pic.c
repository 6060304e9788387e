/*
 * The pair of 8259s. See guest/lib/pic.h.
 */
#include "guest/lib/pic.h"
#include "guest/lib/cpu.h"

#define PIC1    0x20
#define PIC2    0xA0
#define PIC_EOI 0x20

void pic_mask(uint16_t mask)
{
    outb(PIC1 + 1, (uint8_t)mask);
    outb(PIC2 + 1, (uint8_t)(mask >> 8));
}

void pic_init(uint16_t mask)
{
    static const struct {
        uint8_t port, value;
    } steps[] = {
        { PIC1, 0x11 },           { PIC2, 0x11 },               /* ICW1: edge, ICW4 */
        { PIC1 + 1, PIC_VECTOR }, { PIC2 + 1, PIC_VECTOR + 8 }, /* ICW2: vectors */
        { PIC1 + 1, 4 },          { PIC2 + 1, 2 },              /* ICW3: the cascade */
        { PIC1 + 1, 1 },          { PIC2 + 1, 1 },              /* ICW4: 8086 mode */
    };

    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        outb(steps[i].port, steps[i].value);
    pic_mask(mask);
}

void pic_eoi(void)
{
    outb(PIC1, PIC_EOI);
}
