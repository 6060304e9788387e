/*
 * What mm/ knows of the frames beyond mm/frame.h. For mm/ only.
 */
#ifndef CAISSON_MM_FRAME_TABLE_H
#define CAISSON_MM_FRAME_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include "mm/account.h"
#include "mm/buddy.h"

/* 2^order frames for owner, as they are; false if zone has no such block, or not for it. */
bool must_check frame_take(enum frame_zone zone, unsigned order, uint16_t owner, mfn_t *out);
/* Gives owner's frames back to the zone that they are of. */
void frame_give(enum frame_zone zone, mfn_t m, unsigned order, uint16_t owner);
/* Frames that the caller has taken are of another zone from now on. */
void frame_rezone(mfn_t m, unsigned order, enum frame_zone zone);
/* Promises n frames of the zone more. False: others have been promised what is free. */
bool must_check frame_promise(uint16_t owner, enum frame_zone zone, uint64_t n);
/* Takes back the promise of n that owner does not have. */
void frame_unpromise(uint16_t owner, enum frame_zone zone, uint64_t n);
/* Owner is promised n, or as many as it has, if it was promised more: how many that was. */
uint64_t frame_promise_at_most(uint16_t owner, enum frame_zone zone, uint64_t n);
/* Owner has no frames, and is promised none any more. */
void frame_release(uint16_t owner);
/* Free, and promised to nobody. */
uint64_t frame_unpromised(enum frame_zone zone);
/* Would owner have more than it was promised? */
bool frame_exceeds(uint16_t owner, enum frame_zone zone, uint64_t n);
/* Its account, as it is now. */
struct account frame_account(uint16_t owner);
/* For mm/audit.h: fn sees the table and the accounts, under the lock. */
void frame_look(void (*fn)(const struct buddy *b, struct accounts *as, void *ctx), void *ctx);
/* True if the allocation that is being tried was chosen to fail. */
bool frame_fails_now(void);

/* The table: where it lies in memory. frame_init() fills it, span by span, each frame once. A span
 * becomes as few blocks as it can: free ones in the free lists, or owner's. */
struct frame_table {
    maddr_t start;
    uint64_t bytes; /* whole pages */
    uint64_t size;  /* frames */
};
void frame_table_adopt(const struct frame_table *t, union frame *at, uint64_t usable);
void frame_table_set(uint64_t first, uint64_t end, uint16_t owner);
struct frame_table frame_table_place(void);
/* From now on the table is found at `at`, and all memory can be reached through windows. */
void frame_table_move(union frame *at);
/* One frame changes hands without passing through the free lists. */
void frame_reown(mfn_t m, uint16_t from, uint16_t to);

#endif
