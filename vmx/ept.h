/*
 * Extended page tables: the format, and nothing but the format. What a guest's memory is made of
 * is domain/p2m's business.
 *
 * Sources: SDM, "The Extended Page Table Mechanism (EPT)". Callers hold the p2m's lock.
 */
#ifndef CAISSON_VMX_EPT_H
#define CAISSON_VMX_EPT_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/errno.h"

enum ept_type { EPT_UC = 0, EPT_WC = 1, EPT_WT = 4, EPT_WP = 5, EPT_WB = 6 };
#define EPT_R   1u
#define EPT_W   2u
#define EPT_X   4u
#define EPT_RWX 7u
/* Among the rights, but none: marks. Of a 4 KiB mapping, the p2m's; of a larger one without EPT_X:
 * it is executable once it is cut into 4 KiB, see ept_split_to_execute(). */
#define EPT_LENT    8u
#define EPT_X_SMALL 32u

struct ept {
    uint64_t *root;   /* heap page: PML4 */
    uint16_t owner;   /* charged for table frames */
    uint64_t tables;  /* table frames in use, root included */
    uint64_t pointer; /* the EPTP */
};

/* What is at a place. Where nothing is mapped, order is that of the largest block around it of
 * which the tables tell without a search that nothing is, and the entry for that block is at slot.
 */
struct ept_entry {
    mfn_t mfn;     /* of the very gfn that was looked up */
    uint8_t order; /* ORDER_4K, ORDER_2M or ORDER_1G: size of the mapping it lies in */
    uint8_t rights;
    bool hole; /* nothing is mapped, since ept_punch() */
    enum ept_type type;
    uint64_t *slot; /* NULL: beyond all that can be mapped */
};

int must_check ept_init(struct ept *e, uint16_t owner);
/* Frees all tables; the mapped frames are the caller's. */
void ept_destroy(struct ept *e);

/* Maps 2^order frames. -EINVAL misaligned or out of range, -EEXIST something is mapped there,
 * -ENOMEM; nothing has changed then but perhaps empty tables. A 1 GiB mapping needs
 * vmx_caps.ept_1g. A large mapping may take the place of tables that have become empty; flush then
 * as after unmap. */
int must_check ept_map(struct ept *e, gfn_t gfn, mfn_t mfn, unsigned order, unsigned rights,
                       enum ept_type type);
/* Unmaps the 4 KiB at gfn, splitting a larger mapping. 0 (also if nothing was there) or -ENOMEM.
 * The caller flushes (vmx_flush_ept) before it lets go of the frame. */
int must_check ept_unmap(struct ept *e, gfn_t gfn);
/* The same, and remembers that a hole was made here: no larger mapping takes the place later, until
 * ept_map() fills the hole. 0 or -ENOMEM. */
int must_check ept_punch(struct ept *e, gfn_t gfn);
/* 0; -ENOENT where nothing is mapped: *out says of how much then, and is good until the next change
 * of the tables. */
int must_check ept_lookup(const struct ept *e, gfn_t gfn, struct ept_entry *out);
/* Of a place just looked up where nothing is: makes the tables down to the very entry, order is
 * ORDER_4K then. 0, -ENOMEM, -EINVAL. */
int must_check ept_reach(struct ept *e, gfn_t gfn, struct ept_entry *place);
/* Such a place: is nothing mapped, and no hole, in all of the 2^order frames around it? Less than
 * ORDER_2M, so it is one table. */
bool ept_is_vacant(const struct ept_entry *place, gfn_t gfn, unsigned order);
/* Maps RAM there, 2^order single frames. */
void ept_fill(const struct ept_entry *place, gfn_t gfn, mfn_t mfn, unsigned order,
              enum ept_type type);
/* Makes the 4 KiB at gfn a mapping of their own, which is executable, if EPT_X_SMALL says so. 0,
 * also if it is executable already; -EFAULT: it is not to be executed; -ENOMEM. */
int must_check ept_split_to_execute(struct ept *e, gfn_t gfn);
/* Calls fn for each mapping, in order of address. */
void ept_walk(const struct ept *e, void (*fn)(void *ctx, gfn_t gfn, const struct ept_entry *entry),
              void *ctx);

/* What a call of ept_drain() does is counted in mappings of 4 KiB; the others weigh more, since a
 * debug build fills what is freed. */
#define EPT_DRAIN_TABLE 2
#define EPT_DRAIN_LARGE 64
/* Takes mappings away, in order of address, and gives back the tables that become empty; calls fn
 * for each mapping, whose frames are fn's then. For an end in pieces: each call does about `work`.
 * True once nothing is mapped; ept_destroy() takes the rest. No vCPU may use the EPT any more. */
bool must_check ept_drain(struct ept *e, unsigned work,
                          void (*fn)(void *ctx, gfn_t gfn, const struct ept_entry *entry),
                          void *ctx);

#endif
