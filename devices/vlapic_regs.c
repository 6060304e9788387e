/*
 * The local APIC's registers, and the page in which the xAPIC shows them.
 *
 * Source: SDM volume 3, "Local APIC Register Address Map". vlapic_msr.c reaches the same registers
 * in x2APIC mode; what differs between the modes (ID, LDR, DFR, ICR) says so below.
 */
#include "lib/likely.h"
#include "devices/vlapic_internal.h"

#define VERSION (0x14u | (LVT_COUNT - 1) << 16) /* an integrated APIC with so many LVT entries */

const uint32_t vlapic_lvt_bits[LVT_COUNT] = {
    [LVT_TIMER] = LVT_VECTOR | LVT_MASKED | LVT_TIMER_BITS,
    [LVT_THERMAL] = LVT_VECTOR | LVT_MASKED | LVT_MODE_BITS,
    [LVT_PERF] = LVT_VECTOR | LVT_MASKED | LVT_MODE_BITS,
    [LVT_LINT0] = LVT_VECTOR | LVT_MASKED | LVT_MODE_BITS | LVT_PIN_BITS,
    [LVT_LINT1] = LVT_VECTOR | LVT_MASKED | LVT_MODE_BITS | LVT_PIN_BITS,
    [LVT_ERROR] = LVT_VECTOR | LVT_MASKED,
};

/* In x2APIC mode the logical ID follows from the ID: cluster, and a bit of sixteen (SDM, "Deriving
 * Logical x2APIC ID from the Local x2APIC ID"). */
uint32_t vlapic_logical_id(const struct vlapic *l)
{
    if (!vlapic_x2apic(l))
        return l->ldr;
    return l->id >> 4 << 16 | 1u << (l->id & 0xF);
}

/* ---- Reading ---- */

/* What a register shows, the current count excepted. False if there is none. */
static bool shown(const struct vlapic *l, unsigned reg, uint32_t *value)
{
    switch (reg) {
    case REG_ID:
        *value = vlapic_x2apic(l) ? l->id : l->id << 24;
        return true;
    case REG_VERSION:
        *value = VERSION;
        return true;
    case REG_PPR:
        *value = vlapic_ppr(l);
        return true;
    case REG_APR: /* relics of the APIC bus, and the write-only register: 0 */
    case REG_RRD:
    case REG_EOI:
        *value = 0;
        return true;
    case REG_LDR:
        *value = vlapic_logical_id(l);
        return true;
    case REG_DFR:
        *value = l->dfr;
        return true;
    case REG_SVR:
        *value = l->svr;
        return true;
    case REG_ESR:
        *value = l->esr;
        return true;
    case REG_ICR_LOW: /* delivery status is always idle */
        *value = l->icr_low;
        return true;
    case REG_INITIAL:
        *value = l->timer.initial;
        return true;
    case REG_DIVIDE:
        *value = l->timer.divide;
        return true;
    case REG_TPR: /* these live in the page */
    case REG_ICR_HIGH:
    case REG_ISR ... REG_ESR - 1:
        *value = l->page->reg[reg].value;
        return true;
    case REG_LVT ... REG_LVT + LVT_COUNT - 1:
        *value = l->lvt[reg - REG_LVT];
        return true;
    default:
        *value = 0;
        return false;
    }
}

bool vlapic_reg_read(struct vlapic *l, unsigned reg, uint32_t *value, uint64_t now)
{
    vlapic_timer_run(l, now);
    if (vlapic_settle(l))
        l->changed = true;
    if (reg != REG_CURRENT)
        return shown(l, reg, value);
    *value = vlapic_timer_current(l, now);
    return true;
}

static void show(struct vlapic *l, unsigned reg)
{
    uint32_t value;

    if (shown(l, reg, &value))
        l->page->reg[reg].value = value;
}

cold void vlapic_show_all(struct vlapic *l)
{
    for (unsigned reg = 0; reg < VLAPIC_REGS; reg++)
        show(l, reg);
}

/* ---- Writing ---- */

/* While disabled by software, every LVT entry is masked and stays so. */
static void write_lvt(struct vlapic *l, enum vlapic_lvt which, uint32_t value)
{
    value &= vlapic_lvt_bits[which];
    if (!(l->svr & SVR_ENABLE))
        value |= LVT_MASKED;
    if (which == LVT_TIMER)
        vlapic_timer_set_lvt(l, value);
    else
        l->lvt[which] = value;
}

static void write_svr(struct vlapic *l, uint32_t value)
{
    l->svr = value & SVR_BITS;
    if (l->svr & SVR_ENABLE)
        return;
    for (int i = 0; i < LVT_COUNT; i++)
        write_lvt(l, i, l->lvt[i]);
}

/* The destination is 8 bits wide in xAPIC mode, with 0xFF for everyone. */
static uint32_t icr_dest(const struct vlapic *l, bool logical)
{
    uint32_t dest = l->page->reg[REG_ICR_HIGH].value;

    if (vlapic_x2apic(l))
        return dest;
    dest >>= 24;
    return dest == 0xFF && !logical ? APIC_DEST_ALL : dest;
}

/* SDM, "Interrupt Command Register (ICR)". IPIs are edge-triggered whatever the trigger bit says,
 * which only tells an INIT level de-assert: a relic that does nothing. */
static void send_ipi(struct vlapic *l)
{
    uint32_t icr = l->icr_low;
    struct apic_message m = {
        .from = l,
        .mode = icr >> 8 & 7,
        .shorthand = icr >> 18 & 3,
        .vector = icr & 0xFF,
        .logical = icr >> 11 & 1,
    };
    bool fixed = m.mode == APIC_FIXED || m.mode == APIC_LOWEST;

    if (m.mode == 3 || m.mode == APIC_EXTINT)
        return; /* reserved */
    if (m.mode == APIC_INIT && (icr >> 14 & 3) == 2)
        return;
    if (fixed && m.shorthand == APIC_TO_SELF) {
        vlapic_self_ipi(l, m.vector);
        return;
    }
    if (fixed && m.vector < 16) {
        vlapic_error(l, ESR_SEND_VECTOR);
        return;
    }
    m.dest = icr_dest(l, m.logical);
    l->bus->send_ipi(l->bus->ctx, &m);
}

static void write_icr(struct vlapic *l, uint32_t value)
{
    l->icr_low = value & ICR_LOW_BITS;
    send_ipi(l);
}

/* Writing the error register, with anything, shows the errors since the last such write. */
static void write_esr(struct vlapic *l)
{
    l->esr = l->esr_pending;
    l->esr_pending = 0;
}

static bool is_read_only(unsigned reg)
{
    return reg == REG_ID || reg == REG_VERSION || reg == REG_APR || reg == REG_PPR ||
           reg == REG_RRD || reg == REG_CURRENT || (reg >= REG_ISR && reg < REG_ESR);
}

static bool write(struct vlapic *l, unsigned reg, uint32_t value, uint64_t now)
{
    if (reg >= REG_LVT && reg < REG_LVT + LVT_COUNT) {
        write_lvt(l, reg - REG_LVT, value);
        return true;
    }
    switch (reg) {
    case REG_TPR:
        l->page->reg[reg].value = value & 0xFF;
        return true;
    case REG_EOI:
        vlapic_eoi(l);
        return true;
    case REG_LDR:
        l->ldr = value & 0xFF000000;
        return true;
    case REG_DFR:
        l->dfr = value | 0x0FFFFFFF;
        return true;
    case REG_SVR:
        write_svr(l, value);
        return true;
    case REG_ESR:
        write_esr(l);
        return true;
    case REG_ICR_LOW:
        write_icr(l, value);
        return true;
    case REG_ICR_HIGH:
        l->page->reg[reg].value = vlapic_x2apic(l) ? value : value & 0xFF000000;
        return true;
    case REG_INITIAL:
        vlapic_timer_set_initial(l, value, now);
        return true;
    case REG_DIVIDE:
        vlapic_timer_set_divide(l, value, now);
        return true;
    default:
        return is_read_only(reg);
    }
}

bool vlapic_reg_write(struct vlapic *l, unsigned reg, uint32_t value, uint64_t now)
{
    if (reg != REG_EOI) /* the most frequent one, and no matter of time */
        vlapic_timer_run(l, now);
    bool there = write(l, reg, value, now);

    if (reg == REG_SVR || reg == REG_LVT) /* they change others too */
        vlapic_show_all(l);
    else if (there)
        show(l, reg);
    return there;
}

/* SDM, "APIC-Write VM Exits": the value is in the page, in whole. */
void vlapic_written(struct vlapic *l, uint32_t offset, uint64_t now)
{
    unsigned reg = offset >> 4;

    if (reg == REG_SELF_IPI) {
        vlapic_timer_run(l, now);
        vlapic_self_ipi(l, (uint8_t)l->page->reg[reg].value);
        return;
    }
    if (reg == REG_ICR_LOW && !vlapic_x2apic(l))
        l->page->reg[REG_ICR_HIGH].value &= 0xFF000000;
    if (reg >= VLAPIC_REGS || !vlapic_reg_write(l, reg, l->page->reg[reg].value, now))
        vlapic_error(l, ESR_REGISTER);
}

/* ---- The device ---- */

/* SDM: registers are 32 bits at 16-byte boundaries; what touches the gaps is undefined. Narrow
 * reads within a register work here, as they do on most processors. */
static uint32_t mmio_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    struct vlapic *l = (struct vlapic *)dev;
    unsigned within = offset & 0xF;
    uint32_t value;

    if (within + size > 4)
        return ~0u;
    if (!vlapic_reg_read(l, offset >> 4, &value, now))
        vlapic_error(l, ESR_REGISTER);
    value >>= within * 8;
    return size == 4 ? value : value & ((1u << size * 8) - 1);
}

static void mmio_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                       uint64_t now)
{
    struct vlapic *l = (struct vlapic *)dev;

    if (size != 4 || offset & 0xF)
        return;
    if (!vlapic_reg_write(l, offset >> 4, value, now))
        vlapic_error(l, ESR_REGISTER);
}

static void tick(struct device *dev, uint64_t now)
{
    vlapic_timer_run((struct vlapic *)dev, now);
}

static uint64_t deadline(const struct device *dev)
{
    return vlapic_timer_due((const struct vlapic *)dev);
}

static void reset(struct device *dev, uint64_t now)
{
    struct vlapic *l = (struct vlapic *)dev;

    (void)now;
    l->base = VLAPIC_DEFAULT_BASE | APICBASE_ENABLE | (l->id == 0 ? APICBASE_BSP : 0);
    vlapic_init_signal(l);
}

const struct device_ops vlapic_ops = {
    .read = mmio_read,
    .write = mmio_write,
    .tick = tick,
    .deadline = deadline,
    .reset = reset,
};
