/*
 * The paravirtual side of a domain and its vCPUs: what Xen's interface keeps for them between
 * hypercalls. The calls themselves are in hypercall/.
 *
 *   shared page   a heap page, put into the guest's memory by XENMEM_ADD_TO_PHYSMAP; Caisson has it
 *                 mapped, so events and wall clock are written without a window
 *   vcpu_info     in the shared page until the vCPU registers a place of its own: then reached
 *                 by guest frame through a window each time, since the guest may unmap it
 *   time          the clock is the domain's (domain_now); timers are looked at by the run loop
 *   events        are hypercall/evtchn_op's; it is called through struct pv_events
 *
 * Everything wants the domain's lock held, but where it says otherwise. A guest of a type other
 * than pvh has all this too, it only is not told so by CPUID.
 */
#ifndef CAISSON_XEN_PV_VCPU_H
#define CAISSON_XEN_PV_VCPU_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/x86/moment.h"
#include "xen/pv_start.h"
#include "include/public/hvm/params.h"
#include "include/public/sched.h"
#include "include/public/vcpu.h"
#include "include/public/xen.h"
#include "lib/addr.h"
#include "lib/errno.h"

struct domain;
struct vcpu;

/* The interface that is spoken, in Xen's own counting: 4.17. */
#define PV_XEN_VERSION (4u << 16 | 17)

/* Pages of the heap that a domain's events and grants may come to. */
#define PV_EVENT_PAGES 34
#define PV_GRANT_PAGES 129

struct pv_domain {
    struct xen_shared_info *shared; /* heap page */
    void *console;                  /* heap page: struct xencons_interface; NULL: has none */
    bool is_32bit;                  /* lays out shared page and vcpu_info as 32-bit guests do */
    bool runstate_flag;             /* vm_assist: mark updates of the runstate */
    uint8_t callback;               /* vector of an upcall; 0: none yet */
    uint64_t param[HVM_PARAMS];
    uint64_t watchdog[XEN_SCHED_WATCHDOGS]; /* ns of the domain's clock; 0: off */
    void *events;                           /* hypercall/evtchn_op's own */
    void *grants;                           /* hypercall/grant_op's own */
};

/* An area in guest memory that Caisson writes to: in one piece or, over a page's end, in two. */
struct pv_area {
    gpa_t at[2];
    uint32_t bytes[2]; /* 0, 0: there is none */
};

#define PV_POLL_NOTHING 0
#define PV_POLL_SEVERAL UINT32_MAX

struct pv_vcpu {
    bool down;        /* by VCPUOP_down: it does not run */
    bool initialised; /* start says where it begins, VCPUOP_up when */
    bool begins;      /* now */
    struct pv_start start;
    bool registered; /* its vcpu_info is at info, not in the shared page */
    gpa_t info;
    bool upcall;           /* evtchn_upcall_pending may be set: worth a look before entry */
    uint8_t upcall_vector; /* its own, by its local APIC; 0: the domain's callback */
    uint32_t poll;         /* SCHEDOP_poll waits for this port, or PV_POLL_* */
    struct moment poll_end;
    struct moment singleshot, periodic; /* when VIRQ_TIMER is due */
    uint64_t period;                    /* ns */
    struct moment due;                  /* the first of all these */
    uint32_t time_version;
    uint64_t time_written; /* machine TSC, as all that follows */
    struct pv_area time_area, runstate_area;
    struct pv_runstate {
        enum xen_runstate state;
        uint64_t since, spent[XEN_RUNSTATES];
    } runstate;
};

/* ---- What events do for the rest; registered at boot ---- */
struct pv_events {
    int (*init)(struct domain *d);     /* 0 or -ENOMEM */
    void (*destroy)(struct domain *d); /* harmless if init failed or was not called */
    /* Raises a virtual interrupt of v; nothing happens if no port is bound to it. */
    void (*virq)(struct vcpu *v, unsigned virq);
    /* A port whose far end is Caisson: notify is called when the guest sends on it. Port or
     * -ENOSPC. Looks to the guest like one connected to domain 0. */
    int (*alloc)(struct domain *d, void (*notify)(struct domain *d));
    /* The event of such a port. */
    void (*raise)(struct domain *d, uint32_t port);
    bool (*is_pending)(struct domain *d, uint32_t port);
    bool (*is_valid)(struct domain *d, uint32_t port);
};
void pv_set_events(const struct pv_events *events);
extern const struct pv_events *pv_events; /* NULL in tests that register none */

/* ---- A domain's and a vCPU's part of its life ---- */
/* Before its vCPUs are made; 0 or -ENOMEM. */
int must_check pv_domain_init(struct domain *d);
/* Before the p2m goes. */
void pv_domain_destroy(struct domain *d);
void pv_vcpu_init(struct vcpu *v);

/* Fills a page of the guest's with a stub for each hypercall, and takes the width of the vCPU that
 * asks for the domain's. value: what it wrote to XEN_HYPERCALL_MSR. 0; -EINVAL. */
int must_check pv_hypercall_page(struct vcpu *v, uint64_t value);

/* ---- vcpu_info ---- */
/* Opens a vCPU's vcpu_info for a moment (it may be a window: windows nest, close in the reverse
 * order); NULL if the guest has unmapped it. The guest may change it meanwhile: atomic accesses.
 * Which of the two layouts (xen_vcpu_info, xen_vcpu_info_32) tells domain->pv.is_32bit. */
void *pv_info_open(struct vcpu *v);
void pv_info_close(struct vcpu *v, void *info);
/* Moves it to a place of the guest's choice, once. 0; -EINVAL: it has moved already, or the place
 * crosses a page; -EFAULT. */
int must_check pv_info_register(struct vcpu *v, gfn_t g, uint32_t offset);
/* There is an event for v: sets evtchn_upcall_pending, kicks v. From any vCPU of the domain, or
 * from anyone with its lock. */
void pv_vcpu_mark_pending(struct vcpu *v);
/* Is an upcall due by the domain's callback vector? As in Xen, evtchn_upcall_mask is not asked: a
 * guest of this kind closes itself to interrupts by RFLAGS.IF. */
bool pv_upcall_due(struct vcpu *v);
/* It is being delivered: the guest will clear evtchn_upcall_pending before it looks for events. */
void pv_upcall_taken(struct vcpu *v);
/* The guest now looks at the shared page with 32-bit or 64-bit eyes. */
void pv_set_width(struct domain *d, bool is_32bit);
/* A port has become pending, masked or not: whoever polls it goes on. */
void pv_poll_wake(struct domain *d, uint32_t port);

/* ---- Time ---- */
/* Writes the clock's parameters to vcpu_info and the registered area; after the guest's TSC moved,
 * too. */
void pv_time_update(struct vcpu *v);
void pv_wall_clock_update(struct domain *d);
/* Timers. at: ns of the domain's clock; DEVICE_NEVER: off. */
void pv_timer_set(struct vcpu *v, uint64_t at);
void pv_periodic_set(struct vcpu *v, uint64_t period);
void pv_poll_until(struct vcpu *v, uint64_t at);
/* Fires what is due. */
void pv_tick(struct vcpu *v, uint64_t now);
/* Watchdogs: seconds from now, 0 for off. */
void pv_watchdog_set(struct domain *d, unsigned i, uint64_t seconds);

/* ---- Runstate ---- */
/* v is in this state from now on; the guest is told. */
void pv_runstate(struct vcpu *v, enum xen_runstate state);
/* Its account as of now. */
void pv_runstate_now(const struct vcpu *v, struct xen_runstate_info *out);
/* Writes the account to the registered area, if there is one. */
void pv_runstate_write(struct vcpu *v);

/* ---- Areas ---- */
/* Finds an area by its virtual address as v sees it now. 0 or -EFAULT. */
int must_check pv_area_find(struct vcpu *v, gva_t at, uint32_t bytes, struct pv_area *out);
/* The same by physical address, all within one page. 0; -EINVAL, -EFAULT. */
int must_check pv_area_at(struct vcpu *v, gpa_t at, uint32_t bytes, struct pv_area *out);

#endif
