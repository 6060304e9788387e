/*
 * What a guest sees that is not its own, gone through place by place: for the end of whose it is.
 * Registers of its devices are nobody's.
 * See guestmem/p2m.h.
 */
#include "guestmem/p2m.h"
#include "lib/assert.h"
#include "lib/likely.h"

#define PIECE 128         /* places */
#define END   (1UL << 36) /* of all that a second-level page table reaches */

static void look_at(struct p2m *p, gfn_t g, const struct slat_entry *e,
                    bool (*fn)(void *ctx, mfn_t m), void *ctx)
{
    if (!(e->rights & SLAT_LENT) || p2m_is_device(e) || !fn(ctx, e->mfn))
        return;
    if (p2m_vacate(p, g))
        panic("p2m: a single mapping cannot be taken away");
}

static void look_at_some(struct p2m *p, gfn_t *next, bool (*fn)(void *ctx, mfn_t m), void *ctx)
{
    struct slat_entry e;

    for (unsigned i = 0; i < PIECE && next->v < END; i++) {
        if (slat_lookup(&p->slat, *next, &e) == 0)
            look_at(p, *next, &e, fn, ctx);
        next->v = (next->v | ((1UL << e.order) - 1)) + 1;
    }
    for (unsigned i = 0; i < p->limbo_count; i++)
        if (p->limbo[i].pinned)
            (void)fn(ctx, p->limbo[i].frame);
}

cold bool p2m_each_lent(struct p2m *p, gfn_t *next, bool (*fn)(void *ctx, mfn_t m), void *ctx)
{
    spin_lock(&p->lock);
    if (p->slat.root)
        look_at_some(p, next, fn, ctx);
    else
        next->v = END;
    spin_unlock(&p->lock);
    return next->v >= END;
}
