/*
 * memory_op: what is where in a domain's own memory; the control domain's calls about others' are
 * in memory_foreign.c. Source: xen/include/public/memory.h.
 *
 * Lists of frames are worked off a batch at a time; how far a call has come is kept in the upper
 * bits of its command, as in Xen, so that it can be continued.
 */
#include "sched/batch.h"
#include "grant/grant.h"
#include "create/create.h"
#include "hypercall/hypercall.h"
#include "hypercall/memory.h"
#include "include/public/compat.h"
#include "include/public/memory.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "xen/pair.h"

/* mem= of the menu, holes included, or what others allow it. */
static uint64_t promised_at_most(const struct domain *d)
{
    return d->bare ? d->p2m.most : d->config->mem >> PAGE_SHIFT;
}

/* ---- Arguments, of either width ---- */

static int read_reservation(struct vcpu *v, uint64_t at, struct xen_memory_reservation *out)
{
    struct xen_memory_reservation_32 narrow;

    if (virt_in_64bit_code(&v->virt))
        return gva_copy_in(&v->space, out, at, sizeof(*out));
    int err = gva_copy_in(&v->space, &narrow, at, sizeof(narrow));
    *out = (struct xen_memory_reservation){ .extent_start = narrow.extent_start,
                                            .nr_extents = narrow.nr_extents,
                                            .extent_order = narrow.extent_order,
                                            .mem_flags = narrow.mem_flags,
                                            .domid = narrow.domid };
    return err;
}

static int read_add(struct vcpu *v, uint64_t at, struct xen_add_to_physmap *out)
{
    struct xen_add_to_physmap_32 narrow;

    if (virt_in_64bit_code(&v->virt))
        return gva_copy_in(&v->space, out, at, sizeof(*out));
    int err = gva_copy_in(&v->space, &narrow, at, sizeof(narrow));
    *out = (struct xen_add_to_physmap){ narrow.domid, narrow.size, narrow.space, narrow.idx,
                                        narrow.gpfn };
    return err;
}

static int read_remove(struct vcpu *v, uint64_t at, struct xen_remove_from_physmap *out)
{
    struct xen_remove_from_physmap_32 narrow;

    if (virt_in_64bit_code(&v->virt))
        return gva_copy_in(&v->space, out, at, sizeof(*out));
    int err = gva_copy_in(&v->space, &narrow, at, sizeof(narrow));
    *out = (struct xen_remove_from_physmap){ .domid = narrow.domid, .gpfn = narrow.gpfn };
    return err;
}

int memory_read_frame(struct vcpu *v, uint64_t list, uint64_t i, gfn_t *out)
{
    uint64_t size = virt_in_64bit_code(&v->virt) ? 8 : 4;

    out->v = 0;
    return gva_copy_in(&v->space, &out->v, list + i * size, size);
}

/* ---- More memory, less memory ---- */

void memory_come_out(struct domain *d)
{
    p2m_reap(&d->p2m, d->xen.vcpu_count);
    domain_kick(d);
}

static int64_t done_or_again(struct vcpu *v, int err)
{
    if (err != -EAGAIN)
        return err;
    memory_come_out(v->domain);
    return HYPERCALL_CONTINUE;
}

int64_t memory_after_some(uint64_t *args, uint64_t done, uint64_t all, int err)
{
    args[0] = (args[0] & MEMORY_CMD_MASK) | done << XENMEM_CMD_BITS;
    if (err && err != -EAGAIN)
        return err;
    return done < all ? HYPERCALL_CONTINUE : 0;
}

static int populate(struct domain *d, gfn_t g, unsigned order)
{
    if (g.v >> HYPERCALL_GFN_BITS || (order && order != ORDER_2M && order != ORDER_1G))
        return -EINVAL;
    if (d->p2m.promised >= d->p2m.most && !d->p2m.giant.open)
        return -ENOMEM;
    return order ? p2m_fill_block(&d->p2m, g, order) : p2m_fill(&d->p2m, g);
}

/* Where a guest made a hole while it was moved here, it still has RAM: who moved it had copied that
 * before, and takes nothing back. Else its balloon would wait for the place for ever. */
static int populate_own(struct domain *d, gfn_t g, unsigned order)
{
    uint64_t alike;

    return p2m_has_own(&d->p2m, g, &alike) ? 0 : populate(d, g, order);
}

static int on_demand(struct domain *d, gfn_t g, unsigned order)
{
    if (g.v >> HYPERCALL_GFN_BITS || (order && order != ORDER_2M && order != ORDER_1G))
        return -EINVAL;
    return d->bare && !d->started ? domain_add_on_demand(d, g, order) : -EINVAL;
}

static int depopulate(struct domain *d, gfn_t g, unsigned order)
{
    mfn_t m;
    bool lent;

    if (order || g.v >> HYPERCALL_GFN_BITS)
        return -EINVAL;
    if (p2m_lookup(&d->p2m, g, &m, &lent) == 0 && lent)
        return -EINVAL;
    return p2m_remove(&d->p2m, g);
}

/* Of d's memory, which may be another domain's than v's. */
static int do_extent(struct vcpu *v, struct domain *d, gfn_t g, unsigned order,
                     int (*one)(struct domain *d, gfn_t g, unsigned order))
{
    pair_lock_linked(&v->domain->xen, &d->xen);
    int err = one(d, g, order);
    if (err == -EAGAIN)
        memory_come_out(d);
    pair_unlock(&v->domain->xen, &d->xen);
    return err;
}

static int some_extents(struct vcpu *v, struct domain *d, const struct xen_memory_reservation *r,
                        uint64_t *done, int (*one)(struct domain *d, gfn_t g, unsigned order))
{
    struct batch b = { .most = MEMORY_BATCH };
    int err = 0;
    gfn_t g;

    if (d == v->domain && r->extent_order)
        return -EINVAL; /* its own come one by one */
    if (one == populate && r->mem_flags & XENMEMF_POPULATE_ON_DEMAND)
        one = on_demand;
    else if (one == populate && d == v->domain)
        one = populate_own;
    while (!err && *done < r->nr_extents && batch_more(&b)) {
        err = memory_read_frame(v, r->extent_start, *done, &g);
        if (!err)
            err = do_extent(v, d, g, r->extent_order, one);
        if (!err)
            ++*done;
    }
    return err;
}

/* Applies one to each frame, or block of frames, of the list; the result is how many went well. */
static int64_t each_extent(struct vcpu *v, uint64_t *args,
                           int (*one)(struct domain *d, gfn_t g, unsigned order))
{
    uint64_t done = args[0] >> XENMEM_CMD_BITS;
    struct xen_domain *mine = &v->domain->xen, *d;
    struct xen_memory_reservation r;

    if (read_reservation(v, args[1], &r) || pair_target(mine, r.domid, PAIR_MANAGE, &d))
        return (int64_t)done;
    int err = some_extents(v, domain_of(d), &r, &done, one);
    pair_forget(mine, d);
    int64_t result = memory_after_some(args, done, r.nr_extents, err);
    return result == HYPERCALL_CONTINUE ? result : (int64_t)done;
}

/* ---- Frames that are not RAM ---- */

static int find_frame(struct vcpu *v, const struct xen_add_to_physmap *a, mfn_t *out)
{
    if (a->space == XENMAPSPACE_GRANT_TABLE)
        return grant_table_frame(&v->domain->xen, a->idx, out);
    if (a->space != XENMAPSPACE_SHARED_INFO || a->idx)
        return -EINVAL;
    *out = maddr_to_mfn(heap_to_maddr(v->domain->xen.shared));
    return 0;
}

/* Makes room at g: what was there goes. */
static int make_room(struct vcpu *v, gfn_t g)
{
    int err = p2m_remove(&v->domain->p2m, g);

    return err == -ENOENT ? 0 : err;
}

static int add_frame(struct vcpu *v, const struct xen_add_to_physmap *a)
{
    mfn_t m;
    int err = find_frame(v, a, &m);

    if (!err)
        err = make_room(v, gfn(a->gpfn));
    return err ? err : p2m_lend(&v->domain->p2m, gfn(a->gpfn), m, SLAT_R | SLAT_W);
}

static int move_frame(struct vcpu *v, const struct xen_add_to_physmap *a)
{
    mfn_t m;
    bool lent;

    if (p2m_lookup(&v->domain->p2m, gfn(a->idx), &m, &lent) || lent)
        return -EINVAL;
    if (a->idx == a->gpfn)
        return 0;
    int err = make_room(v, gfn(a->gpfn));
    return err ? err : p2m_move(&v->domain->p2m, gfn(a->idx), gfn(a->gpfn));
}

static int64_t add_to_physmap(struct vcpu *v, uint64_t at)
{
    struct xen_add_to_physmap a;

    if (read_add(v, at, &a))
        return -EFAULT;
    int err = hypercall_may_control(v, a.domid);
    if (err)
        return err;
    if (a.gpfn >> HYPERCALL_GFN_BITS || a.idx >> HYPERCALL_GFN_BITS)
        return -EINVAL;
    if (a.space == XENMAPSPACE_GMFN_RANGE || a.space == XENMAPSPACE_GMFN_FOREIGN)
        return -EPERM;
    return done_or_again(v, a.space == XENMAPSPACE_GMFN ? move_frame(v, &a) : add_frame(v, &a));
}

static int64_t remove_from_physmap(struct vcpu *v, uint64_t at)
{
    struct xen_remove_from_physmap r;

    if (read_remove(v, at, &r))
        return -EFAULT;
    int err = hypercall_may_control(v, r.domid);
    if (err)
        return err;
    if (r.gpfn >> HYPERCALL_GFN_BITS)
        return -EINVAL;
    return done_or_again(v, p2m_remove(&v->domain->p2m, gfn(r.gpfn)));
}

/* ---- Questions ---- */

static int64_t about_memory(struct vcpu *v, unsigned cmd, uint64_t at)
{
    struct xen_domain *x;
    uint16_t domid;

    if (gva_copy_in(&v->space, &domid, at, sizeof(domid)))
        return -EFAULT;
    int err = pair_target(&v->domain->xen, domid, PAIR_MANAGE, &x);
    if (err)
        return err;
    int64_t result = (int64_t)p2m_highest(x->p2m).v;
    if (cmd == XENMEM_CURRENT_RESERVATION)
        result = (int64_t)x->p2m->promised;
    if (cmd == XENMEM_MAXIMUM_RESERVATION)
        result = (int64_t)promised_at_most(domain_of(x));
    pair_forget(&v->domain->xen, x);
    return result;
}

/* What others have set, or that of the boot. NULL: there is none. */
static const struct e820_entry *find_map(const struct domain *d, struct e820_entry own[E820_MOST],
                                         uint32_t *n)
{
    *n = d->xen.memory_map_count;
    if (d->xen.memory_map)
        return d->xen.memory_map;
    if (d->bare)
        return NULL;
    *n = domain_e820(d, own);
    return own;
}

static int64_t memory_map(struct vcpu *v, uint64_t at)
{
    struct xen_memory_map m = { 0 };
    struct xen_memory_map_32 narrow;
    struct e820_entry own[E820_MOST];
    uint32_t n;

    if (virt_in_64bit_code(&v->virt)) {
        if (gva_copy_in(&v->space, &m, at, sizeof(m)))
            return -EFAULT;
    } else {
        if (gva_copy_in(&v->space, &narrow, at, sizeof(narrow)))
            return -EFAULT;
        m = (struct xen_memory_map){ .nr_entries = narrow.nr_entries, .buffer = narrow.buffer };
    }
    const struct e820_entry *map = find_map(v->domain, own, &n);
    if (!map)
        return -ENOSYS;
    if (n > m.nr_entries)
        n = m.nr_entries;
    if (gva_copy_out(&v->space, m.buffer, map, n * sizeof(map[0])) ||
        gva_copy_out(&v->space, at, &n, sizeof(n))) /* nr_entries comes first */
        return -EFAULT;
    return 0;
}

/* The control domain's alone. */
static int64_t of_others(struct vcpu *v, unsigned cmd, uint64_t *args)
{
    switch (cmd) {
    case XENMEM_SET_MEMORY_MAP:
        return memory_set_map(v, args[1]);
    case XENMEM_SET_POD_TARGET:
    case XENMEM_GET_POD_TARGET:
        return memory_pod_target(v, args[1], cmd == XENMEM_SET_POD_TARGET);
    case XENMEM_ADD_TO_PHYSMAP_BATCH:
        return memory_add_batch(v, args);
    case XENMEM_ACQUIRE_RESOURCE:
        return memory_acquire_resource(v, args);
    case XENMEM_GET_VNUMAINFO: /* by this answer tools know that no domain has nodes of its own */
        return -EOPNOTSUPP;
    }
    return -ENOSYS;
}

int64_t hypercall_memory_op(struct vcpu *v, uint64_t *args)
{
    unsigned cmd = args[0] & MEMORY_CMD_MASK;

    switch (cmd) {
    case XENMEM_POPULATE_PHYSMAP:
        return each_extent(v, args, populate);
    case XENMEM_DECREASE_RESERVATION:
        return each_extent(v, args, depopulate);
    case XENMEM_INCREASE_RESERVATION: /* frames without a place would be of no use to a guest */
        return 0;
    case XENMEM_ADD_TO_PHYSMAP:
        return add_to_physmap(v, args[1]);
    case XENMEM_REMOVE_FROM_PHYSMAP:
        return remove_from_physmap(v, args[1]);
    case XENMEM_CURRENT_RESERVATION:
    case XENMEM_MAXIMUM_RESERVATION:
    case XENMEM_MAXIMUM_GPFN:
        return about_memory(v, cmd, args[1]);
    case XENMEM_MAXIMUM_RAM_PAGE:
        return (int64_t)frame_table_size() - 1;
    case XENMEM_MEMORY_MAP:
        return memory_map(v, args[1]);
    case XENMEM_MACHINE_MEMORY_MAP:
        return -EPERM;
    }
    return of_others(v, cmd, args);
}
