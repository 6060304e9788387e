/*
 * A vCPU: the library's vCPU (virt/), a local APIC, and the loop that runs them.
 *
 * How it comes and goes is in lifecycle/. The loop is in run.c and reads: deliver, run, handle.
 * What each exit means is in exit.c. All members belong to whoever holds the domain's lock, but
 * virt, which is its pCPU's.
 */
#ifndef CAISSON_DOMAIN_VCPU_H
#define CAISSON_DOMAIN_VCPU_H

#include <stdbool.h>
#include <stdint.h>
#include "arch/x86/insn.h"
#include "devices/vlapic.h"
#include "emulate/emulator.h"
#include "guestmem/gva.h"
#include "arch/x86/moment.h"
#include "xen/xen.h"
#include "sched/sched.h"
#include "sched/timer.h"
#include "virt/start.h"
#include "virt/state.h"
#include "virt/virt.h"

struct domain;

enum vcpu_dump { DUMP_NOTHING, DUMP_REGS, DUMP_CONTROL, DUMP_ALL };

/* CPUID leaves that were asked for lately. */
#define CPUID_ANSWERS 16
struct cpuid_answer {
    uint32_t leaf, subleaf;
    struct cpuid_regs regs;
    bool stays;   /* the answer is as good as on the first day; */
    bool follows; /* or as long as cpuid.c's state_of() is this */
    uint64_t state;
};

struct vcpu {
    struct virt_vcpu virt; /* first, so that vcpu_of() costs nothing */
    struct domain *domain;
    unsigned id;
    struct gva_space space;
    struct emulator emulator;
    const struct virt_action *exit_actions; /* one of the tables of exits/exit.h */
    struct sched_unit unit;
    struct vlapic lapic;
    struct vlapic_page *lapic_page; /* heap page */
    struct vlapic_bus lapic_bus;
    struct timer wake;      /* when halted: the next thing that its devices have to do */
    bool halted;            /* in HLT, or blocked by a hypercall */
    bool deaf;              /* if halted: with interrupts off, as those do that are not used */
    bool waits_for_startup; /* as after INIT: nothing but a STARTUP helps */
    bool init_pending;      /* an INIT has arrived and not been acted on */
    int startup_page;       /* of a STARTUP that has arrived; -1: none has */
    /* It comes to no pCPU, whoever kicks it: its domain is built, and the boot CPU puts its first
     * state in; or has ended, and it has left. */
    bool out;
    uint64_t held_until;     /* TSC before which it does not enter: it has locked the bus */
    enum vcpu_dump dump;     /* somebody wants to see its state */
    unsigned dumped;         /* parts of it that have been logged */
    uint64_t tsc_adjust;     /* IA32_TSC_ADJUST as the guest last left it */
    struct moment lapic_due; /* deadline of its local APIC's timer, which tells; by the TSC a
                              * little ahead (domain/lapic.h) */
    uint64_t lapic_came;     /* the TSC of the last one that the loop has seen to */
    bool down;               /* by VCPUOP_down: it does not run */
    bool initialised;        /* start says where it begins, VCPUOP_up when */
    bool begins;             /* now */
    struct virt_start start;
    struct virt_rest rest; /* what of its state is not in start, */
    uint64_t deadline;     /* and of its local APIC's timer: a TSC of the guest's; 0: none */
    bool whole;            /* these three say all of it: as it was saved, or where it begins */
    struct xen_vcpu xen;   /* what Xen's interface keeps of it */
    uint64_t misc_enable;  /* what can be written of that MSR */
    uint64_t mtrr[32];     /* see cpu/cpu_mtrr.h */
    struct cpuid_answer cpuid[CPUID_ANSWERS];
};

static inline struct vcpu *vcpu_of(struct virt_vcpu *v)
{
    return container_of(v, struct vcpu, virt);
}

/* Whoever waits for this pCPU goes first. From its own exit, which is the last of this run. */
void vcpu_give_way(struct vcpu *v);
/* It spins, perhaps for a lock whose holder does not run: another vCPU of the domain goes first. */
void vcpu_spins(struct vcpu *v);
/* Something may have become deliverable, or was written down for it: leave guest or HLT and look.
 * From any pCPU. */
static inline void vcpu_kick(struct vcpu *v)
{
    sched_kick(&v->unit);
}
/* The same for what its own exit may have caused: it is told without a wake if it runs here. */
static inline void vcpu_flag_or_kick(struct vcpu *v)
{
    sched_flag_or_kick(&v->unit);
}
static inline bool vcpu_wants_look(const struct vcpu *v)
{
    return __atomic_load_n(&v->unit.attention, __ATOMIC_RELAXED);
}
/* Sets its local APIC up, on v->lapic_page, as at reset. */
void vcpu_init_lapic(struct vcpu *v);
/* INIT and STARTUP arrive (SDM, "MP Initialization Protocol Algorithm"). Domain's lock held; the
 * caller kicks it. */
void vcpu_init_signal(struct vcpu *v);
void vcpu_startup_signal(struct vcpu *v, uint8_t page);
/* Logs its state soon, from the pCPU where it is: registers, the whole control block, or all that a
 * post-mortem wants. From anywhere. */
void vcpu_request_dump(struct vcpu *v, enum vcpu_dump what);

/* Its state goes into the registers of this pCPU, if it is not there, and out of them. */
void vcpu_load(struct vcpu *v);
void vcpu_leave(struct sched_unit *u);

/* For exits/state.c: acts on an INIT or STARTUP that has arrived. Loaded. */
void vcpu_take_init(struct vcpu *v);
void vcpu_take_startup(struct vcpu *v);

static inline uint64_t vcpu_exits(const struct vcpu *v)
{
    return virt_exit_count(&v->virt);
}

/* An exception for the guest; a triple fault ends the domain. */
void vcpu_fault(struct vcpu *v, bool delivered);
void vcpu_gp(struct vcpu *v);
void vcpu_ud(struct vcpu *v);

#endif
