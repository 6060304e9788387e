/*
 * The audit of debug builds. See mm/audit.h.
 *
 * The table is gone through block by block, a piece under the lock at a time. If a frame has
 * changed hands between two pieces, the sums mean nothing and it begins again, a few times at most.
 */
#include "mm/audit.h"

#include "arch/x86/bound.h"
#include "arch/x86/insn.h"
#include "lib/assert.h"
#include "lib/fmt.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/block.h"
#include "mm/frame_table.h"

#define PIECE 512 /* blocks */
#define TRIES 16

static struct sweep {
    uint64_t next;    /* frame */
    uint64_t changes; /* as the accounts counted them at the beginning */
    uint64_t frames[ACCOUNTS][ZONES];
    uint32_t blocks[BUDDY_LISTS];
    char wrong[128]; /* what was found first, to be said when the lock is free */
} sweep;             /* boot CPU */

static void wrong(const char *what, ...) __attribute__((format(printf, 1, 2)));
static void wrong(const char *what, ...)
{
    va_list args;

    va_start(args, what);
    if (!sweep.wrong[0])
        fmt_vsn(sweep.wrong, sizeof(sweep.wrong), what, args);
    va_end(args);
}

/* ---- One block ---- */

static unsigned see_free(union frame f)
{
    unsigned list = f.head.state - FRAME_HEAD, order = list % (FRAME_MAX_ORDER + 1);

    ASSERT(list < BUDDY_LISTS);
    sweep.blocks[list]++;
    return order;
}

static unsigned see(const struct buddy *b, struct accounts *as, uint64_t n)
{
    union frame f = b->table[n];
    uint16_t owner = OWNER_FREE;
    unsigned order, zone;

    if (f.head.state == FRAME_INSIDE) {
        wrong("frame 0x%lx is in no block", n);
        return 0;
    }
    if (f.head.state == FRAME_USED) {
        owner = f.used.owner;
        order = f.used.order;
        zone = f.used.zone == ZONE_LEFT ? ZONE_DOMAIN : f.used.zone;
        if (f.used.zone == ZONE_LEFT && !f.used.pins)
            wrong("frame 0x%lx of %u was given back, and is not free", n, owner);
    } else {
        order = see_free(f);
        zone = (f.head.state - FRAME_HEAD) / (FRAME_MAX_ORDER + 1);
    }
    if (n & ((1UL << order) - 1))
        wrong("the block at frame 0x%lx is not aligned to its size", n);
    const struct account *a = account_of(as, owner);
    if (a->owner != owner)
        wrong("frame 0x%lx is of %u, who has no account", n, owner);
    sweep.frames[a - as->list][zone] += 1UL << order;
    return order;
}

/* ---- Sums ---- */

static void compare_account(const struct account *a, const uint64_t *found, uint64_t *owed)
{
    for (unsigned zone = 0; zone < ZONES; zone++) {
        uint64_t has = a->of[zone].frames, promised = a->of[zone].promised;

        if (has != found[zone])
            wrong("%u has %lu frames of zone %u, not %lu", a->owner, found[zone], zone, has);
        if (a->limited && has > promised)
            wrong("%u has %lu frames of zone %u and was promised %lu", a->owner, has, zone,
                  promised);
        owed[zone] += a->limited ? promised - has : 0;
    }
}

static void compare(const struct buddy *b, struct accounts *as)
{
    uint64_t owed[ZONES] = { 0 };

    for (unsigned i = 0; i < ACCOUNTS; i++)
        compare_account(&as->list[i], sweep.frames[i], owed);
    for (unsigned zone = 0; zone < ZONES; zone++) {
        if (owed[zone] != as->owed[zone])
            wrong("%lu frames of zone %u are promised, not %lu", owed[zone], zone, as->owed[zone]);
        if (owed[zone] > account_free(as, zone))
            wrong("%lu frames of zone %u are promised, and %lu are free", owed[zone], zone,
                  account_free(as, zone));
    }
    for (unsigned i = 0; i < BUDDY_LISTS; i++)
        if (sweep.blocks[i] != b->counts[i])
            wrong("list %u has %u blocks, not %u", i, sweep.blocks[i], b->counts[i]);
}

/* ---- Pieces ---- */

enum outcome { MORE, MOVED, DONE };

static void look(const struct buddy *b, struct accounts *as, void *ctx)
{
    enum outcome *out = ctx;

    *out = MOVED;
    if (sweep.next == 0)
        sweep.changes = as->changes;
    if (sweep.changes != as->changes)
        return;
    for (unsigned i = 0; i < PIECE && sweep.next < b->size; i++)
        sweep.next += 1UL << see(b, as, sweep.next);
    *out = sweep.next < b->size ? MORE : DONE;
    if (*out == DONE)
        compare(b, as);
}

/* The bound (arch/x86/bound.h) is for each, not for all together, which only the operator's own
 * wish or the last domain's end can bring about. */
static void begin_a_piece(void)
{
    span_end();
    span_begin("audit", NULL, rdtsc());
}

bool audit_machine(void)
{
    enum outcome outcome = MOVED;

    for (unsigned tries = 0; outcome == MOVED && tries < TRIES; tries++) {
        memset(&sweep, 0, sizeof(sweep));
        do {
            begin_a_piece();
            frame_look(look, &outcome);
        } while (outcome == MORE);
    }
    if (sweep.wrong[0])
        panic("audit: %s", sweep.wrong);
    begin_a_piece();
    aspace_check();
    return outcome == DONE;
}

/* ---- Questions ---- */

struct question {
    uint64_t first, end;
    uint16_t owner;
    enum frame_zone zone;
    bool answer;
};

static void ask(const struct buddy *b, struct accounts *as, void *ctx)
{
    struct question *q = ctx;
    uint64_t n = q->first;

    (void)as;
    while (n < q->end && n < b->size) {
        uint64_t first = block_first(b, n);
        union frame f = b->table[first];
        if (f.head.state != FRAME_USED || f.used.owner != q->owner || f.used.zone != q->zone)
            return;
        n = first + (1UL << f.used.order);
    }
    q->answer = n >= q->end;
}

static bool are(mfn_t m, unsigned order, uint16_t owner, enum frame_zone zone)
{
    struct question q = { m.v, m.v + (1UL << order), owner, zone, false };

    frame_look(ask, &q);
    return q.answer;
}

bool audit_is_ram(mfn_t m, unsigned order, uint16_t owner)
{
    return are(m, order, owner, ZONE_DOMAIN);
}

bool audit_is_heap(mfn_t m, uint16_t owner)
{
    return are(m, ORDER_4K, owner, ZONE_HEAP);
}
