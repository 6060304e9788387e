/*
 * A vCPU: making and unmaking its VMCB, and moving it onto and off a pCPU.
 *
 * A VMCB is written in full once, in virt_vcpu_create; from then on only what changes is. It is
 * memory: it needs nothing to be current, and another vCPU may be loaded meanwhile.
 * Sources: APM volume 2, "Virtual Machine Control Block", "Processor State After RESET and INIT".
 */
#include "svm/vcpu.h"

#include <stddef.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/spec.h"
#include "lib/assert.h"
#include "mm/heap.h"
#include "svm/apic.h"
#include "svm/caps.h"
#include "svm/cr.h"
#include "svm/enable.h"
#include "svm/flush.h"
#include "svm/msr.h"
#include "virt/slat.h"
#include "virt/fpu.h"
#include "virt/guard.h"
#include "virt/msr.h"
#include "virt/registers.h"

#define LIMIT 0xFFFF

/* A PAUSE within so many ticks of the last one belongs to the same loop, and so many in one make an
 * exit: as other hypervisors set them (APM, "Pause Intercept Filtering"). */
#define PAUSE_THRESHOLD 128
#define PAUSE_COUNT     3000

/* What exits at first, and nearly all of it always; the others follow the guest's state (cr.c,
 * event.c). */
static const uint8_t intercepted[] = {
    ICPT_CR_READ + 8, /* the TPR is the local APIC's */
    ICPT_CR_WRITE + 8, ICPT_CR_WRITE + 4, ICPT_DR_WRITE + 7,
    /* Their delivery may raise themselves, for ever (debug.c of vmx/); a machine check is the
     * machine's; #UD may be the other vendor's hypercall. #DF needs none: a fault during its
     * delivery is SHUTDOWN. */
    ICPT_EXCEPTION + VECTOR_DB, ICPT_EXCEPTION + VECTOR_AC, ICPT_EXCEPTION + VECTOR_MC,
    ICPT_EXCEPTION + VECTOR_UD, ICPT_INTR, ICPT_NMI, ICPT_INIT, ICPT_RDPMC, ICPT_CPUID, ICPT_INVD,
    ICPT_HLT, ICPT_INVLPGA, ICPT_IOIO, ICPT_MSR, ICPT_TASK_SWITCH, ICPT_SHUTDOWN, ICPT_VMRUN,
    ICPT_VMMCALL, ICPT_VMLOAD, ICPT_VMSAVE, ICPT_STGI, ICPT_CLGI, ICPT_SKINIT, ICPT_WBINVD,
    ICPT_MONITOR, ICPT_MWAIT, ICPT_XSETBV, ICPT_RDPRU
};

static void write_controls(struct virt_vcpu *v, struct svm_vcpu *s)
{
    struct vmcb *vmcb = s->vmcb;

    for (size_t i = 0; i < sizeof(intercepted); i++)
        vmcb_intercept(vmcb, (enum intercept)intercepted[i], true);
    if (svm_has(FEATURE_PAUSE_FILTER)) {
        vmcb_intercept(vmcb, ICPT_PAUSE, true);
        vmcb->pause_threshold = PAUSE_THRESHOLD;
        vmcb->pause_count = PAUSE_COUNT;
    }
    vmcb->iopm = heap_to_maddr(v->io_bitmap).v;
    vmcb->msrpm = heap_to_maddr(s->msr_map).v;
    vmcb->nested_control = NESTED_PAGING;
    vmcb->nested_cr3 = v->slat->pointer & PAGE_MASK;
}

static void write_reset_state(struct virt_vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);
    struct vmcb *vmcb = s->vmcb;

    registers_reset_segments(v);
    vmcb->segment[VMCB_GDTR] = vmcb->segment[VMCB_IDTR] = (struct vmcb_segment){ .limit = LIMIT };
    vmcb->sysenter_cs = vmcb->sysenter_esp = vmcb->sysenter_eip = 0;
    vmcb->g_pat = PAT_AFTER_RESET;
    vmcb->spec_ctrl = 0;
    vmcb->dr6 = DR6_FIXED;
    vmcb->dr7 = DR7_FIXED;
    vmcb->rsp = vmcb->cr2 = 0;
    vmcb->rip = 0xFFF0;
    vmcb->rflags = RFLAGS_FIXED;
    vmcb->int_state = vmcb->event_inj = 0;
    svm_cr_reset(v);
    s->debugctl = 0;
    s->nmi_blocked = s->iret_due = s->step_due = false;
    vmcb->vintr = VINT_MASKING;
    vmcb_intercept(vmcb, ICPT_VINTR, false);
    vmcb_intercept(vmcb, ICPT_IRET, false);
    vmcb->clean = 0;
    s->asid_generation = FLUSH_NO_ASID;
}

/* The MSR map's pages, and AVIC's behind them. */
static unsigned map_order(void)
{
    return MSR_MAP_ORDER + !!svm_has(FEATURE_AVIC);
}

int virt_vcpu_create(struct virt_vcpu *v, const struct virt_vcpu_config *config)
{
    *v = (struct virt_vcpu){
        .owner_id = config->owner_id,
        .slat = config->slat,
        .io_bitmap = config->io_bitmap,
        .cr4_mask = config->cr4_mask,
        .xcr0_mask = config->xcr0_mask,
        .pcpu = VIRT_NOWHERE,
        .has_tsc_aux = msr_is_there(MSR_IA32_TSC_AUX), /* VMLOAD and VMSAVE have the others */
    };
    struct svm_vcpu *s = svm_of(v);
    s->vmcb = heap_pages(0, v->owner_id);
    s->msr_map = heap_pages(map_order(), v->owner_id);
    if (!s->vmcb || !s->msr_map || fpu_create(v)) {
        virt_vcpu_destroy(v);
        return -ENOMEM;
    }
    s->vmcb_at = heap_to_maddr(s->vmcb);
    msr_map_fill(s->msr_map);
    write_controls(v, s);
    if (svm_has(FEATURE_AVIC))
        svm_apic_create(v, config);
    write_reset_state(v);
    return 0;
}

void virt_vcpu_destroy(struct virt_vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);

    ASSERT(!v->loaded);
    fpu_destroy(v);
    if (s->msr_map)
        heap_free_pages(s->msr_map, map_order(), v->owner_id);
    if (s->vmcb)
        heap_free_pages(s->vmcb, 0, v->owner_id);
    s->msr_map = NULL;
    s->vmcb = NULL;
}

/* Nothing that this pCPU may have cached of an earlier stay: of the VMCB, and of its ASID. */
static void arrive(struct virt_vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);

    s->host_at = enable_host_area();
    s->vmcb->clean = 0;
    s->asid_generation = FLUSH_NO_ASID;
    registers_arrive(v);
    v->pcpu = cpu_id();
}

void virt_load(struct virt_vcpu *v)
{
    ASSERT(!v->loaded);
    v->loaded = true;
    if (spec_switch.barrier)
        guard_load(v);
    if (v->pcpu != cpu_id())
        arrive(v);
    fpu_load(v);
    registers_load(v);
}

void virt_reset(struct virt_vcpu *v)
{
    ASSERT(v->loaded);
    registers_reset(v);
    write_reset_state(v);
}

/* QEMU lets XSETBV through: what the guest has set is what it has. */
void virt_unload(struct virt_vcpu *v)
{
    ASSERT(v->loaded);
    if (read_cr4() & CR4_OSXSAVE)
        v->xcr0 = xgetbv(0) & v->xcr0_mask;
    registers_save(v);
    fpu_save(v);
    v->loaded = false;
}
