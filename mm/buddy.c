/*
 * The buddy system. Lists are linked by frame number within the table: the frames themselves are
 * mapped nowhere and cannot hold a link. Source: Knuth, "The Art of Computer Programming" 1, 2.5.
 */
#include "mm/buddy.h"

#include "lib/assert.h"
#include "lib/likely.h"

_Static_assert(sizeof(union frame) == 8, "the table takes 8 bytes a frame");

static const union frame inside = { .word = 0 };

cold void buddy_init(struct buddy *b, union frame *table, uint64_t size)
{
    ASSERT(size < BUDDY_NONE);
    b->table = table;
    b->size = size;
    for (unsigned list = 0; list < BUDDY_LISTS; list++) {
        b->heads[list] = BUDDY_NONE;
        b->counts[list] = 0;
    }
}

static unsigned list_of(enum frame_zone zone, unsigned order)
{
    return zone * (FRAME_MAX_ORDER + 1) + order;
}

static void push(struct buddy *b, unsigned list, uint32_t first)
{
    uint32_t next = b->heads[list];
    union frame f = { .head.next = next, .head.prev = BUDDY_NONE };

    f.head.state = FRAME_HEAD + list;
    b->table[first] = f;
    if (next != BUDDY_NONE)
        b->table[next].head.prev = first;
    b->heads[list] = first;
    b->counts[list]++;
}

static void unlink(struct buddy *b, unsigned list, uint32_t first)
{
    union frame f = b->table[first];

    ASSERT(f.head.state == FRAME_HEAD + list);
    if (f.head.next != BUDDY_NONE)
        b->table[f.head.next].head.prev = f.head.prev;
    if (f.head.prev != BUDDY_NONE)
        b->table[f.head.prev].head.next = f.head.next;
    else
        b->heads[list] = f.head.next;
    b->counts[list]--;
    b->table[first] = inside;
}

uint32_t buddy_alloc(struct buddy *b, enum frame_zone zone, unsigned order)
{
    unsigned list = list_of(zone, order), found = list;
    unsigned last = list_of(zone, FRAME_MAX_ORDER);
    uint32_t first;

    while (b->heads[found] == BUDDY_NONE) {
        if (found++ == last)
            return BUDDY_NONE;
    }
    first = b->heads[found];
    unlink(b, found, first);
    for (order += found - list; found > list; found--)
        push(b, found - 1, first + (1u << --order));
    return first;
}

/* The other half of the block twice as large is free, and whole. */
static bool can_merge(const struct buddy *b, unsigned list, uint32_t other)
{
    return other < b->size && b->table[other].head.state == FRAME_HEAD + list;
}

void buddy_free(struct buddy *b, enum frame_zone zone, uint32_t first, unsigned order)
{
    unsigned list = list_of(zone, order);

    ASSERT(first + (1UL << order) <= b->size);
    ASSERT(!(first & ((1u << order) - 1)));
    ASSERT(b->table[first].word == inside.word);
    for (; order < FRAME_MAX_ORDER && can_merge(b, list, first ^ 1u << order); order++, list++) {
        unlink(b, list, first ^ 1u << order);
        first &= ~(1u << order);
    }
    push(b, list, first);
}

uint64_t buddy_count(const struct buddy *b, enum frame_zone zone, unsigned order)
{
    return b->counts[list_of(zone, order)];
}
