/*
 * A domain: memory, a machine, vCPUs, a console, and how it ended.
 *
 * A domain is created from a description (domain/descr.h) and a kernel image, runs until it ends,
 * and is destroyed; a reboot is a destroy and a create. Its end is sticky data: whoever decides it
 * calls domain_end(), and the vCPU's run loop sees it at one place.
 *
 * Locks: one domain runs at a time, on the boot CPU; the list of domains is boot-CPU only.
 */
#ifndef CAISSON_DOMAIN_DOMAIN_H
#define CAISSON_DOMAIN_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>
#include "domain/descr.h"
#include "domain/machine.h"
#include "domain/p2m.h"
#include "domain/vcpu.h"
#include "lib/errno.h"
#include "lib/limits.h"
#include "sched/timer.h"

/* Why a domain ended. The first five are the guest's own wish or doing. */
enum domain_end {
    END_NOT,
    END_POWEROFF,
    END_REBOOT,
    END_TRIPLE_FAULT,
    END_CRASH,  /* the guest says that it crashed (SCHEDOP_shutdown) */
    END_KILLED, /* Caisson cannot go on with it; domain->end_why says why */
};

/* Which unknown MSRs or ports have been warned about: once each, and not for ever. */
#define MENTIONED_MOST 16
struct mentioned {
    uint32_t key[MENTIONED_MOST];
    unsigned count;
};

struct domain {
    uint16_t id; /* also the owner of its frames */
    char name[MAX_NAME];
    const struct domain_config *config;
    struct p2m p2m;
    struct machine_hvm machine;
    struct vcpu *vcpus[MAX_VCPUS];
    unsigned vcpu_count;
    uint64_t tsc_zero;  /* machine TSC at which the domain's clock read 0 */
    uint8_t *io_bitmap; /* two pages, shared by its vCPUs */
    enum domain_end end;
    char end_why[160];
    struct timer reaper;    /* fires outside all vCPUs once it has ended */
    struct mentioned unknown_msrs, unknown_ports;
};

/* What a domain calls upwards; set once at boot. */
struct domain_hooks {
    /* One byte of COM1's output; false: no room now, machine_console_kick() when there is. */
    bool (*console_put)(struct domain *d, uint8_t byte);
    /* There is room again in COM1's receiver: hand over more (machine_console_give). */
    void (*console_room)(struct domain *d);
    /* VMCALL. */
    void (*hypercall)(struct vcpu *v);
    /* The domain has ended; called from the scheduler's loop; to destroy it is the callee's
     * business. */
    void (*ended)(struct domain *d);
};
void domain_set_hooks(const struct domain_hooks *hooks);
extern const struct domain_hooks *domain_hooks;

/* Builds the domain and loads its image; it does not run yet. Logs what goes wrong, naming the
 * domain. 0; -ENOMEM (the promise does not fit, or tables), -ENOEXEC, -EINVAL: nothing is kept. */
int must_check domain_create(const struct domain_config *config, struct domain **out);
/* Lets its vCPUs run. */
void domain_start(struct domain *d);
/* Gives back all that it had. Its vCPUs must not be running. */
void domain_destroy(struct domain *d);

/* Ends it: no vCPU of it enters the guest again. The first call wins. From anywhere. */
void domain_end(struct domain *d, enum domain_end end, const char *why, ...)
    __attribute__((format(printf, 3, 4)));
const char *domain_end_name(enum domain_end end);

/* Nanoseconds since its creation. */
uint64_t domain_now(const struct domain *d);
/* The machine's TSC at that moment of the domain's clock. */
uint64_t domain_ns_to_tsc(const struct domain *d, uint64_t ns);

/* Is a warning about this one owed? True once for each key, and for MENTIONED_MOST keys at most. */
bool domain_mention(struct mentioned *m, uint32_t key);

#endif
