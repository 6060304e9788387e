/*
 * Asks by XSETBV for extended states that its CPUID does not show: MPX' bounds. The domain's policy
 * refuses them; but an emulator may let XSETBV through. Then it leaves a number there, again and
 * again, and looks whether another domain's comes back: start two of them on one pCPU, id=1 and
 * id=2.
 */
#include <stdint.h>
#include "guest/lib/cpu.h"
#include "guest/lib/print.h"
#include "guest/lib/start_info.h"
#include "guest/lib/timer.h"
#include "guest/lib/trap.h"

#define CR4_OSFXSR  (1ul << 9)
#define CR4_OSXSAVE (1ul << 18)
#define BOUNDS      0x18u /* BND0 to BND3, and their configuration */
#define HEADER      (512 / 8)
#define BND0        (960 / 8) /* in the standard format; no CPU has it elsewhere */
#define HZ          100
#define ROUNDS      40

void main(const void *boot_information);

struct seen {
    uint64_t mine;
    unsigned rounds, foreign;
};

static uint64_t area[512] __attribute__((aligned(64)));

static void enable(void *arg)
{
    uint64_t cr4;

    (void)arg;
    asm volatile("mov %%cr4, %0" : "=r"(cr4));
    asm volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_OSFXSR | CR4_OSXSAVE));
    asm volatile("xsetbv" : : "c"(0), "a"(3 | BOUNDS), "d"(0));
}

static uint64_t read_bound(void)
{
    area[BND0] = 0;
    asm volatile("xsave64 (%0)" : : "r"(area), "a"(BOUNDS), "d"(0) : "memory");
    return area[BND0];
}

static void write_bound(uint64_t value)
{
    area[HEADER] = BOUNDS;
    area[BND0] = value;
    asm volatile("xrstor64 (%0)" : : "r"(area), "a"(BOUNDS), "d"(0) : "memory");
}

/* It may be switched in the middle, and be without these states again. */
static void look_and_leave(void *arg)
{
    struct seen *s = arg;

    enable(0);
    uint64_t found = read_bound();
    if (found && found != s->mine)
        s->foreign++;
    write_bound(s->mine);
    s->rounds++;
}

void main(const void *boot_information)
{
    struct seen s = { .mine = 0x1000 * start_number(boot_information, "id", 1) };

    trap_init();
    int trap = trap_try(enable, 0);
    if (trap >= 0) {
        print("states: refused by trap %d\n", trap);
        return;
    }
    timer_start(HZ);
    for (unsigned i = 0; i < ROUNDS; i++) {
        trap_try(look_and_leave, &s);
        irq_wait();
    }
    print("states: %s, another domain's in %u\n", s.rounds > ROUNDS / 2 ? "seen" : "not seen",
          s.foreign);
}
