/*
 * The buddy system. Lists are linked by frame number within the table: the frames themselves are
 * mapped nowhere and cannot hold a link. Source: Knuth, "The Art of Computer Programming" 1, 2.5.
 */
#include "mm/buddy.h"

#include "lib/assert.h"
#include "lib/string.h"

_Static_assert(sizeof(struct frame) == 12, "the table takes 12 bytes a frame");

void buddy_init(struct buddy *b, struct frame *table, uint64_t size)
{
    ASSERT(size < BUDDY_NONE);
    b->table = table;
    b->size = size;
    memset(b->heads, 0xff, sizeof(b->heads)); /* BUDDY_NONE everywhere */
}

static void push(struct buddy *b, enum frame_zone zone, uint32_t first, unsigned order)
{
    struct frame *f = &b->table[first];
    uint32_t *head = &b->heads[zone][order];

    f->zone = (uint8_t)zone;
    f->free_order = (uint8_t)(order + 1);
    f->prev = BUDDY_NONE;
    f->next = *head;
    if (f->next != BUDDY_NONE)
        b->table[f->next].prev = first;
    *head = first;
}

static void unlink(struct buddy *b, uint32_t first)
{
    struct frame *f = &b->table[first];

    ASSERT(f->free_order > 0);
    if (f->next != BUDDY_NONE)
        b->table[f->next].prev = f->prev;
    if (f->prev != BUDDY_NONE)
        b->table[f->prev].next = f->next;
    else
        b->heads[f->zone][f->free_order - 1] = f->next;
    f->free_order = 0;
}

uint32_t buddy_alloc(struct buddy *b, enum frame_zone zone, unsigned order)
{
    unsigned found = order;
    uint32_t first;

    while (found <= FRAME_MAX_ORDER && b->heads[zone][found] == BUDDY_NONE)
        found++;
    if (found > FRAME_MAX_ORDER)
        return BUDDY_NONE;
    first = b->heads[zone][found];
    unlink(b, first);
    while (found > order) {
        found--;
        push(b, zone, first + (1u << found), found);
    }
    return first;
}

/* The other half of the block twice as large is free, and whole. */
static bool can_merge(const struct buddy *b, enum frame_zone zone, uint32_t other, unsigned order)
{
    if (order == FRAME_MAX_ORDER || other >= b->size)
        return false;
    return b->table[other].free_order == order + 1 && b->table[other].zone == zone;
}

void buddy_free(struct buddy *b, enum frame_zone zone, uint32_t first, unsigned order)
{
    ASSERT(first + (1UL << order) <= b->size);
    ASSERT(!(first & ((1u << order) - 1)));
    ASSERT(b->table[first].free_order == 0);
    while (can_merge(b, zone, first ^ 1u << order, order)) {
        unlink(b, first ^ 1u << order);
        first &= ~(1u << order);
        order++;
    }
    push(b, zone, first, order);
}

uint64_t buddy_count(const struct buddy *b, enum frame_zone zone, unsigned order)
{
    uint64_t n = 0;

    for (uint32_t i = b->heads[zone][order]; i != BUDDY_NONE; i = b->table[i].next)
        n++;
    return n;
}
