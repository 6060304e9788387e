/*
 * The granting side: a table's frames, and the uses of its entries. See grant/grant.h.
 *
 * An entry is the guest's memory: it may change between any two looks. So the flags and the domain
 * id are read together, once, and the bits that mark the use are put in by compare-and-exchange
 * against exactly what was checked. Source: xen/include/public/grant_table.h.
 */
#include "grant/grant.h"
#include "guestmem/p2m.h"
#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/likely.h"
#include "lib/nospec.h"
#include "mm/frame.h"
#include "mm/heap.h"

#define GROW_MOST     4 /* frames at a time, each of which takes three pages that are cleared */
#define UNSTABLE_MOST 5 /* tries against a guest that keeps changing its entry */

_Static_assert(sizeof(struct grant_domain) <= PAGE_SIZE, "a page of the heap");
_Static_assert(1 + GRANT_FRAMES_MOST * (1 + GRANT_USE_PAGES) + GRANT_CHUNKS <= PV_GRANT_PAGES,
               "what it is promised");
_Static_assert(sizeof(struct grant_use) * GRANT_PAGE_USES <= PAGE_SIZE, "a page of uses");

struct grant_domain *grant_domain(struct xen_domain *d)
{
    if (!d->grants)
        d->grants = heap_pages(0, d->id);
    return d->grants;
}

cold void grant_frame_free(struct xen_domain *d, struct grant_domain *g, unsigned i)
{
    struct grant_use **uses = &g->uses[i * GRANT_USE_PAGES];

    if (g->entries[i])
        heap_free_pages(g->entries[i], 0, d->id);
    g->entries[i] = NULL;
    for (unsigned n = 0; n < GRANT_USE_PAGES; n++) {
        if (uses[n])
            heap_free_pages(uses[n], 0, d->id);
        uses[n] = NULL;
    }
}

static int add_frame(struct xen_domain *d, struct grant_domain *g)
{
    unsigned i = g->frames;
    bool all = (g->entries[i] = heap_pages(0, d->id));

    for (unsigned n = 0; all && n < GRANT_USE_PAGES; n++)
        all = (g->uses[i * GRANT_USE_PAGES + n] = heap_pages(0, d->id));
    if (!all) {
        grant_frame_free(d, g, i);
        return -ENOMEM;
    }
    __atomic_store_n(&g->frames, i + 1, __ATOMIC_RELEASE); /* for grant_look() */
    return 0;
}

cold int grant_grow(struct xen_domain *d, unsigned frames)
{
    struct grant_domain *g = grant_domain(d);
    int err = 0;

    if (frames > GRANT_FRAMES_MOST)
        return -EINVAL;
    if (!g)
        return -ENOMEM;
    for (unsigned i = 0; !err && i < GROW_MOST && g->frames < frames; i++)
        err = add_frame(d, g);
    return !err && g->frames < frames ? -EAGAIN : err;
}

int grant_table_frame(struct xen_domain *d, uint64_t index, mfn_t *out)
{
    if (index >= GRANT_FRAMES_MOST)
        return -EINVAL;
    int err = grant_grow(d, (unsigned)index + 1);
    if (err)
        return err;
    struct grant_domain *g = grant_domain(d);
    *out = maddr_to_mfn(heap_to_maddr(g->entries[index_nospec(index, GRANT_FRAMES_MOST)]));
    return 0;
}

bool grant_table_has(const struct xen_domain *d, mfn_t m)
{
    const struct grant_domain *g = d->grants;
    const void *page = heap_from_maddr(mfn_to_maddr(m));

    for (unsigned i = 0; g && i < g->frames; i++)
        if (g->entries[i] == page)
            return true;
    return false;
}

/* ---- One entry ---- */

static struct xen_grant_entry *entry_of(struct grant_domain *g, uint32_t ref)
{
    return &g->entries[ref / GRANT_FRAME_ENTRIES][ref % GRANT_FRAME_ENTRIES];
}

static struct grant_use *use_of(struct grant_domain *g, uint32_t ref)
{
    return &g->uses[ref / GRANT_PAGE_USES][ref % GRANT_PAGE_USES];
}

cold int grant_reserve(struct xen_domain *d, uint32_t ref, uint16_t user, gfn_t g)
{
    int err = grant_grow(d, ref / GRANT_FRAME_ENTRIES + 1);

    if (!err)
        *entry_of(d->grants, ref) = (struct xen_grant_entry){ .flags = GTF_PERMIT_ACCESS,
                                                              .domid = user,
                                                              .frame = (uint32_t)g.v };
    return err;
}

/* Flags and domain id are one 32-bit word, flags in its lower half. */
static uint32_t *word_of(struct xen_grant_entry *e)
{
    return (uint32_t *)(void *)e;
}

static bool permits(uint32_t word, uint16_t user, bool readonly)
{
    if ((word & GTF_TYPE_MASK) != GTF_PERMIT_ACCESS || word >> 16 != user)
        return false;
    return readonly || !(word & GTF_READONLY);
}

cold void grant_name_ids(const struct xen_domain *d, uint64_t *ids)
{
    struct grant_domain *g = d->grants;
    uint32_t end = g ? __atomic_load_n(&g->frames, __ATOMIC_ACQUIRE) * GRANT_FRAME_ENTRIES : 0;

    for (uint32_t ref = 0; ref < end; ref++) {
        uint32_t word = __atomic_load_n(word_of(entry_of(g, ref)), __ATOMIC_RELAXED);
        uint16_t id = (uint16_t)(word >> 16);

        if (id <= INT16_MAX && permits(word, id, true))
            bitmap_set(ids, id);
    }
}

/* Marks the entry as in use, if it lets user in. */
static int mark_entry(struct xen_grant_entry *e, uint16_t user, bool readonly)
{
    uint32_t bits = GTF_READING | (readonly ? 0 : GTF_WRITING);
    uint32_t word = __atomic_load_n(word_of(e), __ATOMIC_SEQ_CST);

    for (unsigned i = 0; i < UNSTABLE_MOST; i++) {
        if (!permits(word, user, readonly))
            return GNTST_GENERAL_ERROR;
        if (__atomic_compare_exchange_n(word_of(e), &word, word | bits, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return GNTST_OKAY;
    }
    return GNTST_GENERAL_ERROR;
}

/* Clears the marks that no use stands for any more. */
static void unmark_entry(struct xen_grant_entry *e, const struct grant_use *use)
{
    uint16_t bits = use->writers ? 0 : GTF_WRITING;

    if (!use->readers && !use->writers)
        bits |= GTF_READING;
    __atomic_fetch_and(&e->flags, (uint16_t)~bits, __ATOMIC_SEQ_CST);
}

/* The frame of the first use is that of all, whatever the entry says by then. */
static int pin_frame(struct xen_domain *granter, const struct xen_grant_entry *e,
                     const struct grant_use *use, mfn_t *out)
{
    if (!use->readers && !use->writers)
        return p2m_pin_own(granter->p2m, gfn(__atomic_load_n(&e->frame, __ATOMIC_SEQ_CST)), false,
                           out)
                   ? GNTST_BAD_PAGE
                   : GNTST_OKAY;
    *out = use->frame;
    frame_pin(*out);
    return GNTST_OKAY;
}

/* Behind the last page that a table can have there is nothing to be guessed at; before it, NULL. */
static uint32_t clip(uint32_t ref)
{
    return (uint32_t)index_nospec(ref, GRANT_FRAMES_MOST * GRANT_FRAME_ENTRIES);
}

/* The table only grows while the domain can be found. */
int grant_look(const struct xen_domain *granter, uint32_t ref, uint16_t user, bool readonly)
{
    struct grant_domain *g = __atomic_load_n(&granter->grants, __ATOMIC_ACQUIRE);

    if (!g || ref >= __atomic_load_n(&g->frames, __ATOMIC_ACQUIRE) * GRANT_FRAME_ENTRIES)
        return GNTST_BAD_GNTREF;
    ref = clip(ref);
    uint32_t word = __atomic_load_n(word_of(entry_of(g, ref)), __ATOMIC_RELAXED);
    return permits(word, user, readonly) ? GNTST_OKAY : GNTST_GENERAL_ERROR;
}

int grant_acquire(struct xen_domain *granter, uint32_t ref, uint16_t user, bool readonly,
                  mfn_t *out)
{
    struct grant_domain *g = granter->grants;

    if (!g || ref >= g->frames * GRANT_FRAME_ENTRIES)
        return GNTST_BAD_GNTREF;
    ref = clip(ref);
    struct xen_grant_entry *e = entry_of(g, ref);
    struct grant_use *use = use_of(g, ref);
    if ((use->readers || use->writers) && use->user != user)
        return GNTST_GENERAL_ERROR;
    if (use->readers == UINT16_MAX || use->writers == UINT16_MAX)
        return GNTST_GENERAL_ERROR;
    int status = mark_entry(e, user, readonly);
    if (status)
        return status;
    status = pin_frame(granter, e, use, out);
    if (status) {
        unmark_entry(e, use);
        return status;
    }
    use->user = user;
    use->frame = *out;
    if (readonly)
        use->readers++;
    else
        use->writers++;
    return GNTST_OKAY;
}

void grant_release(struct xen_domain *granter, uint32_t ref, bool readonly)
{
    struct grant_domain *g = granter->grants;
    struct grant_use *use = use_of(g, ref);
    uint16_t *count = readonly ? &use->readers : &use->writers;

    ASSERT(*count > 0);
    --*count;
    unmark_entry(entry_of(g, ref), use);
}
