/*
 * A domain's grants: the table that it lends pages by, and the pages of others that it has mapped.
 *
 * A grant in use has three things: a count with its granter (which shows in the entry's flags, so
 * that an honest guest does not take it back), a pin on the frame (mm/frame.h, so that the frame
 * is not given out again, whatever becomes of the granter), and, if it is mapped, a handle with the
 * mapper. All is charged to the domain that has it, and bounded. Locks: that of the domain whose
 * table or handle it is; see xen/pair.h for both.
 */
#ifndef CAISSON_GRANT_GRANT_H
#define CAISSON_GRANT_GRANT_H

#include "include/public/grant_table.h"
#include "xen/xen.h"

#define GRANT_FRAMES_MOST   32 /* of the table: 512 entries each */
#define GRANT_FRAME_ENTRIES (PAGE_SIZE / sizeof(struct xen_grant_entry))
#define GRANT_USE_PAGES     2 /* for each frame, as a promise of memory is one of single pages */
#define GRANT_PAGE_USES     (GRANT_FRAME_ENTRIES / GRANT_USE_PAGES)
#define GRANT_CHUNK_MAPS    128
#define GRANT_CHUNKS        32 /* 4096 mappings at once */

/* What is known of a grant besides its entry, which is the guest's. */
struct grant_use {
    mfn_t frame;               /* while used: the entry may say otherwise meanwhile */
    uint16_t user;             /* domain id */
    uint16_t readers, writers; /* who reads only, who writes too */
};

enum grant_map_state { GRANT_MAP_FREE, GRANT_MAP_LIVE, GRANT_MAP_ENDING };

/* One mapping, under its handle, with the mapper. */
struct grant_map {
    uint8_t state;
    bool readonly;
    bool orphan; /* the granter is gone: only the frame is left */
    uint16_t granter;
    uint32_t ref; /* while it is free: the next one that is, as grant_domain.free */
    gfn_t at;
    mfn_t frame;
};

struct grant_domain {
    unsigned frames;
    struct xen_grant_entry *entries[GRANT_FRAMES_MOST]; /* heap pages, lent to the guest */
    struct grant_use *uses[GRANT_FRAMES_MOST * GRANT_USE_PAGES];
    struct grant_map *maps[GRANT_CHUNKS];
    unsigned chunks; /* that there are */
    uint32_t free;   /* the first free handle, + 1; 0: none in these chunks */
    /* At the domain's end: its own mappings, then those of others that lie below this number (ids
     * modulo MAX_DOMAINS), and of whose turn it is those under handles below that. */
    bool own_detached;
    uint32_t others_detached;
    uint32_t detached;
};

/* ---- The table: grant.c. Statuses are GNTST_*. ---- */

/* Made at the first use. NULL: out of memory. */
struct grant_domain *grant_domain(struct xen_domain *d);
/* 0, -EINVAL beyond the limit, -ENOMEM; -EAGAIN: it has grown by some, and wants to be called
 * again. So does grant_table_frame(). */
int must_check grant_grow(struct xen_domain *d, unsigned frames);
/* Gives back what there is of frame i of the table. */
void grant_frame_free(struct xen_domain *d, struct grant_domain *g, unsigned i);
/* Sets the bit of each domain, of an id below 2^15, that an entry of d's lets in. Boot CPU; no
 * lock. */
void grant_name_ids(const struct xen_domain *d, uint64_t *ids);
/* The frame of d's table with this index (XENMAPSPACE_GRANT_TABLE), growing the table to it. 0,
 * -EINVAL beyond its limit, -ENOMEM. The frame stays the table's. */
int must_check grant_table_frame(struct xen_domain *d, uint64_t index, mfn_t *out);
/* Makes an entry in the place of a guest that has not begun: user may map the frame at g. As
 * grant_grow(). */
int must_check grant_reserve(struct xen_domain *d, uint32_t ref, uint16_t user, gfn_t g);
/* Is this one of them? */
bool grant_table_has(const struct xen_domain *d, mfn_t m);
/* Would grant_acquire() let user in, as far as can be seen without granter's lock? */
int must_check grant_look(const struct xen_domain *granter, uint32_t ref, uint16_t user,
                          bool readonly);
/* Begins a use of granter's ref by user: counted, and *out pinned for the caller to unpin. */
int must_check grant_acquire(struct xen_domain *granter, uint32_t ref, uint16_t user, bool readonly,
                             mfn_t *out);
/* Ends it; the pin is the caller's affair. */
void grant_release(struct xen_domain *granter, uint32_t ref, bool readonly);

/* ---- Mapping and copying: grant_map.c, grant_copy.c ---- */

int grant_map(struct xen_vcpu *v, struct xen_gnttab_map_grant_ref *arg);
/* The mapping is taken out of the caller's memory. Where that was done (GNTST_OKAY, and a host_addr
 * was given), grant_unmap_end() must follow, for some handles at once: it waits until no TLB of the
 * caller's domain has them, and lets go of the frames. The domain's lock is let go meanwhile. */
int grant_unmap(struct xen_vcpu *v, const struct xen_gnttab_unmap_grant_ref *arg);
void grant_unmap_end(struct xen_vcpu *v, const uint32_t *handles, unsigned count);
int grant_copy(struct xen_vcpu *v, const struct xen_gnttab_copy *arg);
/* Undoes all that d has mapped, and makes orphans of what others have mapped of d; gives back the
 * memory. For the end of d, when nobody finds it by its id any
 * more; no lock is held. */
bool must_check grant_detach(struct xen_domain *d);

#endif
