/*
 * A guest with a PCI device of its own, which it has write and read where it has no business: the
 * machine's memory behind its own, other domains' among it, registers, interrupts, and a page that
 * it has given back. The device is QEMU's `edu`, whose only art is to copy between its 4 KiB and
 * memory. Source: QEMU, docs/specs/edu.
 *
 * One line says whether the device reaches what is its own, one what it reached beside. seed=N on
 * the command line chooses other pages of the machine's memory.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/start_info.h"
#include "include/public/memory.h"

#define PAGE          4096ul
#define EDU           0x11E81234u
#define CONFIG        0xCF8
#define DATA          0xCFC
#define COMMAND       0x04
#define BAR           0x10
#define MEMORY_MASTER 6u

/* The device. */
enum { FROM = 0x80 / 8, TO = 0x88 / 8, BYTES = 0x90 / 8, RUN = 0x98 / 8 };
#define ITS_MEMORY 0x40000ul
#define GO         1ul
#define GO_OUT     3ul /* from the device to memory */
#define WORDS      8

void main(const void *boot_information);

/* Where it has nothing. 16 MiB are its own; Caisson and its neighbours are somewhere in the first
 * GiB of the machine. */
static const uint64_t strange[] = {
    0x1000000,  0x2345000,   0x3F000000,     0x3FFFF000,       0xB0000000,
    0xFED80000, 0x100000000, 0x8000000000ul, 0xFFFFFFFFF000ul,
};
#define RAM_PLACES 3
#define RAM_BEGIN  0x1000000ul
#define RAM_END    0x40000000ul
/* Interrupt messages, with a word that may be anybody's vector. */
static const uint64_t messages[] = { 0xFEE00000, 0xFEE01000, 0xFEE0500C };

static volatile uint64_t *edu;
static volatile uint64_t source[PAGE / 8] __attribute__((aligned(4096)));
static volatile uint64_t sink[PAGE / 8] __attribute__((aligned(4096)));
static volatile uint64_t spare[PAGE / 8] __attribute__((aligned(4096)));

static uint32_t config_read(unsigned slot, unsigned reg)
{
    outl(CONFIG, 0x80000000u | slot << 11 | reg);
    return inl(DATA);
}

static bool find(void)
{
    for (unsigned slot = 0; slot < 32; slot++) {
        if (config_read(slot, 0) != EDU)
            continue;
        edu = (volatile uint64_t *)(uintptr_t)(config_read(slot, BAR) & ~0xFu);
        config_read(slot, COMMAND);
        outl(DATA, MEMORY_MASTER);
        return true;
    }
    return false;
}

static void copy(uint64_t from, uint64_t to, uint64_t how)
{
    edu[FROM] = from;
    edu[TO] = to;
    edu[BYTES] = WORDS * 8;
    edu[RUN] = how;
    while (edu[RUN] & GO)
        asm volatile("pause");
}

/* What is there in memory into the device, and from there into the sink. */
static void fetch(uint64_t from)
{
    copy(from, ITS_MEMORY, GO);
    copy(ITS_MEMORY, (uint64_t)sink, GO_OUT);
}

static void fill(uint64_t word)
{
    for (unsigned i = 0; i < WORDS; i++) {
        source[i] = word + i;
        sink[i] = 0;
    }
}

/* The device has these words. */
static void load(uint64_t word)
{
    fill(word);
    copy((uint64_t)source, ITS_MEMORY, GO);
}

/* The sink is as the source. */
static bool arrived(void)
{
    for (unsigned i = 0; i < WORDS; i++) {
        if (sink[i] != source[i])
            return false;
    }
    return true;
}

/* What is in the sink is no memory of anybody's: what the device had before, or one byte again and
 * again. */
static bool is_nothing(void)
{
    if (arrived())
        return true;
    for (unsigned i = 0; i < WORDS; i++) {
        if (sink[i] != 0 && sink[i] != ~0ul)
            return false;
    }
    return true;
}

/* The device writes there, and reads. True: nothing of anybody's is seen. */
static bool try(uint64_t at)
{
    load(0x726F677565000000ul + (at & 0xFFFFF000));
    copy(ITS_MEMORY, at, GO_OUT);
    fetch(at);
    return is_nothing();
}

static int64_t reserve(unsigned op)
{
    static uint64_t frame;
    struct xen_memory_reservation r = { .extent_start = (uint64_t)&frame,
                                        .nr_extents = 1,
                                        .domid = XEN_DOMID_SELF };

    frame = (uint64_t)spare / PAGE;
    return hypercall(XEN_HYPERCALL_MEMORY_OP, op, (uint64_t)&r, 0);
}

static void try_own(void)
{
    fill(0x1111111111111111);
    fetch((uint64_t)source);
    print("rogue: its own: %s\n", arrived() ? "right" : "WRONG");
}

/* A page that the device has known: it is not reached while it is away, and nothing of what was
 * written meanwhile is in the one that comes for it. */
static unsigned try_given_back(void)
{
    unsigned seen = 0;

    fetch((uint64_t)spare);
    if (reserve(XENMEM_DECREASE_RESERVATION) != 1)
        return 100;
    seen += !try((uint64_t)spare);
    if (reserve(XENMEM_POPULATE_PHYSMAP) != 1)
        return 100;
    for (unsigned i = 0; i < WORDS; i++)
        seen += spare[i] != 0;
    return seen;
}

/* The first places are in the machine's RAM, each in a third of it: there another page is as good.
 */
static uint64_t place(unsigned i, uint64_t seed)
{
    uint64_t pages = (RAM_END - RAM_BEGIN) / PAGE / RAM_PLACES;

    if (!seed || i >= RAM_PLACES)
        return strange[i];
    return RAM_BEGIN + (i * pages + (seed + i) * 2654435761u % pages) * PAGE;
}

void main(const void *boot_information)
{
    uint64_t seed = start_number(boot_information, "seed", 0);
    unsigned seen = 0, tried = 0;

    if (!find()) {
        print("rogue: no device\n");
        return;
    }
    try_own();
    for (unsigned i = 0; i < sizeof(strange) / sizeof(strange[0]); i++, tried++)
        seen += !try(place(i, seed));
    for (unsigned i = 0; i < sizeof(messages) / sizeof(messages[0]); i++, tried++) {
        load(0x30 + i);
        copy(ITS_MEMORY, messages[i], GO_OUT);
    }
    seen += try_given_back();
    try_own();
    print("rogue: tried %u places: saw something at %u\n", tried + 1, seen);
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
