/*
 * A guest that wants more memory than it has been given. A key on COM1 asks for each attempt; what
 * came of it is told in one line.
 *
 *   b  gives back all that it can spare        t  takes as much as it can get
 *   u  uses it: writes each page               g  grants pages to itself and maps them, gives the
 *   x  has Caisson make as much as it will        originals back, and takes as much again
 *      on its behalf: tables, ports, grants
 */
#include "guest/lib/cpu.h"
#include "guest/lib/event.h"
#include "guest/lib/grant.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/pic.h"
#include "guest/lib/print.h"
#include "guest/lib/start_info.h"
#include "guest/lib/trap.h"
#include "include/public/event_channel.h"
#include "include/public/grant_table.h"
#include "include/public/memory.h"

#define PAGE     4096ul
#define SPARE    0x200000ul /* from here on nothing of its own stands in its RAM */
#define EXTENDED 0x100000ul /* memory of which mem_upper counts the KiB */
#define MAPS     0x80000000ul
#define COM1     0x3F8
#define COM1_IRQ 4
#define IER      1
#define MCR      4
#define LSR      5
#define LSR_DATA 1
#define BATCH    512

/* The first words of Multiboot's boot information ("Boot information format"). */
struct boot_information {
    uint32_t flags, mem_lower, mem_upper;
};

static uint64_t list[BATCH];
static uint64_t memory_end;
static uint16_t own_id;

void main(const void *boot_information);

static int64_t memory_op(unsigned op, const void *arg)
{
    return hypercall(XEN_HYPERCALL_MEMORY_OP, op, (uint64_t)arg, 0);
}

/* How many of the n pages from `at` on went well. */
static uint64_t reserve(unsigned op, uint64_t at, uint64_t n)
{
    struct xen_memory_reservation r = { .extent_start = (uint64_t)list,
                                        .nr_extents = n,
                                        .domid = XEN_DOMID_SELF };

    for (uint64_t i = 0; i < n; i++)
        list[i] = at / PAGE + i;
    int64_t done = memory_op(op, &r);
    return done > 0 ? (uint64_t)done : 0;
}

/* Spare pages, from the first on, that it has. */
static uint64_t has;

static uint64_t give_back(void)
{
    uint64_t done = 0, some = BATCH;

    for (; some == BATCH && has; has -= some, done += some) {
        uint64_t n = has < BATCH ? has : BATCH;
        some = reserve(XENMEM_DECREASE_RESERVATION, SPARE + (has - n) * PAGE, n);
    }
    return done;
}

static uint64_t take(void)
{
    uint64_t done = 0, some = BATCH;

    for (; some == BATCH; has += some, done += some)
        some = reserve(XENMEM_POPULATE_PHYSMAP, SPARE + has * PAGE, BATCH);
    return done;
}

static void use(void)
{
    uint64_t pages = 0;

    for (uint64_t at = SPARE; at < memory_end; at += PAGE, pages++)
        *(volatile uint64_t *)at = at;
    print("hoard: used %lu\n", pages);
}

static void grant(void)
{
    uint64_t mapped = 0, given, taken;

    if (!grant_init())
        print("hoard: no grants here\n");
    for (uint32_t ref = GRANT_FIRST_REF; ref < GRANT_REFS; ref++, mapped++) {
        uint64_t page = mapped * PAGE;
        *(volatile uint64_t *)(SPARE + page) = page;
        grant_page(ref, own_id, (const void *)(SPARE + page));
        if (grant_map(own_id, ref, MAPS + page) < 0)
            break;
    }
    given = reserve(XENMEM_DECREASE_RESERVATION, SPARE, mapped);
    taken = reserve(XENMEM_POPULATE_PHYSMAP, SPARE, given);
    print("hoard: mapped %lu, gave back %lu, took %lu more\n", mapped, given, taken);
}

/* Ports until there are no more. */
static uint64_t make_ports(void)
{
    uint64_t ports = 0;

    while (event_alloc(own_id) > 0)
        ports++;
    return ports;
}

/* Frames of the grant table at places far apart, so that each wants page tables of its own. */
static uint64_t make_tables(void)
{
    uint64_t places = 0;
    struct xen_add_to_physmap arg = { .domid = XEN_DOMID_SELF, .space = XENMAPSPACE_GRANT_TABLE };

    for (uint64_t n = 0; n < 2048; n++) {
        arg.idx = n % 32;
        arg.gpfn = (1ul << 18) * (5 + n % 512) + 512 * (n / 512);
        places += memory_op(XENMEM_ADD_TO_PHYSMAP, &arg) == 0;
    }
    return places;
}

/* Large pages fall to pieces: one page of each is given back. */
static uint64_t make_pieces(void)
{
    uint64_t pieces = 0;

    for (uint64_t at = SPARE; at + 512 * PAGE <= memory_end; at += 512 * PAGE) {
        *(volatile uint64_t *)at = at;
        pieces += reserve(XENMEM_DECREASE_RESERVATION, at + 7 * PAGE, 1);
        pieces += reserve(XENMEM_POPULATE_PHYSMAP, at + 7 * PAGE, 1);
    }
    return pieces;
}

static void have_made(void)
{
    uint64_t ports = event_init() ? make_ports() : 0;
    uint64_t places = make_tables(), pieces = make_pieces();

    print("hoard: has %lu ports, %lu places, %lu pieces\n", ports, places, pieces);
}

static void act(char key)
{
    switch (key) {
    case 'b':
        print("hoard: gave back %lu\n", give_back());
        break;
    case 't':
        print("hoard: took %lu\n", take());
        break;
    case 'u':
        use();
        break;
    case 'g':
        grant();
        break;
    case 'x':
        have_made();
        break;
    }
}

static void key(struct trap *t)
{
    (void)t; /* main() takes it */
    pic_eoi();
}

static void start_uart(void)
{
    trap_set(PIC_VECTOR + COM1_IRQ, key);
    pic_init((uint16_t) ~(1u << COM1_IRQ));
    outb(COM1 + MCR, 0xB); /* DTR, RTS, and OUT2, which lets its interrupts through */
    outb(COM1 + IER, 1);   /* for what is received */
}

void main(const void *boot_information)
{
    const struct boot_information *boot = boot_information;

    trap_init();
    own_id = (uint16_t)start_number(boot_information, "self", 1);
    memory_end = EXTENDED + boot->mem_upper * 1024ul;
    has = (memory_end - SPARE) / PAGE;
    start_uart();
    print("hoard: ready\n");
    for (;;) {
        while (inb(COM1 + LSR) & LSR_DATA)
            act((char)inb(COM1));
        irq_wait();
    }
}
