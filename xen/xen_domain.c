/*
 * Domains by their id, as a call names them: found, and kept from going away meanwhile. See
 * xen/xen.h.
 */
#include "lib/assert.h"
#include "lib/likely.h"
#include "xen/xen.h"

/* All, by id modulo MAX_DOMAINS. Changed on the boot CPU only, under the lock. */
static struct xen_domain *slots[MAX_DOMAINS];
static struct spinlock list_lock = SPINLOCK_RANK("domains", LOCK_DOMAINS);

struct xen_domain *xen_domain_by_id(uint16_t id)
{
    struct xen_domain *d = slots[id % MAX_DOMAINS];

    return d && d->id == id ? d : NULL;
}

struct xen_domain *xen_domain_next(const struct xen_domain *after)
{
    for (unsigned i = after ? after->id % MAX_DOMAINS + 1 : 0; i < MAX_DOMAINS; i++)
        if (slots[i])
            return slots[i];
    return NULL;
}

bool xen_domain_id_fits(uint16_t id)
{
    return !slots[id % MAX_DOMAINS];
}

struct xen_domain *xen_domain_get(uint16_t id)
{
    spin_lock(&list_lock);
    struct xen_domain *d = xen_domain_by_id(id);
    if (d && d->findable)
        xen_domain_hold(d);
    else
        d = NULL;
    spin_unlock(&list_lock);
    return d;
}

struct xen_domain *xen_domain_get_from(uint16_t id)
{
    struct xen_domain *best = NULL;

    spin_lock(&list_lock);
    for (unsigned i = 0; i < MAX_DOMAINS; i++) {
        struct xen_domain *d = slots[i];
        if (d && d->findable && d->id >= id && (!best || d->id < best->id))
            best = d;
    }
    if (best)
        xen_domain_hold(best);
    spin_unlock(&list_lock);
    return best;
}

bool xen_domain_exists(uint16_t id)
{
    spin_lock(&list_lock);
    bool exists = xen_domain_by_id(id);
    spin_unlock(&list_lock);
    return exists;
}

unsigned xen_domain_count(void)
{
    unsigned n = 0;

    spin_lock(&list_lock);
    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        n += slots[i] && slots[i]->findable;
    spin_unlock(&list_lock);
    return n;
}

void xen_domain_hold(struct xen_domain *d)
{
    __atomic_fetch_add(&d->holders, 1, __ATOMIC_ACQUIRE);
}

void xen_domain_put(struct xen_domain *d)
{
    ASSERT(__atomic_fetch_sub(&d->holders, 1, __ATOMIC_RELEASE) > 0);
}

bool xen_domain_is_held(const struct xen_domain *d)
{
    return __atomic_load_n(&d->holders, __ATOMIC_ACQUIRE);
}

cold void xen_domain_set_findable(struct xen_domain *d, bool findable)
{
    spin_lock(&list_lock);
    d->findable = findable;
    spin_unlock(&list_lock);
}

static void set_slot(uint16_t id, struct xen_domain *d)
{
    spin_lock(&list_lock);
    slots[id % MAX_DOMAINS] = d;
    spin_unlock(&list_lock);
}

cold void xen_domain_list(struct xen_domain *d)
{
    ASSERT(xen_domain_id_fits(d->id));
    set_slot(d->id, d);
}

cold void xen_domain_unlist(struct xen_domain *d)
{
    set_slot(d->id, NULL);
}
