/*
 * A vCPU: making and unmaking its VMCS, and moving it onto and off a pCPU.
 *
 * A VMCS is written in full once, in virt_vcpu_create; from then on only what changes is. Reset
 * values stand in one table.
 * Sources: SDM, "Virtual-Machine Control Structures", "Processor State After Reset".
 */
#include "vmx/vcpu.h"

#include <stddef.h>
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/spec.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "mm/heap.h"
#include "vmx/apic.h"
#include "vmx/caps.h"
#include "vmx/controls.h"
#include "vmx/cr.h"
#include "virt/cr.h"
#include "virt/slat.h"
#include "vmx/flush.h"
#include "virt/fpu.h"
#include "virt/guard.h"
#include "virt/msr.h"
#include "virt/registers.h"
#include "vmx/host.h"
#include "vmx/msr.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"

static struct virt_vcpu *current[MAX_PCPUS]; /* whose VMCS is current; each pCPU its own entry */

#define LIMIT 0xFFFF

/* A PAUSE within so many TSC ticks of the last one belongs to the same loop, and a loop that goes
 * on for so long makes an exit: as other hypervisors set them (SDM, "PLE_Gap", "PLE_Window"). */
#define PLE_GAP    128
#define PLE_WINDOW 4096

/* Fields with the same value in every new vCPU; those left out are written elsewhere. */
static const struct {
    enum vmcs_field field;
    uint64_t value;
} reset_fields[] = {
    { VMCS_EXCEPTION_BITMAP,
      1u << VECTOR_DB | 1u << VECTOR_AC | 1u << VECTOR_MC | 1u << VECTOR_UD },
    { VMCS_PF_ERROR_MASK, 0 },
    { VMCS_PF_ERROR_MATCH, 0 },
    { VMCS_CR3_TARGET_COUNT, 0 },
    { VMCS_EXIT_MSR_STORE_COUNT, 0 },
    { VMCS_EXIT_MSR_LOAD_COUNT, 0 },
    { VMCS_ENTRY_MSR_LOAD_COUNT, 0 },
    { VMCS_ENTRY_EVENT, 0 },
    { VMCS_G_LINK, UINT64_MAX },
    { VMCS_G_DEBUGCTL, 0 },
    { VMCS_G_PAT, PAT_AFTER_RESET },
    { VMCS_G_GDTR_BASE, 0 },
    { VMCS_G_GDTR_LIMIT, LIMIT },
    { VMCS_G_IDTR_BASE, 0 },
    { VMCS_G_IDTR_LIMIT, LIMIT },
    { VMCS_G_INTERRUPTIBILITY, 0 },
    { VMCS_G_ACTIVITY, 0 },
    { VMCS_G_PENDING_DEBUG, 0 },
    { VMCS_G_SYSENTER_CS, 0 },
    { VMCS_G_SYSENTER_ESP, 0 },
    { VMCS_G_SYSENTER_EIP, 0 },
    { VMCS_G_DR7, DR7_FIXED },
    { VMCS_G_RSP, 0 },
    { VMCS_G_RIP, 0xFFF0 },
    { VMCS_G_RFLAGS, RFLAGS_FIXED },
};

static void make_current(struct virt_vcpu *v)
{
    current[cpu_id()] = v;
    if (v && !vmptrld(&vmx_of(v)->vmcs_at))
        panic("VMPTRLD refused a VMCS");
}

static void clear_vmcs(struct virt_vcpu *v)
{
    if (!vmclear(&vmx_of(v)->vmcs_at))
        panic("VMCLEAR refused a VMCS");
    v->straight = v->launched = false;
}

static cold void write_controls(struct virt_vcpu *v)
{
    struct vmx_vcpu *x = vmx_of(v);
    uint32_t proc2 = caps.chosen[CTL_PROC2] & ~PROC2_APIC_MODES;
    x->proc_ctls = caps.chosen[CTL_PROC];
    x->proc2_ctls = proc2;
    vmcs_write(VMCS_PIN_CTLS, caps.chosen[CTL_PIN] & ~PIN_POSTED);
    vmcs_write(VMCS_PROC_CTLS, x->proc_ctls);
    vmcs_write(VMCS_PROC_CTLS2, proc2);
    vmcs_write(VMCS_EXIT_CTLS, caps.chosen[CTL_EXIT]);
    vmcs_write(VMCS_ENTRY_CTLS, caps.chosen[CTL_ENTRY]);
    vmcs_write(VMCS_TSC_OFFSET, 0); /* here, as INIT leaves the TSC alone */
    vmcs_write(VMCS_EPT_POINTER, v->slat->pointer);
    vmcs_write(VMCS_MSR_BITMAP, heap_to_maddr(x->msr_bitmap).v);
    vmcs_write(VMCS_IO_BITMAP_A, heap_to_maddr(v->io_bitmap).v);
    vmcs_write(VMCS_IO_BITMAP_B, heap_to_maddr(v->io_bitmap).v + PAGE_SIZE);
    if (proc2 & PROC2_VPID)
        vmcs_write(VMCS_VPID, x->vpid);
    if (proc2 & PROC2_PAUSE_LOOP) {
        vmcs_write(VMCS_PLE_GAP, PLE_GAP);
        vmcs_write(VMCS_PLE_WINDOW, PLE_WINDOW);
    }
    if (proc2 & PROC2_XSAVES)
        vmcs_write(VMCS_XSS_EXITING, UINT64_MAX);
}

static cold void write_reset_state(struct virt_vcpu *v)
{
    for (size_t i = 0; i < sizeof(reset_fields) / sizeof(reset_fields[0]); i++)
        vmcs_write(reset_fields[i].field, reset_fields[i].value);
    registers_reset_segments(v);
    cr_reset(v);
    v->dr6 = DR6_FIXED;
}

/* Another vCPU may be loaded here while this one is made: its VMCS becomes current again. */
static cold void write_vmcs(struct virt_vcpu *v, const struct virt_vcpu_config *config)
{
    struct virt_vcpu *before = current[cpu_id()];
    *(uint32_t *)vmx_of(v)->vmcs = caps.revision;
    vmx_of(v)->vmcs_at = heap_to_maddr(vmx_of(v)->vmcs);
    clear_vmcs(v);
    make_current(v);
    write_controls(v);
    apic_write(config);
    write_reset_state(v);
    clear_vmcs(v);
    make_current(before);
}

cold int virt_vcpu_create(struct virt_vcpu *v, const struct virt_vcpu_config *config)
{
    *v = (struct virt_vcpu){
        .owner_id = config->owner_id,
        .slat = config->slat,
        .io_bitmap = config->io_bitmap,
        .cr4_mask = config->cr4_mask & caps.cr4_fixed1 & ~(CR4_VMXE | CR4_SMXE),
        .xcr0_mask = config->xcr0_mask,
        .pcpu = VIRT_NOWHERE,
        .switches_calls = true,
        .has_tsc_aux = msr_is_there(MSR_IA32_TSC_AUX),
    };
    struct vmx_vcpu *x = vmx_of(v);
    x->has_apic_access = config->apic_access.v != 0;
    x->apic_base = config->apic_base;
    if (flush_vpid_alloc(&x->vpid))
        return -ENOMEM;
    x->vmcs = heap_pages(0, v->owner_id);
    x->msr_bitmap = heap_pages(0, v->owner_id);
    if (!x->vmcs || !x->msr_bitmap || fpu_create(v)) {
        virt_vcpu_destroy(v);
        return -ENOMEM;
    }
    msr_bitmap_fill(x->msr_bitmap);
    write_vmcs(v, config);
    return 0;
}

cold void virt_vcpu_destroy(struct virt_vcpu *v)
{
    struct vmx_vcpu *x = vmx_of(v);
    ASSERT(!v->loaded);
    fpu_destroy(v);
    if (x->msr_bitmap)
        heap_free_pages(x->msr_bitmap, 0, v->owner_id);
    if (x->vmcs)
        heap_free_pages(x->vmcs, 0, v->owner_id);
    x->msr_bitmap = x->vmcs = NULL;
    flush_vpid_free(x->vpid);
    x->vpid = 0;
}

/* Nothing that this pCPU may have cached of an earlier stay, or of the VPID's last owner. */
static void arrive(struct virt_vcpu *v)
{
    host_state_write();
    virt_flush_vcpu(v);
    virt_flush_slat(v->slat);
    registers_arrive(v);
    v->pcpu = cpu_id();
}

void virt_load(struct virt_vcpu *v)
{
    ASSERT(!v->loaded && !current[cpu_id()]);
    make_current(v);
    v->loaded = true;
    if (spec_switch.barrier)
        guard_load(v);
    if (v->pcpu != cpu_id())
        arrive(v);
    fpu_load(v);
    registers_load(v);
    write_dr6(v->dr6);
    write_cr2(v->cr2);
}

cold void virt_reset(struct virt_vcpu *v)
{
    ASSERT(v->loaded);
    registers_reset(v);
    write_reset_state(v);
    write_dr6(v->dr6);
    write_cr2(0);
    virt_flush_vcpu(v); /* what the old CR3 had mapped */
}

void virt_unload(struct virt_vcpu *v)
{
    ASSERT(v->loaded && current[cpu_id()] == v);
    v->cr2 = read_cr2();
    v->dr6 = read_dr6();
    registers_save(v);
    fpu_save(v);
    clear_vmcs(v);
    v->loaded = false;
    make_current(NULL);
}
