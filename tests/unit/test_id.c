/* clang-format off */
/* links: create/id.c hypercall/grant_op.c grant/grant.c grant/foreign.c xen/flush.c grant/grant_map.c grant/grant_copy.c hypercall/evtchn_op.c xen/evtchn.c xen/evtchn_2l.c xen/evtchn_fifo.c xen/pair.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_lent.c virt/slat.c tests/fakes/pair.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/* clang-format on */
/*
 * Ids of domains: each is given out once; after that, only those come again that nothing names.
 * The pair's domains, 1 and 2, live all the while.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "hypercall/hypercall.h"
#include "include/public/event_channel.h"
#include "create/id.h"
#include "mm/frame.h"
#include "tests/fakes/pair.h"
#include "grant/grant.h"

/* Those that live in the fakes. */
bool xen_domain_id_fits(uint16_t id)
{
    for (unsigned i = 0; i < PAIR_DOMAINS; i++)
        if (id % MAX_DOMAINS == pair[i].d.xen.id % MAX_DOMAINS)
            return false;
    return true;
}

static unsigned pieces; /* of the last search */

/* A piece looks at one domain. */
static int fresh(uint16_t *id)
{
    int err;

    for (pieces = 0; (err = id_fresh(id)) == -EAGAIN; pieces++)
        assert_true(pieces < PAIR_DOMAINS);
    return err;
}

static uint16_t create(void)
{
    uint16_t id;

    assert_int_equal(fresh(&id), 0);
    id_taken(id);
    return id;
}

static void let_in(unsigned i, uint32_t ref, uint16_t id, uint16_t flags)
{
    mfn_t m;
    int err;

    while ((err = grant_table_frame(&pair[i].d.xen, ref / GRANT_FRAME_ENTRIES, &m)) == -EAGAIN)
        ;
    assert_int_equal(err, 0);
    struct xen_grant_entry *table = (void *)(m.v << PAGE_SHIFT);
    table[ref % GRANT_FRAME_ENTRIES] = (struct xen_grant_entry){ .flags = flags, .domid = id };
}

static void wait_for(unsigned i, uint16_t id)
{
    struct xen_evtchn_alloc_unbound arg = { .dom = XEN_DOMID_SELF, .remote_dom = id };

    assert_int_equal(pair_call(i, hypercall_event_channel_op, EVTCHNOP_ALLOC_UNBOUND, &arg, 1), 0);
}

/* To the end of the first round: no two the same, whatever is named. */
static void once_each(void)
{
    uint16_t before = 0, id;

    for (;;) {
        assert_int_equal(fresh(&id), 0);
        if (id <= before)
            break;
        before = id;
        id_taken(id);
    }
    assert_true(before > ID_LAST - MAX_DOMAINS);
}

static void test_named_ids_stay_away(void **state)
{
    uint16_t first = 1, id;

    (void)state;
    while (!xen_domain_id_fits(first))
        first++;
    let_in(0, 20, first, GTF_PERMIT_ACCESS);
    let_in(1, 600, (uint16_t)(first + 1), GTF_PERMIT_ACCESS | GTF_READONLY);
    let_in(1, 601, (uint16_t)(first + 3), GTF_INVALID);
    wait_for(1, (uint16_t)(first + 2));
    once_each();
    assert_int_equal(create(), first + 3);
    assert_int_equal(create(), first + 4);
    let_in(0, 20, first, GTF_INVALID);
    for (uint16_t last = 0; (id = create()) > last;) /* the second round */
        last = id;
    assert_int_equal(id, first); /* nothing names it any more */
    assert_int_equal(create(), first + 3);
}

static void test_all_are_named(void **state)
{
    uint16_t id;

    (void)state;
    for (uint32_t n = 0; n <= ID_LAST; n++)
        let_in(n / 16384, n % 16384, (uint16_t)n, GTF_PERMIT_ACCESS);
    assert_int_equal(fresh(&id), -ENOSPC);
    assert_int_equal(pieces, PAIR_DOMAINS);
    let_in(1, 100, 16384 + 100, GTF_INVALID);
    assert_int_equal(create(), 16384 + 100);
    assert_int_equal(fresh(&id), 0);
    assert_int_equal(id, 16384 + 100);
    frame_fail_nth(1);
    assert_int_equal(id_fresh(&id), -ENOMEM);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, pair_start, pair_stop)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(test_named_ids_stay_away), TEST(test_all_are_named) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
