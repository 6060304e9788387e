/*
 * memory_op of the control domain: other domains' memory maps, and their pages in its own memory.
 * From all others -EPERM, before anything is read. Source: xen/include/public/memory.h.
 *
 * What is mapped how, and what becomes of it, is grant/foreign.h's business.
 */
#include "grant/foreign.h"
#include "grant/grant.h"
#include "hypercall/hypercall.h"
#include "hypercall/memory.h"
#include "include/public/compat.h"
#include "lib/likely.h"
#include "mm/heap.h"
#include "sched/batch.h"
#include "xen/pair.h"

_Static_assert(XENMEM_MAP_MOST * sizeof(struct e820_entry) <= PAGE_SIZE, "a map is a page");

/* Reads the structure at `at`, of the wide layout or the narrow one. */
static int read_either(struct vcpu *v, uint64_t at, void *wide, size_t bytes, void *narrow,
                       size_t narrow_bytes)
{
    return virt_in_64bit_code(&v->virt) ? gva_copy_in(&v->space, wide, at, bytes)
                                        : gva_copy_in(&v->space, narrow, at, narrow_bytes);
}

/* May the caller do this to the domain of that id, and is that another one? It is kept then. */
static int find_other(struct vcpu *v, uint16_t id, struct xen_domain **out)
{
    int err = pair_target(&v->domain->xen, id, PAIR_RULE, out);

    return !err && *out == &v->domain->xen ? -EINVAL : err;
}

/* ---- A map of memory ---- */

static int read_map(struct vcpu *v, uint64_t at, struct xen_foreign_memory_map *out)
{
    struct xen_foreign_memory_map_32 narrow;
    int err = read_either(v, at, out, sizeof(*out), &narrow, sizeof(narrow));

    if (!err && !virt_in_64bit_code(&v->virt))
        *out = (struct xen_foreign_memory_map){ .domid = narrow.domid,
                                                .map = { .nr_entries = narrow.map.nr_entries,
                                                         .buffer = narrow.map.buffer } };
    return err;
}

/* d has the page now, and its former one goes. */
static void replace_map(struct vcpu *v, struct xen_domain *d, struct e820_entry *map, unsigned n)
{
    pair_lock_linked(&v->domain->xen, d);
    struct e820_entry *before = d->memory_map;
    d->memory_map = map;
    d->memory_map_count = n;
    pair_unlock(&v->domain->xen, d);
    if (before)
        heap_free_pages(before, 0, d->id);
}

static int set_map(struct vcpu *v, struct xen_domain *d, const struct xen_memory_map *from)
{
    struct e820_entry *map = heap_pages(0, d->id);

    if (!map)
        return -ENOMEM;
    if (gva_copy_in(&v->space, map, from->buffer, from->nr_entries * sizeof(*map))) {
        heap_free_pages(map, 0, d->id);
        return -EFAULT;
    }
    replace_map(v, d, map, from->nr_entries);
    return 0;
}

cold int64_t memory_set_map(struct vcpu *v, uint64_t at)
{
    struct xen_foreign_memory_map m = { 0 };
    struct xen_domain *d;
    int err = pair_may_rule(&v->domain->xen);

    if (err)
        return err;
    if (read_map(v, at, &m))
        return -EFAULT;
    if (m.map.nr_entries > XENMEM_MAP_MOST)
        return -EINVAL;
    err = find_other(v, m.domid, &d);
    if (err)
        return err;
    err = set_map(v, d, &m.map);
    pair_forget(&v->domain->xen, d);
    return err;
}

/* ---- Pages ---- */

static int read_batch(struct vcpu *v, uint64_t at, struct xen_add_to_physmap_batch *out)
{
    struct xen_add_to_physmap_batch_32 narrow;
    int err = read_either(v, at, out, sizeof(*out), &narrow, sizeof(narrow));

    if (!err && !virt_in_64bit_code(&v->virt))
        *out = (struct xen_add_to_physmap_batch){
            narrow.domid, narrow.space, narrow.size, narrow.foreign_domid,
            narrow.idxs,  narrow.gpfns, narrow.errs,
        };
    return err;
}

static int map_one(struct vcpu *v, struct xen_domain *d, gfn_t from, gfn_t to)
{
    if (from.v >> HYPERCALL_GFN_BITS || to.v >> HYPERCALL_GFN_BITS)
        return -EINVAL;
    return foreign_map(&v->domain->xen, d, from, to);
}

/* Each has an error of its own, for which there must be a place. */
static int add_one(struct vcpu *v, struct xen_domain *d, const struct xen_add_to_physmap_batch *a,
                   uint64_t i)
{
    int32_t result = 0;
    uint64_t where = a->errs + i * sizeof(result);
    gfn_t from, to;

    if (memory_read_frame(v, a->idxs, i, &from) || memory_read_frame(v, a->gpfns, i, &to) ||
        gva_copy_out(&v->space, where, &result, sizeof(result)))
        return -EFAULT;
    result = map_one(v, d, from, to);
    if (result == 0 || result == -EAGAIN)
        return result;
    return gva_copy_out(&v->space, where, &result, sizeof(result));
}

static int64_t add_some(struct vcpu *v, uint64_t *args, struct xen_domain *d,
                        const struct xen_add_to_physmap_batch *a)
{
    uint64_t done = args[0] >> XENMEM_CMD_BITS;
    struct batch b = { .most = MEMORY_BATCH };
    int err = 0;

    while (!err && done < a->size && batch_more(&b)) {
        err = add_one(v, d, a, done);
        if (!err)
            done++;
    }
    if (err == -EAGAIN)
        memory_come_out(v->domain);
    return memory_after_some(args, done, a->size, err);
}

int64_t memory_add_batch(struct vcpu *v, uint64_t *args)
{
    struct xen_add_to_physmap_batch a = { 0 };
    struct xen_domain *d;
    int err = pair_may_rule(&v->domain->xen);

    if (err)
        return err;
    if (read_batch(v, args[1], &a))
        return -EFAULT;
    err = hypercall_may_control(v, a.domid);
    if (err)
        return err;
    if (a.space != XENMAPSPACE_GMFN_FOREIGN)
        return -EOPNOTSUPP;
    err = find_other(v, a.foreign_domid, &d);
    if (err)
        return err;
    int64_t result = add_some(v, args, d, &a);
    pair_forget(&v->domain->xen, d);
    return result;
}

/* ---- Grant tables ---- */

static int read_resource(struct vcpu *v, uint64_t at, struct xen_acquire_resource *out)
{
    struct xen_acquire_resource_32 narrow;
    int err = read_either(v, at, out, sizeof(*out), &narrow, sizeof(narrow));

    if (!err && !virt_in_64bit_code(&v->virt))
        *out = (struct xen_acquire_resource){ narrow.domid,     narrow.type, narrow.id,
                                              narrow.nr_frames, narrow.pad,  narrow.frame,
                                              narrow.frame_list };
    return err;
}

static int64_t acquire_some(struct vcpu *v, uint64_t *args, struct xen_domain *d,
                            const struct xen_acquire_resource *a)
{
    uint64_t done = args[0] >> XENMEM_CMD_BITS;
    struct batch b = { .most = MEMORY_BATCH };
    int err = 0;
    gfn_t to;

    while (!err && done < a->nr_frames && batch_more(&b)) {
        err = memory_read_frame(v, a->frame_list, done, &to);
        if (!err && to.v >> HYPERCALL_GFN_BITS)
            err = -EINVAL;
        if (!err)
            err = foreign_map_grants(&v->domain->xen, d, a->frame + done, to);
        if (!err)
            done++;
    }
    if (err == -EAGAIN)
        memory_come_out(v->domain);
    return memory_after_some(args, done, a->nr_frames, err);
}

/* Without a list it is asked how many there can be. nr_frames is at the same place in both
 * layouts. */
static int64_t tell_most(struct vcpu *v, uint64_t at)
{
    uint32_t most = GRANT_FRAMES_MOST;

    return gva_copy_out(&v->space, at + __builtin_offsetof(struct xen_acquire_resource, nr_frames),
                        &most, sizeof(most));
}

static int check_resource(const struct xen_acquire_resource *a)
{
    if (a->type != XENMEM_RESOURCE_GRANT_TABLE)
        return -EOPNOTSUPP;
    if (a->pad || a->id != XENMEM_RESOURCE_GRANT_TABLE_SHARED)
        return -EINVAL;
    if (a->nr_frames > GRANT_FRAMES_MOST || a->frame > GRANT_FRAMES_MOST - a->nr_frames)
        return -EINVAL;
    return !a->frame_list && a->nr_frames ? -EINVAL : 0;
}

cold int64_t memory_acquire_resource(struct vcpu *v, uint64_t *args)
{
    struct xen_acquire_resource a = { 0 };
    struct xen_domain *d;
    int err = pair_may_rule(&v->domain->xen);

    if (err)
        return err;
    if (read_resource(v, args[1], &a))
        return -EFAULT;
    err = check_resource(&a);
    if (!err)
        err = find_other(v, a.domid, &d);
    if (err)
        return err;
    int64_t result = a.frame_list ? acquire_some(v, args, d, &a) : tell_most(v, args[1]);
    pair_forget(&v->domain->xen, d);
    return result;
}

/* ---- Populate on demand ---- */

/* Of one that has run, the balloon does what there is to do. Locked. */
static int set_pool(struct domain *d, uint64_t frames)
{
    return d->bare && !d->started ? p2m_set_pool(&d->p2m, frames) : 0;
}

/* Places without a frame, and how many of them can have one. */
static void tell_pool(const struct domain *d, struct xen_pod_target_32 *out)
{
    uint64_t pool = d->bare ? d->p2m.promised - d->p2m.populated : 0;

    out->tot_pages = d->p2m.promised;
    out->pod_cache_pages = pool;
    out->pod_entries = (uint64_t)((int64_t)pool + d->p2m.lacking);
}

/* The layouts differ behind the last of these only. */
cold int64_t memory_pod_target(struct vcpu *v, uint64_t at, bool set)
{
    struct xen_pod_target_32 t;
    struct xen_domain *d;
    int err = pair_may_rule(&v->domain->xen);

    if (err)
        return err;
    if (gva_copy_in(&v->space, &t, at, sizeof(t)))
        return -EFAULT;
    err = find_other(v, t.domid, &d);
    if (err)
        return err;
    pair_lock_linked(&v->domain->xen, d);
    err = set ? set_pool(domain_of(d), t.target_pages) : 0;
    tell_pool(domain_of(d), &t);
    pair_unlock(&v->domain->xen, d);
    pair_forget(&v->domain->xen, d);
    return err ? err : gva_copy_out(&v->space, at, &t, sizeof(t));
}
