/*
 * Which ids are free. See create/id.h.
 */
#include "create/id.h"

#include <stdbool.h>
#include "lib/bitmap.h"
#include "mm/heap.h"
#include "xen/evtchn.h"
#include "grant/grant.h"

_Static_assert(ID_LAST < 8 * PAGE_SIZE, "a bit for each is a page");

/* Boot CPU. 0 is the control domain's. */
static uint16_t next_id = 1;
static bool again; /* all have been given out once */

static uint64_t *named; /* by bit, while they are looked for; or NULL */
static unsigned looked; /* slots of domains that have been looked at */

/* What one domain names: it may be 16,384 grants, so the next one's turn is at the next call. What
 * guests name they may change meanwhile: whom they let in from now on is their affair. 0: that was
 * all. */
static int look_at_one(void)
{
    const struct xen_domain *d = NULL;

    if (!named)
        looked = 0;
    if (!named && !(named = heap_pages(0, OWNER_CAISSON)))
        return -ENOMEM;
    do
        d = xen_domain_next(d);
    while (d && d->id % MAX_DOMAINS < looked);
    if (!d)
        return 0;
    evtchn_name_ids(d, named);
    grant_name_ids(d, named);
    looked = d->id % MAX_DOMAINS + 1;
    return -EAGAIN;
}

static bool find(void)
{
    for (; next_id <= ID_LAST; next_id++) {
        if (xen_domain_id_fits(next_id) && !(named && bitmap_test(named, next_id)))
            return true;
    }
    next_id = 1;
    again = true;
    return false;
}

static int find_again(void)
{
    int err = look_at_one();

    if (err)
        return err;
    bool found = find();

    if (!found) /* it began anew at the lowest */
        found = find();
    heap_free_pages(named, 0, OWNER_CAISSON);
    named = NULL;
    return found ? 0 : -ENOSPC;
}

int id_fresh(uint16_t *out)
{
    int err = again || !find() ? find_again() : 0;

    *out = next_id;
    return err;
}

void id_taken(uint16_t id)
{
    next_id = (uint16_t)(id + 1);
}
