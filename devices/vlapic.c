/*
 * The local APIC's interrupts: who is addressed, what is accepted, what comes next.
 *
 * Source: SDM volume 3, "Handling Interrupts" and "Local Interrupt Acceptance for Fixed
 * Interrupts". The registers are in vlapic_regs.c, the MSRs in vlapic_msr.c, the timer in
 * vlapic_timer.c.
 */
#include "devices/vlapic_internal.h"
#include "lib/assert.h"

#define FIRST_LEGAL_VECTOR 16

/* ---- 256 bits, one for each vector ---- */

static bool vector_test(const uint64_t *set, uint8_t vector)
{
    return set[vector / 64] >> vector % 64 & 1;
}

static void vector_put(uint64_t *set, uint8_t vector, bool value)
{
    uint64_t bit = 1UL << vector % 64;

    if (value)
        set[vector / 64] |= bit;
    else
        set[vector / 64] &= ~bit;
}

static int vector_highest(const uint64_t *set)
{
    for (int i = 3; i >= 0; i--) {
        if (set[i])
            return i * 64 + 63 - __builtin_clzl(set[i]);
    }
    return -1;
}

/* ---- Placement ---- */

bool vlapic_enabled(const struct vlapic *l)
{
    return l->base & APICBASE_ENABLE;
}

bool vlapic_x2apic(const struct vlapic *l)
{
    return l->base & APICBASE_X2APIC;
}

bool vlapic_mmio_active(const struct vlapic *l)
{
    return vlapic_enabled(l) && !vlapic_x2apic(l);
}

uint64_t vlapic_base(const struct vlapic *l)
{
    return l->base & ~(uint64_t)(VLAPIC_SIZE - 1);
}

/* ---- Acceptance ---- */

bool vlapic_takes_interrupts(const struct vlapic *l)
{
    return vlapic_enabled(l) && (l->svr & SVR_ENABLE);
}

bool vlapic_accept(struct vlapic *l, uint8_t vector, bool level)
{
    if (!vlapic_takes_interrupts(l))
        return false;
    if (vector < FIRST_LEGAL_VECTOR) {
        vlapic_error(l, ESR_RECEIVE_VECTOR);
        return false;
    }

    vector_put(l->tmr, vector, level);
    if (vector_test(l->irr, vector))
        return false;
    vector_put(l->irr, vector, true);
    return true;
}

/* Only a new error interrupts. That also ends the recursion of an error entry whose own vector is
 * illegal. */
void vlapic_error(struct vlapic *l, uint32_t bit)
{
    if (l->esr_pending & bit)
        return;
    l->esr_pending |= bit;
    vlapic_lvt_fire(l, LVT_ERROR);
}

/* SDM, "Interrupt Acceptance" of local sources: the modes that are no fixed interrupt concern the
 * vCPU, not this APIC, and go the way of an IPI to itself. */
void vlapic_lvt_fire(struct vlapic *l, enum vlapic_lvt which)
{
    uint32_t entry = l->lvt[which];
    struct apic_message m = { .from = l, .mode = LVT_MODE(entry), .shorthand = APIC_TO_SELF };

    if (entry & LVT_MASKED)
        return;
    if (m.mode == APIC_FIXED)
        vlapic_accept(l, entry & LVT_VECTOR, false);
    else if (m.mode == APIC_NMI || m.mode == APIC_SMI || m.mode == APIC_INIT)
        l->bus->send_ipi(l->bus->ctx, &m);
}

/* All modes but ExtINT act on the rising edge; ExtINT is a level that vlapic_accepts_extint() lets
 * through. A level-triggered fixed LINT0 is taken for an edge: no known system uses it. */
void vlapic_set_lint(void *ctx, unsigned n, bool level)
{
    struct vlapic *l = ctx;
    bool rising;

    ASSERT(n < 2);
    rising = level && !l->lint[n];
    l->lint[n] = level;
    if (rising && vlapic_enabled(l))
        vlapic_lvt_fire(l, LVT_LINT0 + n);
}

bool vlapic_accepts_extint(const struct vlapic *l)
{
    uint32_t entry = l->lvt[LVT_LINT0];

    if (!vlapic_enabled(l))
        return true; /* LINT0 is the INTR pin then */
    return !(entry & LVT_MASKED) && LVT_MODE(entry) == APIC_EXTINT;
}

void vlapic_self_ipi(struct vlapic *l, uint8_t vector)
{
    if (vector < FIRST_LEGAL_VECTOR) {
        vlapic_error(l, ESR_SEND_VECTOR);
        return;
    }
    vlapic_accept(l, vector, false);
}

/* ---- Priority and delivery ---- */

/* SDM, "Task and Processor Priorities". */
uint8_t vlapic_ppr(const struct vlapic *l)
{
    int serving = vector_highest(l->isr);
    unsigned class = serving < 0 ? 0 : (unsigned)serving & 0xF0;

    return (l->tpr & 0xF0) >= class ? l->tpr : class;
}

int vlapic_pending(const struct vlapic *l)
{
    int vector = vector_highest(l->irr);

    if (vector < 0 || (vector & 0xF0) <= (vlapic_ppr(l) & 0xF0))
        return -1;
    return vector;
}

void vlapic_ack(struct vlapic *l, uint8_t vector)
{
    ASSERT(vlapic_pending(l) == vector);
    vector_put(l->irr, vector, false);
    vector_put(l->isr, vector, true);
}

void vlapic_eoi(struct vlapic *l)
{
    int vector = vector_highest(l->isr);

    if (vector < 0)
        return;
    vector_put(l->isr, vector, false);
    if (vector_test(l->tmr, vector))
        l->bus->eoi(l->bus->ctx, vector);
}

uint64_t vlapic_cr8(const struct vlapic *l)
{
    return l->tpr >> 4;
}

void vlapic_set_cr8(struct vlapic *l, uint64_t value)
{
    l->tpr = (value & 0xF) << 4;
}

/* ---- Addressing ---- */

/* SDM, "Logical Destination Mode": the DFR chooses between one bit for each CPU, and a cluster
 * number with four bits. */
static bool matches_xapic_logical(const struct vlapic *l, uint32_t dest)
{
    unsigned mda = dest & 0xFF, id = l->ldr >> 24;

    switch (l->dfr >> 28) {
    case 0xF:
        return mda & id;
    case 0x0:
        return mda == 0xFF || (mda >> 4 == id >> 4 && (mda & id & 0xF));
    default:
        return false;
    }
}

/* SDM, "Logical Destination Mode in x2APIC Mode". */
static bool matches_x2apic_logical(const struct vlapic *l, uint32_t dest)
{
    uint32_t id = vlapic_logical_id(l);

    return dest >> 16 == id >> 16 && (dest & id & 0xFFFF);
}

bool vlapic_matches(const struct vlapic *l, uint32_t dest, bool logical)
{
    if (!vlapic_enabled(l))
        return false;
    if (dest == APIC_DEST_ALL)
        return true;
    if (!logical)
        return dest == l->id;
    if (vlapic_x2apic(l))
        return matches_x2apic_logical(l, dest);
    return matches_xapic_logical(l, dest);
}

bool vlapic_addressed(const struct vlapic *l, const struct apic_message *m)
{
    switch (m->shorthand) {
    case APIC_TO_SELF:
        return m->from == l;
    case APIC_TO_OTHERS:
        return m->from != l && vlapic_enabled(l);
    case APIC_TO_ALL:
        return vlapic_enabled(l);
    default:
        return vlapic_matches(l, m->dest, m->logical);
    }
}

/* ---- Beginnings ---- */

static void vectors_clear(struct vlapic *l)
{
    for (int i = 0; i < 4; i++)
        l->irr[i] = l->isr[i] = l->tmr[i] = 0;
}

void vlapic_init_signal(struct vlapic *l)
{
    vectors_clear(l);
    l->tpr = l->ldr = 0;
    l->dfr = 0xFFFFFFFF;
    l->svr = 0xFF; /* disabled by software */
    l->esr = l->esr_pending = 0;
    l->icr_low = l->icr_high = 0;
    for (int i = 0; i < LVT_COUNT; i++)
        l->lvt[i] = LVT_MASKED;
    vlapic_timer_reset(l);
}

void vlapic_init(struct vlapic *l, unsigned id, uint64_t timer_hz, const struct vlapic_bus *bus)
{
    ASSERT(timer_hz > 0);
    *l = (struct vlapic){ .dev.ops = &vlapic_ops, .bus = bus, .id = id, .timer.hz = timer_hz };
    l->dev.ops->reset(&l->dev, 0);
}
