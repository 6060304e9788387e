/*
 * Which ids are free. See lifecycle/id.h.
 */
#include "lifecycle/id.h"

#include <stdbool.h>
#include "lib/bitmap.h"
#include "mm/heap.h"
#include "xen/evtchn.h"
#include "grant/grant.h"

_Static_assert(ID_LAST < 8 * PAGE_SIZE, "a bit for each is a page");

/* Boot CPU. 0 is the privileged domain's on Xen. */
static uint16_t next_id = 1;
static bool again; /* all have been given out once */

/* What guests name they may change meanwhile: whom they let in from now on is their affair. */
static uint64_t *named_ids(void)
{
    uint64_t *named = heap_pages(0, OWNER_CAISSON);

    for (const struct xen_domain *d = xen_domain_next(NULL); named && d; d = xen_domain_next(d)) {
        evtchn_name_ids(d, named);
        grant_name_ids(d, named);
    }
    return named;
}

/* named: by bit, or NULL where it does not matter. */
static bool find(const uint64_t *named)
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
    uint64_t *named = named_ids();

    if (!named)
        return -ENOMEM;
    bool found = find(named);
    if (!found) /* it began anew at the lowest */
        found = find(named);
    heap_free_pages(named, 0, OWNER_CAISSON);
    return found ? 0 : -ENOSPC;
}

int id_fresh(uint16_t *out)
{
    int err = again || !find(NULL) ? find_again() : 0;

    *out = next_id;
    return err;
}

void id_taken(uint16_t id)
{
    next_id = (uint16_t)(id + 1);
}
