/*
 * A domain's image gets into its memory in pieces, so that no kernel or ramdisk, however large,
 * holds up the pCPU that carries it: a domain that reboots in a circle has that done at its wish.
 *
 * The loaders (loader/image.h) write as they like. What they copy from files that stay where they
 * are (the boot modules), and what they clear, is written down when it is long, and done later.
 * What would have to be done at once, and is long, is refused: -E2BIG, logged.
 */
#ifndef CAISSON_CREATE_LOAD_H
#define CAISSON_CREATE_LOAD_H

#include "config/domain_config.h"
#include "loader/image.h"
#include "guestmem/p2m.h"
#include "lib/errno.h"

/* Copies that are put off at most: all modules, symbols and names, and two for each of more than 40
 * segments, of which kernels have ten at most. */
#define LOAD_JOBS 128

struct load {
    struct p2m *p2m;
    const struct domain_config *config; /* whose files stay */
    unsigned first, count;              /* of the jobs: those from first on are to be done */
    size_t caught_up;                   /* bytes of jobs that were done out of turn, at once */
    struct {
        gpa_t to;
        const uint8_t *from; /* NULL: zeros */
        size_t n;            /* bytes that are left */
    } jobs[LOAD_JOBS];
};

/* Memory for a loader, as far as the copying goes; *out's map is the caller's to fill in. */
void load_init(struct load *l, struct p2m *p2m, const struct domain_config *config,
               struct image_memory *out);
/* Does a piece of what was put off. 0: all is done; -EAGAIN: there is more; else what the guest's
 * memory answered. */
int must_check load_some(struct load *l);

#endif
