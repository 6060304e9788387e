/*
 * The log of what is written to a guest's memory, for who copies it while the guest runs.
 *
 * There is no second list: what has not been written since the log was cleaned may not be written,
 * says the second-level page table. The first write faults, and gets the right back. So it works
 * alike on every CPU, and costs nothing where no log is on. A large mapping is write-protected
 * whole, and cut when it is written to. See guestmem/p2m.h.
 */
#include "guestmem/p2m.h"
#include "lib/likely.h"
#include "mm/frame.h"

static gfn_t word(gfn_t first, unsigned i)
{
    return gfn(first.v + (uint64_t)i * SLAT_WORD);
}

static unsigned bits_of(uint64_t places)
{
    unsigned n = 0;

    for (; places; places &= places - 1)
        n++;
    return n;
}

/* Whoever has pinned it may write to it, whatever its owner may. */
static bool is_pinned(mfn_t m)
{
    return frame_pins(m);
}

cold unsigned p2m_log_read(struct p2m *p, gfn_t first, uint64_t written[P2M_LOG_WORDS])
{
    unsigned n = 0;

    spin_lock(&p->lock);
    for (unsigned i = 0; i < P2M_LOG_WORDS; i++) {
        written[i] = slat_writable(&p->slat, word(first, i), is_pinned);
        n += bits_of(written[i]);
    }
    spin_unlock(&p->lock);
    return n;
}

cold uint64_t p2m_log_hole(struct p2m *p, gfn_t first)
{
    struct slat_entry e;

    spin_lock(&p->lock);
    bool hole = slat_lookup(&p->slat, first, &e) && e.order >= ORDER_2M;
    spin_unlock(&p->lock);
    return hole ? (1UL << e.order) - (first.v & ((1UL << e.order) - 1)) : 0;
}

static bool any_is_pinned(mfn_t first, unsigned order)
{
    uint64_t i = 0;

    while (i < 1UL << order && !is_pinned(mfn(first.v + i)))
        i++;
    return i < 1UL << order;
}

static bool all_are(const uint64_t written[P2M_LOG_WORDS])
{
    unsigned i = 0;

    while (i < P2M_LOG_WORDS && !~written[i])
        i++;
    return i == P2M_LOG_WORDS;
}

/* One mapping is all of it, or it is cut so. False: a larger one stays, for want of tables, or as
 * part of it is not to be cleaned. */
static bool fit(struct p2m *p, gfn_t first, const uint64_t written[P2M_LOG_WORDS])
{
    struct slat_entry e;

    if (slat_split(&p->slat, first, ORDER_2M))
        return false;
    if (slat_lookup(&p->slat, first, &e) || e.order == ORDER_4K)
        return true;
    if (any_is_pinned(e.mfn, ORDER_2M))
        return slat_split(&p->slat, first, ORDER_4K) == 0;
    return all_are(written);
}

cold void p2m_log_clean(struct p2m *p, gfn_t first, const uint64_t written[P2M_LOG_WORDS])
{
    spin_lock(&p->lock);
    if (fit(p, first, written))
        for (unsigned i = 0; i < P2M_LOG_WORDS; i++)
            if (written[i])
                slat_protect(&p->slat, word(first, i), written[i], is_pinned);
    p->log.epoch = ++p->epoch;
    p2m_forget(p);
    spin_unlock(&p->lock);
}

cold void p2m_log_open(struct p2m *p, gfn_t first)
{
    spin_lock(&p->lock);
    for (unsigned i = 0; i < P2M_LOG_WORDS; i++)
        slat_unprotect(&p->slat, word(first, i));
    p2m_forget(p);
    spin_unlock(&p->lock);
}

/* Without a table to cut it with, all of a large mapping has been written. No TLB has to be told of
 * a right more: who has an old entry faults once more. */
cold void p2m_log_write(struct p2m *p, gfn_t g, struct slat_entry *e)
{
    (void)!slat_split(&p->slat, g, ORDER_4K);
    slat_allow_write(&p->slat, g);
    e->rights |= SLAT_W;
    p->log.faults++;
}

cold bool p2m_log_guest_write(struct p2m *p, gfn_t g)
{
    struct slat_entry e;

    spin_lock(&p->lock);
    bool own = slat_lookup(&p->slat, g, &e) == 0 && !(e.rights & SLAT_LENT);
    if (own && !(e.rights & SLAT_W))
        p2m_log_write(p, g, &e);
    spin_unlock(&p->lock);
    return own;
}
