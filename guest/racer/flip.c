/*
 * The second vCPU: changes, a byte or a word at a time, everything that Caisson reads of a guest.
 *
 * Each change leaves what a guest may well have there: another number, other rights in an entry,
 * another instruction that is emulated. So the guest lives on, however often it is changed.
 */
#include "guest/lib/event.h"
#include "guest/lib/lapic.h"
#include "guest/racer/racer.h"

#define PRESENT               1ul
#define P_W                   3ul
#define ACCESSED              0x20ul
#define DIRTY                 0x40ul
#define LARGE                 0x80ul
#define TOP                   (1ul << 63) /* reserved here: this guest leaves NXE off */
#define IPI                   0x50
#define INDEX(address, shift) ((address) >> (shift)&511) /* into a table */

/* Writes of one kind: the more, the likelier between two reads of one place. */
#define IN_A_ROW 32
/* Rows: an event, and an interrupt for who waits for ever. Calls hold the domain's lock, for which
 * the other vCPU would wait in the meantime. */
#define CALL_EVERY 64

static uint64_t changed; /* writes that were flips */

/* ---- What arguments are made of ---- */

/* The halves of each are written by themselves: none may be an address just below this program,
 * where an area that a call names would reach over into it. */
uint64_t any_number(uint64_t *seed)
{
    static const uint64_t edges[] = { 0xff,       511,       512,           4095,
                                      4096,       0x7fef,    0x7ff0,        0x7fffffff,
                                      0xffffffff, 1ul << 36, ~0ul >> 8,     0x7ffffffffffffffful,
                                      ~0ul - 1,   HOLE,      0xfffffffffful };

    switch (any(seed) % 4) {
    case 0:
        return edges[any(seed) % (sizeof(edges) / sizeof(edges[0]))];
    case 1:
        return (SPARE >> 12) + any(seed) % SPARE_PAGES;
    }
    return any(seed) % 24;
}

uint64_t any_pointer(uint64_t *seed)
{
    switch (any(seed) % 8) {
    case 0: /* arrays without an end stop soon: RAM does */
        return ARGUMENTS - 0x10000 + any(seed) % 0xe000;
    case 1:
        return 0x100000000ul - any(seed) % 64; /* where the page tables end */
    case 2:
        return ARGUMENTS + 4096 - any(seed) % 64;
    case 3:
    case 4:
        return RACED_DATA + any(seed) % (DATA_PAGES * 4096);
    }
    return ARGUMENTS;
}

uint64_t any_multicall(uint64_t *seed)
{
    static const uint8_t calls[] = { XEN_HYPERCALL_MEMORY_OP,   XEN_HYPERCALL_GRANT_TABLE_OP,
                                     XEN_HYPERCALL_XEN_VERSION, XEN_HYPERCALL_SET_TIMER_OP,
                                     XEN_HYPERCALL_VM_ASSIST,   XEN_HYPERCALL_MULTICALL };

    return calls[any(seed) % sizeof(calls)];
}

/* The new value and the old one in turns, most often many times, and in the end the new one. */
#define PUT(bits)                                                                                  \
    static void put##bits(void *at, uint##bits##_t value)                                          \
    {                                                                                              \
        volatile uint##bits##_t *p = at;                                                           \
        uint##bits##_t old = *p;                                                                   \
        unsigned turns = (uint8_t)changed % 32;                                                    \
                                                                                                   \
        if (old == value)                                                                          \
            return;                                                                                \
        *p = value;                                                                                \
        for (unsigned i = 0; i < turns; i++) {                                                     \
            *p = old;                                                                              \
            *p = value;                                                                            \
        }                                                                                          \
        changed += 1 + 2 * turns;                                                                  \
    }

PUT(8)
PUT(32)
PUT(64)

/* ---- The kinds ---- */

/* Half of the time it is evtchn_upcall_pending. */
static void flip_info(uint64_t *seed)
{
    uint8_t *bytes = (uint8_t *)raced.info;

    if (any(seed) % 2)
        put8(bytes, (uint8_t)(any(seed) % 2));
    else
        put8(bytes + any(seed) % sizeof(*raced.info), (uint8_t)any(seed));
}

static void flip_shared(uint64_t *seed)
{
    put8((uint8_t *)raced.shared + any(seed) % sizeof(*raced.shared), (uint8_t)any(seed));
}

static void flip_areas(uint64_t *seed)
{
    put8(raced.areas + any(seed) % 128, (uint8_t)any(seed));
}

/* Any bits, links among them; some words are changed as an honest guest would. */
static void flip_fifo(uint64_t *seed)
{
    uint32_t flags = any(seed) << 27, link = any(seed) % FIFO_WORDS;

    switch (any(seed) % 4) {
    case 0:
        put8((uint8_t *)raced.fifo_control[any(seed) % 2] +
                 any(seed) % sizeof(struct xen_evtchn_fifo_control_block),
             (uint8_t)any(seed));
        break;
    case 1:
        put32(&raced.fifo_words[any(seed) % FIFO_WORDS], any(seed) << 1);
        break;
    default:
        put32(&raced.fifo_words[any(seed) % FIFO_WORDS], flags | link);
    }
}

static void flip_arguments(uint64_t *seed)
{
    uint64_t value = any(seed) % 4 ? any_number(seed) : any_pointer(seed);
    unsigned field = any(seed) % 64;

    if (any(seed) % 4 == 0) {
        put64((uint64_t *)MULTICALLS + field, field % 8 ? value : any_multicall(seed));
        return;
    }
    put32((uint32_t *)ARGUMENTS + field % ARG_WORDS, (uint32_t)value);
    if (any(seed) % 2)
        put32((uint32_t *)ARGUMENTS + (field + 1) % ARG_WORDS, (uint32_t)(value >> 32));
}

static uint64_t any_flags(uint64_t *seed)
{
    return (any(seed) % 8 ? PRESENT : 0) | (any(seed) & 0x7e) | (any(seed) % 64 ? 0 : TOP);
}

/* The tables of the data lead to spare pages, as small ones or a large one, or to nothing. */
static void flip_tables(uint64_t *seed)
{
    static const uint64_t nowhere[] = { HOLE, 1ul << 45, 0x100000000ul };
    uint64_t flags = any_flags(seed), page = SPARE + any(seed) % SPARE_PAGES * 4096;

    switch (any(seed) % 8) {
    case 0:
        put64(&raced.pdpt[1], (uint64_t)raced.data_pd | flags);
        break;
    case 1:
        put64(&raced.data_pd[0], (uint64_t)raced.data_pt | flags);
        break;
    case 2:
        put64(&raced.data_pd[0], SPARE | LARGE | flags);
        break;
    case 3:
        put64(&raced.data_pt[any(seed) % DATA_PAGES], nowhere[any(seed) % 3] | flags);
        break;
    case 4: /* the code's tables always lead to it, if they are there at all */
        put64(&raced.code_pd[INDEX(RACED_CODE, 21)],
              (uint64_t)raced.code_pt | (flags & (PRESENT | ACCESSED)) | 2);
        break;
    case 5:
        put64(&raced.code_pt[INDEX(RACED_CODE, 12)],
              (uint64_t)raced.code[any(seed) % 2] | (flags & (PRESENT | ACCESSED | DIRTY)) | 2);
        break;
    default:
        put64(&raced.data_pt[any(seed) % DATA_PAGES], page | flags);
    }
}

/* An instruction of three bytes between registers and [RDI]; each byte by itself may change. */
static void flip_code(uint64_t *seed)
{
    static const uint8_t prefixes[] = { 0x40, 0x48, 0x66, 0x67, 0x3e, 0x44, 0x4c };
    static const uint8_t opcodes[] = { 0x8b, 0x89, 0x03, 0x3b, 0x33, 0x0b, 0x23,
                                       0x2b, 0x39, 0x01, 0x87, 0x85, 0x8a, 0x88 };
    static const uint8_t registers[] = { 0, 1, 2, 3, 6 };
    uint8_t *code = raced.code[any(seed) % 2];

    switch (any(seed) % 3) {
    case 0:
        put8(code, prefixes[any(seed) % sizeof(prefixes)]);
        break;
    case 1:
        put8(code + 1, opcodes[any(seed) % sizeof(opcodes)]);
        break;
    case 2:
        put8(code + 2, (uint8_t)(registers[any(seed) % sizeof(registers)] << 3 | 7));
        break;
    }
}

static void flip_grants(uint64_t *seed)
{
    struct xen_grant_entry *e = &raced.grants[any(seed) % 24];

    switch (any(seed) % 4) {
    case 0:
        e->frame = (uint32_t)any_number(seed);
        break;
    case 1:
        put8((uint8_t *)e + any(seed) % 4, (uint8_t)any(seed));
        break;
    default:
        put32(e, (any(seed) % 32) | (uint32_t)(any(seed) % 3) << 16);
    }
}

/* What the operator would see of output is little, so that his line has the time for it. */
static void flip_console(uint64_t *seed)
{
    if (!raced.console)
        return;
    if (any(seed) % 8192 == 0)
        put32(&raced.console->out_prod, any(seed));
    put8((uint8_t *)&raced.console->in_cons + any(seed) % 8, (uint8_t)any(seed));
    put32(&raced.console->in_cons, raced.console->in_prod + any(seed) % 32 - 24);
}

const char *const flip_name[FLIP_KINDS] = { "vcpu_info", "shared", "areas",  "FIFO",   "arguments",
                                            "tables",    "code",   "grants", "console" };
static void (*const kinds[FLIP_KINDS])(uint64_t *seed) = {
    flip_info,   flip_shared, flip_areas,  flip_fifo,    flip_arguments,
    flip_tables, flip_code,   flip_grants, flip_console,
};

/* ---- All of them ---- */

void flip_prepare(uint64_t *seed)
{
    for (unsigned i = 0; i < 2; i++) {
        raced.code[i][0] = 0x40;
        raced.code[i][1] = 0x8b;
        raced.code[i][2] = 0x07;
        raced.code[i][3] = 0xc3; /* RET */
    }
    raced.code_pt[INDEX(RACED_CODE, 12)] = (uint64_t)raced.code[0] | P_W;
    raced.code_pd[INDEX(RACED_CODE, 21)] = (uint64_t)raced.code_pt | P_W;
    raced.data_pd[0] = (uint64_t)raced.data_pt | P_W;
    raced.pdpt[INDEX(RACED_CODE, 30)] = (uint64_t)raced.code_pd | P_W;
    raced.pdpt[1] = (uint64_t)raced.data_pd | P_W;
    for (unsigned i = 0; i < 4096; i++)
        kinds[4 + i % 2](seed);
}

/* Counts, for each kind and as raced, what has changed since `before`. */
static void flip_row(struct flipper *f, uint64_t before)
{
    unsigned kind = any(&f->seed) % 12;
    uint64_t turn = raced.turn;

    kind = kind < FLIP_KINDS ? kind : 0;
    for (unsigned i = 0; i < IN_A_ROW; i++)
        kinds[kind](&f->seed);
    f->of_kind[kind] += changed - before;
    if (turn % 2 && raced.turn == turn)
        f->raced += changed - before;
}

void flip(void *arg)
{
    struct flipper *f = arg;

    lapic_enable_x2apic();
    lapic_enable();
    changed = 0;
    for (uint64_t row = 0; changed < f->flips; row++) {
        flip_row(f, changed);
        if (row % CALL_EVERY)
            continue;
        if (raced.port)
            event_send(raced.port);
        wrmsr(X2APIC_MSR(LAPIC_ICR), IPI);
    }
    f->flips = changed;
    f->done = true;
    for (;;) { /* until the other one has seen it, wherever it may wait */
        for (volatile unsigned i = 0; i < 10000; i++)
            ;
        wrmsr(X2APIC_MSR(LAPIC_ICR), IPI);
    }
}
