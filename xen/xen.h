/*
 * What Xen's interface keeps of a domain and of its vCPUs between two hypercalls. struct domain and
 * struct vcpu embed these two; nothing here knows what else a domain is. It reaches the guest's
 * memory by the p2m, kicks a vCPU by its unit of the scheduler, and tells the operator's console
 * by struct xen_console_bus. What it cannot do itself, the end of a domain for one, it answers.
 *
 *   shared page   a heap page, put into the guest's memory by XENMEM_ADD_TO_PHYSMAP; Caisson has it
 *                 mapped, so events and wall clock are written without a window
 *   vcpu_info     in the shared page until the vCPU registers a place of its own: then reached
 *                 by guest frame through a window each time, since the guest may unmap it
 *   time          the clock is the domain's (xen_now); timers are looked at by the run loop
 *   ports, grants evtchn.h and grant/grant.h; the two domains that they tie together: pair.h
 *
 * Everything wants the domain's lock held, but where it says otherwise. A guest of a type other
 * than pvh has all this too, it only is not told so by CPUID.
 */
#ifndef CAISSON_XEN_XEN_H
#define CAISSON_XEN_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/x86/insn.h"
#include "arch/x86/moment.h"
#include "arch/x86/tsc.h"
#include "guestmem/p2m.h"
#include "include/public/e820.h"
#include "include/public/hvm/params.h"
#include "include/public/sched.h"
#include "include/public/vcpu.h"
#include "include/public/xen.h"
#include "lib/addr.h"
#include "lib/errno.h"
#include "lib/limits.h"
#include "lib/spinlock.h"
#include "lib/time.h"
#include "sched/sched.h"

/* The interface that is spoken, in Xen's own counting: 4.17. */
#define PV_XEN_VERSION (4u << 16 | 17)

/* Pages of the heap that a domain's events and grants may come to. */
#define PV_EVENT_PAGES 34
#define PV_GRANT_PAGES 129

struct evtchn_domain;
struct grant_domain;
struct xencons_interface;
struct xen_console_bus;

struct xen_domain {
    uint16_t id;           /* also the owner of its frames */
    struct spinlock *lock; /* the domain's */
    struct p2m *p2m;
    uint64_t tsc_zero; /* machine TSC at which the domain's clock read 0 */
    uint64_t tsc_set;  /* and at which pv_clock_set() set it; 0: it has not */
    bool control;      /* it may rule over the others: see pair.h */
    bool findable;     /* by id, for other domains: it is built, and not being destroyed */
    uint32_t holders;  /* atomic: who keeps it from going away, for a moment */
    struct xen_vcpu *vcpu[MAX_VCPUS];
    unsigned vcpu_count;
    struct xen_shared_info *shared; /* heap page */
    bool is_32bit;                  /* lays out shared page and vcpu_info as 32-bit guests do */
    bool runstate_flag;             /* vm_assist: mark updates of the runstate */
    uint8_t callback;               /* vector of an upcall; 0: none yet */
    uint64_t param[HVM_PARAMS];     /* words to be asked for, which others set: none is used here */
    uint64_t watchdog[XEN_SCHED_WATCHDOGS]; /* ns of the domain's clock; 0: off */
    struct evtchn_domain *events;           /* NULL until its channels are set up */
    struct grant_domain *grants;            /* NULL until the first use */
    struct xencons_interface *console;      /* heap page; NULL: has none */
    uint32_t console_port;                  /* of the ring; Caisson is its far end */
    struct e820_entry *memory_map;          /* heap page, what others have set; NULL: nothing */
    unsigned memory_map_count;
    struct {
        bool mapped; /* the control domain may have some of it mapped without a grant */
        bool looked; /* at the end: through all that it has, up to `next` before */
        gfn_t next;
        uint64_t epoch; /* of its p2m by then */
    } foreign;
    const struct xen_console_bus *console_bus;
    uint32_t suspend_port; /* of its own, to send on when it suspends; 0: none */
};

/* An area in guest memory that Caisson writes to: in one piece or, over a page's end, in two. */
struct pv_area {
    gpa_t at[2];
    uint32_t bytes[2]; /* 0, 0: there is none */
};

#define PV_POLL_NOTHING 0
#define PV_POLL_SEVERAL UINT32_MAX
#define PV_POLL_OVER    (UINT32_MAX - 1) /* an event has come, or the time: it is to go on */

struct xen_vcpu {
    struct xen_domain *domain;
    struct sched_unit *unit; /* to kick it */
    unsigned id;
    uint64_t tsc_offset; /* guest TSC - machine TSC, be the guest pvh or not */
    bool registered;     /* its vcpu_info is at info, not in the shared page */
    gpa_t info;
    bool upcall;           /* evtchn_upcall_pending may be set: worth a look before entry */
    bool vector_owed;      /* its local APIC is to accept upcall_vector */
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

/* ---- A domain's and a vCPU's part of its life ---- */
/* Before its vCPUs are made; id, lock, p2m and tsc_zero are set. 0 or -ENOMEM. */
int must_check pv_domain_init(struct xen_domain *d);
/* Before the p2m goes. */
void pv_domain_destroy(struct xen_domain *d);
/* The next vCPU of d. */
void pv_vcpu_init(struct xen_vcpu *v, struct xen_domain *d, struct sched_unit *unit);

/* Fills a page of the guest's with a stub for each hypercall, and takes the width of the vCPU that
 * asks for the domain's. value: what it wrote to XEN_HYPERCALL_MSR. 0; -EINVAL. */
int must_check pv_hypercall_page(struct xen_domain *d, uint64_t value, bool is_32bit);

/* What v is told by the leaves from XEN_CPUID_BASE on, for guests that are to take us at that word.
 */
struct cpuid_regs xen_cpuid(const struct xen_vcpu *v, uint32_t leaf, uint32_t subleaf);

/* ---- Found by id: xen_domain.c. From any CPU, with no lock or any domain's ---- */
/* Keeps it from going away until xen_domain_put(). Held for a moment only, by one who waits for its
 * lock or has it. NULL: there is none. xen_domain_hold() does the same for one that is known to
 * exist. */
struct xen_domain *xen_domain_get(uint16_t id);
void xen_domain_hold(struct xen_domain *d);
/* The same for the domain with the lowest id that is not below this one. */
struct xen_domain *xen_domain_get_from(uint16_t id);
void xen_domain_put(struct xen_domain *d);
/* Is there one of this id, findable or not? */
bool xen_domain_exists(uint16_t id);
/* How many could be found. */
unsigned xen_domain_count(void);
/* For its destruction, when nobody finds it any more: does somebody hold it still? */
bool xen_domain_is_held(const struct xen_domain *d);
/* Has each of its vCPUs that is in the guest come in since the epoch of its p2m was this one, so
 * that no TLB has what was there before? One that has not gets kicked. */
bool xen_domain_has_flushed(const struct xen_domain *d, uint64_t epoch);
/* xen_domain_get() finds it, or does not. */
void xen_domain_set_findable(struct xen_domain *d, bool findable);
/* The table of all, also of those that are being built or destroyed; it changes on the boot CPU
 * only. Whether a new one may have the id; it is among them from now on, or no more. */
bool xen_domain_id_fits(uint16_t id);
void xen_domain_list(struct xen_domain *d);
void xen_domain_unlist(struct xen_domain *d);
/* Boot CPU: that one, whether findable or not; and all, one after the other, in no order. */
struct xen_domain *xen_domain_by_id(uint16_t id);
struct xen_domain *xen_domain_next(const struct xen_domain *after);

/* ---- vcpu_info: pv_vcpu.c ---- */
/* Opens a vCPU's vcpu_info for a moment (it may be a window: windows nest, close in the reverse
 * order); NULL if the guest has unmapped it. The guest may change it meanwhile: atomic accesses.
 * Which of the two layouts (xen_vcpu_info, xen_vcpu_info_32) tells domain->is_32bit. */
void *pv_info_open(struct xen_vcpu *v);
void pv_info_close(struct xen_vcpu *v, void *info);
/* Moves it to a place of the guest's choice, once. 0; -EINVAL: it has moved already, or the place
 * crosses a page; -EFAULT. */
int must_check pv_info_register(struct xen_vcpu *v, gfn_t g, uint32_t offset);
/* There is an event for v: sets evtchn_upcall_pending, kicks v. From any vCPU of the domain, or
 * from anyone with its lock. */
void pv_vcpu_mark_pending(struct xen_vcpu *v);
/* Upcalls of v come by this vector of its local APIC from now on. */
void pv_upcall_set_vector(struct xen_vcpu *v, uint8_t vector);
/* For v's loop, once v->vector_owed: the vector that its local APIC is to accept now. */
uint8_t pv_upcall_take_vector(struct xen_vcpu *v);
/* Is an upcall due by the domain's callback vector? As in Xen, evtchn_upcall_mask is not asked: a
 * guest of this kind closes itself to interrupts by RFLAGS.IF. */
bool pv_upcall_due(struct xen_vcpu *v);
/* It is delivered now, by this vector: the guest will clear evtchn_upcall_pending before it looks
 * for events. */
uint8_t pv_upcall_take(struct xen_vcpu *v);
/* The guest now looks at the shared page with 32-bit or 64-bit eyes. */
void pv_set_width(struct xen_domain *d, bool is_32bit);
/* A port has become pending, masked or not: whoever polls it goes on. */
void pv_poll_wake(struct xen_domain *d, uint32_t port);

/* ---- Time: pv_time.c ---- */
/* Nanoseconds of the domain's clock. */
static inline uint64_t xen_now(const struct xen_domain *d)
{
    return tsc_to_ns(rdtsc() - d->tsc_zero);
}
/* Writes the clock's parameters to vcpu_info and the registered area. */
void pv_time_update(struct xen_vcpu *v);
/* Before its vCPUs run: the domain's clock reads so many ns now, and its TSC as many ticks. */
void pv_clock_set(struct xen_domain *d, uint64_t ns);
/* The guest's TSC differs from the machine's by another offset now. */
void pv_time_set_offset(struct xen_vcpu *v, uint64_t tsc_offset);
void pv_wall_clock_update(struct xen_domain *d);
/* Timers. at: ns of the domain's clock; TIME_NEVER: off. */
void pv_timer_set(struct xen_vcpu *v, uint64_t at);
void pv_periodic_set(struct xen_vcpu *v, uint64_t period);
void pv_poll_until(struct xen_vcpu *v, uint64_t at);
/* The wait for ports has ended. */
void pv_poll_end(struct xen_vcpu *v);
/* Fires what is due. False: the domain's watchdog has expired, and it is to end. */
bool must_check pv_tick(struct xen_vcpu *v, uint64_t now);
/* Watchdogs: seconds from now, 0 for off. */
void pv_watchdog_set(struct xen_domain *d, unsigned i, uint64_t seconds);

/* ---- Runstate ---- */
/* v is in this state from now on; the guest is told. */
void pv_runstate(struct xen_vcpu *v, enum xen_runstate state);
/* Its account as of now. */
void pv_runstate_now(const struct xen_vcpu *v, struct xen_runstate_info *out);
/* Writes the account to the registered area, if there is one. */
void pv_runstate_write(struct xen_vcpu *v);

#endif
