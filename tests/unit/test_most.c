/* clang-format off */
/* links: create/memory.c mm/promise.c mm/audit_debug.c mm/heap.c mm/aspace.c mm/frame.c mm/account.c mm/frame_map.c mm/block.c mm/buddy.c mm/fill_debug.c lib/bitmap.c lib/fmt.c lib/string.c tests/fakes/window.c tests/fakes/machine.c tests/fakes/log.c tests/fakes/panic.c */
/* clang-format on */
/*
 * create/memory.c: how much a bare domain may come to, and what of the machine's memory is set
 * aside for that; by the real allocator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "create/create.h"
#include "create/firmware.h"
#include "create/memory.h"
#include "mm/aspace.h"
#include "mm/audit.h"
#include "mm/frame_table.h"
#include "mm/heap.h"
#include "mm/promise.h"
#include "tests/fakes/machine.h"

#define SLACK 1024 /* the heap grows by 2 MiB */
#define CROWD 40

static const struct domain_config config = { .name = "bare", .vcpus = 1, .bare = true };
static struct domain domains[MAX_DOMAINS];
static void (*in_between)(void); /* before the next promise */

bool firmware_is(const struct domain_config *c)
{
    (void)c;
    return false;
}

uint64_t firmware_rom_size(const struct domain_config *c)
{
    (void)c;
    return 0;
}

/* Asked for once in each call, after the promises have been looked at. */
unsigned firmware_pages(const struct domain_config *c)
{
    void (*fn)(void) = in_between;

    (void)c;
    in_between = NULL;
    if (fn)
        fn();
    return 0;
}

int memmap_build(struct memmap *map, uint64_t mem)
{
    (void)map;
    (void)mem;
    return -EINVAL;
}

void memmap_reserve(struct memmap *map, uint64_t start, uint64_t size)
{
    (void)map;
    (void)start;
    (void)size;
}

void memmap_back_page(struct memmap *map, uint64_t at)
{
    (void)map;
    (void)at;
}

void memmap_add_firmware(struct memmap *map, uint64_t size)
{
    (void)map;
    (void)size;
}

void p2m_set_most(struct p2m *p, uint64_t frames, uint64_t tables)
{
    p->most = frames;
    p->tables_for_ram = tables;
}

uint64_t p2m_places(const struct p2m *p)
{
    return p->ram[0].frames;
}

int p2m_add_on_demand(struct p2m *p, gfn_t g, unsigned order)
{
    p->ram[0].frames += 1UL << order;
    p->range_count += g.v > 0; /* apart from the others */
    return 0;
}

/* ---- */

static struct domain *make(unsigned i)
{
    struct domain *d = &domains[i];

    *d = (struct domain){ .config = &config, .bare = true, .xen.id = (uint16_t)(i + 1) };
    d->p2m.tables_for_ram = 1;
    assert_int_equal(memory_promise(&config, d->xen.id), 0);
    return d;
}

static void end(unsigned i)
{
    memory_forget_most(&domains[i]);
    promise_end((uint16_t)(i + 1));
}

static int set_up(void **state)
{
    const struct mem_region whole = { { MACHINE_BASE }, MACHINE_SIZE, MEM_USABLE };
    struct frame_table t;

    (void)state;
    fake_machine_map();
    assert_int_equal(frame_init(&whole, 1, NULL, 0), 0);
    t = frame_table_place();
    fake_machine_alias(FRAMES_BASE, t.start.v, t.bytes);
    assert_int_equal(aspace_init(&fake_machine_image), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_true(audit_machine());
    return 0;
}

static int set_most(struct domain *d, uint64_t frames)
{
    int err;

    while ((err = domain_set_most(d, frames)) == -EAGAIN)
        ;
    return err;
}

static void test_more_and_less(void **state)
{
    struct domain *d = make(0);
    uint64_t first = promise_of(1).heap;

    (void)state;
    assert_int_equal(set_most(d, 4096), 0);
    assert_int_equal(d->p2m.most, 4096);
    uint64_t more = promise_of(1).heap;
    assert_true(more >= first + 16); /* tables for 16 MiB, twice */
    assert_int_equal(promise_of(1).ram, 0);
    assert_int_equal(set_most(d, 0), 0);
    assert_true(promise_of(1).heap < more);
    assert_int_equal(set_most(d, 4096), 0);
    assert_int_equal(promise_of(1).heap, more);
    end(0);
}

/* Tables for places come with them, and stay when it may have less than that. */
static void test_places(void **state)
{
    struct domain *d = make(0);
    int err;

    (void)state;
    assert_int_equal(set_most(d, 1000), 0);
    uint64_t tables = d->p2m.tables_for_ram, heap = promise_of(1).heap;
    assert_int_equal(domain_add_on_demand(d, gfn(0), ORDER_2M), 0);
    assert_int_equal(d->p2m.tables_for_ram, tables);
    assert_int_equal(promise_of(1).heap, heap);
    for (unsigned i = 0; i < 19; i++)
        while ((err = domain_add_on_demand(d, gfn(0), ORDER_2M)))
            assert_int_equal(err, -EAGAIN);
    assert_int_equal(d->p2m.most, 1000);
    assert_int_equal(d->p2m.tables_for_ram, 1 + p2m_tables(20 * 512) + p2m_tables(0));
    assert_true(promise_of(1).heap >= heap + 2 * (d->p2m.tables_for_ram - tables));
    assert_int_equal(set_most(d, 500), 0);
    assert_int_equal(d->p2m.tables_for_ram, 1 + p2m_tables(20 * 512) + p2m_tables(0));
    end(0);
}

/* They may lie as far from each other as they like. */
static void test_places_apart(void **state)
{
    struct domain *d = make(0);
    int err;

    (void)state;
    assert_int_equal(set_most(d, 100), 0);
    for (unsigned i = 1; i <= P2M_RAM_RANGES; i++)
        while ((err = domain_add_on_demand(d, gfn((uint64_t)i << 27), ORDER_4K)))
            assert_int_equal(err, -EAGAIN);
    assert_true(d->p2m.tables_for_ram >= 1 + P2M_RAM_RANGES * p2m_tables(1));
    assert_int_equal(set_most(d, 0), 0);
    assert_true(d->p2m.tables_for_ram >= 1 + P2M_RAM_RANGES * p2m_tables(1));
    end(0);
}

/* What there is not is refused before anything is taken. */
static void test_too_much(void **state)
{
    struct domain *d = make(0);
    uint64_t first = promise_of(1).heap, there = frame_available();

    (void)state;
    assert_int_equal(domain_set_most(d, UINT64_MAX >> PAGE_SHIFT), -ENOMEM);
    assert_int_equal(domain_set_most(d, there + 1), -ENOMEM);
    assert_int_equal(promise_of(1).heap, first);
    assert_int_equal(frame_available(), there);
    assert_int_equal(promise_more(1, 100), 0); /* what it has does not have to be there again */
    assert_int_equal(set_most(d, there / 2), 0);
    assert_int_equal(promise_of(1).ram, 100);
    end(0);
}

/* A frame goes back at that moment, as the last pin of one does on another CPU. */
static void one_goes_back(void)
{
    promise_less(1, 1);
}

static void test_ram_goes_back_meanwhile(void **state)
{
    struct domain *d = make(0);

    (void)state;
    assert_int_equal(promise_more(1, 5), 0);
    in_between = one_goes_back;
    assert_int_equal(set_most(d, 4096), 0);
    assert_int_equal(promise_of(1).ram, 4);
    end(0);
}

/* It has had some pieces, and not the last one: a call that fails gives them back. */
static void test_fails_in_the_middle(void **state)
{
    struct domain *d = make(0);
    uint64_t first = promise_of(1).heap;

    (void)state;
    assert_int_equal(set_most(d, 4096), 0);
    assert_true(promise_of(1).heap > first);
    d->p2m.tables_for_ram = 1;
    assert_int_equal(promise_make(2, (struct promise){ .ram = frame_available() - 100 }), 0);
    assert_int_equal(domain_set_most(d, 8192), -ENOMEM);
    assert_int_equal(promise_of(1).heap, first);
    promise_end(2);
    end(0);
}

/* Whoever makes and destroys as many as there can be, each as large as can be, finds the memory
 * again; and so does the next one. */
static void crowd(unsigned rounds)
{
    for (unsigned r = 0; r < rounds; r++) {
        for (unsigned i = 0; i < CROWD; i++)
            (void)!set_most(make(i), frame_available() - SLACK);
        for (unsigned i = 0; i < CROWD; i++)
            end(i);
    }
}

static void test_crowd(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CROWD; i++)
        make(i); /* what they begin with comes and goes with every domain */
    for (unsigned i = 0; i < CROWD; i++)
        end(i);
    uint64_t there = frame_available(), bound = frame_total() / 64 + SLACK;
    crowd(1);
    uint64_t after = frame_available();
    assert_true(after >= there - bound);
    crowd(3);
    assert_true(frame_available() >= there - bound);
    make(0);
    assert_int_equal(set_most(&domains[0], after / 2), 0);
    end(0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_more_and_less),
        TEST(test_too_much),
        TEST(test_places),
        TEST(test_places_apart),
        TEST(test_ram_goes_back_meanwhile),
        TEST(test_fails_in_the_middle),
        TEST(test_crowd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
