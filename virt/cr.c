/*
 * CR0, CR3, CR4 and EFER: what a guest's write to them has to check, and what follows from it. Both
 * processors check alike; where each keeps the values is its back end's (virt/cr.h).
 * Sources: SDM, "Control Registers", "Initializing IA-32e Mode"; APM volume 2, "System-Control
 * Registers", "Activating Long Mode".
 */
#include "virt/cr.h"

#include <stdbool.h>
#include "arch/x86/insn.h"
#include "virt/virt.h"

#define CR0_DEFINED                                                                                \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD |     \
     CR0_PG)
#define CR4_FLUSHES (CR4_PGE | CR4_PSE | CR4_PAE | CR4_PCIDE | CR4_SMEP)
#define CR3_NOFLUSH (1UL << 63)
#define CR3_PCID    0xFFFUL
#define BUSY_TSS16  3

static bool is_pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

/* Into long mode from where: AMD's processors do not look at the TSS. */
static bool may_start_paging(const struct virt_vcpu *v)
{
    struct segment cs, tr;

    if (!(virt_efer(v) & EFER_LME))
        return true;
    virt_segment(v, SEG_CS, &cs);
    virt_segment(v, SEG_TR, &tr);
    return (virt_cr4(v) & CR4_PAE) && !(cs.ar & SEG_AR_L) &&
           (virt_caps.amd || (tr.ar & SEG_AR_TYPE) != BUSY_TSS16);
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

int virt_set_cr0(struct virt_vcpu *v, uint64_t value)
{
    uint64_t old = virt_cr0(v), efer = virt_efer(v) & ~EFER_LMA, changed;

    if (!is_valid_cr0(v, value, old))
        return -EINVAL;
    value = (value & CR0_DEFINED) | CR0_ET; /* undefined bits read as zero, ET as one */
    changed = value ^ old;
    if ((value & CR0_PG) && (efer & EFER_LME))
        efer |= EFER_LMA;
    if ((changed & (CR0_PG | CR0_CD | CR0_NW)) && is_pae_paging(value, virt_cr4(v), efer)) {
        int err = virt_load_pdptes(v, virt_cr3(v));
        if (err)
            return err;
    }
    if (changed & CR0_PG)
        virt_put_efer(v, efer);
    virt_put_cr0(v, value);
    if (changed & (CR0_PG | CR0_WP))
        virt_flush_vcpu(v);
    return 0;
}

int virt_set_cr3(struct virt_vcpu *v, uint64_t value)
{
    uint64_t efer = virt_efer(v), cr4 = virt_cr4(v);

    if (cr4 & CR4_PCIDE)
        value &= ~CR3_NOFLUSH;
    if (efer & EFER_LMA ? value >> cpu_maddr_bits() : value >> 32)
        return -EINVAL;
    if (is_pae_paging(virt_cr0(v), cr4, efer)) {
        int err = virt_load_pdptes(v, value);
        if (err)
            return err;
    }
    virt_put_cr3(v, value);
    virt_flush_vcpu(v);
    return 0;
}

static bool is_valid_cr4(const struct virt_vcpu *v, uint64_t value, uint64_t old)
{
    uint64_t lma = virt_efer(v) & EFER_LMA;

    if (value & ~v->cr4_mask)
        return false;
    if (lma && !(value & CR4_PAE))
        return false;
    if ((value & ~old) & CR4_PCIDE)
        return lma && !(virt_cr3(v) & CR3_PCID);
    return true;
}

int virt_set_cr4(struct virt_vcpu *v, uint64_t value)
{
    uint64_t old = virt_cr4(v), changed = (value ^ old) & CR4_FLUSHES;

    if (!is_valid_cr4(v, value, old))
        return -EINVAL;
    if (changed && is_pae_paging(virt_cr0(v), value, virt_efer(v))) {
        int err = virt_load_pdptes(v, virt_cr3(v));
        if (err)
            return err;
    }
    virt_put_cr4(v, value);
    if (changed)
        virt_flush_vcpu(v);
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
    virt_put_efer(v, (value & ~EFER_LMA) | (old & EFER_LMA)); /* LMA is not the guest's to write */
    if ((value ^ old) & EFER_NXE)
        virt_flush_vcpu(v);
    return 0;
}
