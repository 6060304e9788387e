/*
 * Guest-virtual memory: the guest's own page tables, walked as the CPU would walk them.
 *
 * Sources: SDM, "Paging" (32-bit, PAE, 4-level; no guest is shown LA57) and "Access Rights". What
 * a walk found a moment ago the guest may have changed since: it counts only while all that it was
 * found by is the same.
 */
#ifndef CAISSON_GUESTMEM_GVA_H
#define CAISSON_GUESTMEM_GVA_H

#include <stddef.h>
#include "lib/addr.h"
#include "lib/errno.h"
#include "mm/window.h"
#include "virt/virt.h"

struct p2m;

/* Bits of a page fault's error code; as input, the access that is asked for. */
#define GVA_PRESENT  1u
#define GVA_WRITE    2u
#define GVA_USER     4u /* made with user privilege */
#define GVA_RESERVED 8u
#define GVA_FETCH    16u
/* As input only: the processor would make the access by itself, to a descriptor or a TSS, whatever
 * the CPL. EFLAGS.AC does not open user pages to it (SDM, "Determination of Access Rights"). */
#define GVA_IMPLICIT 256u

struct gva_fault {
    gva_t address;  /* the first byte that could not be reached */
    uint32_t error; /* the error code that the guest is owed in a #PF */
};

/*
 * A walk: what was asked, what was found, and all that it hangs on: registers, p2m->cache_epoch
 * (for where the tables are), the entries on the way, accessed and dirty bits included. While those
 * are what they were another walk would find the same, so it need not be made.
 */
#define GVA_LEVELS 4
struct gva_walk {
    uint64_t epoch;  /* 0: nothing is known */
    uint64_t linear; /* page */
    uint64_t access; /* GVA_..., and RFLAGS.AC */
    struct virt_mode mode;
    gpa_t page;
    bool found; /* and where that page is, for this access: */
    mfn_t frame;
    unsigned count;
    struct window_word read[GVA_LEVELS];
};

/* Guest-virtual addresses as one vCPU sees them. Its creator fills in the first two. */
#define GVA_RECENT 4 /* walks that are remembered, at page and access modulo this */
struct gva_space {
    struct virt_vcpu *virt; /* loaded, when anything here is called */
    struct p2m *p2m;
    struct gva_fault fault; /* what the guest is owed, once something has answered -EFAULT */
    int error;              /* why there is no walk, or no frame */
    struct virt_mode mode;  /* at the last look */
    struct gva_walk walks[GVA_RECENT];
};

/* All answer 0; -EFAULT with s->fault filled in; -ENOMEM. The domain's lock is held. */

/* Good until the next one. NULL: s->error says why. */
const struct gva_walk *gva_walk(struct gva_space *s, gva_t at, uint32_t access);
/* Where `at` is for this access. */
int must_check gva_translate(struct gva_space *s, gva_t at, uint32_t access, gpa_t *out);

/* Copies across pages; a leading part may have been copied when it fails. access: GVA_USER,
 * GVA_IMPLICIT or 0, and GVA_FETCH. */
int must_check gva_read(struct gva_space *s, gva_t from, void *to, size_t n, uint32_t access);
int must_check gva_write(struct gva_space *s, gva_t to, const void *from, size_t n,
                         uint32_t access);

/* Copies from and to the address that is an argument of a hypercall. 0 or -EFAULT, which owes the
 * guest nothing but that answer. */
int must_check gva_copy_in(struct gva_space *s, void *to, uint64_t from, size_t n);
int must_check gva_copy_out(struct gva_space *s, uint64_t to, const void *from, size_t n);

/* The same for an argument that is answered where it stands: it is read only if it can be written
 * as well, so that a bad pointer costs nothing. The answer, at most as many bytes, goes where they
 * were read. A vCPU in a hypercall keeps what it has translated: whoever takes that page out of its
 * tables meanwhile waits for it to flush. Only where p2m->cache_epoch has moved it is looked for
 * anew, and may be gone. */
struct gva_place {
    uint64_t epoch; /* 0: it crosses a page */
    mfn_t frame;
};
int must_check gva_take(struct gva_space *s, void *to, uint64_t from, size_t n,
                        struct gva_place *place);
int must_check gva_answer(struct gva_space *s, uint64_t to, const void *from, size_t n,
                          const struct gva_place *place);

/* For a post-mortem: where code, stack, GDT and TSS are, or that they are nowhere. Walked as any
 * address is; logged without a lock, since each line waits for those of other pCPUs. */
#define GVA_TRACED 4
struct gva_trace {
    struct gva_traced {
        const char *name;
        uint64_t at, page, entry; /* the last one that was read */
        uint32_t error;
        bool mapped;
    } at[GVA_TRACED];
};
void gva_trace(struct gva_space *s, struct gva_trace *out);
void gva_log(const struct gva_trace *trace);

#endif
