/*
 * The ports of a domain: what each is, and its event. For hypercall/ only.
 *
 * Ports stand in chunks of a page, charged to the domain, which come as they are needed and stay
 * until the domain goes: so a pointer to a port stays good while the domain exists. Port 0 is never
 * given out. Everything wants the domain's lock; the far end of a connection belongs to another
 * domain, whose lock is taken by domain/pair.
 */
#ifndef CAISSON_XEN_EVTCHN_H
#define CAISSON_XEN_EVTCHN_H

#include "domain/domain.h"
#include "include/public/event_channel.h"

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
        struct domain *peer;
        void (*notify)(struct domain *d);
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
    void (*set_pending)(struct domain *d, uint32_t port);
    void (*clear_pending)(struct domain *d, uint32_t port);
    void (*unmask)(struct domain *d, uint32_t port);
    bool (*is_pending)(struct domain *d, uint32_t port);
    bool (*is_busy)(struct domain *d, uint32_t port); /* it may not be given out anew yet */
    uint32_t (*ports)(const struct domain *d);        /* how many there can be */
};
extern const struct evtchn_abi evtchn_2l, evtchn_fifo;

/* NULL until the domain's channels are set up. */
static inline struct evtchn_domain *evtchn_domain(const struct domain *d)
{
    return d->pv.events;
}

static inline const struct evtchn_abi *evtchn_abi(const struct domain *d)
{
    return evtchn_domain(d)->fifo ? &evtchn_fifo : &evtchn_2l;
}

/* The port of that number; NULL if there is none (yet). */
struct evtchn *evtchn_port(const struct domain *d, uint32_t port);
/* Sets the bit of each domain for which a port of d's waits. Boot CPU; no lock. */
void evtchn_name_ids(const struct domain *d, uint64_t *ids);
/* A port that is free, still marked so. Its number, or -ENOSPC, -ENOMEM; -EAGAIN: call again, it
 * has looked at enough of them for once. */
int must_check evtchn_find_free(struct domain *d);
/* Takes the one that evtchn_find_free() found: it is of this state now, and notifies vcpu. */
struct evtchn *evtchn_take(struct domain *d, uint32_t port, enum evtchn_state state, unsigned vcpu);
/* Undoes whatever the port is. 0, or -EINVAL if the guest has no such port. */
int evtchn_close(struct domain *d, uint32_t port);
/* 0, or -EINVAL. */
int evtchn_send(struct domain *d, uint32_t port);
/* Connects a fresh port to one of the domain with that id. Port, -ESRCH, -EINVAL, or as
 * evtchn_find_free(). */
int evtchn_connect(struct domain *mine, uint16_t id, uint32_t other_port);
/* Closes some of the ports; 0 once all are, -EAGAIN before. Two at a time share the work. */
int must_check evtchn_reset(struct domain *d);
/* Cuts some of the connections to others; true once none is left. See domain_hooks.detached. */
bool must_check evtchn_detach(struct domain *d);

/* ---- FIFO: evtchn_fifo.c ---- */

int must_check evtchn_fifo_init_control(struct domain *d,
                                        const struct xen_evtchn_init_control *arg);
/* -EAGAIN: to be called again, it tells a few ports a round of what they missed. */
int must_check evtchn_fifo_expand(struct domain *d, uint64_t array_gfn);
/* Back to two levels. */
void evtchn_fifo_stop(struct domain *d);

#endif
