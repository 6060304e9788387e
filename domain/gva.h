/*
 * Guest-virtual memory: the guest's own page tables, walked as the CPU would walk them.
 *
 * Sources: SDM, "Paging" (32-bit, PAE, 4-level and 5-level) and "Access Rights". The walk is done
 * anew for every access: what it found a moment ago the guest may have changed since.
 */
#ifndef CAISSON_DOMAIN_GVA_H
#define CAISSON_DOMAIN_GVA_H

#include <stddef.h>
#include "lib/addr.h"
#include "lib/errno.h"
#include "mm/window.h"

struct vcpu;

/* Bits of a page fault's error code; as input, the access that is asked for. */
#define GVA_PRESENT  1u
#define GVA_WRITE    2u
#define GVA_USER     4u /* made with user privilege */
#define GVA_RESERVED 8u
#define GVA_FETCH    16u

struct gva_fault {
    gva_t address;  /* the first byte that could not be reached */
    uint32_t error; /* the error code that the guest is owed in a #PF */
};

/* What a walk has found: the place, and the words of memory that say so. As long as these words
 * stay what they are, so do the control registers and the p2m's epoch, and the access is a read,
 * another walk finds the same. */
#define GVA_LEVELS 5
struct gva_walk {
    gpa_t place;
    uint64_t epoch; /* the p2m's, before it began */
    unsigned count;
    struct window_word read[GVA_LEVELS];
};
int must_check gva_walk(struct vcpu *v, gva_t at, uint32_t access, struct gva_walk *found,
                        struct gva_fault *fault);

/* Where `at` is for this access. 0; -EFAULT with *fault filled in; -ENOMEM. */
int must_check gva_translate(struct vcpu *v, gva_t at, uint32_t access, gpa_t *out,
                             struct gva_fault *fault);

/* Copies across pages. 0; -EFAULT with *fault; -ENOMEM. access: GVA_USER or 0, and GVA_FETCH. */
int must_check gva_read(struct vcpu *v, gva_t from, void *to, size_t n, uint32_t access,
                        struct gva_fault *fault);
int must_check gva_write(struct vcpu *v, gva_t to, const void *from, size_t n, uint32_t access,
                         struct gva_fault *fault);

#endif
