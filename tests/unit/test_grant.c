/* clang-format off */
/* links: hypercall/grant_op.c grant/grant.c grant/foreign.c xen/flush.c grant/grant_map.c grant/grant_copy.c hypercall/evtchn_op.c xen/evtchn.c xen/evtchn_2l.c xen/evtchn_fifo.c xen/pair.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_lent.c virt/slat.c tests/fakes/pair.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/* clang-format on */
/*
 * grant_table_op: each operation right and wrong, revoked grants, and domains that end while their
 * pages are mapped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hypercall/hypercall.h"
#include "grant/grant.h"
#include "include/public/compat.h"
#include "mm/frame.h"
#include "mm/promise.h"
#include "tests/fakes/pair.h"

#define A     0
#define B     1
#define C     2
#define HOLE  0x100 /* a gfn beyond RAM */
#define AT(g) ((uint64_t)(g) << PAGE_SHIFT)

static int64_t op(unsigned i, unsigned cmd, void *arg, unsigned count)
{
    return pair_call(i, hypercall_grant_table_op, cmd, arg, count);
}

/* The entry as the guest sees it, through the frame that it would have mapped. */
static struct xen_grant_entry *entry(unsigned i, uint32_t ref)
{
    mfn_t m;

    assert_int_equal(grant_table_frame(&pair[i].d.xen, ref / 512, &m), 0);
    return (struct xen_grant_entry *)(m.v << PAGE_SHIFT) + ref % 512;
}

static void grant(unsigned i, uint32_t ref, uint16_t to, uint32_t g, uint16_t flags)
{
    *entry(i, ref) = (struct xen_grant_entry){ .domid = to, .frame = g };
    entry(i, ref)->flags = GTF_PERMIT_ACCESS | flags;
}

static int16_t map(unsigned i, uint16_t dom, uint32_t ref, uint64_t g, uint32_t flags,
                   uint32_t *handle)
{
    struct xen_gnttab_map_grant_ref arg = {
        .host_addr = AT(g), .flags = GNTMAP_HOST_MAP | flags, .ref = ref, .dom = dom
    };

    assert_int_equal(op(i, GNTTABOP_MAP_GRANT_REF, &arg, 1), 0);
    if (handle)
        *handle = arg.handle;
    return arg.status;
}

static int16_t unmap(unsigned i, uint64_t g, uint32_t handle)
{
    struct xen_gnttab_unmap_grant_ref arg = { .host_addr = AT(g), .handle = handle };

    assert_int_equal(op(i, GNTTABOP_UNMAP_GRANT_REF, &arg, 1), 0);
    return arg.status;
}

static void test_numbers_and_pointers(void **state)
{
    struct xen_gnttab_map_grant_ref arg[2] = { { .flags = GNTMAP_HOST_MAP, .dom = 2 } };

    (void)state;
    assert_int_equal(op(A, GNTTABOP_DUMP_TABLE, arg, 1), -ENOSYS);
    assert_int_equal(op(A, GNTTABOP_GET_STATUS_FRAMES, arg, 1), -ENOSYS);
    assert_int_equal(op(A, GNTTABOP_CACHE_FLUSH, arg, 1), -ENOSYS);
    assert_int_equal(op(A, 100, arg, 1), -ENOSYS);
    assert_int_equal(op(A, GNTTABOP_MAP_GRANT_REF, NULL, 1), -EFAULT);
    assert_int_equal(op(A, GNTTABOP_MAP_GRANT_REF, NULL, 0), 0);
    assert_int_equal(op(A, GNTTABOP_MAP_GRANT_REF, arg, UINT32_MAX), -EINVAL);
    assert_int_equal(op(A, GNTTABOP_QUERY_SIZE, arg, 2), -EINVAL);
    assert_int_equal(op(A, GNTTABOP_SETUP_TABLE, arg, 0), -EINVAL);
    /* The second element cannot be answered: it is not mapped. */
    grant(B, 8, 1, 3, 0);
    arg[0] = arg[1] = (struct xen_gnttab_map_grant_ref){
        .host_addr = AT(HOLE), .flags = GNTMAP_HOST_MAP, .ref = 8, .dom = 2
    };
    arg[1].host_addr = AT(HOLE + 1);
    pair_unwritable = (uintptr_t)&arg[1];
    assert_int_equal(op(A, GNTTABOP_MAP_GRANT_REF, arg, 2), -EFAULT);
    assert_int_equal(arg[0].status, GNTST_OKAY);
    assert_null(pair_ram(A, HOLE + 1));
}

static void test_map_and_unmap(void **state)
{
    uint32_t handle, again;

    (void)state;
    grant(B, 8, 1, 3, 0);
    assert_int_equal(map(A, 2, 8, HOLE, 0, &handle), GNTST_OKAY);
    assert_int_equal(entry(B, 8)->flags, GTF_PERMIT_ACCESS | GTF_READING | GTF_WRITING);
    assert_ptr_equal(pair_ram(A, HOLE), pair_ram(B, 3));
    assert_int_equal(map(A, 2, 8, HOLE + 1, GNTMAP_READONLY, &again), GNTST_OKAY);
    assert_int_not_equal(again, handle);
    assert_int_equal(unmap(A, HOLE + 1, handle), GNTST_GENERAL_ERROR); /* not there */
    assert_int_equal(unmap(A, 0, handle), GNTST_OKAY);                 /* asks for nothing */
    assert_int_equal(unmap(A, HOLE, handle), GNTST_OKAY);
    assert_int_equal(entry(B, 8)->flags, GTF_PERMIT_ACCESS | GTF_READING);
    assert_int_equal(unmap(A, HOLE, handle), GNTST_BAD_HANDLE);
    assert_int_equal(unmap(A, HOLE + 1, again), GNTST_OKAY);
    assert_int_equal(entry(B, 8)->flags, GTF_PERMIT_ACCESS);
    assert_null(pair_ram(A, HOLE));
    assert_int_equal(unmap(A, HOLE, UINT32_MAX), GNTST_BAD_HANDLE);
}

/* The guest took it away itself, and had something else put there: that stays. */
static void test_not_in_its_place(void **state)
{
    struct p2m *p = &pair[A].d.p2m;
    uint32_t handle, again;
    mfn_t m;

    (void)state;
    grant(B, 8, 1, 3, 0);
    assert_int_equal(map(A, 2, 8, HOLE, 0, &handle), GNTST_OKAY);
    assert_int_equal(map(A, 2, 8, HOLE + 1, 0, &again), GNTST_OKAY);
    assert_int_equal(p2m_remove(p, gfn(HOLE)), 0);
    assert_int_equal(p2m_remove(p, gfn(HOLE + 1)), 0);
    assert_int_equal(unmap(A, HOLE, handle), GNTST_OKAY);
    assert_int_equal(p2m_pin_own(&pair[B].d.p2m, gfn(3), false, &m), 0);
    assert_int_equal(p2m_lend(p, gfn(HOLE + 1), m, SLAT_R | SLAT_W | SLAT_PINNED), 0);
    assert_int_equal(unmap(A, HOLE + 1, again), GNTST_OKAY);
    assert_ptr_equal(pair_ram(A, HOLE + 1), pair_ram(B, 3));
    assert_int_equal(entry(B, 8)->flags, GTF_PERMIT_ACCESS);
}

static void test_what_is_not_granted(void **state)
{
    uint32_t handle;

    (void)state;
    assert_int_equal(map(A, 2, 8, HOLE, 0, NULL), GNTST_BAD_GNTREF); /* no table yet */
    grant(B, 8, 3, 3, 0);
    assert_int_equal(map(A, 2, 8, HOLE, 0, NULL), GNTST_GENERAL_ERROR); /* for C */
    assert_int_equal(map(A, 2, 9, HOLE, 0, NULL), GNTST_GENERAL_ERROR); /* for nobody */
    assert_int_equal(map(A, 2, 512, HOLE, 0, NULL), GNTST_BAD_GNTREF);
    assert_int_equal(map(A, 2, UINT32_MAX, HOLE, 0, NULL), GNTST_BAD_GNTREF);
    assert_int_equal(map(A, 9, 8, HOLE, 0, NULL), GNTST_BAD_DOMAIN);
    assert_int_equal(map(A, XEN_DOMID_SELF, 8, HOLE, 0, NULL), GNTST_BAD_DOMAIN);
    grant(B, 8, 1, 3, GTF_READONLY);
    assert_int_equal(map(A, 2, 8, HOLE, 0, NULL), GNTST_GENERAL_ERROR);
    assert_int_equal(map(A, 2, 8, HOLE, GNTMAP_READONLY, &handle), GNTST_OKAY);
    mfn_t m;
    assert_int_equal(p2m_populate_writable(&pair[A].d.p2m, gfn(HOLE), &m), -EFAULT);
    entry(B, 8)->domid = 3; /* while A uses it, C gets nothing */
    assert_int_equal(map(C, 2, 8, HOLE, GNTMAP_READONLY, NULL), GNTST_GENERAL_ERROR);
    grant(B, 10, 1, PAIR_RAM, 0);
    assert_int_equal(map(A, 2, 10, HOLE + 1, 0, NULL), GNTST_BAD_PAGE);
    assert_int_equal(entry(B, 10)->flags, GTF_PERMIT_ACCESS); /* no mark is left */
    grant(B, 11, 1, UINT32_MAX, 0);
    assert_int_equal(map(A, 2, 11, HOLE + 1, 0, NULL), GNTST_BAD_PAGE);
}

static void test_where_it_may_not_go(void **state)
{
    struct xen_gnttab_map_grant_ref arg = { .ref = 8, .dom = 2, .host_addr = AT(HOLE) };

    (void)state;
    grant(B, 8, 1, 3, 0);
    assert_int_equal(map(A, 2, 8, 4, 0, NULL), GNTST_GENERAL_ERROR); /* on its own RAM */
    assert_int_equal(map(A, 2, 8, UINT64_MAX >> 12, 0, NULL), GNTST_GENERAL_ERROR);
    assert_int_equal(map(A, 2, 8, HOLE, GNTMAP_DEVICE_MAP, NULL), GNTST_GENERAL_ERROR);
    assert_int_equal(map(A, 2, 8, HOLE, GNTMAP_CONTAINS_PTE, NULL), GNTST_GENERAL_ERROR);
    assert_int_equal(op(A, GNTTABOP_MAP_GRANT_REF, &arg, 1), 0);
    assert_int_equal(arg.status, GNTST_BAD_GNTREF); /* neither host nor device */
    assert_int_equal(entry(B, 8)->flags, GTF_PERMIT_ACCESS);
    assert_int_equal(map(A, 2, 8, HOLE, 0, NULL), GNTST_OKAY);
    assert_int_equal(map(A, 2, 8, HOLE, 0, NULL), GNTST_GENERAL_ERROR); /* twice */
}

/* What was mapped is not granted on. */
static void test_lent_page_is_not_its_own(void **state)
{
    (void)state;
    grant(B, 8, 1, 3, 0);
    assert_int_equal(map(A, 2, 8, HOLE, 0, NULL), GNTST_OKAY);
    grant(A, 8, 3, HOLE, 0);
    assert_int_equal(map(C, 1, 8, HOLE, 0, NULL), GNTST_BAD_PAGE);
}

static void test_own_grant(void **state)
{
    uint32_t handle;

    (void)state;
    grant(A, 8, 1, 3, 0);
    assert_int_equal(map(A, 1, 8, HOLE, 0, &handle), GNTST_OKAY);
    assert_int_equal(unmap(A, HOLE, handle), GNTST_OKAY);
    assert_int_equal(map(A, 1, 8, HOLE, 0, &handle), GNTST_OKAY); /* and is left mapped */
}

/* It maps pages of its own, gives them back and asks for others in their place. */
static void test_given_back_and_mapped_counts(void **state)
{
    struct domain *d = &pair[A].d;
    uint32_t handle;

    (void)state;
    grant(A, 8, 1, 3, 0);
    assert_int_equal(map(A, 1, 8, HOLE, 0, &handle), GNTST_OKAY);
    assert_int_equal(p2m_remove(&d->p2m, gfn(3)), 0);
    assert_int_equal(p2m_remove(&d->p2m, gfn(4)), 0); /* not mapped by anyone */
    assert_int_equal(p2m_fill(&d->p2m, gfn(4)), -EAGAIN);
    p2m_reap(&d->p2m, 0);
    assert_int_equal(p2m_fill(&d->p2m, gfn(4)), 0);
    assert_int_equal(p2m_fill(&d->p2m, gfn(3)), -ENOMEM);
    assert_int_equal(promise_taken(1).ram + d->p2m.promised - d->p2m.populated, PAIR_RAM);
    assert_int_equal(unmap(A, HOLE, handle), GNTST_OKAY);
    assert_int_equal(p2m_fill(&d->p2m, gfn(3)), 0);
}

/* The granter has given it back before it ends: the mapper's use of it goes on, on nobody's
 * account. */
static void test_granter_gave_back_and_ends(void **state)
{
    uint32_t handle;

    (void)state;
    grant(B, 8, 1, 3, 0);
    assert_int_equal(map(A, 2, 8, HOLE, 0, &handle), GNTST_OKAY);
    assert_int_equal(p2m_remove(&pair[B].d.p2m, gfn(3)), 0);
    p2m_reap(&pair[B].d.p2m, 0);
    assert_int_equal(promise_taken(2).ram, pair[B].d.p2m.populated + 1);
    pair_destroy(B);
    assert_int_equal(frame_count(OWNER_PINNED), 1);
    assert_int_equal(unmap(A, HOLE, handle), GNTST_OKAY);
    assert_int_equal(frame_count(OWNER_PINNED), 0);
}

static void test_granter_ends_first(void **state)
{
    uint32_t handle;

    (void)state;
    grant(B, 8, 1, 3, 0);
    assert_int_equal(map(A, 2, 8, HOLE, 0, &handle), GNTST_OKAY);
    uint8_t *page = pair_ram(A, HOLE);
    page[0] = 0x5a;
    pair_destroy(B);
    assert_int_equal(frame_count(OWNER_PINNED), 1);
    assert_ptr_equal(pair_ram(A, HOLE), page);
    assert_int_equal(page[0], 0x5a);
    assert_int_equal(unmap(A, HOLE, handle), GNTST_OKAY);
    assert_int_equal(frame_count(OWNER_PINNED), 0);
    assert_int_equal(map(A, 2, 8, HOLE, 0, NULL), GNTST_BAD_DOMAIN);
}

static void test_mapper_ends_first(void **state)
{
    (void)state;
    grant(B, 8, 1, 3, 0);
    assert_int_equal(map(A, 2, 8, HOLE, 0, NULL), GNTST_OKAY);
    assert_int_equal(map(A, 2, 8, HOLE + 1, 0, NULL), GNTST_OKAY);
    pair_destroy(A);
    assert_int_equal(entry(B, 8)->flags, GTF_PERMIT_ACCESS);
}

static void test_both_end(void **state)
{
    (void)state;
    grant(B, 8, 1, 3, 0);
    assert_int_equal(map(A, 2, 8, HOLE, 0, NULL), GNTST_OKAY);
    pair_destroy(B);
    pair_destroy(A);
    assert_int_equal(frame_count(OWNER_PINNED), 0);
}

static uint32_t race_handle;
static void other_vcpu_unmaps(void)
{
    spin_unlock(&pair[A].d.lock);
    assert_int_equal(unmap(A, HOLE, race_handle), GNTST_BAD_HANDLE);
    spin_lock(&pair[A].d.lock);
}

static void test_two_vcpus_unmap_one(void **state)
{
    (void)state;
    grant(B, 8, 1, 3, 0);
    assert_int_equal(map(A, 2, 8, HOLE, 0, &race_handle), GNTST_OKAY);
    pair_meanwhile = other_vcpu_unmaps;
    pair[A].d.p2m.inside[2] = 1; /* it is in its guest: waited for */
    assert_int_equal(unmap(A, HOLE, race_handle), GNTST_OKAY);
    assert_null(pair_meanwhile);
    assert_int_equal(pair[A].d.p2m.inside[2], 0);
}

static unsigned waits;
/* While the TLBs are waited for: both are out of its memory, neither is let go yet. */
static void look_at_both(void)
{
    waits++;
    assert_null(pair_ram(A, HOLE));
    assert_null(pair_ram(A, HOLE + 1));
    assert_int_equal(entry(B, 8)->flags, GTF_PERMIT_ACCESS | GTF_READING | GTF_WRITING);
}

/* Two, since the clock lets a batch always have those. */
static void test_one_wait_for_a_batch(void **state)
{
    struct xen_gnttab_unmap_grant_ref arg[2] = { { .host_addr = AT(HOLE) },
                                                 { .host_addr = AT(HOLE + 1) } };

    (void)state;
    grant(B, 8, 1, 3, 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(map(A, 2, 8, HOLE + i, 0, &arg[i].handle), GNTST_OKAY);
    waits = 0;
    pair_meanwhile = look_at_both;
    pair[A].d.p2m.inside[2] = 1;
    assert_int_equal(op(A, GNTTABOP_UNMAP_GRANT_REF, arg, 2), 0);
    assert_int_equal(waits, 1);
    assert_int_equal(arg[0].status, GNTST_OKAY);
    assert_int_equal(arg[1].status, GNTST_OKAY);
    assert_int_equal(entry(B, 8)->flags, GTF_PERMIT_ACCESS);
}

static void test_batch_with_faults(void **state)
{
    struct xen_gnttab_unmap_grant_ref arg[5] = { [4] = { .handle = UINT32_MAX } };

    (void)state;
    grant(B, 8, 1, 3, 0);
    assert_int_equal(map(A, 2, 8, HOLE, 0, &arg[0].handle), GNTST_OKAY);
    arg[1] = arg[2] = arg[3] = arg[0];
    arg[0].host_addr = 0;                               /* asks for nothing */
    arg[1].host_addr = arg[4].host_addr = AT(HOLE + 1); /* it is elsewhere */
    arg[2].host_addr = arg[3].host_addr = AT(HOLE);
    assert_int_equal(op(A, GNTTABOP_UNMAP_GRANT_REF, arg, 5), 0);
    assert_int_equal(arg[0].status, GNTST_OKAY);
    assert_int_equal(arg[1].status, GNTST_GENERAL_ERROR);
    assert_int_equal(arg[2].status, GNTST_OKAY);
    assert_int_equal(arg[3].status, GNTST_BAD_HANDLE);
    assert_int_equal(arg[4].status, GNTST_BAD_HANDLE);
    assert_int_equal(entry(B, 8)->flags, GTF_PERMIT_ACCESS);
}

static void test_all_handles(void **state)
{
    uint32_t handle, n = 0;

    (void)state;
    grant(B, 8, 1, 3, 0);
    while (map(A, 2, 8, HOLE + n, 0, &handle) == GNTST_OKAY)
        assert_int_equal(handle, n++);
    assert_int_equal(n, GRANT_CHUNKS * GRANT_CHUNK_MAPS);
    assert_int_equal(map(A, 2, 8, HOLE + n, 0, &handle), GNTST_NO_SPACE);
    assert_int_equal(unmap(A, HOLE + 5, 5), GNTST_OKAY);
    assert_int_equal(map(A, 2, 8, HOLE + n, 0, &handle), GNTST_OKAY);
    assert_int_equal(handle, 5);
}

static void test_without_memory(void **state)
{
    (void)state;
    grant(B, 8, 1, 3, 0);
    for (unsigned nth = 1; nth < 10; nth++) {
        frame_fail_nth(nth);
        int16_t status = map(A, 2, 8, HOLE, 0, NULL);
        frame_fail_nth(0);
        if (status == GNTST_OKAY)
            return;
        assert_int_equal(entry(B, 8)->flags, GTF_PERMIT_ACCESS);
    }
    fail_msg("it never worked");
}

/* ---- Copies ---- */

static struct xen_gnttab_copy copy_of(uint16_t from, uint64_t source, uint16_t to, uint64_t dest,
                                      uint16_t flags)
{
    return (struct xen_gnttab_copy){ .source = { .ref_or_gmfn = source, .domid = from },
                                     .dest = { .ref_or_gmfn = dest, .domid = to },
                                     .len = 64,
                                     .flags = flags };
}

static int16_t copied(unsigned i, struct xen_gnttab_copy arg)
{
    assert_int_equal(op(i, GNTTABOP_COPY, &arg, 1), 0);
    return arg.status;
}

/* Before its domain begins: what is mapped then is the page that it says. */
static void test_reserved(void **state)
{
    uint32_t handle;

    (void)state;
    assert_int_equal(grant_reserve(&pair[B].d.xen, 1, 1, gfn(3)), 0);
    assert_int_equal(map(A, 2, 1, HOLE, 0, &handle), GNTST_OKAY);
    assert_ptr_equal(pair_ram(A, HOLE), pair_ram(B, 3));
    assert_int_equal(unmap(A, HOLE, handle), GNTST_OKAY);
    frame_fail_nth(1);
    assert_int_equal(grant_reserve(&pair[C].d.xen, 1, 1, gfn(3)), -ENOMEM);
}

static void test_copy(void **state)
{
    struct xen_gnttab_copy arg;

    (void)state;
    grant(B, 8, 1, 3, GTF_READONLY);
    grant(C, 9, 1, 5, 0);
    memset(pair_ram(B, 3), 0x77, 4096);
    arg = copy_of(2, 8, XEN_DOMID_SELF, 4, GNTCOPY_SOURCE_GREF);
    arg.dest.offset = 4096 - 64;
    assert_int_equal(copied(A, arg), GNTST_OKAY);
    assert_int_equal(pair_ram(A, 4)[4095], 0x77);
    assert_int_equal(pair_ram(A, 4)[4095 - 64], 0);
    arg = copy_of(2, 8, 3, 9, GNTCOPY_SOURCE_GREF | GNTCOPY_DEST_GREF); /* three domains */
    assert_int_equal(copied(A, arg), GNTST_OKAY);
    assert_int_equal(pair_ram(C, 5)[63], 0x77);
    assert_int_equal(entry(B, 8)->flags, GTF_PERMIT_ACCESS | GTF_READONLY);
    assert_int_equal(entry(C, 9)->flags, GTF_PERMIT_ACCESS);
    arg = copy_of(XEN_DOMID_SELF, 4, 2, 8, GNTCOPY_DEST_GREF);
    assert_int_equal(copied(A, arg), GNTST_GENERAL_ERROR); /* read only */
}

static void test_copy_wrong(void **state)
{
    struct xen_gnttab_copy arg;

    (void)state;
    grant(B, 8, 1, 3, 0);
    assert_int_equal(copied(A, copy_of(2, 3, XEN_DOMID_SELF, 4, 0)), GNTST_PERMISSION_DENIED);
    assert_int_equal(copied(A, copy_of(1, 3, XEN_DOMID_SELF, 4, 0)), GNTST_PERMISSION_DENIED);
    assert_int_equal(copied(A, copy_of(9, 8, XEN_DOMID_SELF, 4, GNTCOPY_SOURCE_GREF)),
                     GNTST_BAD_DOMAIN);
    assert_int_equal(copied(A, copy_of(2, 512, XEN_DOMID_SELF, 4, GNTCOPY_SOURCE_GREF)),
                     GNTST_BAD_GNTREF);
    assert_int_equal(copied(A, copy_of(2, 8, XEN_DOMID_SELF, PAIR_RAM, GNTCOPY_SOURCE_GREF)),
                     GNTST_BAD_PAGE);
    arg = copy_of(2, 8, XEN_DOMID_SELF, 4, GNTCOPY_SOURCE_GREF);
    arg.source.offset = 4096 - 63;
    assert_int_equal(copied(A, arg), GNTST_BAD_COPY_ARG);
    arg = copy_of(2, 8, XEN_DOMID_SELF, 4, GNTCOPY_SOURCE_GREF);
    arg.dest.offset = UINT16_MAX;
    arg.len = UINT16_MAX;
    assert_int_equal(copied(A, arg), GNTST_BAD_COPY_ARG);
    arg.len = 0;
    assert_int_equal(copied(A, arg), GNTST_OKAY);
    assert_int_equal(entry(B, 8)->flags, GTF_PERMIT_ACCESS);
}

/* Whoever is not let in does not so much as touch the other's lock. */
static void test_stranger_leaves_lock_alone(void **state)
{
    uint32_t before;

    (void)state;
    grant(B, 8, 3, 3, 0);
    grant(B, 9, 1, 3, GTF_READONLY);
    before = pair_locked(B);
    for (uint32_t ref = 0; ref < 600; ref++) {
        assert_int_not_equal(map(A, 2, ref, HOLE, 0, NULL), GNTST_OKAY);
        assert_int_not_equal(copied(A, copy_of(XEN_DOMID_SELF, 4, 2, ref, GNTCOPY_DEST_GREF)),
                             GNTST_OKAY);
    }
    assert_int_equal(pair_locked(B), before);
    assert_int_equal(map(C, 2, 8, HOLE, 0, NULL), GNTST_OKAY); /* who is takes it once */
    assert_int_equal(pair_locked(B), before + 1);
}

/* Nor is the lock touched of a domain that has nothing of the one that ends; of one that has, once
 * for each of its mappings. */
static void test_end_leaves_strangers_lock_alone(void **state)
{
    uint32_t before[PAIR_DOMAINS];

    (void)state;
    for (uint32_t ref = 8; ref < 200; ref++) {
        grant(A, ref, 2, 3, 0);
        grant(B, ref, 3, 3, 0);
        assert_int_equal(map(B, 1, ref, HOLE + ref, 0, NULL), GNTST_OKAY);
        assert_int_equal(map(C, 2, ref, HOLE + ref, 0, NULL), GNTST_OKAY);
    }
    for (unsigned i = 0; i < PAIR_DOMAINS; i++)
        before[i] = pair_locked(i);
    pair_destroy(A);
    assert_int_equal(pair_locked(B), before[B] + 192);
    assert_int_equal(pair_locked(C), before[C]);
}

/* ---- The rest ---- */

static void test_sizes_and_versions(void **state)
{
    struct xen_gnttab_query_size size = { .dom = XEN_DOMID_SELF };
    struct xen_gnttab_set_version set = { .version = 2 };
    struct xen_gnttab_get_version get = { .dom = XEN_DOMID_SELF };
    uint64_t list[GRANT_FRAMES_MOST];
    struct xen_gnttab_setup_table setup = { .dom = 1,
                                            .nr_frames = 4,
                                            .frame_list = (uintptr_t)list };
    struct xen_gnttab_transfer transfer = { .mfn = 3, .domid = 2 };
    mfn_t m;

    (void)state;
    assert_int_equal(op(A, GNTTABOP_SETUP_TABLE, &setup, 1), 0);
    assert_int_equal(setup.status, GNTST_OKAY);
    assert_int_equal(op(A, GNTTABOP_QUERY_SIZE, &size, 1), 0);
    assert_int_equal(size.nr_frames, 4);
    assert_int_equal(size.max_nr_frames, GRANT_FRAMES_MOST);
    setup.nr_frames = GRANT_FRAMES_MOST + 1;
    assert_int_equal(op(A, GNTTABOP_SETUP_TABLE, &setup, 1), 0);
    assert_int_equal(setup.status, GNTST_GENERAL_ERROR);
    setup.dom = 2;
    assert_int_equal(op(A, GNTTABOP_SETUP_TABLE, &setup, 1), 0);
    assert_int_equal(setup.status, GNTST_PERMISSION_DENIED);
    size.dom = 77;
    assert_int_equal(op(A, GNTTABOP_QUERY_SIZE, &size, 1), 0);
    assert_int_equal(size.status, GNTST_BAD_DOMAIN);
    assert_int_equal(op(A, GNTTABOP_SET_VERSION, &set, 1), -ENOSYS);
    assert_int_equal(set.version, 1); /* the one in use */
    set.version = 3;
    assert_int_equal(op(A, GNTTABOP_SET_VERSION, &set, 1), -EINVAL);
    assert_int_equal(set.version, 1);
    set.version = 1;
    assert_int_equal(op(A, GNTTABOP_SET_VERSION, &set, 1), 0);
    assert_int_equal(op(A, GNTTABOP_GET_VERSION, &get, 1), 0);
    assert_int_equal(get.version, 1);
    get.dom = 2;
    assert_int_equal(op(A, GNTTABOP_GET_VERSION, &get, 1), -EPERM);
    assert_int_equal(op(A, GNTTABOP_TRANSFER, &transfer, 1), 0);
    assert_int_equal(transfer.status, GNTST_BAD_PAGE);
    assert_int_equal(grant_table_frame(&pair[A].d.xen, GRANT_FRAMES_MOST, &m), -EINVAL);
    assert_int_equal(grant_table_frame(&pair[A].d.xen, UINT64_MAX, &m), -EINVAL);
}

/* A table as large as can be comes in pieces, and so does a page of it that is mapped first. */
static void test_a_table_grows_in_pieces(void **state)
{
    uint64_t list[GRANT_FRAMES_MOST] = { 0 };
    struct xen_gnttab_setup_table setup = { .dom = XEN_DOMID_SELF,
                                            .nr_frames = GRANT_FRAMES_MOST,
                                            .frame_list = (uintptr_t)list };
    mfn_t m;

    (void)state;
    assert_int_equal(op(A, GNTTABOP_SETUP_TABLE, &setup, 1), 0);
    assert_int_equal(pair_rounds, GRANT_FRAMES_MOST / 4);
    assert_int_equal(setup.status, GNTST_OKAY);
    assert_int_equal(list[0] & list[GRANT_FRAMES_MOST - 1], UINT64_MAX);
    assert_int_equal(grant_table_frame(&pair[B].d.xen, GRANT_FRAMES_MOST - 1, &m), -EAGAIN);
    assert_int_equal(grant_domain(&pair[B].d.xen)->frames, 4);
}

/* The structures that differ. A 32-bit list cannot be in this test's memory: one of no frames. */
static void test_32_bit_callers(void **state)
{
    struct xen_gnttab_setup_table_32 setup = { .dom = XEN_DOMID_SELF, .status = 99 };
    struct xen_gnttab_transfer_32 transfer[2] = { { .mfn = 3 }, { .mfn = 4 } };
    struct xen_gnttab_copy_32 copy[2] = {
        { .source = { 8, 2, 4 }, .dest = { 5, XEN_DOMID_SELF, 8 }, .len = 8, .flags = 1 },
        { .source = { 9, 2, 0 }, .dest = { 5, XEN_DOMID_SELF, 0 }, .len = 8, .flags = 1 },
    };

    (void)state;
    pair_is_32bit = true;
    assert_int_equal(op(A, GNTTABOP_SETUP_TABLE, &setup, 1), 0);
    assert_int_equal(setup.status, GNTST_OKAY);
    setup.nr_frames = 1;
    setup.frame_list = 8;
    assert_int_equal(op(A, GNTTABOP_SETUP_TABLE, &setup, 1), 0);
    assert_int_equal(setup.status, GNTST_BAD_VIRT_ADDR);
    assert_int_equal(op(A, GNTTABOP_TRANSFER, transfer, 2), 0);
    assert_int_equal(transfer[1].status, GNTST_BAD_PAGE);
    assert_int_equal(transfer[1].mfn, 4);
    grant(B, 8, 1, 3, 0);
    memcpy(pair_ram(B, 3) + 4, "by grant", 8);
    assert_int_equal(op(A, GNTTABOP_COPY, copy, 2), 0);
    assert_int_equal(copy[0].status, GNTST_OKAY);
    assert_memory_equal(pair_ram(A, 5) + 8, "by grant", 8);
    assert_int_equal(copy[1].status, GNTST_GENERAL_ERROR); /* reference 9 grants nothing */
}

static void test_unmap_and_replace(void **state)
{
    (void)state;
    grant(B, 8, 1, 3, 0);
    struct xen_gnttab_map_grant_ref m = {
        .host_addr = 0x100000, .flags = GNTMAP_HOST_MAP, .ref = 8, .dom = 2
    };
    assert_int_equal(op(A, GNTTABOP_MAP_GRANT_REF, &m, 1), 0);
    assert_int_equal(m.status, GNTST_OKAY);
    struct xen_gnttab_unmap_and_replace u = { .host_addr = 0x100000,
                                              .new_addr = 0x200000,
                                              .handle = m.handle };
    assert_int_equal(op(A, GNTTABOP_UNMAP_AND_REPLACE, &u, 1), 0);
    assert_int_equal(u.status, GNTST_GENERAL_ERROR);
    u.new_addr = 0;
    assert_int_equal(op(A, GNTTABOP_UNMAP_AND_REPLACE, &u, 1), 0);
    assert_int_equal(u.status, GNTST_OKAY);
    assert_int_equal(op(A, GNTTABOP_UNMAP_AND_REPLACE, &u, 1), 0);
    assert_int_equal(u.status, GNTST_BAD_HANDLE);
}

static void test_long_array(void **state)
{
    static struct xen_gnttab_map_grant_ref arg[100];

    (void)state;
    grant(B, 8, 1, 3, 0);
    for (unsigned i = 0; i < 100; i++)
        arg[i] = (struct xen_gnttab_map_grant_ref){
            .host_addr = AT(HOLE + i), .flags = GNTMAP_HOST_MAP, .ref = 8, .dom = 2, .status = 99
        };
    assert_int_equal(op(A, GNTTABOP_MAP_GRANT_REF, arg, 100), 0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(arg[i].status, GNTST_OKAY);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, pair_start, pair_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_numbers_and_pointers),
        TEST(test_map_and_unmap),
        TEST(test_not_in_its_place),
        TEST(test_what_is_not_granted),
        TEST(test_where_it_may_not_go),
        TEST(test_lent_page_is_not_its_own),
        TEST(test_own_grant),
        TEST(test_given_back_and_mapped_counts),
        TEST(test_granter_gave_back_and_ends),
        TEST(test_granter_ends_first),
        TEST(test_mapper_ends_first),
        TEST(test_both_end),
        TEST(test_two_vcpus_unmap_one),
        TEST(test_one_wait_for_a_batch),
        TEST(test_batch_with_faults),
        TEST(test_all_handles),
        TEST(test_without_memory),
        TEST(test_reserved),
        TEST(test_copy),
        TEST(test_copy_wrong),
        TEST(test_stranger_leaves_lock_alone),
        TEST(test_end_leaves_strangers_lock_alone),
        TEST(test_sizes_and_versions),
        TEST(test_a_table_grows_in_pieces),
        TEST(test_32_bit_callers),
        TEST(test_unmap_and_replace),
        TEST(test_long_array),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
