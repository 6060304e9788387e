/*
 * APIC virtualization: the local APIC's registers that the guest reaches without an exit, and the
 * interrupts that the processor delivers to it by itself.
 *
 * It comes in steps, each of which a CPU may lack: the TPR shadow (CR8); the APIC-access page (what
 * touches it is virtualized, or exits with its offset); registers and delivery, which go by the
 * virtual-APIC page; x2APIC mode, the same by MSR; and posted interrupts, which a processor fetches
 * while the guest runs. caps.c has chosen among them.
 * Sources: SDM, "APIC Virtualization and Virtual Interrupts", "VM-Execution Control Fields".
 */
#include "vmx/apic.h"

#include <stddef.h>
#include "arch/x86/irq.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "vmx/caps.h"
#include "vmx/controls.h"
#include "vmx/msr.h"
#include "vmx/vcpu.h"
#include "vmx/vmcs.h"

/* ---- Mode ---- */

/* x2APIC registers that can be read without harm, which is told apart only by us: of what is not
 * there the processor would read zeros. The ICR has its halves elsewhere in the page. */
static const struct {
    uint32_t first, last;
    bool read, write; /* without an exit */
} x2apic_msrs[] = {
    { 0x802, 0x803, true, false }, /* ID, version */
    { 0x80A, 0x80A, true, false }, /* PPR */
    { 0x80B, 0x80B, false, true }, /* EOI */
    { 0x80D, 0x80D, true, false }, /* LDR */
    { 0x80F, 0x80F, true, false }, /* SVR */
    { 0x810, 0x828, true, false }, /* ISR, TMR, IRR, ESR */
    { 0x832, 0x838, true, false }, /* LVT, initial count */
    { 0x83E, 0x83E, true, false }, /* divide configuration */
    { 0x83F, 0x83F, false, true }, /* self IPI */
};
#define MSR_X2APIC_TPR 0x808

static void pass_x2apic(void *bitmap, bool tpr, bool others)
{
    msr_bitmap_set(bitmap, MSR_X2APIC_TPR, false, !tpr);
    msr_bitmap_set(bitmap, MSR_X2APIC_TPR, true, !tpr);
    for (size_t i = 0; i < sizeof(x2apic_msrs) / sizeof(x2apic_msrs[0]); i++) {
        for (uint32_t msr = x2apic_msrs[i].first; msr <= x2apic_msrs[i].last; msr++) {
            msr_bitmap_set(bitmap, msr, false, !(others && x2apic_msrs[i].read));
            msr_bitmap_set(bitmap, msr, true, !(others && x2apic_msrs[i].write));
        }
    }
}

/* Of the controls that were chosen, those that go with the mode. */
static uint32_t controls_for(const struct virt_vcpu *v, enum virt_apic_mode mode)
{
    uint32_t fitting = PROC2_APIC_REGS | PROC2_VINTR;

    if (mode == VIRT_APIC_OFF)
        return 0;
    if (mode == VIRT_APIC_MSRS)
        fitting |= PROC2_X2APIC;
    else if (vmx_of(v)->has_apic_access)
        fitting |= PROC2_APIC_ACCESS;
    return caps.chosen[CTL_PROC2] & fitting;
}

cold void virt_set_apic_mode(struct virt_vcpu *v, enum virt_apic_mode mode)
{
    struct vmx_vcpu *x = vmx_of(v);
    uint32_t fitting = controls_for(v, mode), proc2 = (x->proc2_ctls & ~PROC2_APIC_MODES) | fitting;
    bool by_msr = fitting & PROC2_X2APIC;

    if (proc2 == x->proc2_ctls)
        return;
    x->proc2_ctls = proc2;
    v->delivers = fitting & PROC2_VINTR;
    vmcs_write(VMCS_PROC_CTLS2, proc2);
    vmcs_write(VMCS_PIN_CTLS, caps.chosen[CTL_PIN] & ~(v->delivers ? 0 : PIN_POSTED));
    pass_x2apic(x->msr_bitmap, by_msr, by_msr && v->delivers);
}

/* ---- State ---- */

void virt_set_interrupts(struct virt_vcpu *v, uint8_t requested, uint8_t served)
{
    ASSERT(v->delivers);
    vmcs_write(VMCS_G_INTERRUPTS, (uint64_t)served << 8 | requested);
}

void virt_request_interrupt(struct virt_vcpu *v, uint8_t vector)
{
    ASSERT(v->delivers);
    uint64_t status = vmcs_read(VMCS_G_INTERRUPTS);
    if (vector > (status & 0xFF))
        vmcs_write(VMCS_G_INTERRUPTS, (status & ~0xFFul) | vector);
}

/* SDM, "PPR Virtualization" and "Evaluation of Pending Virtual Interrupts". */
bool virt_interrupt_due(const struct virt_vcpu *v, uint8_t tpr)
{
    ASSERT(v->delivers);
    uint64_t status = vmcs_read(VMCS_G_INTERRUPTS), requested = status >> 4 & 15;
    return requested > status >> 12 && requested > tpr >> 4;
}

static void write_eoi_exits(const uint64_t vectors[4])
{
    for (unsigned i = 0; i < 4; i++)
        vmcs_write(vmcs_nth(VMCS_EOI_EXIT0, i), vectors[i]);
}

void virt_set_eoi_exits(struct virt_vcpu *v, const uint64_t vectors[4])
{
    ASSERT(v->delivers);
    write_eoi_exits(vectors);
}

void virt_set_held_class(struct virt_vcpu *v, unsigned class)
{
    if (v->held_class == class || !(vmx_of(v)->proc_ctls & PROC_TPR_SHADOW))
        return;
    v->held_class = class;
    vmcs_write(VMCS_TPR_THRESHOLD, class);
}

cold void apic_write(const struct virt_vcpu_config *config)
{
    static const uint64_t none[4];
    uint32_t proc2 = caps.chosen[CTL_PROC2];

    if (caps.chosen[CTL_PROC] & PROC_TPR_SHADOW) {
        vmcs_write(VMCS_APIC_PAGE, config->apic_page.v);
        vmcs_write(VMCS_TPR_THRESHOLD, 0);
    }
    if (proc2 & PROC2_APIC_ACCESS)
        vmcs_write(VMCS_APIC_ACCESS, config->apic_access.v);
    if (proc2 & PROC2_VINTR)
        write_eoi_exits(none);
    if (caps.chosen[CTL_PIN] & PIN_POSTED) {
        vmcs_write(VMCS_POSTED_VECTOR, VECTOR_POSTED);
        vmcs_write(VMCS_POSTED, config->posted.v);
    }
}
