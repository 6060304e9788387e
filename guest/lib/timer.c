/*
 * The PC's timer. See guest/lib/timer.h.
 */
#include "guest/lib/timer.h"
#include "guest/lib/cpu.h"
#include "guest/lib/trap.h"

#define PIC1    0x20
#define PIC2    0xA0
#define PIT     0x40
#define PIT_HZ  1193182
#define PIC_EOI 0x20

static volatile uint64_t ticks;

static void tick(struct trap *t)
{
    (void)t;
    ticks++;
    outb(PIC1, PIC_EOI);
}

static void pic_init(void)
{
    static const struct {
        uint8_t port, value;
    } steps[] = {
        { PIC1, 0x11 },     { PIC2, 0x11 },     /* ICW1: edge, cascade, ICW4 comes */
        { PIC1 + 1, 0x20 }, { PIC2 + 1, 0x28 }, /* ICW2: vectors */
        { PIC1 + 1, 4 },    { PIC2 + 1, 2 },    /* ICW3: the cascade */
        { PIC1 + 1, 1 },    { PIC2 + 1, 1 },    /* ICW4: 8086 mode */
        { PIC1 + 1, 0xFE }, { PIC2 + 1, 0xFF }, /* only the timer */
    };

    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        outb(steps[i].port, steps[i].value);
}

void timer_start(unsigned hz)
{
    unsigned divisor = PIT_HZ / hz;

    trap_set(TIMER_VECTOR, tick);
    pic_init();
    outb(PIT + 3, 0x34); /* channel 0, both bytes, mode 2 */
    outb(PIT, divisor & 0xff);
    outb(PIT, (uint8_t)(divisor >> 8));
}

void timer_stop(void)
{
    outb(PIC1 + 1, 0xFF);
}

uint64_t timer_ticks(void)
{
    return ticks;
}
