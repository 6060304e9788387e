/*
 * The local APIC's interrupts: who is addressed, what is accepted, what comes next.
 *
 * Source: SDM volume 3, "Handling Interrupts" and "Local Interrupt Acceptance for Fixed
 * Interrupts". The registers are in vlapic_regs.c, the MSRs in vlapic_msr.c, the timer in
 * vlapic_timer.c.
 */
#include "devices/vlapic_internal.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "lib/string.h"

#define FIRST_LEGAL_VECTOR 16

/* ---- 256 bits in eight registers, one for each vector ---- */

static uint32_t *word_of(struct vlapic *l, enum vlapic_reg set, uint8_t vector)
{
    return &l->page->reg[set + vector / 32].value;
}

static bool vector_test(struct vlapic *l, enum vlapic_reg set, uint8_t vector)
{
    return *word_of(l, set, vector) >> vector % 32 & 1;
}

static void vector_put(struct vlapic *l, enum vlapic_reg set, uint8_t vector, bool value)
{
    uint32_t bit = 1u << vector % 32;

    if (value)
        *word_of(l, set, vector) |= bit;
    else
        *word_of(l, set, vector) &= ~bit;
}

static int vector_highest(const struct vlapic *l, enum vlapic_reg set)
{
    for (int i = 7; i >= 0; i--) {
        uint32_t word = l->page->reg[set + (unsigned)i].value;
        if (word)
            return i * 32 + 31 - __builtin_clz(word);
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

/* ---- Acceptance ---- */

bool vlapic_takes_interrupts(const struct vlapic *l)
{
    return vlapic_enabled(l) && (l->svr & SVR_ENABLE);
}

static bool request_edge(struct vlapic *l, uint8_t vector)
{
    struct vlapic_posted *p = &l->page->posted;
    uint64_t bit = 1UL << vector % 64;
    uint64_t before = __atomic_fetch_or(&p->requests[vector / 64], bit, __ATOMIC_SEQ_CST);

    __atomic_fetch_or(&p->control, (uint64_t)POSTED_OUTSTANDING, __ATOMIC_SEQ_CST);
    return !(before & bit) && !vector_test(l, REG_IRR, vector);
}

/* Not by the descriptor: before such a vector is delivered, the processor has to be told that its
 * EOI concerns us. */
static bool request_level(struct vlapic *l, uint8_t vector)
{
    uint64_t bit = 1UL << vector % 64, before = l->levels[vector / 64];

    l->levels[vector / 64] |= bit;
    l->has_levels = true;
    return !(before & bit) && !vector_test(l, REG_IRR, vector);
}

bool vlapic_accept(struct vlapic *l, uint8_t vector, bool level)
{
    if (!vlapic_takes_interrupts(l))
        return false;
    if (vector < FIRST_LEGAL_VECTOR) {
        vlapic_error(l, ESR_RECEIVE_VECTOR);
        return false;
    }

    return level ? request_level(l, vector) : request_edge(l, vector);
}

uint8_t vlapic_accept_own(struct vlapic *l, uint8_t vector)
{
    if (!vlapic_takes_interrupts(l))
        return 0;
    if (unlikely(vector_test(l, REG_TMR, vector))) {
        vector_put(l, REG_TMR, vector, false);
        l->levels_changed = true;
    }
    vector_put(l, REG_IRR, vector, true);
    return vector;
}

/* 64 vectors from the i-th on enter the IRR. The TMR says how they came. Returns the highest. */
static uint8_t settle_word(struct vlapic *l, unsigned i, uint64_t requests, bool level)
{
    uint8_t highest = (uint8_t)(64 * i + 63 - (unsigned)__builtin_clzl(requests));

    for (unsigned n = 2 * i; requests; n++, requests >>= 32) {
        uint32_t bits = (uint32_t)requests, tmr = l->page->reg[REG_TMR + n].value;
        uint32_t otherwise = (level ? ~tmr : tmr) & bits;
        l->page->reg[REG_IRR + n].value |= bits;
        if (likely(!otherwise))
            continue;
        l->page->reg[REG_TMR + n].value = tmr ^ otherwise;
        l->levels_changed = true;
    }
    return highest;
}

/* The flag goes down before the requests are fetched: who makes one later raises it again. */
static inline __attribute__((always_inline)) uint8_t settle_posted(struct vlapic *l)
{
    struct vlapic_posted *p = &l->page->posted;
    uint8_t highest = 0;

    __atomic_and_fetch(&p->control, ~(uint64_t)POSTED_OUTSTANDING, __ATOMIC_SEQ_CST);
#pragma GCC unroll 4
    for (unsigned i = 0; i < 4; i++) {
        if (likely(!__atomic_load_n(&p->requests[i], __ATOMIC_RELAXED)))
            continue;
        highest =
            settle_word(l, i, __atomic_exchange_n(&p->requests[i], 0, __ATOMIC_SEQ_CST), false);
    }
    return highest;
}

static uint8_t settle_levels(struct vlapic *l)
{
    uint8_t highest = 0;

    l->has_levels = false;
    for (unsigned i = 0; i < 4; i++) {
        if (l->levels[i])
            highest = settle_word(l, i, l->levels[i], true);
        l->levels[i] = 0;
    }
    return highest;
}

uint8_t vlapic_settle(struct vlapic *l)
{
    uint8_t edge, level = 0;

    if (!vlapic_unsettled(l))
        return 0;
    l->has_requests = true;
    edge = settle_posted(l);
    if (l->has_levels)
        level = settle_levels(l);
    return level > edge ? level : edge;
}

uint8_t vlapic_settle_own(struct vlapic *l)
{
    return settle_posted(l);
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

/* The timer's and the error entry know fixed interrupts alone (SDM, "Local Vector Table"). */
void vlapic_lvt_fire(struct vlapic *l, enum vlapic_lvt which)
{
    uint32_t entry = l->lvt[which];

    if (!(entry & LVT_MASKED))
        vlapic_accept(l, entry & LVT_VECTOR, false);
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

uint8_t vlapic_tpr(const struct vlapic *l)
{
    return (uint8_t)l->page->reg[REG_TPR].value;
}

/* SDM, "Task and Processor Priorities". */
uint8_t vlapic_ppr(const struct vlapic *l)
{
    int serving = vector_highest(l, REG_ISR);
    unsigned class = serving < 0 ? 0 : (unsigned)serving & 0xF0;

    return (vlapic_tpr(l) & 0xF0) >= class ? vlapic_tpr(l) : class;
}

/* vector, if it is above the processor priority; else -1. */
static int if_deliverable(const struct vlapic *l, int vector)
{
    return vector < 0 || (vector & 0xF0) <= (vlapic_ppr(l) & 0xF0) ? -1 : vector;
}

int vlapic_pending(struct vlapic *l)
{
    if (vlapic_settle(l))
        l->changed = true;
    int vector = vector_highest(l, REG_IRR);

    l->has_requests = vector >= 0;
    return if_deliverable(l, vector);
}

void vlapic_ack(struct vlapic *l, uint8_t vector)
{
    /* Others may have posted a higher one meanwhile. */
    ASSERT(if_deliverable(l, vector_highest(l, REG_IRR)) == vector);
    vector_put(l, REG_IRR, vector, false);
    vector_put(l, REG_ISR, vector, true);
    l->changed = true;
}

void vlapic_eoi_reported(struct vlapic *l, uint8_t vector)
{
    l->bus->eoi(l->bus->ctx, vector);
}

void vlapic_eoi(struct vlapic *l)
{
    int vector = vector_highest(l, REG_ISR);

    if (vector < 0)
        return;
    vector_put(l, REG_ISR, vector, false);
    l->changed = true;
    if (vector_test(l, REG_TMR, vector))
        vlapic_eoi_reported(l, vector);
}

void vlapic_take_status(struct vlapic *l, uint8_t *requested, uint8_t *served)
{
    int request = vector_highest(l, REG_IRR), service = vector_highest(l, REG_ISR);

    *requested = request < 0 ? 0 : request;
    *served = service < 0 ? 0 : service;
    l->changed = false;
}

void vlapic_levels(struct vlapic *l, uint64_t levels[4])
{
    for (unsigned i = 0; i < 4; i++) {
        levels[i] = l->page->reg[REG_TMR + 2 * i].value |
                    (uint64_t)l->page->reg[REG_TMR + 2 * i + 1].value << 32;
    }
    l->levels_changed = false;
}

unsigned vlapic_held_class(struct vlapic *l)
{
    int vector = vector_highest(l, REG_IRR);

    return vector < 0 || (uint32_t)vector >> 4 > vlapic_tpr(l) >> 4 ? 0 : (unsigned)vector >> 4;
}

uint64_t vlapic_cr8(const struct vlapic *l)
{
    return vlapic_tpr(l) >> 4;
}

void vlapic_set_cr8(struct vlapic *l, uint64_t value)
{
    l->page->reg[REG_TPR].value = (value & 0xF) << 4;
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

cold void vlapic_init_signal(struct vlapic *l)
{
    memset(l->page, 0, sizeof(*l->page));
    for (int i = 0; i < 4; i++)
        l->levels[i] = 0;
    l->has_levels = l->has_requests = false;
    l->moved = l->changed = l->levels_changed = true;
    l->ldr = 0;
    l->dfr = 0xFFFFFFFF;
    l->svr = 0xFF; /* disabled by software */
    l->esr = l->esr_pending = 0;
    l->icr_low = 0;
    for (int i = 0; i < LVT_COUNT; i++)
        l->lvt[i] = LVT_MASKED;
    vlapic_timer_reset(l);
    vlapic_show_all(l);
}

cold void vlapic_init(struct vlapic *l, unsigned id, uint64_t timer_hz,
                      const struct vlapic_bus *bus, struct vlapic_page *page)
{
    ASSERT(timer_hz > 0);
    *l = (struct vlapic){
        .dev.ops = &vlapic_ops, .bus = bus, .id = id, .page = page, .timer.hz = timer_hz
    };
    l->dev.ops->reset(&l->dev, 0);
}
