/*
 * AMD-V on and off, one pCPU at a time.
 * Sources: APM volume 2, "Enabling SVM", "VM_HSAVE_PA MSR", "VMSAVE and VMLOAD Instructions", "TSC
 * Ratio MSR", "Instruction-Based Sampling MSRs".
 */
#include "svm/enable.h"

#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "lib/assert.h"
#include "mm/heap.h"
#include "svm/caps.h"
#include "svm/insn.h"
#include "virt/virt.h"

/* Of each pCPU with AMD-V on; else NULL: where VMRUN keeps Caisson's state (nobody else may touch
 * that), and the rest of it. */
static void *saved_by_vmrun[MAX_PCPUS], *saved_by_us[MAX_PCPUS];

maddr_t enable_host_area(void)
{
    return heap_to_maddr(saved_by_us[cpu_id()]);
}

/* What a guest would feel, since no entry changes it, and firmware may have left: another rate of
 * its TSC, recorded branches and steps by branches, samples of its instructions. */
static void reset_leftovers(void)
{
    wrmsr(MSR_IA32_DEBUGCTL, 0);
    if (svm_has(FEATURE_TSC_RATIO))
        wrmsr(MSR_TSC_RATIO, TSC_RATIO_ONE);
    if (cpuid(0x80000001, 0).ecx & CPUID_EXT1C_IBS) {
        wrmsr(MSR_IBS_FETCH, 0);
        wrmsr(MSR_IBS_OP, 0);
    }
}

int virt_cpu_enable(void)
{
    unsigned me = cpu_id();

    ASSERT(svm_caps.asids != 0 && !saved_by_vmrun[me]);
    if (caps_svm_there() || caps_svm_compare())
        return -ENODEV;
    void *theirs = heap_pages(0, OWNER_CAISSON), *ours = heap_pages(0, OWNER_CAISSON);
    if (!theirs || !ours) {
        if (theirs)
            heap_free_pages(theirs, 0, OWNER_CAISSON);
        return -ENOMEM;
    }
    saved_by_vmrun[me] = theirs;
    saved_by_us[me] = ours;
    wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, heap_to_maddr(theirs).v);
    vmsave(heap_to_maddr(ours));
    reset_leftovers();
    return 0;
}

void virt_cpu_disable(void)
{
    if (!saved_by_vmrun[cpu_id()])
        return;
    wrmsr(MSR_VM_HSAVE_PA, 0);
    wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) & ~EFER_SVME);
    saved_by_vmrun[cpu_id()] = NULL;
    /* The pages stay allocated: this runs on the way to the machine's end, perhaps in a panic. */
}
