/*
 * What a guest sees that is not its own, gone through place by place: for the end of whose it is.
 * Registers of its devices are nobody's.
 * See guestmem/p2m.h.
 */
#include "guestmem/p2m.h"
#include "lib/likely.h"

#define PIECE      128          /* places */
#define LENT       4            /* how many a place with a page of another counts as */
#define LIMBO_MOST (PIECE - 16) /* as many as those count that wait for TLBs, at most */
#define END        (1UL << 36)  /* of all that a second-level page table reaches */

/* As how many places it counts. */
static unsigned look_at(struct p2m *p, gfn_t g, const struct slat_entry *e,
                        bool (*fn)(void *ctx, mfn_t m), void *ctx)
{
    if (!(e->rights & SLAT_LENT) || p2m_is_device(e))
        return 1;
    if (!fn(ctx, e->mfn))
        return LENT;
    p2m_take(p, g, e);
    p2m_lost(p, e->mfn, ORDER_4K);
    return LENT;
}

static void look_at_some(struct p2m *p, gfn_t *next, bool (*fn)(void *ctx, mfn_t m), void *ctx)
{
    unsigned looked = p->limbo_count < LIMBO_MOST / 2 ? 2 * p->limbo_count : LIMBO_MOST;
    struct slat_entry e;

    while (looked < PIECE && next->v < END) {
        looked += slat_lookup(&p->slat, *next, &e) ? 1 : look_at(p, *next, &e, fn, ctx);
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
