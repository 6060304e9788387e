/*
 * The p2m: which machine frame is behind which guest frame of a domain.
 *
 * A domain is told its RAM as ranges of guest frames; the frames themselves arrive at the first
 * touch, by the guest (a violation of the second-level page table) or by Caisson on its behalf
 * (guestmem/gmem). They come in 2 MiB pieces where such a piece lies wholly in RAM and the machine
 * has one free; else by a few, since the exit that a touch takes costs more than a frame does.
 *
 * A guest may also give frames back and leave holes (ballooning), and have frames mapped that are
 * not its RAM: the shared page, grant tables, other domains' frames. Those are lent: whoever
 * mapped them keeps them, and the p2m never frees them.
 *
 * The mapping lives in the second-level page table only: there is no second table to disagree with
 * it.
 */
#ifndef CAISSON_GUESTMEM_P2M_H
#define CAISSON_GUESTMEM_P2M_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/errno.h"
#include "lib/limits.h"
#include "lib/spinlock.h"
#include "virt/slat.h"

#define P2M_RAM_RANGES 8
#define P2M_FEW_ORDER  3  /* frames that come together where no 2 MiB can: 2^this */
#define P2M_RECENT     16 /* places whose frames are remembered */
#define P2M_PIECE      64 /* frames, about, that one step of a creation deals with, */
#define P2M_END_PIECE  16 /* and one of an end, whose frames a debug build fills */
#define P2M_LIMBO      64 /* frames that were unmapped and may still be in a TLB */

#define P2M_CACHED_BITS 9 /* of the number of a bit in p2m.cached, of which there are: */
#define P2M_CACHED      (1u << P2M_CACHED_BITS)

/* Second-level page tables that a guest may have for places where it had no RAM at first. */
#define P2M_TABLES_SPARE 64

/* How many tables a range of so many frames may need, wherever it begins, besides the root. */
static inline uint64_t p2m_tables(uint64_t frames)
{
    return (frames >> 9) + 2 + (frames >> 18) + 2 + (frames >> 27) + 2;
}

/* Not more tables than this exist in all, if RAM may need `ram` of them: those for other places may
 * take what RAM does not need yet. */
static inline uint64_t p2m_tables_most(uint64_t ram)
{
    return 2 * ram + P2M_TABLES_SPARE;
}

struct p2m {
    struct spinlock lock; /* guards all below; outside the frame allocator's. Limbo and promises
                           * change with the domain's lock held too: who has that may read them, and
                           * p2m_reap() may change them */
    struct slat slat;
    uint16_t owner; /* the domain's id */
    unsigned range_count;
    struct {
        gfn_t start;
        uint64_t frames;
    } ram[P2M_RAM_RANGES];
    uint64_t most;            /* frames of RAM, all ranges: at the beginning, and at any time */
    uint64_t beyond;          /* no RAM was put at this gfn or above it; 0: into the ranges only */
    uint64_t promised;        /* as many now */
    uint64_t populated;       /* of which this many have arrived */
    int64_t lacking;          /* places in the ranges for whose frames there is no promise: populate
                               * on demand; below 0: promises without a place */
    uint64_t tables_for_ram;  /* second-level page tables that its RAM may need, at its places */
    uint64_t epoch;           /* grows with each change that TLBs must hear of */
    uint64_t seen[MAX_PCPUS]; /* the epoch at this pCPU's last flush */
    uint64_t inside[MAX_VCPUS]; /* the epoch with which a vCPU entered the guest; 0: it is out */
    /* What was found at places, here and by others (guestmem/gva.h), is good for as long as this
     * stays; and the bits, by p2m_cached_bit(), of the places that were asked for since: what goes
     * elsewhere nobody remembers. */
    uint64_t cache_epoch;
    uint64_t cached[P2M_CACHED / 64];
    /* Lately, at gfn modulo P2M_RECENT. */
    struct {
        uint64_t epoch;
        gfn_t gfn;
        mfn_t mfn;
        unsigned rights;
    } recent[P2M_RECENT];
    struct {
        gfn_t at;
        mfn_t first;
        uint64_t scrubbed; /* frames of it that are clean */
        bool open;         /* there is one */
    } giant;               /* 1 GiB that is being scrubbed before it is mapped */
    struct {
        mfn_t first;
        uint64_t frames;
    } going; /* what is left of 1 GiB that p2m_destroy() gives back */
    struct {
        bool on;         /* for who asks; the tables say all else */
        uint32_t faults; /* writes that were noticed */
        uint64_t epoch;  /* when a right to write was last taken away */
    } log;               /* p2m_log.c's */
    unsigned limbo_count;
    struct {
        mfn_t frame;
        bool pinned;    /* it is another's, and to be unpinned */
        bool table;     /* it is none: slat.cut is to be freed */
        uint64_t epoch; /* may be used again when every vCPU has come in since */
    } limbo[P2M_LIMBO];
};

/* An empty p2m whose frames belong to owner. 0 or -ENOMEM. */
int must_check p2m_init(struct p2m *p, uint16_t owner);
/* Gives the frames back, a piece at a time: true once all are. The domain's vCPUs must be gone. */
bool must_check p2m_destroy(struct p2m *p);

/* For a domain without ranges of RAM, whose frames are put wherever somebody likes: it may have
 * this many from now on, or as many as it has if that is more; and tables for so many are promised,
 * and for those that there are. */
void p2m_set_most(struct p2m *p, uint64_t frames, uint64_t tables);

/* The same domain's RAM arrives at 2^order places from g on when they are touched, for as many of
 * all such places as it has been promised frames then: each p2m_set_pool() sees to it that it is
 * promised so many, in all. Where a frame is given back while others lack one, they may have it. 0;
 * -EEXIST, -EINVAL; -ENOSPC after P2M_RAM_RANGES; -ENOMEM. Before it runs, and with tables promised
 * for them (domain_add_on_demand()). */
int must_check p2m_add_on_demand(struct p2m *p, gfn_t g, unsigned order);
int must_check p2m_set_pool(struct p2m *p, uint64_t frames);
/* How many places are in the ranges, holes included. */
uint64_t p2m_places(const struct p2m *p);

/* Makes [start, start + frames) RAM. 0, -EINVAL for a wrap, -ENOSPC after P2M_RAM_RANGES. */
int must_check p2m_add_ram(struct p2m *p, gfn_t start, uint64_t frames);
bool p2m_is_ram(const struct p2m *p, gfn_t g);
/* The highest gfn that is RAM, or was once. */
gfn_t p2m_highest(const struct p2m *p);

/* Lets frames arrive from *next on, which moves on, in pieces of 1 GiB, 2 MiB or 4 KiB. 0: all
 * have; -EAGAIN: there are more; -ENOMEM. Begins with *next 0. */
int must_check p2m_populate_some(struct p2m *p, gfn_t *next);

/* The frame behind g, which arrives now if it had not. 0; -EFAULT where nothing is (outside RAM, a
 * hole); -ENOMEM. */
int must_check p2m_populate(struct p2m *p, gfn_t g, mfn_t *out);
/* The same, for writing: -EFAULT too where the guest itself may only read. */
int must_check p2m_populate_writable(struct p2m *p, gfn_t g, mfn_t *out);
/* Pins the frame of a page of the guest's own RAM. 0 or -EINVAL: what is only lent to it could go
 * away under us, and is refused, as in Xen. */
int must_check p2m_pin_own(struct p2m *p, gfn_t g, bool readonly, mfn_t *out);
/* The same, and its pin is that the domain's lock is held. */
int must_check p2m_find_own(struct p2m *p, gfn_t g, bool readonly, mfn_t *out);

/* The guest has been refused to fetch an instruction from what is mapped at g: on CPUs with which a
 * large mapping must not be executable, it gets a small one. 0: it may try again; -EFAULT: it may
 * not; -ENOMEM. Each call that succeeds takes at most two page tables, within what the domain's
 * overhead counts with (create.c). */
int must_check p2m_execute(struct p2m *p, gfn_t g);

/* ---- Changes by the guest's wish; the domain's lock is held ---- */

/* Lends the guest a frame that is not its RAM, at g where nothing may be (p2m_remove() first). What
 * is unmapped later with p2m_remove() is just forgotten; with SLAT_PINNED among the rights it is
 * unpinned then. rights: SLAT_R...; 0; -EEXIST, -EINVAL, -ENOMEM. */
int must_check p2m_lend(struct p2m *p, gfn_t g, mfn_t m, unsigned rights);
/* The same of registers of a device, 4 KiB of them: for the guest alone, as all that is done on its
 * behalf with its memory takes them for nothing. */
int must_check p2m_lend_device(struct p2m *p, gfn_t g, mfn_t m);
/* The same of 2^order frames, ORDER_2M or ORDER_1G, as one mapping, where no range of RAM is;
 * -EAGAIN too, as below. */
int must_check p2m_lend_device_block(struct p2m *p, gfn_t g, mfn_t m, unsigned order);
/* The largest order of at most so many frames that is one mapping on this CPU. */
unsigned p2m_largest_order(uint64_t frames);
/* Registers that were lent, or some of them: from this gfn on, and from this frame on. */
struct p2m_registers {
    gfn_t at;
    mfn_t first;
    uint64_t frames;
    uint64_t done; /* of these have been looked at */
};
/* Takes them away again where they are, about P2M_PIECE places at a call: true once all have been
 * looked at, and nobody reaches them. What else is there stays. */
bool must_check p2m_take_device(struct p2m *p, struct p2m_registers *r);
/* Takes away what is at g: a lent frame, or RAM, which is then the domain's no more and leaves a
 * hole. 0 (also if RAM had not arrived yet); -ENOENT if nothing is there; -ENOMEM; -EAGAIN: too
 * many frames wait for TLBs, kick the vCPUs and try again after the next exit. */
int must_check p2m_remove(struct p2m *p, gfn_t g);
/* Takes away the frame m that was lent at g and is not pinned there, if it is there still. */
void p2m_take_back(struct p2m *p, gfn_t g, mfn_t m);
/* A fresh frame of RAM at g, where nothing is. 0; -EEXIST, -EINVAL; -ENOMEM: it has all that it may
 * have, what others have pinned of it included, or nobody has one to spare; -EAGAIN as above. */
int must_check p2m_fill(struct p2m *p, gfn_t g);
/* The same of ORDER_2M or ORDER_1G frames, as one mapping, where no range of RAM is. -EAGAIN too: 1
 * GiB is scrubbed a piece at a call, and one that was begun elsewhere comes first. */
int must_check p2m_fill_block(struct p2m *p, gfn_t g, unsigned order);
/* Moves the RAM frame from one place to another, where nothing may be. 0; -ENOENT, ... */
int must_check p2m_move(struct p2m *p, gfn_t from, gfn_t to);
/* What is mapped at g now. 0; -ENOENT. lent: it is not the domain's RAM. */
int must_check p2m_lookup(struct p2m *p, gfn_t g, mfn_t *out, bool *lent);

/* Has the domain RAM of its own at g, or gets it when it is touched? *alike: so many places from g
 * on are as this one. */
bool p2m_has_own(struct p2m *p, gfn_t g, uint64_t *alike);

/* Looks at some places from *next on, which moves on: calls fn for each frame of memory that is
 * lent, and those that wait for TLBs; what fn says true of is not lent any more. True: all places
 * have been looked at. Who does so because a frame goes waits for the TLBs (p2m->inside)
 * afterwards. */
bool must_check p2m_each_lent(struct p2m *p, gfn_t *next, bool (*fn)(void *ctx, mfn_t m),
                              void *ctx);

/* ---- The log of what is written (p2m_log.c) ---- */

/* While it is on, RAM that may not be written has not been since the log was last cleaned there.
 * Who may have written beside the guest's vCPUs and guestmem/gmem has pinned the frame, and a frame
 * that is pinned counts as written. The domain has no devices. P2M_LOG_PLACES at a call, from first
 * on, which is a multiple of that. */
#define P2M_LOG_WORDS  8
#define P2M_LOG_PLACES (P2M_LOG_WORDS * SLAT_WORD)

/* Which places have been written: a bit for each. How many they are. */
unsigned p2m_log_read(struct p2m *p, gfn_t first, uint64_t written[P2M_LOG_WORDS]);
/* Those of written are so no more, if no pin keeps them. Domain's lock held: nobody is about to
 * write to a page that he has found there. What is written by an old entry of a TLB is not noticed
 * until all vCPUs have come out since p->log.epoch. */
void p2m_log_clean(struct p2m *p, gfn_t first, const uint64_t written[P2M_LOG_WORDS]);
/* At so many places from first on nothing is mapped, a multiple of P2M_LOG_PLACES: there is nothing
 * to read, clean or open. 0: there may be. With RAM there a call takes some 30,000 instructions. */
uint64_t p2m_log_hole(struct p2m *p, gfn_t first);
/* All there may be written, as it is where there is no log. */
void p2m_log_open(struct p2m *p, gfn_t first);

/* The guest may not write at g: true if that is RAM of its own, which only the log keeps from it,
 * and it is noted. It tries again then. */
bool must_check p2m_log_guest_write(struct p2m *p, gfn_t g);

/* For the p2m's own files. The memory type of 2^order frames, as the machine has it; rights of RAM
 * that is mapped so; whether it has all tables that it may have; tells all who have looked at these
 * places that something was taken away there; ends what is remembered of all places; maps more than
 * 4 KiB, RAM or what else, where nothing is: 0, -EEXIST, -ENOMEM, -EAGAIN: tables are in the way,
 * or too much waits for TLBs; takes away what is mapped at g, and leaves a hole where RAM has its
 * place: 0, or -ENOMEM if it was part of a larger mapping; the same of a page that was just
 * looked up; the next 2 MiB of a giant: 0, or its
 * frames once it is mapped, or -ENOMEM; has the promise of a frame that is gone, for a place that
 * lacks one. */
enum slat_type p2m_type_of(mfn_t m, unsigned order);
unsigned p2m_rights_of_ram(unsigned order);
bool p2m_tables_used_up(const struct p2m *p);
void p2m_promise_again(struct p2m *p);
#define P2M_REGISTERS (SLAT_R | SLAT_W | SLAT_LENT | SLAT_DEVICE) /* rights */
static inline bool p2m_is_device(const struct slat_entry *e)
{
    const unsigned marks = SLAT_LENT | SLAT_DEVICE;

    return (e->rights & marks) == marks;
}
void p2m_changed(struct p2m *p, gfn_t g, uint64_t frames);
void p2m_forget(struct p2m *p);
/* Of p->cached. Multiplied by the golden ratio, neighbours and what is aligned alike have bits of
 * their own. */
static inline unsigned p2m_cached_bit(gfn_t g)
{
    return (unsigned)(g.v * 0x9E3779B97F4A7C15ul >> (64 - P2M_CACHED_BITS));
}
/* Frames that were mapped here are about to be let go of: if an IOMMU may not have forgotten them,
 * as it does not answer, nobody gets them again. Before that, or while their owner has them. */
void p2m_lost(const struct p2m *p, mfn_t m, unsigned order);
/* A write at g, which was looked up: what the log had taken is given back, and it is noted. */
void p2m_log_write(struct p2m *p, gfn_t g, struct slat_entry *e);
int must_check p2m_map_large(struct p2m *p, gfn_t g, mfn_t m, unsigned order);
int must_check p2m_map_block(struct p2m *p, gfn_t g, mfn_t m, unsigned order, unsigned rights,
                             enum slat_type type);
int must_check p2m_vacate(struct p2m *p, gfn_t g);
void p2m_take(struct p2m *p, gfn_t g, const struct slat_entry *e);
int64_t p2m_giant_goes_on(struct p2m *p);

/* All TLBs of the domain's are to be flushed before its vCPUs enter again. */
void p2m_flush(struct p2m *p);
/* A vCPU is about to enter the guest on this pCPU: flushes if it must. It is inside until the
 * caller clears p->inside[] of it. */
void p2m_enter(struct p2m *p, unsigned vcpu);
/* Frees what no TLB of these vCPUs can hold any more, if something waits for that. */
void p2m_reap(struct p2m *p, unsigned vcpus);

#endif
