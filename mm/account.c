/*
 * Accounts of frames: the changes that are rare. See mm/account.h.
 */
#include "mm/account.h"

#include "lib/assert.h"

struct account *account_open(struct accounts *as, uint16_t owner)
{
    struct account *a = account_of(as, owner);

    ASSERT(a->owner == owner || (!account_frames(a) && !a->limited));
    a->owner = owner;
    return a;
}

/* Of one that has so many, some of which it will not have any more. */
static struct account *account_with(struct accounts *as, uint16_t owner, enum frame_zone zone,
                                    uint64_t n)
{
    struct account *a = account_of(as, owner);

    ASSERT(a->owner == owner && a->of[zone].frames >= n);
    as->changes++;
    return a;
}

void account_give(struct accounts *as, uint16_t owner, enum frame_zone zone, uint64_t n)
{
    struct account *a = account_with(as, owner, zone, n);

    a->of[zone].frames -= n;
    account_of(as, OWNER_FREE)->of[zone].frames += n;
    if (a->limited)
        as->owed[zone] += n;
}

void account_pass(struct accounts *as, uint16_t from, uint16_t to, enum frame_zone zone, uint64_t n)
{
    struct account *a = account_with(as, from, zone, n);

    a->of[zone].frames -= n;
    if (a->limited)
        a->of[zone].promised -= n;
    account_open(as, to)->of[zone].frames += n;
}

bool account_promise(struct accounts *as, uint16_t owner, enum frame_zone zone, uint64_t n)
{
    if (n > account_unpromised(as, zone))
        return false;
    struct account *a = account_open(as, owner);
    a->limited = true;
    a->of[zone].promised += n;
    as->owed[zone] += n;
    return true;
}

void account_unpromise(struct accounts *as, uint16_t owner, enum frame_zone zone, uint64_t n)
{
    struct account *a = account_of(as, owner);

    ASSERT(a->owner == owner && a->limited && n <= a->of[zone].promised - a->of[zone].frames);
    a->of[zone].promised -= n;
    as->owed[zone] -= n;
}
