/*
 * A virtual local APIC: xAPIC register page and x2APIC MSRs, timer, interrupt state of one vCPU.
 *
 * Sources: SDM volume 3, chapter "Advanced Programmable Interrupt Controller (APIC)". As a device
 * it is the register page: offsets 0..0xFFF, decoded by the machine at vlapic_base() while
 * vlapic_mmio_active(). The rest of a vCPU reaches it through the functions below.
 *
 * No locks: the machine serialises all calls for one vlapic. vlapic_accept() is what other vCPUs
 * and devices cause; the machine wakes the vCPU after it.
 */
#ifndef CAISSON_DEVICES_VLAPIC_H
#define CAISSON_DEVICES_VLAPIC_H

#include "devices/apic.h"
#include "devices/device.h"
#include "lib/errno.h"

#define VLAPIC_SIZE 0x1000

#define MSR_IA32_APICBASE     0x1B
#define MSR_IA32_TSC_DEADLINE 0x6E0 /* the owner's: see vlapic_set_deadline() */
#define MSR_X2APIC_FIRST      0x800
#define MSR_X2APIC_ICR        0x830
#define MSR_X2APIC_CURRENT    0x839 /* the timer's current count */
#define MSR_X2APIC_LAST       0x8FF
#define APICBASE_BSP          (1u << 8)
#define APICBASE_X2APIC       (1u << 10)
#define APICBASE_ENABLE       (1u << 11)
#define VLAPIC_DEFAULT_BASE   0xFEE00000UL

/* Local vector table entries, in the order of their registers 0x320..0x370. */
enum vlapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

/*
 * The registers where a processor with APIC virtualization finds them, by their numbers (SDM,
 * "Virtualized APIC Registers"). TPR, the upper half of the ICR, ISR, TMR and IRR live here and
 * nowhere else; of the others there is a copy here, so that the guest can read them without an
 * exit.
 *
 * Behind the registers: the posted-interrupt descriptor, in its format (SDM, "Posted-Interrupt
 * Processing"). Edge-triggered requests go through it, as who makes them may be another processor;
 * what the guest's own processor does not fetch vlapic_settle() does. It is in the page's upper
 * half, no part of which AVIC lets a guest reach (APM volume 2, "Virtual APIC Register Accesses").
 */
#define VLAPIC_REGS        0x40
#define POSTED_OUTSTANDING 1u /* in control: there are requests */

struct vlapic_page {
    struct {
        uint32_t value, reserved[3];
    } reg[VLAPIC_REGS];
    uint8_t unused[0x800 - VLAPIC_REGS * 16];
    struct vlapic_posted {
        uint64_t requests[4]; /* bit v of the 256: vector v */
        uint64_t control, reserved[3];
    } posted;
} __attribute__((aligned(4096)));
_Static_assert(__builtin_offsetof(struct vlapic_page, posted) % 64 == 0, "the SDM wants it so");

struct vlapic;
/* What a local APIC is connected to. One may serve all vCPUs of a domain. */
struct vlapic_bus {
    void *ctx;
    /* An ICR write (or NMI, SMI, INIT of an LVT pin, then shorthand is APIC_TO_SELF) wants
     * delivery. Fixed interrupts to itself by shorthand never come here. INIT level de-assert
     * neither. */
    void (*send_ipi)(void *ctx, const struct apic_message *m);
    /* EOI of a level-triggered interrupt, for the I/O APIC. */
    void (*eoi)(void *ctx, uint8_t vector);
    /* l's timer has fired, or was set, stopped or masked: l is to tick at `due` (ns of the domain's
     * clock, or TIME_NEVER). All but vlapic_arm_ahead() tell. May be NULL. */
    void (*timer_moved)(struct vlapic *l, uint64_t due);
    uint8_t address_bits; /* physical address width that CPUID shows; 0: 52 */
};

struct vlapic {
    struct device dev;
    const struct vlapic_bus *bus;
    uint32_t id;
    uint64_t base; /* IA32_APICBASE */
    struct vlapic_page *page;
    uint64_t levels[4]; /* level-triggered requests that are not in the IRR yet */
    bool has_levels;
    bool has_requests;   /* there may be bits in the IRR */
    bool moved;          /* mode or base have changed; whoever follows clears it */
    bool changed;        /* IRR or ISR: since vlapic_take_status() */
    bool levels_changed; /* the TMR: since vlapic_levels() */
    uint32_t ldr, dfr, svr;
    uint32_t esr, esr_pending; /* latched, and collected since */
    uint32_t icr_low;
    uint32_t lvt[LVT_COUNT];
    struct {
        uint64_t hz;              /* input clock before the divider */
        uint32_t initial, divide; /* registers */
        uint32_t from;            /* what the count stood at, at start */
        uint64_t start;           /* since when it counts */
        uint64_t fired;           /* expirations since start */
        bool running;             /* one-shot and periodic: the count is not 0 */
        uint64_t deadline_tsc;    /* TSC-deadline mode: as the guest wrote it; 0: disarmed */
        uint64_t due;             /* the next expiration, or TIME_NEVER */
    } timer;
};

/* bus and page must outlive it. id is the APIC ID, 0 the bootstrap processor's. */
void vlapic_init(struct vlapic *l, unsigned id, uint64_t timer_hz, const struct vlapic_bus *bus,
                 struct vlapic_page *page);
/* INIT: as power-on, but IA32_APICBASE stays (SDM, "Local APIC State After It Receives an INIT").
 */
void vlapic_init_signal(struct vlapic *l);

/* ---- MSRs: IA32_APICBASE and 0x800..0x8FF. 0, or -EINVAL where the guest is owed #GP(0). ---- */
int must_check vlapic_msr_read(struct vlapic *l, uint32_t msr, uint64_t *value, uint64_t now);
int must_check vlapic_msr_write(struct vlapic *l, uint32_t msr, uint64_t value, uint64_t now);

/* IA32_TSC_DEADLINE: tsc_raw is the guest's value, at_ns the same moment as domain time. Ignored
 * unless the timer is in that mode; 0 disarms; a moment that has passed fires at once. */
void vlapic_set_deadline(struct vlapic *l, uint64_t tsc_raw, uint64_t at_ns, uint64_t now);
/* What RDMSR gives: 0 when disarmed, fired, or in another mode. */
uint64_t vlapic_deadline_tsc(struct vlapic *l, uint64_t now);

/* IA32_APICBASE as it reads. */
static inline uint64_t vlapic_apicbase(const struct vlapic *l)
{
    return l->base;
}

/* What concerns the timer alone, and is done when the timer is not due, without a look at the rest:
 * the current count as the x2APIC's MSR reads, -1 if it is due or has no such MSR now; */
int64_t vlapic_count_ahead(const struct vlapic *l, uint64_t now);
/* a deadline in the future. False if it is masked or in another mode: nothing is done. */
bool vlapic_arm_ahead(struct vlapic *l, uint64_t tsc_raw, uint64_t at_ns);

/* What a vCPU does to its own local APIC while it is out of the guest: an edge-triggered request
 * enters the IRR at once, not by way of the descriptor. They return its vector, which the processor
 * is to be told, or 0. */
/* One arrives; 0 if it is disabled. Vectors from 16. */
uint8_t vlapic_accept_own(struct vlapic *l, uint8_t vector);
/* Fires the timer if it is due. 0: it did not, or whatever it did took the common way. */
uint8_t vlapic_timer_run_own(struct vlapic *l, uint64_t now);
/* IA32_TSC_DEADLINE gets a moment that has passed, while the timer is not due. 0: nothing was done.
 */
uint8_t vlapic_deadline_passed_own(struct vlapic *l);
/* What others have posted, edge-triggered all: the highest vector. */
uint8_t vlapic_settle_own(struct vlapic *l);

/* A write to the x2APIC's ICR that asks for an edge-triggered fixed interrupt, with a legal vector,
 * of itself or by a destination: true, and the register has it. Else nothing is done. */
bool vlapic_icr_simple(struct vlapic *l, uint64_t icr);
#define VLAPIC_ICR_VECTOR(icr)  ((uint8_t)(icr))
#define VLAPIC_ICR_LOGICAL(icr) ((icr) >> 11 & 1)
#define VLAPIC_ICR_SELF(icr)    ((icr) >> 18 & 1) /* of a simple one */
#define VLAPIC_ICR_DEST(icr)    ((uint32_t)((icr) >> 32))

/* ---- For who saves it, and makes one of what was saved ---- */

struct vlapic_state {
    uint64_t base; /* IA32_APICBASE */
    uint32_t esr_pending;
    uint32_t reg[VLAPIC_REGS]; /* by their numbers */
};
void vlapic_get(struct vlapic *l, struct vlapic_state *out, uint64_t now);
/* The two halves of it, of one that nobody uses yet: the base, which may be any that there can be;
 * and the registers, which the base gives their meaning. What they cannot hold is left out, and the
 * ID stays. An armed deadline is not among them: vlapic_set_deadline(). 0 or -EINVAL. */
int must_check vlapic_put_base(struct vlapic *l, uint64_t base);
void vlapic_put_regs(struct vlapic *l, const struct vlapic_state *in, uint64_t now);

/* ---- Placement ---- */
bool vlapic_enabled(const struct vlapic *l); /* globally, by IA32_APICBASE */
bool vlapic_x2apic(const struct vlapic *l);
/* xAPIC mode: the page is decoded. */
static inline bool vlapic_mmio_active(const struct vlapic *l)
{
    return (l->base & (APICBASE_ENABLE | APICBASE_X2APIC)) == APICBASE_ENABLE;
}
/* gpa of the page */
static inline uint64_t vlapic_base(const struct vlapic *l)
{
    return l->base & ~(uint64_t)(VLAPIC_SIZE - 1);
}
/* Does it answer at this guest-physical address? Asked for each access to device memory. */
static inline bool vlapic_answers(const struct vlapic *l, uint64_t at)
{
    return (at ^ l->base) < VLAPIC_SIZE && vlapic_mmio_active(l);
}

/* ---- Interrupts ---- */
/* Neither hardware nor software has disabled it. */
bool vlapic_takes_interrupts(const struct vlapic *l);
/* A fixed or lowest-priority interrupt arrives; dropped while disabled by hardware or software.
 * True if it was not pending already. */
bool vlapic_accept(struct vlapic *l, uint8_t vector, bool level);
/* Have edge-triggered requests come that are not in the IRR yet? */
static inline bool vlapic_has_posted(const struct vlapic *l)
{
    return __atomic_load_n(&l->page->posted.control, __ATOMIC_RELAXED) & POSTED_OUTSTANDING;
}
/* Any requests? */
static inline bool vlapic_unsettled(const struct vlapic *l)
{
    return vlapic_has_posted(l) || l->has_levels;
}
/* Puts them there. Returns the highest of them, 0 for none. While the guest runs with a processor
 * that delivers by itself, IRR and ISR are that one's: called by whom the vCPU belongs to, as is
 * all that follows. */
uint8_t vlapic_settle(struct vlapic *l);
/* Is any vector requested? Before every VM entry the answer is nearly always no. */
static inline bool vlapic_requested(const struct vlapic *l)
{
    return vlapic_unsettled(l) || l->has_requests;
}
/* Highest vector above the processor priority, or -1. */
int vlapic_pending(struct vlapic *l);
/* It is being delivered: from IRR to ISR. vector must be what vlapic_pending() gave last (ASSERT);
 * requests that have come since wait for the next one. */
void vlapic_ack(struct vlapic *l, uint8_t vector);
/* For a processor that delivers by itself: the highest vectors in IRR and ISR, 0 for none (SDM,
 * "Guest Interrupt Status"). After that it knows all requests. */
void vlapic_take_status(struct vlapic *l, uint8_t *requested, uint8_t *served);
/* The vectors whose EOI it is to report. */
void vlapic_levels(struct vlapic *l, uint64_t levels[4]);
/* That processor let the guest write this register: acts on what stands in the page. */
void vlapic_written(struct vlapic *l, uint32_t offset, uint64_t now);
/* It took the guest's EOI for a level-triggered vector. */
void vlapic_eoi_reported(struct vlapic *l, uint8_t vector);
/* The class (0..15) of requests which the TPR keeps back: once it is below, they want in. 0: none.
 */
unsigned vlapic_held_class(struct vlapic *l);
/* True if the 8259's INTR may be delivered: LVT0 unmasked in ExtINT mode, or no APIC at all. */
bool vlapic_accepts_extint(const struct vlapic *l);
/* Does a message with this destination reach l? */
bool vlapic_matches(const struct vlapic *l, uint32_t dest, bool logical);
/* The same with shorthands: is l among those that m is for? */
bool vlapic_addressed(const struct vlapic *l, const struct apic_message *m);

/* ---- CR8, and what others want to know
 * ----------------------------------------------------------- */
uint64_t vlapic_cr8(const struct vlapic *l);
void vlapic_set_cr8(struct vlapic *l, uint64_t value); /* 0..15; the caller has checked */
uint8_t vlapic_tpr(const struct vlapic *l);
uint8_t vlapic_ppr(const struct vlapic *l);

#endif
