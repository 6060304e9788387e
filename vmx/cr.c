/*
 * CR0, CR3, CR4 and EFER: who owns which bit, and what a write has to check.
 *
 * The guest owns every bit with which hardware can be left alone: of CR0 all that an operating
 * system toggles while it runs, of CR4 all that its CPUID allows. A MOV that touches only those
 * does not exit, and hardware makes its checks. Host-owned are CR0.PE and PG (long mode has to be
 * followed in the VM-entry controls), CR0.NE, CD and NW, and CR4.MCE and VMXE.
 * Sources: SDM, "Control Registers", "Guest/Host Masks and Read Shadows for CR0 and CR4".
 */
#include "vmx/cr.h"

#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "lib/assert.h"
#include "vmx/caps.h"
#include "vmx/controls.h"
#include "vmx/flush.h"
#include "vmx/pdpte.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"

#define CR0_OWNED   (CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM)
#define CR0_DEFINED (CR0_OWNED | CR0_PE | CR0_ET | CR0_NE | CR0_NW | CR0_CD | CR0_PG)
#define CR0_RESET   (CR0_CD | CR0_NW | CR0_ET)
#define CR4_KEPT    (CR4_MCE | CR4_VMXE | CR4_SMXE) /* never the guest's to set in hardware */
#define CR4_FLUSHES (CR4_PGE | CR4_PSE | CR4_PAE | CR4_PCIDE | CR4_SMEP)
#define CR3_NOFLUSH (1UL << 63)
#define CR3_PCID    0xFFFUL

uint64_t virt_cr0(const struct virt_vcpu *v)
{
    (void)v;
    return (vmcs_read(VMCS_G_CR0) & CR0_OWNED) | (vmcs_read(VMCS_CR0_SHADOW) & ~CR0_OWNED);
}

uint64_t virt_cr3(const struct virt_vcpu *v)
{
    (void)v;
    return vmcs_read(VMCS_G_CR3);
}

uint64_t virt_cr4(const struct virt_vcpu *v)
{
    return (vmcs_read(VMCS_G_CR4) & v->cr4_owned) | (vmcs_read(VMCS_CR4_SHADOW) & ~v->cr4_owned);
}

uint64_t virt_efer(const struct virt_vcpu *v)
{
    (void)v;
    return vmcs_read(VMCS_G_EFER);
}

bool cr_in_64bit_code(void)
{
    return (vmcs_read(VMCS_G_EFER) & EFER_LMA) && (vmcs_read(VMCS_G_CS_AR) & SEG_AR_L);
}

bool virt_in_64bit_code(const struct virt_vcpu *v)
{
    (void)v;
    return cr_in_64bit_code();
}

/* With caches off (CD) all of the guest's memory would become uncached: the guest only sees the
 * bit. NE must be on in VMX operation; PE and PG need not be in an unrestricted guest. */
static void write_cr0_fields(uint64_t value)
{
    uint64_t fixed = caps.cr0_fixed0 & ~(CR0_PE | CR0_PG);
    vmcs_write(VMCS_G_CR0, (value & ~(CR0_CD | CR0_NW)) | fixed);
    vmcs_write(VMCS_CR0_SHADOW, value);
}

/* A machine check in the guest must reach the machine's handler, so MCE is really always on. */
static void write_cr4_fields(uint64_t value)
{
    vmcs_write(VMCS_G_CR4, value | caps.cr4_fixed0 | CR4_MCE);
    vmcs_write(VMCS_CR4_SHADOW, value);
}

static void write_efer_field(uint64_t value)
{
    uint64_t entry = vmcs_read(VMCS_ENTRY_CTLS) & ~(uint64_t)ENTRY_IA32E;
    vmcs_write(VMCS_G_EFER, value);
    vmcs_write(VMCS_ENTRY_CTLS, entry | (value & EFER_LMA ? ENTRY_IA32E : 0));
}

void cr_reset(struct virt_vcpu *v)
{
    v->cr4_owned = v->cr4_mask & caps.cr4_fixed1 & ~CR4_KEPT;
    vmcs_write(VMCS_CR0_MASK, ~CR0_OWNED);
    vmcs_write(VMCS_CR4_MASK, ~v->cr4_owned);
    write_cr0_fields(CR0_RESET);
    write_cr4_fields(0);
    write_efer_field(0);
    vmcs_write(VMCS_G_CR3, 0);
    for (unsigned i = 0; i < 4; i++)
        vmcs_write(vmcs_nth(VMCS_G_PDPTE0, i), 0);
}

static bool is_pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}

/* Turning paging on: what the CPU checks before (SDM, "Initializing IA-32e Mode"). */
static bool may_start_paging(const struct virt_vcpu *v, uint64_t efer)
{
    if (!(efer & EFER_LME))
        return true;
    bool busy_tss16 = (vmcs_read(VMCS_G_TR_AR) & 0xF) == 3;
    return (virt_cr4(v) & CR4_PAE) && !(vmcs_read(VMCS_G_CS_AR) & SEG_AR_L) && !busy_tss16;
}

static bool may_stop_paging(const struct virt_vcpu *v)
{
    return !cr_in_64bit_code() && !(virt_cr4(v) & CR4_PCIDE);
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
        return may_start_paging(v, virt_efer(v));
    if ((old & ~value) & CR0_PG)
        return may_stop_paging(v);
    return true;
}

int virt_set_cr0(struct virt_vcpu *v, uint64_t value)
{
    uint64_t old = virt_cr0(v), changed;
    if (!is_valid_cr0(v, value, old))
        return -EINVAL;
    value = (value & CR0_DEFINED) | CR0_ET; /* undefined bits read as zero, ET as one */
    changed = value ^ old;

    uint64_t efer = virt_efer(v) & ~EFER_LMA;
    if ((value & CR0_PG) && (efer & EFER_LME))
        efer |= EFER_LMA;
    if ((changed & (CR0_PG | CR0_CD | CR0_NW)) && is_pae_paging(value, virt_cr4(v), efer)) {
        int err = pdpte_load(v, virt_cr3(v));
        if (err)
            return err;
    }
    if (changed & CR0_PG)
        write_efer_field(efer);
    write_cr0_fields(value);
    if (changed & (CR0_PG | CR0_WP))
        flush_vpid(v->vpid);
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
        int err = pdpte_load(v, value);
        if (err)
            return err;
    }
    vmcs_write(VMCS_G_CR3, value);
    flush_vpid(v->vpid);
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
    uint64_t old = virt_cr4(v);
    if (!is_valid_cr4(v, value, old))
        return -EINVAL;
    if (((value ^ old) & CR4_FLUSHES) && is_pae_paging(virt_cr0(v), value, virt_efer(v))) {
        int err = pdpte_load(v, virt_cr3(v));
        if (err)
            return err;
    }
    write_cr4_fields(value);
    if ((value ^ old) & CR4_FLUSHES)
        flush_vpid(v->vpid);
    return 0;
}

static uint64_t efer_defined(void)
{
    uint32_t edx = cpuid(0x80000001, 0).edx;
    return EFER_SCE | EFER_LME | EFER_LMA | (edx & CPUID_EXT1D_NX ? EFER_NXE : 0);
}

static __attribute__((noinline)) int change_efer(struct virt_vcpu *v, uint64_t value, uint64_t old)
{
    if (value & ~efer_defined())
        return -EINVAL;
    if (((value ^ old) & EFER_LME) && (virt_cr0(v) & CR0_PG))
        return -EINVAL;
    value = (value & ~EFER_LMA) | (old & EFER_LMA); /* LMA is not the guest's to write */
    write_efer_field(value);
    if ((value ^ old) & EFER_NXE)
        flush_vpid(v->vpid);
    return 0;
}

int virt_set_efer(struct virt_vcpu *v, uint64_t value)
{
    uint64_t old = vmcs_read(VMCS_G_EFER);

    return value == old ? 0 : change_efer(v, value, old);
}
