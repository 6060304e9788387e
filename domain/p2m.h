/*
 * The p2m: which machine frame is behind which guest frame of a domain.
 *
 * A domain is told its RAM as ranges of guest frames; the frames themselves arrive at the first
 * touch, by the guest (an EPT violation) or by Caisson on its behalf (domain/gmem). They come in
 * 2 MiB pieces where such a piece lies wholly in RAM and the machine has one free, else singly.
 *
 * The mapping lives in the EPT only: there is no second table to disagree with it.
 */
#ifndef CAISSON_DOMAIN_P2M_H
#define CAISSON_DOMAIN_P2M_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/errno.h"
#include "lib/spinlock.h"
#include "vmx/ept.h"

#define P2M_RAM_RANGES 8

struct p2m {
    struct spinlock lock; /* guards all below; outside the frame allocator's */
    struct ept ept;
    uint16_t owner; /* the domain's id */
    unsigned range_count;
    struct {
        gfn_t start;
        uint64_t frames;
    } ram[P2M_RAM_RANGES];
    uint64_t promised;  /* frames of RAM, all ranges */
    uint64_t populated; /* of which this many have arrived */
};

/* An empty p2m whose frames belong to owner. 0 or -ENOMEM. */
int must_check p2m_init(struct p2m *p, uint16_t owner);
/* Gives every frame back. The domain's vCPUs must be gone. */
void p2m_destroy(struct p2m *p);

/* Makes [start, start + frames) RAM. 0, -EINVAL for a wrap, -ENOSPC after P2M_RAM_RANGES. */
int must_check p2m_add_ram(struct p2m *p, gfn_t start, uint64_t frames);
bool p2m_is_ram(const struct p2m *p, gfn_t g);

/* Lets all frames arrive now, in pieces of 1 GiB, 2 MiB or 4 KiB. 0 or -ENOMEM. */
int must_check p2m_populate_all(struct p2m *p);

/* The frame behind g, which arrives now if it had not. 0, -EFAULT outside RAM, -ENOMEM. */
int must_check p2m_populate(struct p2m *p, gfn_t g, mfn_t *out);

#endif
