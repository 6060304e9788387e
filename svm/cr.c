/*
 * CR0, CR3, CR4 and EFER: what the guest sees, what the VMCB has, and what a write has to check.
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
#include "arch/x86/insn.h"
#include "svm/flush.h"
#include "virt/virt.h"

#define CR0_HIDDEN (CR0_CD | CR0_NW)
#define CR0_DEFINED                                                                                \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |     \
     CR0_PG)
#define CR0_RESET   (CR0_CD | CR0_NW | CR0_ET)
#define CR4_FLUSHES (CR4_PGE | CR4_PSE | CR4_PAE | CR4_PCIDE | CR4_SMEP)
#define CR3_NOFLUSH (1UL << 63)
#define CR3_PCID    0xFFFUL

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

static void put_cr0(struct svm_vcpu *s, uint64_t value)
{
    s->cr0_shadow = value;
    s->vmcb->cr0 = value & ~CR0_HIDDEN;
    vmcb_intercept(s->vmcb, ICPT_CR_READ + 0, value & CR0_HIDDEN);
    vmcb_dirty(s->vmcb, CLEAN_CRX);
}

static void put_cr4(struct svm_vcpu *s, uint64_t value)
{
    s->cr4_shadow = value;
    s->vmcb->cr4 = value | CR4_MCE;
    vmcb_intercept(s->vmcb, ICPT_CR_READ + 4, !(value & CR4_MCE));
    vmcb_dirty(s->vmcb, CLEAN_CRX);
}

static void put_efer(struct svm_vcpu *s, uint64_t value)
{
    s->vmcb->efer = value | EFER_SVME;
    vmcb_dirty(s->vmcb, CLEAN_CRX);
}

void cr_let_cr0_pass(struct svm_vcpu *s)
{
    s->cr0_passes = true;
    vmcb_intercept(s->vmcb, ICPT_CR0_SELECTIVE, false);
    vmcb_intercept(s->vmcb, ICPT_CR_READ + 0, false);
}

/* What it has set of the hidden bits, it has set for good; it cannot have seen them cleared. */
void cr_take_cr0_back(struct svm_vcpu *s)
{
    s->cr0_passes = false;
    vmcb_intercept(s->vmcb, ICPT_CR0_SELECTIVE, true);
    put_cr0(s, s->vmcb->cr0 | (s->cr0_shadow & CR0_HIDDEN));
}

void svm_cr_reset(struct svm_vcpu *s)
{
    put_cr0(s, CR0_RESET);
    put_cr4(s, 0);
    put_efer(s, 0);
    s->vmcb->cr3 = 0;
    vmcb_intercept(s->vmcb, ICPT_CR0_SELECTIVE, true);
    s->cr0_passes = false;
}

/* Turning paging on: what the CPU checks before (APM, "Activating Long Mode"). */
static bool may_start_paging(const struct virt_vcpu *v)
{
    if (!(virt_efer(v) & EFER_LME))
        return true;
    return (virt_cr4(v) & CR4_PAE) &&
           !((uint32_t)vmcb_of(v)->segment[VMCB_CS].attr << 4 & SEG_AR_L);
}

static bool is_valid_cr0(const struct virt_vcpu *v, uint64_t value, uint64_t old)
{
    if (value >> 32)
        return false;
    if ((value & CR0_PG) && !(value & CR0_PE))
        return false;
    if ((value & CR0_NW) && !(value & CR0_CD))
        return false;
    if ((value & ~old) & CR0_PG)
        return may_start_paging(v);
    if ((old & ~value) & CR0_PG)
        return !virt_in_64bit_code(v) && !(virt_cr4(v) & CR4_PCIDE);
    return true;
}

/* PDPTEs of PAE paging are read when they are used under nested paging: there are none to load. */
int virt_set_cr0(struct virt_vcpu *v, uint64_t value)
{
    struct svm_vcpu *s = svm_of(v);
    uint64_t old = virt_cr0(v), efer = virt_efer(v) & ~EFER_LMA;

    if (!is_valid_cr0(v, value, old))
        return -EINVAL;
    value = (value & CR0_DEFINED) | CR0_ET; /* undefined bits read as zero, ET as one */
    if ((value ^ old) & CR0_PG)
        put_efer(s, (value & CR0_PG) && (efer & EFER_LME) ? efer | EFER_LMA : efer);
    put_cr0(s, value);
    if ((value ^ old) & (CR0_PG | CR0_WP))
        flush_vcpu(s);
    return 0;
}

int virt_set_cr3(struct virt_vcpu *v, uint64_t value)
{
    struct svm_vcpu *s = svm_of(v);

    if (virt_cr4(v) & CR4_PCIDE)
        value &= ~CR3_NOFLUSH;
    if (virt_efer(v) & EFER_LMA ? value >> cpu_maddr_bits() : value >> 32)
        return -EINVAL;
    s->vmcb->cr3 = value;
    vmcb_dirty(s->vmcb, CLEAN_CRX);
    flush_vcpu(s);
    return 0;
}

static bool is_valid_cr4(const struct virt_vcpu *v, uint64_t value, uint64_t old)
{
    uint64_t lma = virt_efer(v) & EFER_LMA;

    if (value & ~svm_of(v)->cr4_mask)
        return false;
    if (lma && !(value & CR4_PAE))
        return false;
    if ((value & ~old) & CR4_PCIDE)
        return lma && !(virt_cr3(v) & CR3_PCID);
    return true;
}

int virt_set_cr4(struct virt_vcpu *v, uint64_t value)
{
    uint64_t old = virt_cr4(v);

    if (!is_valid_cr4(v, value, old))
        return -EINVAL;
    put_cr4(svm_of(v), value);
    if ((value ^ old) & CR4_FLUSHES)
        flush_vcpu(svm_of(v));
    return 0;
}

static uint64_t efer_defined(void)
{
    uint32_t edx = cpuid(0x80000001, 0).edx;

    return EFER_SCE | EFER_LME | EFER_LMA | (edx & CPUID_EXT1D_NX ? EFER_NXE : 0);
}

int virt_set_efer(struct virt_vcpu *v, uint64_t value)
{
    uint64_t old = virt_efer(v);

    if (value & ~efer_defined())
        return -EINVAL;
    if (((value ^ old) & EFER_LME) && (virt_cr0(v) & CR0_PG))
        return -EINVAL;
    put_efer(svm_of(v), (value & ~EFER_LMA) | (old & EFER_LMA)); /* LMA is not its to write */
    if ((value ^ old) & EFER_NXE)
        flush_vcpu(svm_of(v));
    return 0;
}
