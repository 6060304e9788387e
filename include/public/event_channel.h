/*
 * event_channel_op(cmd, pointer): notifications between domains, and from the hypervisor. Layouts
 * as in xen/include/public/event_channel.h.
 */
#ifndef CAISSON_PUBLIC_EVENT_CHANNEL_H
#define CAISSON_PUBLIC_EVENT_CHANNEL_H

#include <stdint.h>

#define EVTCHNOP_BIND_INTERDOMAIN 0
#define EVTCHNOP_BIND_VIRQ        1
#define EVTCHNOP_BIND_PIRQ        2
#define EVTCHNOP_CLOSE            3
#define EVTCHNOP_SEND             4
#define EVTCHNOP_STATUS           5
#define EVTCHNOP_ALLOC_UNBOUND    6
#define EVTCHNOP_BIND_IPI         7
#define EVTCHNOP_BIND_VCPU        8
#define EVTCHNOP_UNMASK           9
#define EVTCHNOP_RESET            10
#define EVTCHNOP_INIT_CONTROL     11
#define EVTCHNOP_EXPAND_ARRAY     12
#define EVTCHNOP_SET_PRIORITY     13

typedef uint32_t xen_evtchn_port;

struct xen_evtchn_alloc_unbound {
    uint16_t dom;        /* whose port it is to be: in */
    uint16_t remote_dom; /* who may connect: in */
    xen_evtchn_port port;
};

struct xen_evtchn_bind_interdomain {
    uint16_t remote_dom;
    uint16_t pad;
    xen_evtchn_port remote_port;
    xen_evtchn_port local_port; /* out */
};

struct xen_evtchn_bind_virq {
    uint32_t virq;
    uint32_t vcpu;
    xen_evtchn_port port; /* out */
};

struct xen_evtchn_bind_ipi {
    uint32_t vcpu;
    xen_evtchn_port port; /* out */
};

struct xen_evtchn_close {
    xen_evtchn_port port;
};

struct xen_evtchn_send {
    xen_evtchn_port port;
};

struct xen_evtchn_status {
    uint16_t dom; /* in */
    uint16_t pad0;
    xen_evtchn_port port; /* in */
    uint32_t status;      /* EVTCHNSTAT_* */
    uint32_t vcpu;
    union {
        struct {
            uint16_t dom;
        } unbound;
        struct {
            uint16_t dom;
            uint16_t pad;
            xen_evtchn_port port;
        } interdomain;
        uint32_t pirq;
        uint32_t virq;
    } u;
};
#define EVTCHNSTAT_CLOSED      0
#define EVTCHNSTAT_UNBOUND     1
#define EVTCHNSTAT_INTERDOMAIN 2
#define EVTCHNSTAT_PIRQ        3
#define EVTCHNSTAT_VIRQ        4
#define EVTCHNSTAT_IPI         5

struct xen_evtchn_bind_vcpu {
    xen_evtchn_port port;
    uint32_t vcpu;
};

struct xen_evtchn_unmask {
    xen_evtchn_port port;
};

struct xen_evtchn_reset {
    uint16_t dom;
};

struct xen_evtchn_init_control {
    uint64_t control_gfn;
    uint32_t offset;
    uint32_t vcpu;
    uint8_t link_bits; /* out */
    uint8_t pad[7];
};

struct xen_evtchn_expand_array {
    uint64_t array_gfn;
};

struct xen_evtchn_set_priority {
    xen_evtchn_port port;
    uint32_t priority;
};

#define EVTCHN_2L_PORTS    4096
#define EVTCHN_2L_PORTS_32 1024

/* FIFO events: an event word per port, a control block per vCPU. */
#define EVTCHN_FIFO_PRIORITY_MAX     0
#define EVTCHN_FIFO_PRIORITY_DEFAULT 7
#define EVTCHN_FIFO_PRIORITY_MIN     15
#define EVTCHN_FIFO_QUEUES           16

#define EVTCHN_FIFO_PENDING   31
#define EVTCHN_FIFO_MASKED    30
#define EVTCHN_FIFO_LINKED    29
#define EVTCHN_FIFO_BUSY      28
#define EVTCHN_FIFO_LINK_BITS 17
#define EVTCHN_FIFO_LINK_MASK ((1u << EVTCHN_FIFO_LINK_BITS) - 1)
#define EVTCHN_FIFO_PORTS     (1u << EVTCHN_FIFO_LINK_BITS)

struct xen_evtchn_fifo_control_block {
    uint32_t ready; /* bit q: queue q is not empty */
    uint32_t rsvd;
    uint32_t head[EVTCHN_FIFO_QUEUES];
};

_Static_assert(sizeof(struct xen_evtchn_alloc_unbound) == 8, "as in Xen");
_Static_assert(sizeof(struct xen_evtchn_bind_interdomain) == 12, "as in Xen");
_Static_assert(sizeof(struct xen_evtchn_status) == 24, "as in Xen");
_Static_assert(sizeof(struct xen_evtchn_init_control) == 24, "as in Xen");
_Static_assert(sizeof(struct xen_evtchn_fifo_control_block) == 72, "as in Xen");

#endif
