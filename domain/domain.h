/*
 * A domain: memory, a machine, vCPUs, a console, and how it ended.
 *
 *      domain_create()        domain_unpause()
 *   -------------------> PAUSED <---------> RUNNING
 *                          |  domain_pause()  |
 *                          +------> end <-----+   domain_end(), by anyone, at any moment
 *                                   |
 *                                   | each vCPU leaves its pCPU; the last one calls hooks->ended
 *                                   v
 *                            domain_destroy()
 *
 * A domain's end is sticky data: whoever decides it calls domain_end(), and each vCPU's loop sees
 * it at one place. A reboot is an end too; who owns the domain creates it anew.
 *
 * Locks: `lock` is held by whoever works for the domain outside its guest code, so devices, local
 * APICs and exits of one domain are dealt with one at a time; it is let go while a vCPU is in
 * the guest.
 */
#ifndef CAISSON_DOMAIN_DOMAIN_H
#define CAISSON_DOMAIN_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>
#include "config/domain_config.h"
#include "cpu/cpu_policy.h"
#include "machine/machine.h"
#include "mm/audit.h"
#include "guestmem/p2m.h"
#include "xen/xen.h"
#include "domain/vcpu.h"
#include "lib/limits.h"
#include "lib/nospec.h"
#include "lib/spinlock.h"
#include "lib/warned.h"

/* Why a domain ended. The first five are the guest's own wish or doing. */
enum domain_end {
    END_NOT,
    END_POWEROFF,
    END_REBOOT,
    END_TRIPLE_FAULT,
    END_CRASH,     /* the guest says that it crashed (SCHEDOP_shutdown) */
    END_KILLED,    /* Caisson cannot go on with it; domain->end_why says why */
    END_DESTROYED, /* the operator wants it gone */
};

/* Changes with its lock held. What has ended, in whatever state, `end` says. */
enum domain_state { DOMAIN_BUILDING, DOMAIN_PAUSED, DOMAIN_RUNNING };

struct console;
struct assigned;

struct domain {
    char name[MAX_NAME];
    struct spinlock lock;
    enum domain_state state;
    enum domain_type type;
    const struct domain_config *config;
    struct p2m p2m;
    struct sched_group *account; /* its vCPUs' weight and cap; outlives a reboot */
    struct machine machine;
    struct cpu_policy cpu_policy; /* changes before it starts only */
    struct xen_domain xen; /* what Xen's interface keeps of it; its id, how many vCPUs it has */
    struct assigned *devices[CONFIG_MOST_PCI]; /* PCI devices of its own; create/devices.c's */
    struct vcpu *vcpus[MAX_VCPUS];
    unsigned apic_id_shift; /* a local APIC's id is its vCPU's number, shifted by this */
    unsigned apic_direct;   /* so many vCPUs have ids that are their numbers: all, or none */
    uint8_t *io_bitmap;     /* two pages, shared by its vCPUs */
    struct firmware_items *firmware; /* what its own firmware is told; NULL: it brings none */
    uint8_t *firmware_setup;         /* a kernel's setup code, as that is to load it; or NULL */
    void *lapic_access;              /* see domain/lapic.h; NULL: none */
    bool lapic_mapped;               /* it may be in the p2m */
    enum domain_end end;             /* not END_NOT: no vCPU enters the guest again */
    bool end_claimed;                /* somebody is about to set it, with its reason */
    uint8_t restarts; /* beside a reboot, the ends after which it is made anew, as bits */
    bool bare;      /* made by the control domain, which says when it goes: see lifecycle/order.h */
    bool orphan;    /* order.c: it is to be destroyed, as the control domain has ended */
    bool started;   /* it has been let run once; before that its vCPUs have no state to lose */
    bool suspended; /* its guest has asked to be: no vCPU enters until it is resumed */
    uint64_t suspended_at;      /* machine TSC when the last of its vCPUs had saved its state */
    bool start_paused;          /* the operator paused it while it was being built */
    uint8_t more_pauses;        /* how often it has been paused since it was: as often to unpause */
    unsigned destroyed;         /* how many of the steps of its destruction are done */
    struct audit audit;         /* the last one, of its destruction */
    struct domain_build *build; /* create.c's, while it is being built */
    bool unwanted;              /* the operator wants it gone: it is not made anew if it reboots */
    char end_why[160];
    unsigned vcpus_out;  /* vCPUs that have left for good */
    struct domain *next; /* see create/list.h */
    struct warned unknown_msrs;
    uint32_t owed;           /* atomic: what its run loop is to do for it soon, as bits */
    struct console *console; /* monitor/'s; NULL: its output goes nowhere */
};

/* Of `owed`: domain_console_kick(), vpci_settle(), and below them a bit for each virtual interrupt.
 */
#define DOMAIN_OWED_CONSOLE (1u << 31)
#define DOMAIN_OWED_PCI     (1u << 30)

/* Instead of a hypercall's answer: there is more to do. The guest's registers get the arguments as
 * they are now and it makes the call again, after whatever interrupt is due: no call holds a pCPU
 * for long. */
#define HYPERCALL_CONTINUE INT64_MIN
/* Instead of an answer of hypercall_lockless, below all errors: the call is another; or one that
 * changes nothing for the vCPU itself but what raises its attention; or it is answered by 0, and
 * the vCPU gives way. */
#define HYPERCALL_NEEDS_LOOK (-65538L)
#define HYPERCALL_NEEDS_LOCK (-65537L)
#define HYPERCALL_GIVES_WAY  (-65536L)

/* What a domain calls upwards; set once at boot. */
struct domain_hooks {
    /* A console for it, before it runs: 0 or -ENOMEM. And its end, before the domain is destroyed.
     */
    int (*console_open)(struct domain *d);
    void (*console_close)(struct domain *d);
    /* It has ended: has the port taken what it had to say? If not, `ended` is called again when it
     * has. */
    bool (*console_drained)(struct domain *d);
    /* Output; how many bytes it took. The console kicks its machine or its ring when there is
     * room again. */
    size_t (*console_put)(struct domain *d, const uint8_t *bytes, size_t n);
    /* There is room again for input: hand over more (pv_console_give). */
    void (*console_room)(struct domain *d);
    /* A hypercall. False: it is to be executed again. */
    bool (*hypercall)(struct vcpu *v);
    /* Those of 64-bit code at CPL 0 that look at nothing but the caller: the answer for RAX,
     * given RAX and RDI, or one of the above. Without the lock. */
    int64_t (*hypercall_lockless)(uint64_t nr, uint64_t first);
    /* One of those, that needs the lock: false as above. */
    bool (*hypercall_locked)(struct vcpu *v);
    /* The domain has ended and all its vCPUs have left. From the last vCPU's pCPU, with no lock;
     * it must be destroyed later, from another unit. */
    void (*ended)(struct domain *d);
};
void domain_set_hooks(const struct domain_hooks *hooks);
extern const struct domain_hooks *domain_hooks;

#define DOMAIN_ORDER    2 /* pages of a struct domain: 2^this */
#define IO_BITMAP_ORDER 1

/* The vCPU that a guest, or a control domain, names by its number; NULL: there is none. */
static inline struct vcpu *domain_vcpu(const struct domain *d, uint64_t id)
{
    return id < d->xen.vcpu_count ? d->vcpus[index_nospec(id, d->xen.vcpu_count)] : NULL;
}
/* All its vCPUs come out of the guest, to look. */
static inline void domain_kick(struct domain *d)
{
    for (unsigned i = 0; i < d->xen.vcpu_count; i++)
        vcpu_kick(d->vcpus[i]);
}
/* Keeps its vCPUs out of the guest, or lets them in; they are on their way when these return. No
 * effect on a domain that is ending. */
void domain_pause(struct domain *d);
void domain_unpause(struct domain *d);
/* The same, with its lock held, however often it was paused. False: nothing has changed. */
bool domain_set_paused(struct domain *d, bool paused);
/* The control domain's, which count, with its lock held: it runs when it has been unpaused as often
 * as it was paused. No effect on one that is ending, and then 0; -EOVERFLOW: that is enough;
 * -EINVAL: it is not paused. */
int must_check domain_count_pause(struct domain *d);
int must_check domain_count_unpause(struct domain *d);
/* Presses the power button of its ACPI machine: the guest may shut itself down. */
void domain_power_button(struct domain *d);
/* A bare domain's guest says that it is ready to be saved: no vCPU enters until it is resumed,
 * which is nothing if it was not suspended. With its lock held. */
void domain_suspend(struct domain *d);
void domain_resume(struct domain *d);
/* Of one that is suspended: has each vCPU written down its state (vcpu.h)? They are on their way.
 */
bool domain_is_saved(const struct domain *d);
/* No vCPU of a bare one is on a pCPU. One that may not enter comes there for a moment all the same,
 * to tell of its registers. With its lock held. */
static inline bool domain_is_out(const struct domain *d)
{
    for (unsigned i = 0; i < d->xen.vcpu_count; i++)
        if (d->vcpus[i]->virt.loaded)
            return false;
    return true;
}
const char *domain_state_name(const struct domain *d);

/* Ends it: no vCPU of it enters the guest again. The first call wins; but END_DESTROYED always
 * means that it does not come back. From anywhere, with or without its lock. */
void domain_end(struct domain *d, enum domain_end end, const char *why, ...)
    __attribute__((format(printf, 3, 4)));
const char *domain_end_name(enum domain_end end);
/* Has it ended to be made anew? For who buries it. */
static inline bool domain_comes_back(const struct domain *d)
{
    bool again = d->end == END_REBOOT || d->restarts & 1u << d->end;

    return again && !d->bare && !__atomic_load_n(&d->unwanted, __ATOMIC_ACQUIRE);
}

/* ---- owed.c ---- */
/* Raises a virtual interrupt of the control domain soon, if there is one. From anywhere, with or
 * without locks of domains. */
void domain_tell_control(unsigned virq);
/* For its run loop: does what is owed. */
void domain_settle(struct domain *d);

static inline struct domain *domain_of(struct xen_domain *d)
{
    return container_of(d, struct domain, xen);
}

#endif
