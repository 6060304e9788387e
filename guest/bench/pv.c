/*
 * Rows of events and grants: a channel and a page whose both ends are this domain.
 */
#include "guest/bench/row.h"
#include "guest/lib/event.h"
#include "guest/lib/grant.h"
#include "guest/lib/hypercall.h"

#define SELF      1          /* the only domain is the first */
#define ITS_FRAME 0x200000ul /* both come with the first copy, before the rows */
#define SOME_PAGE 0x201000ul

static uint32_t near_port;

static void once_pending(unsigned i)
{
    (void)i;
    event_send(near_port);
}

static void once_event(unsigned i)
{
    (void)i;
    event_send(near_port);
    event_shared_page()->evtchn_pending[0] = 0;
}

static void once_copy(unsigned i)
{
    (void)i;
    grant_copy_from(SELF, GRANT_FIRST_REF, (void *)SOME_PAGE, 4096);
}

static void once_map(unsigned i)
{
    (void)i;
    int64_t handle = grant_map(SELF, GRANT_FIRST_REF, GUEST_GRANT_MAPS);
    grant_unmap((uint64_t)handle, GUEST_GRANT_MAPS);
}

static void once_maps(unsigned i)
{
    static uint32_t handles[GRANT_BATCH];

    (void)i;
    grant_map_some(SELF, GRANT_FIRST_REF, GUEST_GRANT_MAPS, handles, GRANT_BATCH);
    grant_unmap_some(handles, GUEST_GRANT_MAPS, GRANT_BATCH);
}

static const struct row rows[] = {
    { "event, set", once_event, ROUNDS },
    { "event, pending already", once_pending, ROUNDS },
    { "grant copy of 4 KiB", once_copy, ROUNDS },
    { "grant mapped and unmapped", once_map, ROUNDS },
    { "16 grants, in two calls", once_maps, ROUNDS / 10 },
};

void pv_rows(void)
{
    if (!event_init() || !grant_init())
        return;
    uint32_t far_port = (uint32_t)event_alloc(XEN_DOMID_SELF);
    near_port = (uint32_t)event_connect(XEN_DOMID_SELF, far_port);
    grant_page(GRANT_FIRST_REF, SELF, (void *)ITS_FRAME);
    once_copy(0);
    ROWS_RUN(rows);
}
