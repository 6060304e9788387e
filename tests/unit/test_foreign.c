/* clang-format off */
/* links: hypercall/memory_op.c hypercall/memory_foreign.c hypercall/hvm_op.c hypercall/grant_op.c grant/grant.c grant/foreign.c xen/flush.c grant/grant_map.c grant/grant_copy.c hypercall/evtchn_op.c xen/evtchn.c xen/evtchn_2l.c xen/evtchn_fifo.c xen/pair.c xen/pv_console.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_block.c guestmem/p2m_lent.c virt/slat.c create/audit_debug.c tests/fakes/pair.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/* clang-format on */
/*
 * What the control domain does to the memory and the channels of others: that it may, that nobody
 * else may, who pays, and what becomes of a page when one of the two ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "grant/foreign.h"
#include "grant/grant.h"
#include "hypercall/hypercall.h"
#include "include/public/hvm/hvm_op.h"
#include "include/public/io/console.h"
#include "include/public/memory.h"
#include "create/audit.h"
#include "create/create.h"
#include "mm/frame.h"
#include "mm/promise.h"
#include "tests/fakes/pair.h"
#include "xen/evtchn.h"
#include "xen/pv_console.h"

enum { A, B, C }; /* A is the control domain; C has no RAM but what A puts there */
#define ID(i)      ((uint16_t)((i) + 1))
#define HOLE       0x100ul /* a gfn of A's beyond its RAM */
#define MOST       (1ul << 18)
#define MANY       200
#define ANY_PLACE  UINT64_MAX
#define HEAP_PAGES 10000

static int setup(void **state)
{
    struct p2m *p = &pair[C].d.p2m;

    pair_start(state);
    pair[A].d.xen.control = true;
    while (!p2m_destroy(p))
        ;
    pair[C].d.bare = true;
    assert_int_equal(promise_make(ID(C), (struct promise){ 0, HEAP_PAGES }), 0);
    assert_int_equal(p2m_init(p, ID(C)), 0);
    p->most = MOST;
    p->tables_for_ram += p2m_tables(MOST);
    return 0;
}

/* All are sound, at the end of each test. */
static int teardown(void **state)
{
    for (unsigned i = 0; i < PAIR_DOMAINS; i++) {
        struct audit a = { .ram = 0 };
        p2m_reap(&pair[i].d.p2m, PAIR_VCPUS);
        while (!pair[i].gone && !audit_domain(&pair[i].d, &a, true))
            ;
    }
    return pair_stop(state);
}

static int64_t memory_op(unsigned i, unsigned cmd, const void *arg)
{
    return pair_call(i, hypercall_memory_op, cmd, (void *)(uintptr_t)arg, 0);
}

/* ---- Calls ---- */

static int64_t extents(unsigned i, unsigned cmd, uint16_t id, unsigned order, const uint64_t *list,
                       unsigned n)
{
    struct xen_memory_reservation r = {
        .extent_start = (uintptr_t)list, .nr_extents = n, .extent_order = order, .domid = id
    };

    return memory_op(i, cmd, &r);
}

static int64_t populate(unsigned i, uint16_t id, unsigned order, uint64_t g)
{
    return extents(i, XENMEM_POPULATE_PHYSMAP, id, order, &g, 1);
}

static int64_t map_many(unsigned i, uint16_t id, const uint64_t *from, const uint64_t *to,
                        int *errs, unsigned n)
{
    struct xen_add_to_physmap_batch a = { .domid = XEN_DOMID_SELF,
                                          .space = XENMAPSPACE_GMFN_FOREIGN,
                                          .size = (uint16_t)n,
                                          .foreign_domid = id,
                                          .idxs = (uintptr_t)from,
                                          .gpfns = (uintptr_t)to,
                                          .errs = (uintptr_t)errs };

    return memory_op(i, XENMEM_ADD_TO_PHYSMAP_BATCH, &a);
}

/* The error of the one page, or that of the call. */
static int64_t map(unsigned i, uint16_t id, uint64_t from, uint64_t to)
{
    int err = 77;
    int64_t result = map_many(i, id, &from, &to, &err, 1);

    return result ? result : err;
}

static int64_t unmap(unsigned i, uint64_t g)
{
    struct xen_remove_from_physmap r = { .domid = XEN_DOMID_SELF, .gpfn = g };

    return memory_op(i, XENMEM_REMOVE_FROM_PHYSMAP, &r);
}

static int64_t acquire(unsigned i, uint16_t id, uint64_t frame, const uint64_t *to, unsigned n)
{
    struct xen_acquire_resource a = { .domid = id,
                                      .type = XENMEM_RESOURCE_GRANT_TABLE,
                                      .nr_frames = n,
                                      .frame = frame,
                                      .frame_list = (uintptr_t)to };

    return memory_op(i, XENMEM_ACQUIRE_RESOURCE, &a);
}

static int64_t set_map(unsigned i, uint16_t id, const struct e820_entry *map, unsigned n)
{
    struct xen_foreign_memory_map m = { .domid = id, .map = { n, 0, (uintptr_t)map } };

    return memory_op(i, XENMEM_SET_MEMORY_MAP, &m);
}

static int64_t param(unsigned i, unsigned op, uint16_t id, uint32_t index, uint64_t *value)
{
    struct xen_hvm_param p = { .domid = id, .index = index, .value = *value };
    int64_t result = pair_call(i, hypercall_hvm_op, op, &p, 0);

    *value = p.value;
    return result;
}

static int64_t alloc_unbound(unsigned i, uint16_t id, uint16_t remote, uint32_t *port)
{
    struct xen_evtchn_alloc_unbound arg = { .dom = id, .remote_dom = remote };
    int64_t result = pair_call(i, hypercall_event_channel_op, EVTCHNOP_ALLOC_UNBOUND, &arg, 0);

    *port = arg.port;
    return result;
}

static mfn_t frame_at(unsigned i, uint64_t g)
{
    bool lent;
    mfn_t m = { 0 };

    assert_int_equal(p2m_lookup(&pair[i].d.p2m, gfn(g), &m, &lent), 0);
    return m;
}

static bool is_there(unsigned i, uint64_t g)
{
    bool lent;
    mfn_t m;

    return p2m_lookup(&pair[i].d.p2m, gfn(g), &m, &lent) == 0;
}

/* ---- Rights ---- */

static void test_nobody_else(void **state)
{
    uint64_t g = 5, value = 0;
    uint32_t port;

    (void)state;
    assert_int_equal(memory_op(B, XENMEM_SET_MEMORY_MAP, (void *)ANY_PLACE), -EPERM);
    assert_int_equal(memory_op(B, XENMEM_ADD_TO_PHYSMAP_BATCH, (void *)ANY_PLACE), -EPERM);
    assert_int_equal(memory_op(B, XENMEM_ACQUIRE_RESOURCE, (void *)ANY_PLACE), -EPERM);
    assert_int_equal(memory_op(B, XENMEM_SET_POD_TARGET, (void *)ANY_PLACE), -EPERM);
    assert_int_equal(memory_op(A, XENMEM_SET_MEMORY_MAP, (void *)ANY_PLACE), -EFAULT);
    assert_int_equal(memory_op(A, XENMEM_ADD_TO_PHYSMAP_BATCH, (void *)ANY_PLACE), -EFAULT);
    assert_int_equal(memory_op(A, XENMEM_ACQUIRE_RESOURCE, (void *)ANY_PLACE), -EFAULT);
    assert_int_equal(memory_op(A, XENMEM_GET_POD_TARGET, (void *)ANY_PLACE), -EFAULT);
    for (uint16_t id = 1; id <= 3; id += 2) {
        assert_int_equal(populate(B, id, 0, 0x100), 0);
        assert_int_equal(extents(B, XENMEM_DECREASE_RESERVATION, id, 0, &g, 1), 0);
        assert_int_equal(memory_op(B, XENMEM_CURRENT_RESERVATION, &id), -EPERM);
        assert_int_equal(param(B, HVMOP_SET_PARAM, id, HVM_PARAM_STORE_PFN, &value), -EPERM);
        assert_int_equal(param(B, HVMOP_GET_PARAM, id, HVM_PARAM_STORE_PFN, &value), -EPERM);
        assert_int_equal(alloc_unbound(B, id, XEN_DOMID_SELF, &port), -EPERM);
    }
    assert_int_equal(pair[C].d.p2m.promised, 0);
    assert_int_equal(pair[A].d.p2m.promised, PAIR_RAM);
}

/* Nor may it do to itself what is for others. */
static void test_not_to_itself(void **state)
{
    struct e820_entry e = { 0, 4096, E820_RAM };
    uint64_t to = HOLE;

    (void)state;
    assert_int_equal(map(A, ID(A), 1, HOLE), -EINVAL);
    assert_int_equal(map(A, XEN_DOMID_SELF, 1, HOLE), -EINVAL);
    assert_int_equal(acquire(A, ID(A), 0, &to, 1), -EINVAL);
    assert_int_equal(set_map(A, XEN_DOMID_SELF, &e, 1), -EINVAL);
    assert_int_equal(map(A, 99, 1, HOLE), -ESRCH);
    assert_int_equal(acquire(A, 99, 0, &to, 1), -ESRCH);
    assert_int_equal(set_map(A, 99, &e, 1), -ESRCH);
    assert_int_equal(populate(A, 99, 0, 1), 0);
}

/* ---- RAM for another ---- */

static void test_populate(void **state)
{
    const uint64_t special[] = { 0xfc000, 0xfeff8, 0xfefff };
    uint64_t has = frame_count(ID(A));
    struct slat_entry e;

    (void)state;
    assert_int_equal(extents(A, XENMEM_POPULATE_PHYSMAP, ID(C), 0, special, 3), 3);
    assert_int_equal(populate(A, ID(C), 0, 0xfefff), 0); /* is there already */
    assert_int_equal(populate(A, ID(C), ORDER_2M, 0x200), 1);
    assert_int_equal(populate(A, ID(C), ORDER_2M, 0x200), 0);
    assert_int_equal(populate(A, ID(C), ORDER_2M, 0x401), 0);   /* not aligned */
    assert_int_equal(populate(A, ID(C), ORDER_2M, 0xfc000), 0); /* a part of it is */
    assert_int_equal(populate(A, ID(C), 0, 0x3ff), 0);
    assert_int_equal(populate(A, ID(C), 3, 0x800), 0);
    assert_int_equal(populate(A, ID(C), ORDER_2M, 1ul << 36), 0);
    assert_int_equal(slat_lookup(&pair[C].d.p2m.slat, gfn(0x3ff), &e), 0);
    assert_int_equal(e.order, ORDER_2M);
    assert_int_equal(pair[C].d.p2m.promised, 515);
    assert_int_equal(promise_of(ID(C)).ram, 515);
    assert_int_equal(p2m_highest(&pair[C].d.p2m).v, 0xfefff);
    assert_int_equal(frame_count(ID(A)), has);
    uint64_t g = 0x3ff; /* one of them goes back */
    assert_int_equal(extents(A, XENMEM_DECREASE_RESERVATION, ID(C), 0, &g, 1), 1);
    assert_false(is_there(C, 0x3ff));
    assert_true(is_there(C, 0x3fe));
    p2m_reap(&pair[C].d.p2m, PAIR_VCPUS);
    assert_int_equal(promise_of(ID(C)).ram, 514);
    assert_int_equal(populate(A, ID(C), ORDER_2M, 0x200), 0);
    assert_int_equal(populate(A, ID(C), 0, 0x3ff), 1);
}

/* Who was moved while it gave a page back has one there again, and is told that it has. Not of
 * what is only lent, nor does anybody else hear so. */
static void test_populate_own(void **state)
{
    uint64_t list[] = { 7, HOLE, 8 };
    struct p2m *p = &pair[B].d.p2m;

    (void)state;
    assert_non_null(pair_ram(B, 7));
    assert_int_equal(extents(B, XENMEM_DECREASE_RESERVATION, XEN_DOMID_SELF, 0, &list[2], 1), 1);
    p2m_reap(p, PAIR_VCPUS);
    assert_int_equal(p2m_lend(p, gfn(HOLE), frame_at(B, 7), SLAT_R), 0);
    assert_int_equal(extents(B, XENMEM_POPULATE_PHYSMAP, XEN_DOMID_SELF, 0, list, 3), 1);
    assert_int_equal(p->promised, PAIR_RAM - 1);
    assert_int_equal(populate(A, ID(B), 0, 7), 0);
    assert_int_equal(p2m_remove(p, gfn(HOLE)), 0);
    assert_int_equal(extents(B, XENMEM_POPULATE_PHYSMAP, XEN_DOMID_SELF, 0, &list[2], 1), 1);
}

/* As much as it may have, in any size, and not into the ranges of a domain of the menu. */
static void test_populate_at_most(void **state)
{
    uint64_t list[40];
    uint16_t id = ID(C);

    (void)state;
    for (unsigned n = 0; n < 40; n++)
        list[n] = 0x1000 + n;
    pair[C].d.p2m.most = 512 + 35;
    assert_int_equal(populate(A, ID(C), ORDER_2M, 0x200), 1);
    assert_int_equal(populate(A, ID(C), ORDER_2M, 0x400), 0);
    assert_int_equal(extents(A, XENMEM_POPULATE_PHYSMAP, ID(C), 0, list, 40), 35);
    assert_int_equal(memory_op(A, XENMEM_CURRENT_RESERVATION, &id), 547);
    assert_int_equal(memory_op(A, XENMEM_MAXIMUM_RESERVATION, &id), 547);
    assert_int_equal(memory_op(A, XENMEM_MAXIMUM_GPFN, &id), 0x1000 + 34);
    assert_int_equal(populate(A, ID(B), ORDER_2M, 0), 0);
    assert_int_equal(populate(A, ID(B), ORDER_2M, 0x200), 0); /* it has all that mem= says */
    assert_int_equal(promise_of(ID(B)).ram, PAIR_RAM);
}

/* 1 GiB is scrubbed in pieces, and nothing comes between. */
static void test_giant(void **state)
{
    uint64_t args[HYPERCALL_ARGS] = { XENMEM_POPULATE_PHYSMAP }, g = 1ul << ORDER_1G;
    struct xen_memory_reservation r = {
        .extent_start = (uintptr_t)&g, .nr_extents = 1, .extent_order = ORDER_1G, .domid = ID(C)
    };

    (void)state;
    virt_caps.slat_1g = false;
    assert_int_equal(populate(A, ID(C), ORDER_1G, g), 0);
    virt_caps.slat_1g = true;
    args[1] = (uintptr_t)&r;
    spin_lock(&pair[A].d.lock);
    assert_int_equal(hypercall_memory_op(&pair[A].v[0], args), HYPERCALL_CONTINUE);
    spin_unlock(&pair[A].d.lock);
    assert_int_equal(pair[C].d.p2m.promised, 1ul << ORDER_1G);
    assert_int_equal(populate(A, ID(C), 0, g + 5), 0);
    assert_int_equal(populate(A, ID(C), ORDER_2M, g), 0);
    assert_int_equal(unmap(C, g + 5), -ENOENT);
    assert_int_equal(pair[C].d.p2m.promised, 1ul << ORDER_1G);
    assert_int_equal(populate(A, ID(C), ORDER_1G, 0),
                     0); /* it may not have so much, after that one */
    assert_true(is_there(C, g + 5));
    assert_true(pair_rounds > 500);
    assert_int_equal(populate(A, ID(C), ORDER_1G, g), 0);
    assert_int_equal(populate(A, ID(C), 0, 0), 0);
}

/* ---- Pages of another ---- */

static void test_map(void **state)
{
    (void)state;
    assert_int_equal(map(A, ID(B), 7, HOLE), 0); /* it arrives for that */
    assert_int_equal(frame_at(A, HOLE).v, frame_at(B, 7).v);
    assert_int_equal(frame_pins(frame_at(B, 7)), 1);
    assert_int_equal(map(A, ID(B), 7, HOLE + 1), 0);
    assert_int_equal(frame_pins(frame_at(B, 7)), 2);
    assert_int_equal(map(A, ID(B), 8, HOLE), 0); /* what was there goes */
    assert_int_equal(map(A, ID(B), PAIR_RAM, HOLE + 2), -EINVAL);
    assert_int_equal(map(A, ID(B), 1ul << 36, HOLE + 2), -EINVAL);
    assert_int_equal(map(A, ID(B), 7, 1ul << 36), -EINVAL);
    assert_false(is_there(A, HOLE + 2));
    assert_int_equal(map(A, ID(B), 9, 3), 0); /* instead of RAM of its own */
    assert_int_equal(pair[A].d.p2m.promised, PAIR_RAM - 1);
    p2m_reap(&pair[A].d.p2m, PAIR_VCPUS);
    assert_int_equal(frame_pins(frame_at(B, 7)), 1);
    assert_int_equal(unmap(A, HOLE), 0);
    assert_int_equal(unmap(A, HOLE), -ENOENT);
    assert_int_equal(unmap(A, HOLE + 1), 0);
    assert_int_equal(frame_pins(frame_at(B, 7)), 1); /* TLBs may know of it */
    p2m_reap(&pair[A].d.p2m, PAIR_VCPUS);
    assert_int_equal(frame_pins(frame_at(B, 7)), 0);
    assert_int_equal(frame_pins(frame_at(B, 9)), 1);
}

/* What is lent to the other is not to be had by it. */
static void test_lent_is_not_its_own(void **state)
{
    mfn_t m;
    uint64_t to = HOLE;

    (void)state;
    assert_int_equal(grant_table_frame(&pair[B].d.xen, 0, &m), 0);
    assert_int_equal(p2m_lend(&pair[B].d.p2m, gfn(0x200), m, SLAT_R | SLAT_W), 0);
    assert_int_equal(map(A, ID(B), 0x200, HOLE), -EINVAL);
    assert_int_equal(acquire(A, ID(C), 0, &to, 1), 0);
    assert_int_equal(map(A, ID(B), 5, HOLE + 1), 0);
}

/* A long list, with errors in it; and more to unmap than can wait for TLBs. */
static void test_many(void **state)
{
    static uint64_t from[MANY], to[MANY];
    static int errs[MANY];
    uint64_t pins = 0;

    (void)state;
    for (unsigned n = 0; n < MANY; n++) {
        from[n] = n % (PAIR_RAM + 1);
        to[n] = HOLE + n;
        errs[n] = 77;
    }
    assert_int_equal(map_many(A, ID(B), from, to, errs, MANY), 0);
    assert_true(pair_rounds >= MANY / 32);
    for (unsigned n = 0; n < MANY; n++)
        assert_int_equal(errs[n], from[n] < PAIR_RAM ? 0 : -EINVAL);
    for (unsigned n = 0; n < MANY; n++)
        assert_int_equal(unmap(A, to[n]), from[n] < PAIR_RAM ? 0 : -ENOENT);
    p2m_reap(&pair[A].d.p2m, PAIR_VCPUS);
    for (unsigned g = 0; g < PAIR_RAM; g++)
        pins += frame_pins(frame_at(B, g));
    assert_int_equal(pins, 0);
    pair_unwritable = (uintptr_t)&errs[3];
    assert_int_equal(map_many(A, ID(B), from, to, errs, MANY), -EFAULT);
    pair_unwritable = UINT64_MAX;
    assert_true(is_there(A, to[2]));
    assert_false(is_there(A, to[3])); /* it could not have been told */
    pair_unreadable = (uintptr_t)&to[3];
    assert_int_equal(map_many(A, ID(B), from, to, errs, MANY), -EFAULT);
}

/* ---- Ends ---- */

/* The page outlives its domain, and is its until then: it can get no other for it. */
static void test_given_back_and_ends(void **state)
{
    uint64_t g = 7;

    (void)state;
    assert_int_equal(map(A, ID(B), 7, HOLE), 0);
    assert_int_equal(extents(B, XENMEM_DECREASE_RESERVATION, XEN_DOMID_SELF, 0, &g, 1), 1);
    p2m_reap(&pair[B].d.p2m, PAIR_VCPUS);
    assert_int_equal(promise_of(ID(B)).ram, PAIR_RAM);
    assert_int_equal(extents(B, XENMEM_POPULATE_PHYSMAP, XEN_DOMID_SELF, 0, &g, 1), 0);
    pair_destroy(B);
    assert_int_equal(frame_count(OWNER_PINNED), 1);
    assert_true(is_there(A, HOLE));
    assert_int_equal(unmap(A, HOLE), 0);
    p2m_reap(&pair[A].d.p2m, PAIR_VCPUS);
    assert_int_equal(frame_count(OWNER_PINNED), 0);
}

static void test_its_owner_ends(void **state)
{
    (void)state;
    assert_int_equal(map(A, ID(B), 7, HOLE), 0);
    assert_int_equal(map(A, ID(B), 8, HOLE + 1), 0);
    assert_int_equal(unmap(A, HOLE + 1), 0); /* and waits for TLBs */
    pair_destroy(B);
    assert_int_equal(frame_count(OWNER_PINNED), 2);
    assert_int_equal(unmap(A, HOLE), 0);
    pair_destroy(A);
    assert_int_equal(frame_count(OWNER_PINNED), 0);
}

static void test_control_domain_ends(void **state)
{
    uint64_t to = HOLE + 2;
    mfn_t m;

    (void)state;
    assert_int_equal(map(A, ID(B), 7, HOLE), 0);
    assert_int_equal(map(A, ID(B), 8, HOLE + 1), 0);
    assert_int_equal(acquire(A, ID(B), 0, &to, 1), 0);
    m = frame_at(B, 7);
    pair_destroy(A);
    assert_int_equal(frame_pins(m), 0);
    pair_destroy(B);
}

/* ---- Grant tables ---- */

static void test_acquire(void **state)
{
    const uint64_t to[] = { HOLE, HOLE + 1, 4, 1ul << 36 };
    struct xen_acquire_resource a = { .domid = ID(B), .type = XENMEM_RESOURCE_GRANT_TABLE };
    mfn_t m;

    (void)state;
    assert_int_equal(memory_op(A, XENMEM_ACQUIRE_RESOURCE, &a), 0);
    assert_int_equal(a.nr_frames, GRANT_FRAMES_MOST);
    assert_int_equal(acquire(A, ID(B), 0, to, 3), 0);
    for (unsigned n = 0; n < 3; n++) {
        assert_int_equal(grant_table_frame(&pair[B].d.xen, n, &m), 0);
        assert_int_equal(frame_at(A, to[n]).v, m.v);
    }
    assert_int_equal(acquire(A, ID(B), 0, to + 3, 1), -EINVAL);
    assert_int_equal(acquire(A, ID(B), 31, to, 2), -EINVAL);
    assert_int_equal(acquire(A, ID(B), UINT64_MAX, to, 1), -EINVAL);
    assert_int_equal(acquire(A, ID(B), 0, NULL, 1), -EINVAL);
    a.type = 0;
    assert_int_equal(memory_op(A, XENMEM_ACQUIRE_RESOURCE, &a), -EOPNOTSUPP);
    a = (struct xen_acquire_resource){ .domid = ID(B), .type = 1, .id = 1 };
    assert_int_equal(memory_op(A, XENMEM_ACQUIRE_RESOURCE, &a), -EINVAL);
    assert_int_equal(unmap(A, HOLE), 0);
    assert_int_equal(map(A, ID(B), 3, HOLE + 1), 0);
}

/* The first entries are written so, and the store's daemon maps by them. */
static void test_seed(void **state)
{
    uint64_t to = HOLE;
    struct xen_gnttab_map_grant_ref arg = {
        .host_addr = (HOLE + 1) << PAGE_SHIFT, .flags = GNTMAP_HOST_MAP, .ref = 1, .dom = ID(C)
    };

    (void)state;
    assert_int_equal(populate(A, ID(C), 0, 0xfeffc), 1);
    assert_int_equal(acquire(A, ID(C), 0, &to, 1), 0);
    struct xen_grant_entry *entries = (void *)(frame_at(A, HOLE).v << PAGE_SHIFT);
    entries[1] = (struct xen_grant_entry){ GTF_PERMIT_ACCESS, ID(A), 0xfeffc };
    assert_int_equal(unmap(A, HOLE), 0);
    assert_int_equal(pair_call(A, hypercall_grant_table_op, GNTTABOP_MAP_GRANT_REF, &arg, 1), 0);
    assert_int_equal(arg.status, GNTST_OKAY);
    assert_int_equal(frame_at(A, HOLE + 1).v, frame_at(C, 0xfeffc).v);
}

/* A page of the table does not outlive the domain: nobody sees it then, nor does any TLB. */
static void test_table_goes(void **state)
{
    const uint64_t to[] = { HOLE, HOLE + 1 };

    (void)state;
    assert_int_equal(acquire(A, ID(B), 0, to, 2), 0);
    assert_int_equal(map(A, ID(B), 7, HOLE + 2), 0);
    assert_int_equal(unmap(A, HOLE + 1), 0);
    pair[B].gone = true; /* nobody finds it */
    p2m_enter(&pair[A].d.p2m, 1);
    while (!pair[B].d.xen.foreign.looked)
        assert_false(foreign_detach(&pair[B].d.xen));
    assert_false(is_there(A, HOLE));
    assert_true(is_there(A, HOLE + 2));
    assert_false(foreign_detach(&pair[B].d.xen)); /* vCPU 1 is kicked, and leaves */
    assert_true(foreign_detach(&pair[B].d.xen));
    p2m_enter(&pair[A].d.p2m, 1);
    assert_true(foreign_detach(&pair[B].d.xen));
    pair[A].d.p2m.inside[1] = 0;
    pair_destroy(B);
}

/* ---- Maps of memory ---- */

static void test_memory_map(void **state)
{
    static struct e820_entry given[XENMEM_MAP_MOST + 1], got[XENMEM_MAP_MOST];
    struct xen_memory_map m = { .nr_entries = XENMEM_MAP_MOST, .buffer = (uintptr_t)got };
    uint64_t has = frame_count(ID(C));

    (void)state;
    for (unsigned n = 0; n < XENMEM_MAP_MOST; n++)
        given[n] = (struct e820_entry){ n << 20, 4096, E820_RAM };
    assert_int_equal(memory_op(C, XENMEM_MEMORY_MAP, &m), -ENOSYS);
    assert_int_equal(set_map(A, ID(C), given, XENMEM_MAP_MOST + 1), -EINVAL);
    assert_int_equal(set_map(A, ID(C), given, XENMEM_MAP_MOST), 0);
    assert_int_equal(memory_op(C, XENMEM_MEMORY_MAP, &m), 0);
    assert_int_equal(m.nr_entries, XENMEM_MAP_MOST);
    assert_memory_equal(got, given, sizeof(got));
    assert_int_equal(set_map(A, ID(C), given + 5, 2), 0);
    assert_int_equal(set_map(A, ID(C), (void *)ANY_PLACE, 2), -EFAULT);
    frame_fail_nth(1);
    assert_int_equal(set_map(A, ID(C), given, 1), -ENOMEM);
    assert_int_equal(memory_op(C, XENMEM_MEMORY_MAP, &m), 0);
    assert_int_equal(m.nr_entries, 2);
    assert_memory_equal(got, given + 5, 2 * sizeof(*got));
    m.nr_entries = 1;
    assert_int_equal(memory_op(C, XENMEM_MEMORY_MAP, &m), 0);
    assert_int_equal(m.nr_entries, 1);
    assert_int_equal(frame_count(ID(C)), has + 1);
}

static void test_pod_target(void **state)
{
    struct xen_pod_target t = { .target_pages = 5, .pod_entries = 9, .domid = ID(B) };

    (void)state;
    assert_int_equal(memory_op(A, XENMEM_SET_POD_TARGET, &t), 0);
    assert_int_equal(t.tot_pages, PAIR_RAM);
    assert_int_equal(t.pod_entries, 0);
    assert_int_equal(pair[B].d.p2m.promised, PAIR_RAM);
}

static int64_t on_demand(unsigned i, uint16_t id, unsigned order, uint64_t g)
{
    struct xen_memory_reservation r = { .extent_start = (uintptr_t)&g,
                                        .nr_extents = 1,
                                        .extent_order = order,
                                        .mem_flags = XENMEMF_POPULATE_ON_DEMAND,
                                        .domid = id };

    return memory_op(i, XENMEM_POPULATE_PHYSMAP, &r);
}

/* maxmem= above memory=, as tools say it: a target, then all places. What they map of it comes. */
static void test_on_demand(void **state)
{
    struct xen_pod_target t = { .target_pages = 20, .domid = ID(C) };
    struct p2m *p = &pair[C].d.p2m;

    (void)state;
    assert_int_equal(memory_op(A, XENMEM_SET_POD_TARGET, &t), 0);
    assert_int_equal(t.tot_pages, 20);
    assert_int_equal(t.pod_entries, 0);
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(on_demand(A, ID(C), 0, 0x100 + i), 1);
    assert_int_equal(on_demand(A, ID(C), ORDER_2M, 0x200), 1);
    assert_int_equal(on_demand(A, ID(C), 0, 0x100), 0);
    assert_int_equal(on_demand(A, ID(C), 3, 0x400), 0);
    assert_int_equal(map(A, ID(C), 0x101, HOLE), 0);
    assert_int_equal(memory_op(A, XENMEM_GET_POD_TARGET, &t), 0);
    assert_int_equal(t.tot_pages, 20);
    assert_int_equal(t.pod_cache_pages, 20 - p->populated);
    assert_int_equal(t.pod_entries, 30 + 512 - p->populated);
    assert_true(p->populated > 0 && p->populated <= 20);
    assert_int_equal(unmap(A, HOLE), 0);
    t.target_pages = MOST + 1;
    assert_int_equal(memory_op(A, XENMEM_SET_POD_TARGET, &t), -ENOMEM);
    pair[C].d.started = true; /* from now on it is the balloon's */
    assert_int_equal(memory_op(A, XENMEM_SET_POD_TARGET, &t), 0);
    assert_int_equal(t.tot_pages, 20);
    assert_int_equal(on_demand(A, ID(C), 0, 0x800), 0);
    assert_int_equal(on_demand(A, ID(A), 0, 0x8000), 0);
    assert_int_equal(on_demand(B, ID(C), 0, 0x800), 0);
}

/* ---- Parameters and ports ---- */

static void test_params(void **state)
{
    static const uint8_t of_xl[] = { 10, 35, 1, 6, 5, 17, 27, 28, 29, 12, 18, 2 };
    uint64_t value;

    (void)state;
    for (unsigned n = 0; n < sizeof(of_xl); n++) {
        value = 1000 + n;
        assert_int_equal(param(A, HVMOP_SET_PARAM, ID(C), of_xl[n], &value), 0);
        value = 0;
        assert_int_equal(param(A, HVMOP_GET_PARAM, ID(C), of_xl[n], &value), 0);
        assert_int_equal(value, 1000 + n);
    }
    assert_int_equal(param(A, HVMOP_SET_PARAM, ID(C), HVM_PARAMS, &value), -EINVAL);
    assert_int_equal(param(A, HVMOP_GET_PARAM, 99, 1, &value), -ESRCH);
    assert_int_equal(param(C, HVMOP_GET_PARAM, XEN_DOMID_SELF, HVM_PARAM_STORE_EVTCHN, &value), 0);
    assert_int_equal(value, 1011);
    assert_int_equal(param(C, HVMOP_SET_PARAM, XEN_DOMID_SELF, HVM_PARAM_STORE_EVTCHN, &value),
                     -EPERM);
    assert_int_equal(param(A, HVMOP_SET_PARAM, XEN_DOMID_SELF, HVM_PARAM_STORE_EVTCHN, &value),
                     -EPERM);
    value = 2ul << HVM_CALLBACK_TYPE_SHIFT | 0xf3;
    assert_int_equal(param(A, HVMOP_SET_PARAM, ID(C), HVM_PARAM_CALLBACK_IRQ, &value), 0);
    assert_int_equal(pair[C].d.xen.callback, 0xf3);
}

static size_t takes_all(struct xen_domain *d, const uint8_t *bytes, size_t n)
{
    (void)d;
    (void)bytes;
    return n;
}

static void no_room(struct xen_domain *d)
{
    (void)d;
}

/* What others write there is for others to read: Caisson uses its own. */
static void test_params_are_words(void **state)
{
    static const struct xen_console_bus bus = { takes_all, no_room };
    static const uint64_t wrong[] = { 0, 2, 5, EVTCHN_PORTS_MOST, UINT32_MAX, UINT64_MAX };
    uint32_t unbound;
    struct xen_evtchn_send send;
    uint64_t value;

    (void)state;
    assert_int_equal(pv_console_init(&pair[B].d.xen, &bus), 0);
    value = 0;
    assert_int_equal(param(B, HVMOP_GET_PARAM, XEN_DOMID_SELF, HVM_PARAM_CONSOLE_EVTCHN, &value),
                     0);
    send.port = (uint32_t)value;
    assert_int_equal(alloc_unbound(B, XEN_DOMID_SELF, ID(A), &unbound), 0);
    for (unsigned n = 0; n < sizeof(wrong) / sizeof(wrong[0]); n++) {
        for (uint32_t index = 0; index < HVM_PARAMS; index++) {
            value = wrong[n];
            assert_int_equal(param(A, HVMOP_SET_PARAM, ID(B), index, &value), 0);
        }
        memset(&pair[B].shared, 0, sizeof(pair[B].shared));
        pair[B].d.xen.console->out_prod++;
        assert_int_equal(pair_call(B, hypercall_event_channel_op, EVTCHNOP_SEND, &send, 0), 0);
        assert_int_equal(pair[B].shared.evtchn_pending[0], 1ul << send.port);
        pair[B].shared.evtchn_pending[0] = 0;
        spin_lock(&pair[B].d.lock);
        assert_true(pv_console_give(&pair[B].d.xen, 'x'));
        assert_true(pv_console_give(&pair[B].d.xen, 'y'));
        assert_int_equal(pair[B].shared.evtchn_pending[0], 0); /* one event for both */
        pv_console_given(&pair[B].d.xen);
        spin_unlock(&pair[B].d.lock);
        assert_int_equal(pair[B].shared.evtchn_pending[0], 1ul << send.port);
    }
}

static void test_ports(void **state)
{
    struct xen_evtchn_bind_interdomain bind = { .remote_dom = ID(C) };
    struct xen_evtchn_status status = { .dom = ID(C) };
    uint32_t port;

    (void)state;
    assert_int_equal(alloc_unbound(A, ID(C), XEN_DOMID_SELF, &port), 0);
    status.port = bind.remote_port = port;
    assert_int_equal(pair_call(A, hypercall_event_channel_op, EVTCHNOP_STATUS, &status, 0), 0);
    assert_int_equal(status.status, EVTCHNSTAT_UNBOUND);
    assert_int_equal(status.u.unbound.dom, ID(A));
    assert_int_equal(pair_call(A, hypercall_event_channel_op, EVTCHNOP_BIND_INTERDOMAIN, &bind, 0),
                     0);
    assert_int_equal(pair_call(A, hypercall_event_channel_op, EVTCHNOP_STATUS, &status, 0), 0);
    assert_int_equal(status.status, EVTCHNSTAT_INTERDOMAIN);
    assert_int_equal(status.u.interdomain.dom, ID(A));
    assert_int_equal(status.u.interdomain.port, bind.local_port);
    assert_int_equal(pair_call(B, hypercall_event_channel_op, EVTCHNOP_STATUS, &status, 0), -EPERM);
    status.port = 4000;
    assert_int_equal(pair_call(A, hypercall_event_channel_op, EVTCHNOP_STATUS, &status, 0),
                     -EINVAL);
    assert_int_equal(alloc_unbound(A, 99, 0, &port), -ESRCH);
    pair[C].d.xen.vcpu_count = 0; /* not yet */
    assert_int_equal(alloc_unbound(A, ID(C), 0, &port), -EINVAL);
    pair[C].d.xen.vcpu_count = PAIR_VCPUS;
}

/* ---- Without memory ---- */

static void test_without_memory(void **state)
{
    const uint64_t to[] = { HOLE, 0x100000, 0x300000 };
    bool failed = false;

    (void)state;
    for (unsigned n = 1; n < 12; n++) {
        frame_fail_nth(n);
        failed |= map(A, ID(B), n, HOLE + (n << 18)) == -ENOMEM;
        frame_fail_nth(n);
        failed |= populate(A, ID(C), ORDER_2M, n << 18) == 0;
        frame_fail_nth(n);
        (void)acquire(A, ID(B), n, to, 3);
    }
    frame_fail_nth(0);
    assert_true(failed);
}

/* Each domain's page tables are bounded, also those for what the control domain maps. */
static void test_scattered(void **state)
{
    unsigned n;

    (void)state;
    for (n = 0; n < 1000 && map(A, ID(B), 1, (n + 1ul) << 27) == 0; n++)
        ;
    assert_in_range(n, 10, 100);
    assert_int_equal(map(A, ID(B), 2, 1ul << 27), 0); /* where there are tables */
    for (n = 0; n < 100000 && populate(A, ID(C), ORDER_2M, (n + 1ul) << 27) == 1; n++)
        ;
    assert_in_range(n, 10, 1500);
}

/* ---- What the others would do ---- */

void pv_set_width(struct xen_domain *d, bool is_32bit)
{
    d->is_32bit = is_32bit;
}

void pv_upcall_set_vector(struct xen_vcpu *v, uint8_t vector)
{
    v->upcall_vector = vector;
}

uint64_t frame_table_size(void)
{
    return 0;
}

uint64_t tsc_to_ns(uint64_t ticks)
{
    return ticks;
}

int domain_add_on_demand(struct domain *d, gfn_t g, unsigned order)
{
    return spin_is_locked(&d->lock) ? p2m_add_on_demand(&d->p2m, g, order) : -EINVAL;
}

unsigned domain_e820(const struct domain *d, struct e820_entry out[E820_MOST])
{
    (void)d;
    (void)out;
    return 0;
}

int hypercall_may_control(struct vcpu *v, uint16_t domid)
{
    return domid == XEN_DOMID_SELF || domid == v->domain->xen.id ? 0 : -EPERM;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nobody_else),
        TEST(test_not_to_itself),
        TEST(test_populate),
        TEST(test_populate_own),
        TEST(test_populate_at_most),
        TEST(test_giant),
        TEST(test_map),
        TEST(test_lent_is_not_its_own),
        TEST(test_many),
        TEST(test_given_back_and_ends),
        TEST(test_its_owner_ends),
        TEST(test_control_domain_ends),
        TEST(test_acquire),
        TEST(test_seed),
        TEST(test_table_goes),
        TEST(test_memory_map),
        TEST(test_pod_target),
        TEST(test_on_demand),
        TEST(test_params),
        TEST(test_params_are_words),
        TEST(test_ports),
        TEST(test_without_memory),
        TEST(test_scattered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
