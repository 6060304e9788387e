/*
 * The audit of debug builds. See create/audit.h.
 */
#include "create/audit.h"
#include "domain/domain.h"
#include "lib/assert.h"
#include "mm/audit.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/promise.h"
#include "grant/grant.h"
#include "passthrough/passthrough.h"
#include "sched/batch.h"

#define PIECE 128 /* places at most: to look at a single frame may take a thousand instructions */
#define END   (1UL << 36)

static bool is_page(const void *page, mfn_t m)
{
    return page && maddr_to_mfn(heap_to_maddr(page)).v == m.v;
}

/* The pages of the heap that a guest may see. */
static bool may_see(const struct domain *d, mfn_t m)
{
    return is_page(d->xen.shared, m) || is_page(d->xen.console, m) || is_page(d->lapic_access, m) ||
           grant_table_has(&d->xen, m);
}

/* Another domain's frame, or one that was another's. */
static bool is_granted(mfn_t m)
{
    return frame_owner(m) <= OWNER_PINNED && frame_pins(m) > 0;
}

/* A page of another domain's table, which the control domain has acquired. Boot CPU. */
static bool is_acquired(const struct domain *d, mfn_t m)
{
    const struct xen_domain *x = d->xen.control ? xen_domain_next(NULL) : NULL;

    while (x && !(x->foreign.mapped && grant_table_has(x, m)))
        x = xen_domain_next(x);
    return x;
}

static void check_lent(const struct domain *d, gfn_t g, mfn_t m)
{
    bool fits = audit_is_heap(m, d->xen.id) ? may_see(d, m) : is_granted(m) || is_acquired(d, m);

    if (!fits)
        panic("audit: %s sees frame 0x%lx of %u at gfn 0x%lx", d->name, m.v, frame_owner(m), g.v);
}

static void check_entry(struct domain *d, gfn_t g, const struct slat_entry *e, struct audit *a)
{
    uint64_t inside = (1UL << e->order) - 1;
    mfn_t first = mfn(e->mfn.v & ~inside);

    if (e->rights & SLAT_LENT && e->rights & SLAT_DEVICE) {
        if (!passthrough_has(d->xen.id, e->mfn))
            panic("audit: %s sees 0x%lx as a device's at gfn 0x%lx", d->name, e->mfn.v, g.v);
        return;
    }
    if (e->rights & SLAT_LENT) {
        check_lent(d, g, e->mfn);
        return;
    }
    if (!audit_is_ram(first, e->order, d->xen.id))
        panic("audit: %s has frame 0x%lx of %u as its RAM at gfn 0x%lx", d->name, first.v,
              frame_owner(first), g.v);
    a->ram += inside + 1;
}

/* What it has, and what it may have. */
static void check_promise(const struct domain *d)
{
    const struct p2m *p = &d->p2m;
    struct promise may, has;

    promise_look(d->xen.id, &may, &has);
    if (may.ram > p->most || has.ram > may.ram || has.heap > may.heap)
        panic("audit: %s has %lu frames and %lu pages, of %lu and %lu", d->name, has.ram, has.heap,
              may.ram, may.heap);
    if (!p->giant.open && may.ram - has.ram != p->promised - p->populated)
        panic("audit: %s waits for %lu frames, and is promised %lu", d->name,
              p->promised - p->populated, may.ram - has.ram);
    if (p->slat.tables > p2m_tables_most(p->tables_for_ram))
        panic("audit: %s has %lu page tables", d->name, p->slat.tables);
}

bool audit_domain(struct domain *d, struct audit *a, bool quiet)
{
    struct p2m *p = &d->p2m;
    struct batch b = { .most = PIECE };
    struct slat_entry e;

    if (!p->slat.root)
        return true;
    spin_lock(&p->lock);
    while (a->next.v < END && batch_more(&b)) {
        if (slat_lookup(&p->slat, a->next, &e) == 0)
            check_entry(d, a->next, &e, a);
        a->next.v = (a->next.v | ((1UL << e.order) - 1)) + 1;
    }
    check_promise(d);
    spin_unlock(&p->lock);
    if (a->next.v < END)
        return false;
    if (quiet && a->ram != p->populated)
        panic("audit: %s has %lu frames in its p2m, not %lu", d->name, a->ram, p->populated);
    return true;
}
