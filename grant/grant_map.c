/*
 * The mapping side: a page of another domain appears in one's own memory, under a handle, until it
 * is unmapped or the mapper ends. That the granter ends changes nothing: the pin keeps the frame.
 */
#include "guestmem/p2m.h"
#include "xen/pair.h"
#include "grant/grant.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "lib/nospec.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "sched/batch.h"

#define HANDLES_MOST (GRANT_CHUNKS * GRANT_CHUNK_MAPS)
#define SCAN         64 /* handles that are looked at before the clock is */
#define DETACH_PIECE 64 /* mappings that one piece of a domain's end undoes at most */

_Static_assert(sizeof(struct grant_map) * GRANT_CHUNK_MAPS <= PAGE_SIZE, "a chunk is a page");

/* The mapping under that handle, NULL where there is no room for one. */
static struct grant_map *map_of(const struct xen_domain *d, uint32_t handle)
{
    const struct grant_domain *g = d->grants;

    if (!g || handle >= HANDLES_MOST)
        return NULL;
    handle = (uint32_t)index_nospec(handle, HANDLES_MOST);
    struct grant_map *chunk = g->maps[handle / GRANT_CHUNK_MAPS];
    return chunk ? &chunk[handle % GRANT_CHUNK_MAPS] : NULL;
}

static void give_handle(struct xen_domain *d, uint32_t handle)
{
    struct grant_domain *g = d->grants;

    *map_of(d, handle) = (struct grant_map){ .state = GRANT_MAP_FREE, .ref = g->free };
    g->free = handle + 1;
}

/* The lowest of the new ones comes first. */
static bool add_chunk(struct xen_domain *d, struct grant_domain *g)
{
    uint32_t first = g->chunks * GRANT_CHUNK_MAPS;

    if (g->chunks == GRANT_CHUNKS)
        return false;
    g->maps[g->chunks] = heap_pages(0, d->id);
    if (!g->maps[g->chunks])
        return false;
    g->chunks++;
    for (uint32_t i = GRANT_CHUNK_MAPS; i-- > 0;)
        give_handle(d, first + i);
    return true;
}

/* Takes a free handle; false: there is no room for one. */
static bool take_handle(struct xen_domain *d, uint32_t *handle)
{
    struct grant_domain *g = grant_domain(d);

    if (!g || (!g->free && !add_chunk(d, g)))
        return false;
    *handle = g->free - 1;
    g->free = map_of(d, *handle)->ref;
    return true;
}

/* ---- Map ---- */

static int check_flags(uint32_t flags)
{
    if (!(flags & (GNTMAP_DEVICE_MAP | GNTMAP_HOST_MAP)))
        return GNTST_BAD_GNTREF;
    /* Neither has a meaning for a guest whose memory is translated. */
    if (flags & (GNTMAP_DEVICE_MAP | GNTMAP_APPLICATION_MAP | GNTMAP_CONTAINS_PTE))
        return GNTST_GENERAL_ERROR;
    return GNTST_OKAY;
}

/* Both locks are held. */
static int map_from(struct xen_domain *mine, struct xen_domain *granter,
                    const struct xen_gnttab_map_grant_ref *arg, struct grant_map *m)
{
    struct grant_map fresh = { .state = GRANT_MAP_LIVE,
                               .readonly = arg->flags & GNTMAP_READONLY,
                               .granter = granter->id,
                               .ref = arg->ref,
                               .at = gpa_to_gfn(gpa(arg->host_addr)) };
    int status = grant_acquire(granter, arg->ref, mine->id, fresh.readonly, &fresh.frame);

    if (status)
        return status;
    if (p2m_lend(mine->p2m, fresh.at, fresh.frame, fresh.readonly ? SLAT_R : SLAT_R | SLAT_W)) {
        grant_release(granter, arg->ref, fresh.readonly);
        frame_unpin(fresh.frame);
        return GNTST_GENERAL_ERROR;
    }
    *m = fresh;
    return GNTST_OKAY;
}

/* granter is found, and permits it as far as can be seen: under a handle, then both locks. */
static int map_with_handle(struct xen_domain *mine, struct xen_domain *granter,
                           struct xen_gnttab_map_grant_ref *arg)
{
    uint32_t handle;

    if (!take_handle(mine, &handle)) {
        pair_forget(mine, granter);
        return GNTST_NO_SPACE;
    }
    pair_lock(mine, granter);
    int status = map_from(mine, granter, arg, map_of(mine, handle));
    pair_unlock(mine, granter);
    if (status)
        give_handle(mine, handle);
    arg->handle = status ? arg->handle : handle;
    arg->dev_bus_addr = 0; /* no device of the guest's reaches memory */
    return status;
}

int grant_map(struct xen_vcpu *v, struct xen_gnttab_map_grant_ref *arg)
{
    struct xen_domain *mine = v->domain;
    int status = check_flags(arg->flags);

    if (status)
        return status;
    struct xen_domain *granter;
    if (arg->dom == XEN_DOMID_SELF || pair_target(mine, arg->dom, PAIR_MEET, &granter))
        return GNTST_BAD_DOMAIN; /* as on Xen, the id must be spelt out here */
    status = grant_look(granter, arg->ref, mine->id, arg->flags & GNTMAP_READONLY);
    if (!status)
        return map_with_handle(mine, granter, arg);
    pair_forget(mine, granter);
    return status;
}

/* ---- Unmap ---- */

/* No vCPU of v's domain has in its TLB any more what was unmapped when this returns. The lock is
 * let go meanwhile: those that are in the guest leave it at the kick, and need the lock to go on.
 */
static void wait_for_tlbs(struct xen_vcpu *v)
{
    struct xen_domain *d = v->domain;
    uint64_t epoch = d->p2m->epoch;

    for (unsigned i = 0; i < d->vcpu_count; i++) {
        const uint64_t *inside = &d->p2m->inside[i];
        uint32_t rounds = 0;
        while (i != v->id && *inside && *inside < epoch) {
            if (!rounds)
                sched_kick(d->vcpu[i]->unit);
            spin_unlock(d->lock);
            __builtin_ia32_pause();
            ASSERT(++rounds < SPINLOCK_PATIENCE);
            spin_lock(d->lock);
        }
    }
}

/* The mapping is out of the guest's reach: ends the use, lets go of the frame. */
static void let_go(struct xen_domain *mine, uint32_t handle)
{
    struct grant_map *m = map_of(mine, handle);
    struct xen_domain *granter = m->orphan ? NULL : pair_find(mine, m->granter);

    if (granter) {
        pair_lock(mine, granter);
        if (!m->orphan) /* still, after the wait for the lock */
            grant_release(granter, m->ref, m->readonly);
        pair_unlock(mine, granter);
    }
    frame_unpin(m->frame);
    give_handle(mine, handle);
}

int grant_unmap(struct xen_vcpu *v, const struct xen_gnttab_unmap_grant_ref *arg)
{
    struct xen_domain *mine = v->domain;
    struct grant_map *m = map_of(mine, arg->handle);

    if (!m || m->state != GRANT_MAP_LIVE)
        return GNTST_BAD_HANDLE;
    if (!arg->host_addr)
        return GNTST_OKAY; /* nothing was asked to be unmapped */
    if (gpa_to_gfn(gpa(arg->host_addr)).v != m->at.v)
        return GNTST_GENERAL_ERROR;
    /* The guest may have taken it away by memory_op: it is not there then. */
    p2m_take_back(mine->p2m, m->at, m->frame);
    m->state = GRANT_MAP_ENDING;
    return GNTST_OKAY;
}

void grant_unmap_end(struct xen_vcpu *v, const uint32_t *handles, unsigned count)
{
    if (count)
        wait_for_tlbs(v);
    for (unsigned i = 0; i < count; i++)
        let_go(v->domain, handles[i]);
}

/* ---- The end of a domain ---- */

/* Does a mapping of whose, under that handle, go with d: its own, or one of a page of d's? Without
 * whose's lock the answer is right where it is no: nothing of d's is mapped any more. */
static bool goes_with(const struct xen_domain *d, const struct xen_domain *whose, uint32_t handle)
{
    const struct grant_map *m = map_of(whose, handle);

    return m && __atomic_load_n(&m->state, __ATOMIC_RELAXED) != GRANT_MAP_FREE &&
           (whose == d || __atomic_load_n(&m->granter, __ATOMIC_RELAXED) == d->id);
}

static void orphan(struct xen_domain *d, struct xen_domain *other, uint32_t handle)
{
    struct grant_map *m = map_of(other, handle);

    pair_lock_linked(d, other);
    if (goes_with(d, other, handle)) {
        m->orphan = true;
        frame_abandon(m->frame, d->id); /* it may count as the granter's still */
    }
    pair_unlock(d, other);
}

/* The domain whose mappings are looked at: d itself first, then the others. NULL: all have been.
 * Domains come and go on this CPU only. */
static struct xen_domain *detached_from(struct xen_domain *d, const struct grant_domain *g)
{
    struct xen_domain *other = NULL;

    if (!g->own_detached)
        return d;
    do
        other = xen_domain_next(other);
    while (other && other->id % MAX_DOMAINS < g->others_detached);
    return other;
}

/* Up to the next mapping that goes with d, or SCAN handles of nobody's concern. False: all are
 * done.
 */
static bool detach_next(struct xen_domain *d, struct grant_domain *g)
{
    struct xen_domain *whose = detached_from(d, g);
    uint32_t n = 0;

    if (!whose)
        return false;
    uint32_t end = whose->grants ? whose->grants->chunks * GRANT_CHUNK_MAPS : 0;
    while (g->detached < end && n < SCAN && !goes_with(d, whose, g->detached))
        g->detached++, n++;
    if (g->detached >= end) {
        g->detached = 0;
        if (g->own_detached)
            g->others_detached = whose->id % MAX_DOMAINS + 1;
        g->own_detached = true;
    } else if (n < SCAN) {
        if (whose == d)
            let_go(d, g->detached++);
        else
            orphan(d, whose, g->detached++);
    }
    return true;
}

static void give_back(struct xen_domain *d)
{
    struct grant_domain *g = d->grants;

    d->grants = NULL;
    for (unsigned i = 0; i < g->frames; i++)
        grant_frame_free(d, g, i);
    for (unsigned i = 0; i < g->chunks; i++)
        heap_free_pages(g->maps[i], 0, d->id);
    heap_free_pages(g, 0, d->id);
}

static bool detach_some(struct xen_domain *d, struct grant_domain *g)
{
    struct batch b = { .most = DETACH_PIECE };

    while (batch_more(&b))
        if (!detach_next(d, g))
            return true;
    return false;
}

cold bool grant_detach(struct xen_domain *d)
{
    if (!d->grants)
        return true;
    spin_lock(d->lock);
    bool all = detach_some(d, d->grants);
    if (all)
        give_back(d);
    spin_unlock(d->lock);
    return all;
}
