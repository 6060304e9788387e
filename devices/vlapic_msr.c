/*
 * The local APIC by MSR: IA32_APICBASE, and the registers in x2APIC mode.
 *
 * Sources: SDM volume 3, "Extended XAPIC (x2APIC)", "x2APIC State Transitions". Unlike the page,
 * the MSRs refuse what is not there, not readable, not writable, or reserved: the guest gets #GP.
 */
#include "devices/vlapic_internal.h"

#define ICR_RESERVED 0x00000000FFF32000UL /* bit 12, delivery status, is ignored */

/* By register; what neither reads nor writes is not there. */
static const struct msr_rule {
    bool read, write;
    uint32_t bits; /* that may be set in a write */
} rules[] = {
    [REG_ID... REG_VERSION] = { true, false, 0 },
    [REG_TPR] = { true, true, 0xFF },
    [REG_PPR] = { true, false, 0 },
    [REG_EOI] = { false, true, 0 },
    [REG_LDR] = { true, false, 0 },
    [REG_SVR] = { true, true, SVR_BITS },
    [REG_ISR... REG_ESR - 1] = { true, false, 0 },
    [REG_ESR] = { true, true, 0 },
    [REG_ICR_LOW] = { true, true, ~0u },                      /* 64 bits: see below */
    [REG_LVT... REG_LVT + LVT_COUNT - 1] = { true, true, 0 }, /* bits: vlapic_lvt_bits */
    [REG_INITIAL] = { true, true, ~0u },
    [REG_CURRENT] = { true, false, 0 },
    [REG_DIVIDE] = { true, true, DIVIDE_BITS },
    [REG_SELF_IPI] = { false, true, 0xFF },
};

/* The rule for an MSR of the x2APIC range; one that allows nothing if there is no such register, or
 * if the APIC is not in that mode. */
static const struct msr_rule *x2apic_rule(const struct vlapic *l, uint32_t msr)
{
    static const struct msr_rule nothing;
    uint32_t reg = msr - MSR_X2APIC_FIRST;

    if (!vlapic_x2apic(l) || reg >= sizeof(rules) / sizeof(rules[0]))
        return &nothing;
    return &rules[reg];
}

/* ---- IA32_APICBASE ---- */

/* Three states are legal; x2APIC mode is entered from xAPIC mode and left to disabled, only. */
static bool legal_transition(uint64_t old, uint64_t new)
{
    bool old_enable = old & APICBASE_ENABLE, old_x2 = old & APICBASE_X2APIC;
    bool new_enable = new &APICBASE_ENABLE, new_x2 = new &APICBASE_X2APIC;

    if (new_x2)
        return new_enable && old_enable;
    return !(old_x2 && new_enable);
}

bool vlapic_base_fits(const struct vlapic *l, uint64_t value)
{
    unsigned width = l->bus->address_bits ? l->bus->address_bits : 52;
    uint64_t address = ((1UL << width) - 1) & ~(uint64_t)(VLAPIC_SIZE - 1);

    if (value & ~(address | APICBASE_BSP | APICBASE_X2APIC | APICBASE_ENABLE))
        return false;
    return value & APICBASE_ENABLE || !(value & APICBASE_X2APIC);
}

static int write_base(struct vlapic *l, uint64_t value)
{
    bool was_enabled = vlapic_enabled(l);

    if (!vlapic_base_fits(l, value) || !legal_transition(l->base, value))
        return -EINVAL;

    l->base = value;
    l->moved = true;
    if (was_enabled && !vlapic_enabled(l))
        vlapic_init_signal(l); /* what it held is lost */
    vlapic_show_all(l);        /* ID and LDR differ between the modes */
    return 0;
}

/* ---- Registers ---- */

int vlapic_msr_read(struct vlapic *l, uint32_t msr, uint64_t *value, uint64_t now)
{
    const struct msr_rule *rule = x2apic_rule(l, msr);
    uint32_t low = 0;

    if (msr == MSR_IA32_APICBASE) {
        *value = vlapic_apicbase(l);
        return 0;
    }
    if (!rule->read || !vlapic_reg_read(l, msr - MSR_X2APIC_FIRST, &low, now))
        return -EINVAL;
    *value = low;
    if (msr - MSR_X2APIC_FIRST == REG_ICR_LOW)
        *value |= (uint64_t)l->page->reg[REG_ICR_HIGH].value << 32;
    return 0;
}

static int write_icr(struct vlapic *l, uint64_t value, uint64_t now)
{
    if (value & ICR_RESERVED)
        return -EINVAL;
    vlapic_reg_write(l, REG_ICR_HIGH, value >> 32, now);
    vlapic_reg_write(l, REG_ICR_LOW, (uint32_t)value, now);
    return 0;
}

/* Kernels send hardly anything else. */
bool vlapic_icr_simple(struct vlapic *l, uint64_t icr)
{
    uint32_t low = (uint32_t)icr;

    if (low & (ICR_RESERVED | ICR_MODE) || VLAPIC_ICR_VECTOR(low) < 16 ||
        low >> ICR_SHORTHAND > APIC_TO_SELF || !(l->base & APICBASE_X2APIC))
        return false;
    l->icr_low = l->page->reg[REG_ICR_LOW].value = low & ICR_LOW_BITS;
    l->page->reg[REG_ICR_HIGH].value = VLAPIC_ICR_DEST(icr);
    return true;
}

static uint64_t legal_bits(const struct msr_rule *rule, unsigned reg)
{
    if (reg >= REG_LVT && reg < REG_LVT + LVT_COUNT)
        return vlapic_lvt_bits[reg - REG_LVT] | LVT_STATUS_BITS;
    return rule->bits;
}

int vlapic_msr_write(struct vlapic *l, uint32_t msr, uint64_t value, uint64_t now)
{
    const struct msr_rule *rule = x2apic_rule(l, msr);
    unsigned reg = msr - MSR_X2APIC_FIRST;

    if (msr == MSR_IA32_APICBASE) {
        vlapic_timer_run(l, now);
        return write_base(l, value);
    }
    if (!rule->write)
        return -EINVAL;
    if (reg == REG_ICR_LOW)
        return write_icr(l, value, now);
    if (value & ~legal_bits(rule, reg))
        return -EINVAL;
    if (reg == REG_SELF_IPI) {
        vlapic_timer_run(l, now);
        vlapic_self_ipi(l, value);
        return 0;
    }
    return vlapic_reg_write(l, reg, value, now) ? 0 : -EINVAL;
}
