/*
 * The policy for model-specific registers, as one table: where the guest's value lives, whether
 * its own RDMSR and WRMSR reach hardware, and what a value must look like. What is not in the table
 * exits and is domain/'s to answer.
 *
 * Source: SDM, "MSR-Bitmap Address"; volume 4 for the registers.
 */
#include "vmx/msr.h"

#include <stddef.h>
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/spec.h"
#include "lib/addr.h"
#include "lib/string.h"
#include "vmx/vmcs.h"
#include "virt/msr.h"
#include "virt/registers.h"
#include "virt/virt.h"

enum home { IN_VMCS, IN_SOFT, IN_TSC, IN_NOTHING /* always 0 */ };
enum passes { EXITS, READS_PASS, BOTH_PASS };

static const struct msr_row rows[] = {
    /* where: the VMCS field, or one of the enum */
    { MSR_IA32_EFER, IN_VMCS, VMCS_G_EFER, READS_PASS, MSR_ANY },
    { MSR_IA32_TSC, IN_TSC, 0, READS_PASS, MSR_ANY }, /* hardware adds the offset */
    { MSR_IA32_SYSENTER_CS, IN_VMCS, VMCS_G_SYSENTER_CS, BOTH_PASS, MSR_ANY },
    { MSR_IA32_SYSENTER_ESP, IN_VMCS, VMCS_G_SYSENTER_ESP, BOTH_PASS, MSR_CANONICAL },
    { MSR_IA32_SYSENTER_EIP, IN_VMCS, VMCS_G_SYSENTER_EIP, BOTH_PASS, MSR_CANONICAL },
    { MSR_IA32_DEBUGCTL, IN_VMCS, VMCS_G_DEBUGCTL, EXITS, MSR_DEBUGCTL },
    { MSR_IA32_PAT, IN_VMCS, VMCS_G_PAT, BOTH_PASS, MSR_PAT },
    { MSR_IA32_XSS, IN_NOTHING, 0, EXITS, MSR_ZERO },
    { MSR_IA32_STAR, IN_SOFT, SOFT_STAR, READS_PASS, MSR_ANY },
    { MSR_IA32_LSTAR, IN_SOFT, SOFT_LSTAR, READS_PASS, MSR_CANONICAL },
    { MSR_IA32_CSTAR, IN_SOFT, SOFT_CSTAR, READS_PASS, MSR_CANONICAL },
    { MSR_IA32_FMASK, IN_SOFT, SOFT_FMASK, READS_PASS, MSR_LOW_32 },
    { MSR_IA32_FS_BASE, IN_VMCS, VMCS_G_FS_BASE, BOTH_PASS, MSR_CANONICAL },
    { MSR_IA32_GS_BASE, IN_VMCS, VMCS_G_GS_BASE, BOTH_PASS, MSR_CANONICAL },
    { MSR_IA32_KERNEL_GS_BASE, IN_SOFT, SOFT_KERNEL_GS_BASE, BOTH_PASS, MSR_CANONICAL },
    { MSR_IA32_TSC_AUX, IN_SOFT, SOFT_TSC_AUX, READS_PASS, MSR_LOW_32 },
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* Four bitmaps of 1 KiB: reads of 0.., reads of 0xC0000000.., then writes of both. */
void msr_bitmap_set(void *bitmap, uint32_t msr, bool write, bool exits)
{
    uint32_t n = msr & 0x1FFF;
    uint32_t part = (msr >= 0xC0000000 ? 1024 : 0) + (write ? 2048 : 0);
    uint8_t *byte = (uint8_t *)bitmap + part + n / 8, bit = 1u << n % 8;
    *byte = exits ? *byte | bit : *byte & ~bit;
}

void msr_bitmap_fill(void *bitmap)
{
    memset(bitmap, 0xFF, PAGE_SIZE);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].passes == EXITS || !msr_is_there(rows[i].msr))
            continue;
        msr_bitmap_set(bitmap, rows[i].msr, false, false);
        if (rows[i].passes == BOTH_PASS)
            msr_bitmap_set(bitmap, rows[i].msr, true, false);
    }
    /* The processor itself refuses what it does not know, and to read the two commands. */
    msr_bitmap_set(bitmap, MSR_IA32_SPEC_CTRL, false, !spec_has_ctrl());
    msr_bitmap_set(bitmap, MSR_IA32_SPEC_CTRL, true, !spec_has_ctrl());
    msr_bitmap_set(bitmap, MSR_IA32_PRED_CMD, true, !spec_has_ctrl());
    msr_bitmap_set(bitmap, MSR_IA32_FLUSH_CMD, true, !spec_has_flush());
}

bool virt_msr_read(const struct virt_vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v;
    const struct msr_row *r = msr_row_of(rows, ROW_COUNT, msr);
    if (msr == MSR_IA32_ARCH_CAPABILITIES)
        return spec_guest_capabilities(value);
    if (!r)
        return false;
    switch ((enum home)r->home) {
    case IN_VMCS:
        *value = vmcs_read(r->where);
        break;
    case IN_SOFT:
        *value = rdmsr(msr); /* loaded, so the guest's; SWAPGS may have changed it at any time */
        break;
    case IN_TSC:
        *value = rdtsc() + vmcs_read(VMCS_TSC_OFFSET);
        break;
    case IN_NOTHING:
        *value = 0;
        break;
    }
    return true;
}

static int write_home(struct virt_vcpu *v, const struct msr_row *r, uint64_t value)
{
    if (r->form != MSR_ANY && !msr_fits(r->form, value))
        return -EINVAL;
    if (r->msr == MSR_IA32_EFER)
        return value == vmcs_read(r->where) ? 0 : virt_set_efer(v, value);
    if (r->home == IN_VMCS)
        vmcs_write(r->where, value);
    if (r->home == IN_SOFT)
        registers_put_soft(v, (enum virt_soft_msr)r->where, value);
    if (r->home == IN_TSC)
        virt_set_tsc_offset(v, value - rdtsc());
    return 0;
}

int virt_msr_write(struct virt_vcpu *v, uint32_t msr, uint64_t value)
{
    const struct msr_row *r = msr_row_of(rows, ROW_COUNT, msr);

    return r ? write_home(v, r, value) : -ENOENT;
}
