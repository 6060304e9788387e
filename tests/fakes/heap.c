/*
 * Frames, heap and windows on the host's malloc(). Any whole piece of an allocation may be
 * freed alone, as with the real ones; the memory goes back to malloc() with the last piece.
 */
#include "tests/fakes/heap.h"

#include <stdlib.h>
#include <string.h>
#include "lib/assert.h"
#include "mm/audit.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/promise.h"
#include "mm/window.h"

enum { RAM, HEAP, ZONES };

static uint64_t counts[ZONES][0x10000];   /* frames of each owner */
static uint64_t promised[ZONES][0x10000]; /* of limited ones, how many they may have */
static bool limited[0x10000];
static uint64_t fail_in;
bool fake_heap_shreds;
void (*fake_heap_freed)(void);

static bool fails_now(void)
{
    return fail_in && --fail_in == 0;
}

void frame_fail_nth(uint64_t n)
{
    fail_in = n;
}

uint64_t frame_count(uint16_t owner)
{
    return counts[RAM][owner] + counts[HEAP][owner];
}

uint64_t fake_heap_in_use(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < 0x10000; i++)
        sum += frame_count((uint16_t)i);
    return sum;
}

/* The owner and order of a block stand in a header that nobody but this file sees. */
struct block {
    struct block *next;
    char *memory;
    unsigned order;
    unsigned zone;
    uint16_t owner;
    uint64_t left; /* frames not yet freed */
    struct pin *pins;
};

/* One frame that is or was pinned. */
struct pin {
    struct pin *next;
    const char *page;
    uint32_t count;
    uint16_t left_by; /* its owner has let go of it: who it counts as. 0: it has not */
    bool retired;
};
static struct block *blocks;

static struct block *block_of(const void *p)
{
    for (struct block *b = blocks; b; b = b->next) {
        if ((const char *)p >= b->memory && (const char *)p < b->memory + (PAGE_SIZE << b->order))
            return b;
    }
    return NULL;
}

static void *alloc(unsigned zone, unsigned order, uint16_t owner)
{
    struct block *b;

    if (fails_now())
        return NULL;
    if (limited[owner] && counts[zone][owner] + (1UL << order) > promised[zone][owner])
        return NULL;
    b = calloc(1, sizeof(*b));
    b->memory = aligned_alloc(PAGE_SIZE << order, PAGE_SIZE << order);
    if (!b->memory)
        abort();
    memset(b->memory, 0, PAGE_SIZE << order);
    b->order = order;
    b->zone = zone;
    b->owner = owner;
    b->left = 1UL << order;
    b->next = blocks;
    blocks = b;
    counts[zone][owner] += 1UL << order;
    return b->memory;
}

void *heap_pages(unsigned order, uint16_t owner)
{
    ASSERT(!order || !fake_heap_shreds);
    return alloc(HEAP, order, owner);
}

static void release(struct block *b)
{
    struct block **link = &blocks;

    while (*link != b)
        link = &(*link)->next;
    *link = b->next;
    while (b->pins) {
        struct pin *p = b->pins;
        b->pins = p->next;
        free(p);
    }
    free(b->memory);
    free(b);
}

static void give(unsigned zone, void *p, unsigned order, uint16_t owner)
{
    struct block *b = block_of(p);

    ASSERT(b != NULL);
    ASSERT(b->owner == owner && b->zone == zone);
    ASSERT(b->left >= 1UL << order);
    counts[zone][owner] -= 1UL << order;
    b->left -= 1UL << order;
    if (!b->left)
        release(b);
}

void heap_free_pages(void *p, unsigned order, uint16_t owner)
{
    if (fake_heap_freed)
        fake_heap_freed();
    give(HEAP, p, order, owner);
}

void heap_forsake(void *p, uint16_t owner)
{
    struct block *b = block_of(p);

    ASSERT(b != NULL && b->owner == owner && b->zone == HEAP && b->order == 0);
    b->owner = OWNER_CAISSON;
    counts[HEAP][owner]--;
    counts[HEAP][OWNER_CAISSON]++;
}

maddr_t heap_to_maddr(const void *p)
{
    return maddr((uintptr_t)p);
}

void *heap_from_maddr(maddr_t m)
{
    return (void *)(uintptr_t)m.v;
}

int frame_alloc(unsigned order, uint16_t owner, mfn_t *out)
{
    void *p = alloc(RAM, order, owner);

    if (!p)
        return -ENOMEM;
    *out = maddr_to_mfn(heap_to_maddr(p));
    return 0;
}

/* Dirty, unlike what the others give. */
int frame_alloc_unscrubbed(unsigned order, uint16_t owner, mfn_t *out)
{
    int err = frame_alloc(order, owner, out);

    if (!err)
        *(uint64_t *)heap_from_maddr(mfn_to_maddr(*out)) = 0xd1d1d1d1d1d1d1d1;
    return err;
}

void window_fill(mfn_t m, unsigned order, uint8_t byte)
{
    memset(heap_from_maddr(mfn_to_maddr(m)), byte, PAGE_SIZE << order);
}

static struct pin *pin_of(mfn_t m)
{
    const char *page = heap_from_maddr(mfn_to_maddr(m));
    struct block *b = block_of(page);

    for (struct pin *p = b ? b->pins : NULL; p; p = p->next) {
        if (p->page == page)
            return p;
    }
    return NULL;
}

uint32_t frame_pins(mfn_t m)
{
    struct pin *p = pin_of(m);

    return p ? p->count : 0;
}

void frame_pin(mfn_t m)
{
    struct pin *p = pin_of(m);

    ASSERT(!p || !p->left_by || p->count);
    if (!p) {
        struct block *b = block_of(heap_from_maddr(mfn_to_maddr(m)));
        ASSERT(b != NULL);
        p = calloc(1, sizeof(*p));
        p->page = heap_from_maddr(mfn_to_maddr(m));
        p->next = b->pins;
        b->pins = p;
    }
    p->count++;
}

bool frame_retire(mfn_t m, uint16_t owner)
{
    if (frame_owner(m) != owner)
        return false;
    if (!pin_of(m) || !pin_of(m)->retired)
        frame_pin(m);
    pin_of(m)->retired = true;
    frame_abandon(m, owner);
    return true;
}

/* One frame less in its block, which belongs to nobody in particular by now. */
static void drop_frame(mfn_t m, uint16_t owner)
{
    struct block *b = block_of(heap_from_maddr(mfn_to_maddr(m)));

    counts[RAM][owner]--;
    if (limited[owner])
        promised[RAM][owner]--;
    if (!--b->left)
        release(b);
}

void frame_unpin(mfn_t m)
{
    struct pin *p = pin_of(m);

    ASSERT(p && p->count);
    if (--p->count == 0 && p->left_by)
        drop_frame(m, p->left_by);
}

static void disown(struct pin *p, uint16_t owner)
{
    p->left_by = OWNER_PINNED;
    counts[RAM][owner]--;
    if (limited[owner])
        promised[RAM][owner]--;
    counts[RAM][OWNER_PINNED]++;
}

void frame_free(mfn_t m, unsigned order, uint16_t owner)
{
    struct pin *p = pin_of(m);
    bool pinned = false;

    for (uint64_t n = 0; n < 1UL << order; n++)
        pinned |= frame_pins(mfn(m.v + n)) > 0;
    if (!pinned) {
        give(RAM, heap_from_maddr(mfn_to_maddr(m)), order, owner);
        return;
    }
    if (order) {
        for (uint64_t n = 0; n < 1UL << order; n++)
            frame_free(mfn(m.v + n), 0, owner);
        return;
    }
    disown(p, owner);
}

void frame_return(mfn_t m, uint16_t owner)
{
    struct pin *p = pin_of(m);

    if (p && p->count) {
        ASSERT(!p->left_by);
        p->left_by = owner;
        if (p->retired)
            disown(p, owner);
        return;
    }
    give(RAM, heap_from_maddr(mfn_to_maddr(m)), 0, owner);
    if (limited[owner])
        promised[RAM][owner]--;
}

void frame_abandon(mfn_t m, uint16_t owner)
{
    struct pin *p = pin_of(m);

    if (p && p->count && p->left_by && p->left_by == owner)
        disown(p, owner);
}

uint16_t frame_owner(mfn_t m)
{
    const struct block *b = block_of(heap_from_maddr(mfn_to_maddr(m)));
    const struct pin *p = pin_of(m);

    if (p && p->left_by)
        return p->count ? p->left_by : OWNER_FREE;
    return b ? b->owner : OWNER_RESERVED;
}

bool frame_all_reserved(mfn_t m, uint64_t frames)
{
    for (const struct block *b = blocks; b; b = b->next) {
        uint64_t first = maddr_to_mfn(heap_to_maddr(b->memory)).v;
        if (first < m.v + frames && m.v < first + (1ul << b->order))
            return false;
    }
    return true;
}

/* ---- Promises, of a machine that is never short of memory ---- */

int promise_make(uint16_t owner, struct promise p)
{
    limited[owner] = true;
    promised[RAM][owner] = p.ram;
    promised[HEAP][owner] = p.heap;
    return 0;
}

void promise_end(uint16_t owner)
{
    ASSERT(!frame_count(owner));
    limited[owner] = false;
}

int promise_more(uint16_t owner, uint64_t n)
{
    promised[RAM][owner] += limited[owner] ? n : 0;
    return 0;
}

void promise_less(uint16_t owner, uint64_t n)
{
    ASSERT(!limited[owner] || promised[RAM][owner] >= counts[RAM][owner] + n);
    promised[RAM][owner] -= limited[owner] ? n : 0;
}

struct promise promise_of(uint16_t owner)
{
    return limited[owner] ? (struct promise){ promised[RAM][owner], promised[HEAP][owner] }
                          : (struct promise){ 0 };
}

struct promise promise_taken(uint16_t owner)
{
    return (struct promise){ counts[RAM][owner], counts[HEAP][owner] };
}

void promise_look(uint16_t owner, struct promise *may, struct promise *has)
{
    *may = promise_of(owner);
    *has = promise_taken(owner);
}

/* ---- The audit's questions ---- */

static bool is_of(mfn_t m, unsigned order, uint16_t owner, unsigned zone)
{
    for (uint64_t n = m.v; n < m.v + (1UL << order); n++) {
        const struct block *b = block_of(heap_from_maddr(mfn_to_maddr(mfn(n))));
        const struct pin *p = b && b->pins ? pin_of(mfn(n)) : NULL;
        if (!b || b->owner != owner || b->zone != zone || (p && p->left_by))
            return false;
    }
    return true;
}

bool audit_is_ram(mfn_t m, unsigned order, uint16_t owner)
{
    return is_of(m, order, owner, RAM);
}

bool audit_is_heap(mfn_t m, uint16_t owner)
{
    return is_of(m, ORDER_4K, owner, HEAP);
}

void *window_open(mfn_t m)
{
    return heap_from_maddr(mfn_to_maddr(m));
}

void window_close(void *p)
{
    (void)p;
}

void window_read(mfn_t m, size_t offset, void *to, size_t n)
{
    memcpy(to, (char *)window_open(m) + offset, n);
}

void window_write(mfn_t m, size_t offset, const void *from, size_t n)
{
    memcpy((char *)window_open(m) + offset, from, n);
}

bool window_same(const struct window_word *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t now;
        memcpy(&now, heap_from_maddr(words[i].at), sizeof(now));
        if ((now ^ words[i].value) & words[i].mask)
            return false;
    }
    return true;
}
