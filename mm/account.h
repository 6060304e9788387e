/*
 * Accounts: how many frames each owner has, and how many each domain has been promised.
 *
 * A domain is promised what it may ever have when it is made: its RAM (ZONE_DOMAIN) and what
 * Caisson needs on its behalf (ZONE_HEAP). It gets that much whatever others do, and no more.
 * Others take only of what is free and owed to nobody. So in each zone there are always at least as
 * many free frames as are owed; when the promise is short of frames, the hypervisor is wrong, never
 * a guest.
 *
 * Locks: the caller's (mm/frame.c). Not for other rooms.
 */
#ifndef CAISSON_MM_ACCOUNT_H
#define CAISSON_MM_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/limits.h"
#include "mm/buddy.h"

#define ACCOUNTS (MAX_DOMAINS + 5) /* every domain, and the five owners by name */

/* With no frames and nothing promised it is free for another owner. */
struct account {
    uint16_t owner;
    bool limited; /* to what it has been promised */
    struct {
        uint64_t frames, promised;
    } of[ZONES];
};

struct accounts {
    struct account list[ACCOUNTS];
    uint64_t owed[ZONES]; /* promised to all together, and not taken */
    uint64_t changes;     /* how often frames have changed hands */
};

/* The owner's account, or the one that it would get: no two domains at a time have the same. */
static inline struct account *account_of(struct accounts *as, uint16_t owner)
{
    unsigned n = owner < OWNER_PINNED ? owner % MAX_DOMAINS : MAX_DOMAINS + OWNER_FREE - owner;

    return &as->list[n];
}

static inline uint64_t account_frames(const struct account *a)
{
    return a->of[ZONE_DOMAIN].frames + a->of[ZONE_HEAP].frames + a->of[ZONE_FAR].frames;
}

static inline uint64_t account_free(struct accounts *as, enum frame_zone zone)
{
    return account_of(as, OWNER_FREE)->of[zone].frames;
}

/* Free, and owed to nobody. */
static inline uint64_t account_unpromised(struct accounts *as, enum frame_zone zone)
{
    return account_free(as, zone) - as->owed[zone];
}

/* The account of one who gets frames now. */
struct account *account_open(struct accounts *as, uint16_t owner);

static inline bool account_may_take(struct accounts *as, uint16_t owner, enum frame_zone zone,
                                    uint64_t n)
{
    const struct account *a = account_of(as, owner);

    if (a->limited && a->owner == owner)
        return n <= a->of[zone].promised - a->of[zone].frames;
    return n <= account_unpromised(as, zone);
}

/* Free frames become the owner's, who may take them. */
static inline void account_take(struct accounts *as, uint16_t owner, enum frame_zone zone,
                                uint64_t n)
{
    struct account *a = account_open(as, owner);

    as->changes++;
    account_of(as, OWNER_FREE)->of[zone].frames -= n;
    a->of[zone].frames += n;
    if (a->limited)
        as->owed[zone] -= n;
}

/* The reverse: a promise stays. */
void account_give(struct accounts *as, uint16_t owner, enum frame_zone zone, uint64_t n);
/* Frames change hands without becoming free: the promise of them is kept, and over. `to` is no
 * domain. */
void account_pass(struct accounts *as, uint16_t from, uint16_t to, enum frame_zone zone,
                  uint64_t n);
/* Promises n frames more. False: there are not so many left. */
bool account_promise(struct accounts *as, uint16_t owner, enum frame_zone zone, uint64_t n);
/* Takes back the promise of n frames that the owner does not have. */
void account_unpromise(struct accounts *as, uint16_t owner, enum frame_zone zone, uint64_t n);

#endif
