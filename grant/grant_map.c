/*
 * The mapping side: a page of another domain appears in one's own memory, under a handle, until it
 * is unmapped or the mapper ends. That the granter ends changes nothing: the pin keeps the frame.
 */
#include "guestmem/p2m.h"
#include "xen/pair.h"
#include "grant/grant.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "mm/frame.h"
#include "mm/heap.h"

#define HANDLES_MOST (GRANT_CHUNKS * GRANT_CHUNK_MAPS)
#define DETACH_PIECE 64 /* handles that one step of a domain's end looks at */

_Static_assert(sizeof(struct grant_map) * GRANT_CHUNK_MAPS <= PAGE_SIZE, "a chunk is a page");

/* The mapping under that handle, NULL where there is no room for one. */
static struct grant_map *map_of(const struct xen_domain *d, uint32_t handle)
{
    const struct grant_domain *g = d->grants;

    if (!g || handle >= HANDLES_MOST || !g->maps[handle / GRANT_CHUNK_MAPS])
        return NULL;
    return &g->maps[handle / GRANT_CHUNK_MAPS][handle % GRANT_CHUNK_MAPS];
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
    if (p2m_take_back(mine->p2m, m->at, m->frame))
        return GNTST_GENERAL_ERROR;
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

/* Calls fn for the maps in use of d with these handles. */
static void each_map(struct xen_domain *d, uint32_t first, uint32_t end,
                     void (*fn)(struct xen_domain *d, uint32_t handle, uint16_t id), uint16_t id)
{
    for (uint32_t handle = first; handle < end && handle < HANDLES_MOST; handle++) {
        struct grant_map *m = map_of(d, handle);
        if (m && m->state != GRANT_MAP_FREE)
            fn(d, handle, id);
    }
}

static void unmap(struct xen_domain *d, uint32_t handle, uint16_t id)
{
    (void)id;
    let_go(d, handle);
}

static void orphan(struct xen_domain *d, uint32_t handle, uint16_t granter)
{
    struct grant_map *m = map_of(d, handle);

    if (m->granter != granter)
        return;
    m->orphan = true;
    frame_abandon(m->frame, granter); /* it may count as the granter's still */
}

/* One piece of the maps of `other` that name d as their granter. The list changes on this CPU
 * only. */
static void orphan_some(struct xen_domain *d, struct xen_domain *other, uint32_t first)
{
    pair_lock_linked(d, other);
    each_map(other, first, first + DETACH_PIECE, orphan, d->id);
    pair_unlock(d, other);
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

/* A piece: as many handles of d itself, then of each other domain. True once all are done. */
static bool detach_some(struct xen_domain *d, struct grant_domain *g)
{
    struct xen_domain *other = xen_domain_next(NULL);
    uint32_t first = g->detached;

    g->detached += DETACH_PIECE;
    each_map(d, first, g->detached, unmap, 0);
    for (; other; other = xen_domain_next(other))
        orphan_some(d, other, first);
    return g->detached >= HANDLES_MOST;
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
