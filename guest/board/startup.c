/*
 * INIT and STARTUP: who starts, where, and who does not. See guest/board/startup.h.
 * Source: SDM volume 3, "MP Initialization Protocol Requirements and Restrictions".
 */
#include "guest/board/startup.h"
#include <stdbool.h>
#include <stdint.h>
#include "guest/lib/hypercall.h"
#include "guest/lib/lapic.h"
#include "guest/lib/print.h"

#define FIRST    0x10000ul /* two pages, on each of which a CPU counts */
#define SECOND   0x11000ul
#define COUNTER  0x100
#define PATIENCE 10000 /* turns of the others */
#define TURNS    20    /* in which a CPU that runs has counted */

#define INIT       0x4500u
#define DE_ASSERT  0x8500u /* the end of an INIT, which is nothing to these CPUs */
#define STARTUP    0x4600u
#define ICR_TARGET 0x310

extern const uint8_t startup_code[], startup_end[];

static volatile uint32_t *counter(uint64_t page)
{
    uint64_t at = page + COUNTER;

    asm volatile("" : "+r"(at)); /* low memory, which the compiler would not let us read */
    return (volatile uint32_t *)at;
}

static void place(uint64_t page)
{
    volatile uint8_t *to = (volatile uint8_t *)counter(page) - COUNTER;

    for (unsigned i = 0; i < startup_end - startup_code; i++)
        to[i] = startup_code[i];
    *counter(page) = 0;
}

static void send(unsigned id, uint32_t what)
{
    lapic_write(ICR_TARGET, id << 24);
    lapic_write(LAPIC_ICR, what);
}

static void start(unsigned id, uint64_t page)
{
    send(id, STARTUP | (uint32_t)(page >> 12));
}

static bool counts(uint64_t page)
{
    uint32_t before = *counter(page);

    for (unsigned i = 0; i < PATIENCE && *counter(page) == before; i++)
        xen_sched(XEN_SCHED_YIELD);
    return *counter(page) != before;
}

/* At the latest some time after what has stopped it. */
static bool stands(uint64_t page)
{
    for (unsigned tries = 0; tries < 10; tries++) {
        uint32_t before = *counter(page);
        for (unsigned i = 0; i < TURNS; i++)
            xen_sched(XEN_SCHED_YIELD);
        if (*counter(page) == before)
            return true;
    }
    return false;
}

/* After power-on it waits: STARTUP alone suffices. */
static bool waits_at_first(void)
{
    start(2, FIRST);
    return counts(FIRST);
}

static bool init_stops(void)
{
    send(2, INIT);
    return stands(FIRST);
}

static bool init_and_startup(void)
{
    send(1, INIT);
    start(1, FIRST);
    return counts(FIRST) && stands(SECOND);
}

static bool startup_while_it_runs(void)
{
    start(1, SECOND);
    return stands(SECOND) && counts(FIRST);
}

/* Until it has taken the first one a second may come too late, or in its place: not both. */
static bool startup_twice(void)
{
    send(1, INIT);
    if (!stands(FIRST))
        return false;
    start(1, SECOND);
    if (!counts(SECOND))
        return false;
    start(1, FIRST);
    return stands(FIRST) && counts(SECOND);
}

static bool end_of_init(void)
{
    send(1, DE_ASSERT);
    return counts(SECOND);
}

static bool init_again(void)
{
    send(1, INIT);
    send(1, INIT);
    return stands(SECOND) && stands(FIRST);
}

void startup_try(void)
{
    static bool (*const cases[])(
        void) = { waits_at_first, init_stops,  init_and_startup, startup_while_it_runs,
                  startup_twice,  end_of_init, init_again };
    unsigned right = 0, n = sizeof(cases) / sizeof(cases[0]);

    place(FIRST);
    place(SECOND);
    for (unsigned i = 0; i < n; i++) {
        if (cases[i]())
            right++;
        else
            print("board: INIT and STARTUP: case %u is wrong\n", i);
    }
    print("board: INIT and STARTUP: %u of %u right\n", right, n);
}
