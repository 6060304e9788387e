/*
 * The ports of a domain: what each is, and its event.
 *
 * Ports stand in chunks of a page, charged to the domain, which come as they are needed and stay
 * until the domain goes: so a pointer to a port stays good while the domain exists. Port 0 is never
 * given out. Everything wants the domain's lock; the far end of a connection belongs to another
 * domain, whose lock is taken by pair.h.
 */
#ifndef CAISSON_XEN_EVTCHN_H
#define CAISSON_XEN_EVTCHN_H

#include "include/public/event_channel.h"
#include "xen/xen.h"

#define EVTCHN_PORTS_MOST  EVTCHN_2L_PORTS /* of a domain, whatever the ABI */
#define EVTCHN_CHUNK_PORTS 128
#define EVTCHN_CHUNKS      (EVTCHN_PORTS_MOST / EVTCHN_CHUNK_PORTS)

enum evtchn_state {
    EVTCHN_FREE,
    EVTCHN_RESERVED,    /* port 0 */
    EVTCHN_UNBOUND,     /* waits for peer_id to connect */
    EVTCHN_INTERDOMAIN, /* connected */
    EVTCHN_VIRQ,
    EVTCHN_IPI,
    EVTCHN_CAISSON, /* its far end is in here */
};

struct evtchn {
    uint8_t state;
    uint8_t priority;      /* FIFO: queue of its next event */
    uint8_t last_priority; /* FIFO: and where its last one was linked */
    bool pending;          /* FIFO: became pending before there was a word for it */
    uint16_t vcpu;         /* whom it notifies */
    uint16_t last_vcpu;
    union {
        uint16_t peer_id;
        uint32_t virq;
        struct xen_domain *peer;
        void (*notify)(struct xen_domain *d);
    };
    uint32_t peer_port;
};

struct evtchn_fifo;

struct evtchn_domain {
    struct evtchn *chunk[EVTCHN_CHUNKS];
    uint32_t lowest;          /* no port below it is free */
    uint32_t looked;          /* where evtchn_find_free() goes on */
    uint32_t reset;           /* where evtchn_reset() does */
    uint32_t detached;        /* ports below it are, at the domain's end */
    struct evtchn_fifo *fifo; /* NULL: events are told in two levels */
    uint16_t virq_port[MAX_VCPUS][XEN_VIRQ_COUNT];
};

/* How a guest is told: one table for each ABI. */
struct evtchn_abi {
    void (*set_pending)(struct xen_domain *d, uint32_t port);
    void (*clear_pending)(struct xen_domain *d, uint32_t port);
    void (*unmask)(struct xen_domain *d, uint32_t port);
    bool (*is_pending)(struct xen_domain *d, uint32_t port);
    bool (*is_busy)(struct xen_domain *d, uint32_t port); /* it may not be given out anew yet */
    uint32_t (*ports)(const struct xen_domain *d);        /* how many there can be */
};
extern const struct evtchn_abi evtchn_2l, evtchn_fifo;

static inline const struct evtchn_abi *evtchn_abi(const struct xen_domain *d)
{
    return d->events->fifo ? &evtchn_fifo : &evtchn_2l;
}

/* 0 or -ENOMEM; harmless if init failed or was not called. */
int must_check evtchn_init(struct xen_domain *d);
void evtchn_destroy(struct xen_domain *d);

/* The port of that number; NULL if there is none (yet). */
struct evtchn *evtchn_port(const struct xen_domain *d, uint32_t port);
/* Sets the bit of each domain for which a port of d's waits. Boot CPU; no lock. */
void evtchn_name_ids(const struct xen_domain *d, uint64_t *ids);
/* A port that is free, still marked so. Its number, or -ENOSPC, -ENOMEM; -EAGAIN: call again, it
 * has looked at enough of them for once. */
int must_check evtchn_find_free(struct xen_domain *d);
/* Takes the one that evtchn_find_free() found: it is of this state now, and notifies vcpu. */
struct evtchn *evtchn_take(struct xen_domain *d, uint32_t port, enum evtchn_state state,
                           unsigned vcpu);
/* Undoes whatever the port is. 0, or -EINVAL if the guest has no such port; -EAGAIN: call again, it
 * has become another one meanwhile. */
int evtchn_close(struct xen_domain *d, uint32_t port);
/* 0, or -EINVAL. */
int evtchn_send(struct xen_domain *d, uint32_t port);
/* Connects a fresh port to one of other's, which pair_find() has found, and lets go of it. Port,
 * -EINVAL, or as evtchn_find_free(). */
int evtchn_connect(struct xen_domain *mine, struct xen_domain *other, uint32_t other_port);
/* Raises a virtual interrupt of v; nothing happens if no port is bound to it. */
void evtchn_raise_virq(struct xen_vcpu *v, unsigned virq);
/* A port whose far end is Caisson: notify is called when the guest sends on it. Port or as
 * evtchn_find_free(). Looks to the guest like one connected to domain 0. */
int must_check evtchn_alloc(struct xen_domain *d, void (*notify)(struct xen_domain *d));
/* The event of such a port. */
void evtchn_raise(struct xen_domain *d, uint32_t port);
bool evtchn_is_pending(struct xen_domain *d, uint32_t port);
/* Closes some of the ports; 0 once all are, -EAGAIN before. Two at a time share the work. */
int must_check evtchn_reset(struct xen_domain *d);
/* Cuts some of the connections to others; true once none is left. For the end of d, when nobody
 * finds it by its id any more; no lock is held. */
bool must_check evtchn_detach(struct xen_domain *d);

/* ---- FIFO: evtchn_fifo.c ---- */

int must_check evtchn_fifo_init_control(struct xen_domain *d,
                                        const struct xen_evtchn_init_control *arg);
/* -EAGAIN: to be called again, it tells a few ports a round of what they missed. */
int must_check evtchn_fifo_expand(struct xen_domain *d, uint64_t array_gfn);
/* Back to two levels. */
void evtchn_fifo_stop(struct xen_domain *d);

#endif
