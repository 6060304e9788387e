/*
 * A guest that minds its own business, and tells how well others let it: what the neighbours' test
 * (tests/system/test_neighbours.py) measures by.
 *
 * It spins and reads the TSC: the longest gap between two readings is how long it was absent, be it
 * for an exit that waited for something or since its pCPU was elsewhere. In between it makes two
 * kinds of cheap exits that take its domain's lock: what they cost on average. A window ends after
 * WINDOW ticks, is told in one line, and the next one begins.
 *
 * To be attackable by whom it trusts it awaits every other domain at a port, and lends it a page.
 * Port and reference are told by the id: port I awaits domain I, reference GRANT_FIRST_REF + I is
 * for it.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/event.h"
#include "guest/lib/grant.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/trap.h"
#include "include/public/event_channel.h"

#define WINDOW    2000000 /* ticks */
#define GAPS      500     /* readings of the TSC between two exits */
#define TRUSTED   255     /* domain ids up to here */
#define PIT       0x40
#define LINE_MOST 120

void main(const void *boot_information);

static uint8_t lent[4096] __attribute__((aligned(4096)));

/* ---- One line, one hypercall ---- */

static char line[LINE_MOST];
static unsigned length;

static void keep(char c)
{
    if (length < LINE_MOST)
        line[length++] = c;
    if (c != '\n')
        return;
    xen_console_write(line, length);
    length = 0;
}

/* ---- Measuring ---- */

struct window {
    uint64_t absence; /* the longest */
    uint64_t exits, ticks;
};

static void note_gap(struct window *w, uint64_t ticks)
{
    if (ticks > w->absence)
        w->absence = ticks;
}

static void note_exit(struct window *w, uint64_t ticks)
{
    note_gap(w, ticks);
    w->exits++;
    w->ticks += ticks;
}

static void spin(struct window *w)
{
    uint64_t before = rdtsc();

    for (unsigned i = 0; i < GAPS; i++) {
        uint64_t now = rdtsc();
        note_gap(w, now - before);
        before = now;
    }
}

static void read_port(struct window *w)
{
    uint64_t before = rdtsc();

    inb(PIT);
    note_exit(w, rdtsc() - before);
}

static void call(struct window *w)
{
    struct xen_evtchn_status arg = { .dom = XEN_DOMID_SELF, .port = 1 };
    uint64_t before = rdtsc();

    hypercall(XEN_HYPERCALL_EVENT_CHANNEL_OP, EVTCHNOP_STATUS, (uint64_t)&arg, 0);
    note_exit(w, rdtsc() - before);
}

static void measure(struct window *w)
{
    uint64_t end = rdtsc() + WINDOW;

    *w = (struct window){ 0 };
    while (rdtsc() < end) {
        spin(w);
        read_port(w);
        call(w);
    }
}

static bool trust_all(void)
{
    if (!event_init() || !grant_init())
        return false;
    for (uint16_t id = 1; id <= TRUSTED; id++) {
        if (event_alloc(id) != id)
            return false;
        grant_page(GRANT_FIRST_REF + id, id, lent);
    }
    return true;
}

void main(const void *boot_information)
{
    struct window w;

    (void)boot_information;
    trap_init();
    print_to(keep);
    lent[0] = 1; /* it is there */
    if (!trust_all())
        print("victim: cannot be attacked\n");
    for (;;) {
        measure(&w);
        print("victim: absence %lu exit %lu rounds %lu\n", w.absence, w.ticks / w.exits,
              w.exits / 2);
    }
}
