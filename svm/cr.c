/*
 * CR0, CR3, CR4 and EFER: what the guest sees, and what the VMCB has. What a write has to check is
 * in virt/cr.c.
 *
 * The guest's values are those of the VMCB, and paging and long mode follow them in hardware. Three
 * things differ. CR0.CD and NW would make all of its memory uncached: it only sees them. CR4.MCE is
 * always on, as a machine check must reach the machine's handler. EFER.SVME is on, since VMRUN
 * demands it. Reads exit while there is a difference. Writes to CR4 exit always, since it may not
 * set what its CPUID hides; those to CR0 if they change more than TS and MP; those to CR3 never.
 * Sources: APM volume 2, "System-Control Registers", "Canonicalization and Consistency Checks",
 * "Selective CR0 write intercept" in "Instruction Intercepts".
 */
#include "svm/cr.h"

#include "arch/x86/cpu.h"
#include "virt/cr.h"
#include "virt/virt.h"

#define CR0_HIDDEN (CR0_CD | CR0_NW)

uint64_t virt_cr0(const struct virt_vcpu *v)
{
    return (vmcb_of(v)->cr0 & ~CR0_HIDDEN) | (svm_of(v)->cr0_shadow & CR0_HIDDEN);
}

uint64_t virt_cr3(const struct virt_vcpu *v)
{
    return vmcb_of(v)->cr3;
}

uint64_t virt_cr4(const struct virt_vcpu *v)
{
    return svm_of(v)->cr4_shadow;
}

uint64_t virt_efer(const struct virt_vcpu *v)
{
    return vmcb_of(v)->efer & ~EFER_SVME;
}

bool virt_in_64bit_code(const struct virt_vcpu *v)
{
    return cr_in_64bit_code(vmcb_of(v));
}

/* Where another value would give linear addresses of code, or its bytes, another meaning: what is
 * known of instructions does not hold then. */
static void put(struct svm_vcpu *s, uint64_t *where, uint64_t value)
{
    vmcb_dirty(s->vmcb, CLEAN_CRX);
    if (*where == value)
        return;
    *where = value;
    for (unsigned i = 0; i < SVM_PLACES; i++)
        s->places[i].at = 0;
}

void virt_put_cr0(struct virt_vcpu *v, uint64_t value)
{
    struct svm_vcpu *s = svm_of(v);

    s->cr0_shadow = value;
    put(s, &s->vmcb->cr0, value & ~CR0_HIDDEN);
    vmcb_intercept(s->vmcb, ICPT_CR_READ + 0, value & CR0_HIDDEN);
}

void virt_put_cr3(struct virt_vcpu *v, uint64_t value)
{
    vmcb_of(v)->cr3 = value;
    vmcb_dirty(vmcb_of(v), CLEAN_CRX);
}

void virt_put_cr4(struct virt_vcpu *v, uint64_t value)
{
    struct svm_vcpu *s = svm_of(v);

    s->cr4_shadow = value;
    put(s, &s->vmcb->cr4, value | CR4_MCE);
    vmcb_intercept(s->vmcb, ICPT_CR_READ + 4, !(value & CR4_MCE));
}

void virt_put_efer(struct virt_vcpu *v, uint64_t value)
{
    put(svm_of(v), &vmcb_of(v)->efer, value | EFER_SVME);
}

/* Those of PAE paging are read when they are used, under nested paging: there are none to load. */
int virt_load_pdptes(struct virt_vcpu *v, uint64_t cr3)
{
    (void)v;
    (void)cr3;
    return 0;
}

void cr_let_cr0_pass(struct svm_vcpu *s)
{
    s->cr0_passes = true;
    vmcb_intercept(s->vmcb, ICPT_CR0_SELECTIVE, false);
    vmcb_intercept(s->vmcb, ICPT_CR_READ + 0, false);
}

/* What it has set of the hidden bits, it has set for good; it cannot have seen them cleared. */
void cr_take_cr0_back(struct virt_vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);

    s->cr0_passes = false;
    vmcb_intercept(s->vmcb, ICPT_CR0_SELECTIVE, true);
    virt_put_cr0(v, s->vmcb->cr0 | (s->cr0_shadow & CR0_HIDDEN));
}

void svm_cr_reset(struct virt_vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);

    virt_put_cr0(v, CR0_RESET);
    virt_put_cr3(v, 0);
    virt_put_cr4(v, 0);
    virt_put_efer(v, 0);
    vmcb_intercept(s->vmcb, ICPT_CR0_SELECTIVE, true);
    s->cr0_passes = false;
}
