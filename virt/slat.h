/*
 * The second-level page table, which takes a guest's physical addresses to the machine's: Intel
 * calls it extended, AMD nested. What a guest's memory is made of is guestmem/p2m's business.
 *
 * Sources: SDM, "The Extended Page Table Mechanism (EPT)"; APM volume 2, "Nested Paging". Callers
 * hold the p2m's lock.
 */
#ifndef CAISSON_VIRT_SLAT_H
#define CAISSON_VIRT_SLAT_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/errno.h"

#define SLAT_BITS 48 /* of a guest-physical address that can be mapped */

/* Numbered as the MTRRs and the PAT have them. */
enum slat_type { SLAT_UC = 0, SLAT_WC = 1, SLAT_WT = 4, SLAT_WP = 5, SLAT_WB = 6 };
#define SLAT_R   1u
#define SLAT_W   2u
#define SLAT_X   4u
#define SLAT_RWX 7u
/* Among the rights, but none: marks, the p2m's. Of a larger mapping that is not lent, and without
 * SLAT_X, the first is: executable once it is cut into 4 KiB, see slat_split_to_execute(). A larger
 * one that is lent is a device's. */
#define SLAT_X_SMALL 8u
#define SLAT_DEVICE  8u /* registers of a device: no memory */
#define SLAT_LENT    16u
#define SLAT_PINNED  32u

/* In what the back ends' entries differ. In both bit 0 of a mapping says that it can be read, bit 1
 * written, bit 7 that it is no table, and bits 58 to 60 mean nothing.
 *
 * An IOMMU may walk the same tables. VT-d's entries are as EPT's where it looks; AMD's has bits of
 * its own for rights and levels, which the processor ignores, and reserves others (iommu/amd.c). */
struct slat_format {
    uint64_t pointer; /* goes into slat.pointer beside the root's address */
    uint64_t x, no_x; /* bits of a mapping that is executable, and of one that is not */
    uint8_t cache[8]; /* by enum slat_type: its bits among 5:3 of a mapping */
    uint8_t type[8];  /* and back, by all of bits 5:3 */
    uint64_t rights;  /* of a mapping: times SLAT_R and SLAT_W */
    uint64_t table;   /* bits of an entry that leads to a table, */
    uint64_t level;   /* and times the level at which the entry is */
    bool flush;       /* whatever is written is flushed: an IOMMU does not look into caches */
};

struct slat {
    uint64_t *root;   /* heap page: PML4 */
    uint16_t owner;   /* charged for table frames */
    uint64_t tables;  /* table frames in use, root included */
    uint64_t pointer; /* as the processor takes it */
    unsigned devices; /* that walk them too, by an IOMMU; its lock */
    bool lost;        /* an IOMMU that does not answer may walk them for ever; the same lock */
    uint64_t *cut;    /* a table that a large mapping has taken the place of, and */
    unsigned cut_level;
    uint64_t *last;   /* the table of single pages that was looked into last, and */
    uint64_t last_at; /* which of all such ones it is */
};

/* What is at a place. Where nothing is mapped, order is that of the largest block around it of
 * which the tables tell without a search that nothing is. The entry that says so is at slot. */
struct slat_entry {
    mfn_t mfn;     /* of the very gfn that was looked up */
    uint8_t order; /* ORDER_4K, ORDER_2M or ORDER_1G: size of the mapping it lies in */
    uint8_t rights;
    bool hole; /* nothing is mapped, since slat_punch() */
    enum slat_type type;
    uint64_t *slot; /* NULL: g is beyond all that can be mapped */
};

int must_check slat_init(struct slat *e, uint16_t owner);
/* Frees all tables; the mapped frames are the caller's. */
void slat_destroy(struct slat *e);

/* Maps 2^order frames. -EINVAL misaligned or out of range, -EEXIST something is mapped there,
 * -ENOMEM; nothing has changed then but perhaps empty tables. A 1 GiB mapping needs
 * virt_caps.slat_1g. A large mapping may take the place of tables that have become empty: if e->cut
 * is set then, flush as after unmap, and call slat_free_cut() when nobody can be in them any more.
 * Until then no other one does so: -EEXIST. */
int must_check slat_map(struct slat *e, gfn_t gfn, mfn_t mfn, unsigned order, unsigned rights,
                        enum slat_type type);
void slat_free_cut(struct slat *e);
/* Unmaps the 4 KiB at gfn, splitting a larger mapping. 0 (also if nothing was there) or -ENOMEM.
 * The caller flushes (virt_flush_slat) before it lets go of the frame. */
int must_check slat_unmap(struct slat *e, gfn_t gfn);
/* Unmaps all of the mapping that gfn lies in, whatever its size; what nobody may split goes so. The
 * caller flushes. */
void slat_drop(struct slat *e, gfn_t gfn);
/* As slat_unmap(), and remembers that a hole was made here: no larger mapping takes the place
 * later, until slat_map() fills the hole. 0 or -ENOMEM. */
int must_check slat_punch(struct slat *e, gfn_t gfn);
/* 0; -ENOENT where nothing is mapped: *out says of how much then, and is good until the next change
 * of the tables. */
int must_check slat_lookup(struct slat *e, gfn_t gfn, struct slat_entry *out);
/* Of a place just looked up where nothing is: makes the tables down to the very entry, order is
 * ORDER_4K then. 0, -ENOMEM, -EINVAL. */
int must_check slat_reach(struct slat *e, gfn_t gfn, struct slat_entry *place);
/* Maps 4 KiB at a place just looked up where nothing is. As slat_map(). */
int must_check slat_put(struct slat *e, gfn_t gfn, struct slat_entry *place, mfn_t mfn,
                        unsigned rights, enum slat_type type);
/* Unmaps 4 KiB that were just looked up, as slat_unmap() or, for a hole, slat_punch(). */
void slat_take(const struct slat_entry *place, bool hole);
/* Such a place: is nothing mapped, and no hole, in all of the 2^order frames around it? Less than
 * ORDER_2M, so it is one table. */
bool slat_is_vacant(const struct slat_entry *place, gfn_t gfn, unsigned order);
/* Maps RAM there, 2^order single frames. */
void slat_fill(const struct slat_entry *place, gfn_t gfn, mfn_t mfn, unsigned order,
               enum slat_type type);
/* Makes the 4 KiB at gfn a mapping of their own, which is executable, if SLAT_X_SMALL says so. 0,
 * also if it is executable already; -EFAULT: it is not to be executed; -ENOMEM. */
int must_check slat_split_to_execute(struct slat *e, gfn_t gfn);

/* ---- For a log of what is written: guestmem/p2m_log.c ---- */

/* Of SLAT_WORD places from first on, which is a multiple of that: a bit for each where something is
 * mapped that is not lent, and may be written, or keeps says that its frame may be. */
#define SLAT_WORD 64
uint64_t slat_writable(const struct slat *e, gfn_t first, bool (*keeps)(mfn_t m));
/* Takes the right to write from those of them that have a bit in places, unless keeps says of the
 * frame that it keeps it. A larger mapping is taken as a whole. The caller flushes. */
void slat_protect(struct slat *e, gfn_t first, uint64_t places, bool (*keeps)(mfn_t m));
/* Gives it back to all 64, or to the larger mapping that they lie in. */
void slat_unprotect(struct slat *e, gfn_t first);
/* The same to the one mapping that gfn lies in. */
void slat_allow_write(struct slat *e, gfn_t gfn);
/* Cuts a larger mapping, until gfn lies in one of 2^order frames; what is smaller stays. 0,
 * -ENOMEM. */
int must_check slat_split(struct slat *e, gfn_t gfn, unsigned order);

/* What a call of slat_drain() does is counted in mappings of 4 KiB; the others weigh more: all of a
 * table is looked at before it is freed, and a debug build fills what is freed. */
#define SLAT_DRAIN_TABLE 8
#define SLAT_DRAIN_LARGE 64
/* Takes mappings away, in order of address, and gives back the tables that become empty; calls fn
 * for each mapping, whose frames are fn's then. For an end in pieces: each call does about `work`.
 * True once nothing is mapped; slat_destroy() takes the rest. No vCPU may use the tables any more.
 */
bool must_check slat_drain(struct slat *e, unsigned work,
                           void (*fn)(void *ctx, gfn_t gfn, const struct slat_entry *entry),
                           void *ctx);

#endif
