/* clang-format off */
/* links: create/audit_debug.c hypercall/grant_op.c grant/grant.c grant/foreign.c xen/flush.c grant/grant_map.c grant/grant_copy.c hypercall/evtchn_op.c xen/evtchn.c xen/evtchn_2l.c xen/evtchn_fifo.c xen/pair.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_lent.c virt/slat.c tests/fakes/pair.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/* clang-format on */
/*
 * The audit of a domain's memory finds each way in which it can be wrong, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "create/audit.h"
#include "grant/grant.h"
#include "passthrough/passthrough.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "tests/fakes/pair.h"
#include "tests/fakes/panic.h"

#define HOLE (PAIR_RAM + 4) /* a gfn where nothing is */

static struct domain *const a = &pair[0].d, *const b = &pair[1].d;

static bool has_device;

bool passthrough_has(uint16_t id, mfn_t m)
{
    assert_int_equal(id, a->xen.id);
    assert_int_equal(m.v, 0xFE000);
    return has_device;
}

static int set_up(void **state)
{
    pair_start(state);
    strcpy(a->name, "alpha");
    return 0;
}

static void audit(struct domain *d)
{
    struct audit progress = { .ram = 0 };

    while (!audit_domain(d, &progress, true))
        ;
}

/* It panics and says both. In real life the p2m's lock would not matter any more. */
static void assert_finds(const char *what)
{
    EXPECT_PANIC(audit(a));
    spin_unlock(&a->p2m.lock);
    assert_non_null(strstr(fake_panic_text, "audit: alpha"));
    assert_non_null(strstr(fake_panic_text, what));
}

static mfn_t frame_of(struct domain *d, uint64_t g)
{
    mfn_t m;

    assert_int_equal(p2m_populate(&d->p2m, gfn(g), &m), 0);
    return m;
}

static void lend(uint64_t g, mfn_t m)
{
    assert_int_equal(p2m_lend(&a->p2m, gfn(g), m, SLAT_R), 0);
}

static void unlend(uint64_t g)
{
    assert_int_equal(p2m_remove(&a->p2m, gfn(g)), 0);
}

static void test_all_well(void **state)
{
    mfn_t m;

    (void)state;
    audit(a);
    frame_of(a, 3);
    assert_int_equal(grant_table_frame(&a->xen, 2, &m), 0);
    lend(HOLE, m);
    m = frame_of(b, 5);
    frame_pin(m);
    lend(HOLE + 1, m);
    assert_int_equal(p2m_remove(&a->p2m, gfn(3)), 0);
    audit(a);
    audit(b);
    unlend(HOLE + 1);
    frame_unpin(m);
}

static void test_strangers_frame(void **state)
{
    mfn_t m = frame_of(b, 5);

    (void)state;
    lend(HOLE, m); /* with no pin: its owner may go */
    assert_finds("sees frame");
    unlend(HOLE);
    assert_int_equal(slat_map(&a->p2m.slat, gfn(HOLE), m, ORDER_4K, SLAT_RWX, SLAT_WB), 0);
    assert_finds("as its RAM");
    assert_int_equal(slat_unmap(&a->p2m.slat, gfn(HOLE)), 0);
}

static void test_page_of_caissons(void **state)
{
    void *page = heap_pages(0, a->xen.id), *ours = heap_pages(0, OWNER_CAISSON);

    (void)state;
    lend(HOLE, maddr_to_mfn(heap_to_maddr(page)));
    assert_finds("sees frame");
    unlend(HOLE);
    lend(HOLE, maddr_to_mfn(heap_to_maddr(ours)));
    assert_finds("sees frame");
    unlend(HOLE);
    heap_free_pages(page, 0, a->xen.id);
    heap_free_pages(ours, 0, OWNER_CAISSON);
}

static void test_registers(void **state)
{
    mfn_t m;

    (void)state;
    assert_int_equal(p2m_lend_device(&a->p2m, gfn(HOLE), mfn(0xFE000)), 0);
    has_device = true;
    audit(a);
    assert_int_equal(p2m_populate(&a->p2m, gfn(HOLE), &m), -EFAULT); /* it is no memory */
    has_device = false;
    assert_finds("sees 0xfe000 as a device's");
    lend(HOLE + 1, frame_of(b, 5)); /* something else, which stays */
    assert_true(p2m_take_device(&a->p2m, &(struct p2m_registers){ gfn(HOLE), mfn(0xFE000), 3, 0 }));
    assert_int_equal(p2m_remove(&a->p2m, gfn(HOLE)), -ENOENT);
    unlend(HOLE + 1);
    audit(a);
}

static void test_frame_twice(void **state)
{
    mfn_t m = frame_of(a, 3);

    (void)state;
    assert_int_equal(slat_map(&a->p2m.slat, gfn(HOLE), m, ORDER_4K, SLAT_RWX, SLAT_WB), 0);
    EXPECT_PANIC(audit(a));
    assert_non_null(strstr(fake_panic_text, "in its p2m"));
    assert_int_equal(slat_unmap(&a->p2m.slat, gfn(HOLE)), 0);
}

/* A frame that the domain has and has no place for; one that it waits for and was not promised. */
static void test_counts(void **state)
{
    mfn_t m;

    (void)state;
    assert_int_equal(frame_alloc(ORDER_4K, a->xen.id, &m), 0);
    assert_finds("waits for");
    frame_free(m, ORDER_4K, a->xen.id);
    a->p2m.promised++;
    assert_finds("waits for");
    a->p2m.promised--;
    a->p2m.slat.tables += 1000;
    assert_finds("page tables");
    a->p2m.slat.tables -= 1000;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, pair_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_well),  TEST(test_strangers_frame), TEST(test_page_of_caissons),
        TEST(test_registers), TEST(test_frame_twice),     TEST(test_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
