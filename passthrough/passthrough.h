/*
 * PCI devices of the machine's that are a domain's own.
 *
 * A device comes and goes on the boot CPU. What its guest does with it comes by the PCI bus of the
 * guest's board (devices/vpci.h), with the domain's lock held. Its interrupts come on any pCPU,
 * with no lock: they are written down, and sent on by the domain's run loop.
 */
#ifndef CAISSON_PASSTHROUGH_PASSTHROUGH_H
#define CAISSON_PASSTHROUGH_PASSTHROUGH_H

#include <stdbool.h>
#include <stdint.h>
#include "devices/apic.h"
#include "devices/vpci.h"
#include "lib/addr.h"
#include "lib/errno.h"

struct p2m;
struct assigned;
struct sched_unit;

/* Whose it is, and what of that domain's it has to do with. */
struct passthrough_owner {
    uint16_t id;
    const char *name; /* stays where it is, as does all that follows */
    struct p2m *p2m;
    struct vpci *bus;
    gpa_t low, low_end; /* where registers may lie below 4 GiB, and no RAM does */
    void *ctx;          /* for what follows */
    /* An interrupt's message, for the local APICs; it has reached so many of them at most. The
     * domain's lock is held, here and with the next one. */
    unsigned (*deliver)(void *ctx, const struct apic_message *m);
    /* The first vCPU that such a message would reach; 0 if none. */
    unsigned (*addressee)(void *ctx, const struct apic_message *m);
    /* Makes this vCPU, or another one of its domain, call vpci_settle() soon. From any pCPU. */
    void (*tell)(void *ctx, unsigned vcpu);
    /* That vCPU's, which pays for what interrupts cost. */
    struct sched_unit *(*unit)(void *ctx, unsigned vcpu);
    /* Has all its vCPUs leave the guest for a moment, and what waits for that is over. The domain's
     * lock is held. */
    void (*come_out)(void *ctx);
};

/* Where registers are put, as firmware would: below 4 GiB, and those that find no room there; and
 * ports. */
struct passthrough_room {
    gpa_t low, high;
    uint32_t ports;
};

/* Can it be given to a domain of this name? lines: the domain's board has interrupt lines. 0, or an
 * error, logged with the name. Boot CPU. */
int must_check passthrough_check(const char *name, bool lines, uint16_t segment, uint16_t bdf);

/* The first device behind this one, or of all for PASSTHROUGH_NONE, that can be given to such a
 * domain, of that class (two bytes) or of any, as segment << 16 | bdf; PASSTHROUGH_NONE: there is
 * none. Boot CPU. */
#define PASSTHROUGH_NONE      (~0u)
#define PASSTHROUGH_ANY_CLASS 0x10000u
uint32_t passthrough_find(const char *name, bool lines, unsigned class, uint32_t after);

/* Takes it: resets it, lets it reach the domain's memory and nothing else, and plugs it into this
 * slot of the bus. A piece at each call: -EAGAIN, go on; 0; an error (logged). *a: NULL at first;
 * not NULL: to be given back. *next: from where on its registers are put, as firmware would, which
 * moves on. All frames of the domain have arrived. Boot CPU. */
int must_check passthrough_attach(struct assigned **a, const struct passthrough_owner *owner,
                                  uint16_t segment, uint16_t bdf, unsigned slot,
                                  struct passthrough_room *next);
/* It reaches nothing any more, and nothing is heard of it; again does no harm. Before the vCPUs of
 * its domain go. Boot CPU, no lock held. */
void passthrough_stop(struct assigned *a);
/* The same, and gives it back, reset. True once that is done, and a is gone; else call again soon.
 * The domain's vCPUs are gone. */
bool must_check passthrough_detach(struct assigned *a);
/* Before this moment (TSC) the two above have nothing to do for it, as it resets. */
uint64_t passthrough_due(const struct assigned *a);

/* Is this frame one of the registers of a device of this domain's? For the audit. */
bool passthrough_has(uint16_t id, mfn_t m);

#endif
