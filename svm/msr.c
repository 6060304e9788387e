/*
 * The policy for model-specific registers, as one table: where the guest's value lives, whether
 * its own RDMSR and WRMSR reach hardware, and what a value must look like. What is not in the table
 * exits and is domain/'s to answer.
 *
 * EFER exits, for SVME is not the guest's to see; PAT too, since QEMU has none of the guest's own.
 * Source: APM volume 2, "MSR Intercepts"; appendix A for the registers.
 */
#include "svm/msr.h"

#include <stddef.h>
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/spec.h"
#include "lib/addr.h"
#include "lib/string.h"
#include "svm/vcpu.h"
#include "virt/msr.h"
#include "virt/registers.h"
#include "virt/virt.h"

enum home { IN_VMCB, IN_EFER, IN_TSC, IN_SOFT, IN_DEBUGCTL, IN_NOTHING /* always 0 */ };
enum passes { EXITS, READS_PASS, BOTH_PASS };

#define FIELD(member)   offsetof(struct vmcb, member)
#define BASE_OF(number) (FIELD(segment) + (number) * sizeof(struct vmcb_segment) + 8)

static const struct msr_row rows[] = {
    /* where: in struct vmcb, or one of the enum */
    { MSR_IA32_EFER, IN_EFER, 0, EXITS, MSR_ANY },
    { MSR_IA32_PAT, IN_VMCB, FIELD(g_pat), EXITS, MSR_PAT },
    { MSR_IA32_TSC, IN_TSC, 0, EXITS, MSR_ANY },
    { MSR_IA32_SYSENTER_CS, IN_VMCB, FIELD(sysenter_cs), BOTH_PASS, MSR_ANY },
    { MSR_IA32_SYSENTER_ESP, IN_VMCB, FIELD(sysenter_esp), BOTH_PASS, MSR_CANONICAL },
    { MSR_IA32_SYSENTER_EIP, IN_VMCB, FIELD(sysenter_eip), BOTH_PASS, MSR_CANONICAL },
    { MSR_IA32_DEBUGCTL, IN_DEBUGCTL, 0, EXITS, MSR_DEBUGCTL },
    { MSR_IA32_XSS, IN_NOTHING, 0, EXITS, MSR_ZERO },
    { MSR_IA32_STAR, IN_VMCB, FIELD(star), BOTH_PASS, MSR_ANY },
    { MSR_IA32_LSTAR, IN_VMCB, FIELD(lstar), BOTH_PASS, MSR_CANONICAL },
    { MSR_IA32_CSTAR, IN_VMCB, FIELD(cstar), BOTH_PASS, MSR_CANONICAL },
    { MSR_IA32_FMASK, IN_VMCB, FIELD(sfmask), BOTH_PASS, MSR_LOW_32 },
    { MSR_IA32_FS_BASE, IN_VMCB, BASE_OF(VMCB_FS), BOTH_PASS, MSR_CANONICAL },
    { MSR_IA32_GS_BASE, IN_VMCB, BASE_OF(VMCB_GS), BOTH_PASS, MSR_CANONICAL },
    { MSR_IA32_KERNEL_GS_BASE, IN_VMCB, FIELD(kernel_gs_base), BOTH_PASS, MSR_CANONICAL },
    { MSR_IA32_TSC_AUX, IN_SOFT, SOFT_TSC_AUX, READS_PASS, MSR_ANY },
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* Two bits for each, read and write; 2 KiB for those from 0, from 0xC0000000, from 0xC0010000. */
static void let_pass(uint8_t *map, uint32_t msr, bool read, bool write)
{
    uint32_t part = msr >= 0xC0010000 ? 4096 : msr >= 0xC0000000 ? 2048 : 0;
    uint32_t n = msr & 0x1FFF;

    map[part + n / 4] &= (uint8_t) ~((read | write << 1) << n % 4 * 2);
}

#define X2APIC_AT 0x200 /* in the map: of 800 */

/* What the APM's table of AVIC lets a guest read, but the ICR, which has its halves elsewhere in
 * the page; and to write, the TPR and the EOI. */
void msr_map_x2apic(void *map, bool pass)
{
    static const uint8_t passing[16] = {
        0xAF, 0xFF,                         /* 802, 803: ID, version */
        0x6C, 0xBB,                         /* 808: TPR; 80A: PPR; 80B: EOI; 80D: LDR; 80F: SVR */
        0xAA, 0xAA, 0xAA, 0xAA, 0xAA, 0xAA, /* 810 to 827: ISR, TMR, IRR */
        0xFE, 0xFF,                         /* 828: ESR */
        0xAF, 0xAA, 0xFE, 0xEF,             /* 832 to 838: LVT, initial count; 83E: divide */
    };

    memset((uint8_t *)map + X2APIC_AT, 0xFF, sizeof(passing));
    if (pass)
        memcpy((uint8_t *)map + X2APIC_AT, passing, sizeof(passing));
}

void msr_map_fill(void *map)
{
    memset(map, 0xFF, PAGE_SIZE << MSR_MAP_ORDER);
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (rows[i].passes != EXITS && msr_is_there(rows[i].msr))
            let_pass(map, rows[i].msr, true, rows[i].passes == BOTH_PASS);
    /* The processor itself refuses what it does not know, and to read the two commands. */
    let_pass(map, MSR_IA32_SPEC_CTRL, spec_has_ctrl(), spec_has_ctrl());
    let_pass(map, MSR_IA32_PRED_CMD, false, spec_has_barrier());
    let_pass(map, MSR_IA32_FLUSH_CMD, false, spec_has_flush());
}

static uint64_t *field_of(const struct virt_vcpu *v, const struct msr_row *r)
{
    return (uint64_t *)((char *)vmcb_of(v) + r->where);
}

bool virt_msr_read(const struct virt_vcpu *v, uint32_t msr, uint64_t *value)
{
    const struct msr_row *r = msr_row_of(rows, ROW_COUNT, msr);

    if (!r)
        return false;
    switch ((enum home)r->home) {
    case IN_VMCB:
        *value = *field_of(v, r);
        break;
    case IN_EFER:
        *value = virt_efer(v);
        break;
    case IN_TSC:
        *value = rdtsc() + vmcb_of(v)->tsc_offset;
        break;
    case IN_SOFT:
        *value = rdmsr(msr); /* loaded, so the guest's */
        break;
    case IN_DEBUGCTL:
        *value = svm_of(v)->debugctl;
        break;
    case IN_NOTHING:
        *value = 0;
        break;
    }
    return true;
}

/* SYSENTER_CS has 16 bits here, and FMASK's upper half is nothing. Processors ignore TSC_AUX's. */
static int write_home(struct virt_vcpu *v, const struct msr_row *r, uint64_t value)
{
    if (r->form != MSR_ANY && !msr_fits(r->form, value))
        return -EINVAL;
    switch ((enum home)r->home) {
    case IN_VMCB:
        *field_of(v, r) = value;
        vmcb_dirty(vmcb_of(v), CLEAN_NP | CLEAN_SEG);
        break;
    case IN_EFER:
        return value == virt_efer(v) ? 0 : virt_set_efer(v, value);
    case IN_TSC:
        virt_set_tsc_offset(v, value - rdtsc());
        break;
    case IN_SOFT:
        registers_put_soft(v, (enum virt_soft_msr)r->where, (uint32_t)value);
        break;
    case IN_DEBUGCTL:
        svm_of(v)->debugctl = value;
        break;
    case IN_NOTHING:
        break;
    }
    return 0;
}

int virt_msr_write(struct virt_vcpu *v, uint32_t msr, uint64_t value)
{
    const struct msr_row *r = msr_row_of(rows, ROW_COUNT, msr);

    return r ? write_home(v, r, value) : -ENOENT;
}
