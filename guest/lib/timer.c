/*
 * The PC's timer. See guest/lib/timer.h.
 */
#include "guest/lib/timer.h"
#include "guest/lib/cpu.h"
#include "guest/lib/pic.h"
#include "guest/lib/trap.h"

#define PIT    0x40
#define PIT_HZ 1193182
#define ONLY_0 0xFFFE /* masks */
#define NONE   0xFFFF

static volatile uint64_t ticks;

static void tick(struct trap *t)
{
    (void)t;
    ticks++;
    pic_eoi();
}

void timer_start(unsigned hz)
{
    unsigned divisor = PIT_HZ / hz;

    trap_set(TIMER_VECTOR, tick);
    pic_init(ONLY_0);
    outb(PIT + 3, 0x34); /* channel 0, both bytes, mode 2 */
    outb(PIT, divisor & 0xff);
    outb(PIT, (uint8_t)(divisor >> 8));
}

void timer_stop(void)
{
    pic_mask(NONE);
    outb(PIT + 3, 0x30); /* mode 0, and no count comes */
}

uint64_t timer_ticks(void)
{
    return ticks;
}
