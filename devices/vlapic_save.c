/*
 * A local APIC's state, out of it and into another one. See devices/vlapic.h.
 *
 * What is put in may be anything: each register gets what a guest could have brought it to, the
 * rest of the bits is dropped. Source: SDM volume 3, "Local APIC Register Address Map".
 */
#include "devices/vlapic_internal.h"

#define SETS       8          /* registers of ISR, TMR and IRR each */
#define NO_VECTORS 0xFFFF0000 /* of the first of them: there are none below 16 */

void vlapic_get(struct vlapic *l, struct vlapic_state *out, uint64_t now)
{
    for (unsigned reg = 0; reg < VLAPIC_REGS; reg++)
        if (!vlapic_reg_read(l, reg, &out->reg[reg], now))
            out->reg[reg] = 0;
    out->base = vlapic_apicbase(l);
    out->esr_pending = l->esr_pending;
}

int vlapic_put_base(struct vlapic *l, uint64_t base)
{
    if (!vlapic_base_fits(l, base))
        return -EINVAL;
    l->base = base;
    l->moved = true;
    vlapic_show_all(l);
    return 0;
}

/* None has come by a level: who asks by level is a device, and would ask again. */
static void put_vectors(struct vlapic *l, const struct vlapic_state *in)
{
    for (unsigned i = 0; i < SETS; i++) {
        uint32_t mask = i ? UINT32_MAX : NO_VECTORS;
        l->page->reg[REG_ISR + i].value = in->reg[REG_ISR + i] & mask;
        l->page->reg[REG_IRR + i].value = in->reg[REG_IRR + i] & mask;
        l->page->reg[REG_TMR + i].value = 0;
    }
    l->has_requests = true;
    l->changed = l->levels_changed = true;
}

/* While disabled by software, every entry is masked. */
static void put_lvt(struct vlapic *l, const struct vlapic_state *in)
{
    uint32_t masked = l->svr & SVR_ENABLE ? 0 : LVT_MASKED;

    for (unsigned i = 0; i < LVT_COUNT; i++)
        l->lvt[i] = (in->reg[REG_LVT + i] & vlapic_lvt_bits[i]) | masked;
}

void vlapic_put_regs(struct vlapic *l, const struct vlapic_state *in, uint64_t now)
{
    l->page->reg[REG_TPR].value = in->reg[REG_TPR] & 0xFF;
    l->page->reg[REG_ICR_HIGH].value = in->reg[REG_ICR_HIGH];
    l->icr_low = in->reg[REG_ICR_LOW] & ICR_LOW_BITS;
    l->ldr = vlapic_x2apic(l) ? 0 : in->reg[REG_LDR] & 0xFF000000;
    l->dfr = in->reg[REG_DFR] | 0x0FFFFFFF;
    l->svr = in->reg[REG_SVR] & SVR_BITS;
    l->esr = in->reg[REG_ESR];
    l->esr_pending = in->esr_pending;
    put_vectors(l, in);
    put_lvt(l, in);
    l->timer.divide = in->reg[REG_DIVIDE] & DIVIDE_BITS;
    vlapic_timer_restore(l, in->reg[REG_INITIAL], in->reg[REG_CURRENT], now);
    vlapic_show_all(l);
}
