/*
 * What each pCPU is like. See arch/x86/inspect.h.
 */
#include "arch/x86/inspect.h"

#include <stdint.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/model.h"
#include "arch/x86/msr.h"
#include "arch/x86/mtrr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/topology.h"
#include "arch/x86/tsc_sync.h"
#include "lib/log.h"

static struct finding {
    uint32_t microcode;
    unsigned mtrrs; /* registers that were different */
    uint64_t feature_control;
} findings[MAX_PCPUS]; /* each by its own pCPU, at boot */

static uint64_t feature_control(void)
{
    return cpuid(1, 0).ecx & CPUID_1C_VMX ? rdmsr(MSR_IA32_FEATURE_CONTROL) : 0;
}

static void compare(const struct finding *mine, const struct finding *first)
{
    if (mine->microcode != first->microcode)
        log_warn(
            "cpu: pCPU %u has microcode 0x%x, the boot CPU 0x%x: firmware should load the same",
            cpu_id(), mine->microcode, first->microcode);
    if (mine->feature_control != first->feature_control)
        log_warn("cpu: pCPU %u has IA32_FEATURE_CONTROL 0x%lx, the boot CPU 0x%lx", cpu_id(),
                 mine->feature_control, first->feature_control);
    if (mine->mtrrs)
        log_warn("mtrr: pCPU %u had %u other than the boot CPU's, set right", cpu_id(),
                 mine->mtrrs);
}

void inspect_cpu(void)
{
    struct finding *mine = &findings[cpu_id()];

    mine->microcode = cpu_id() ? model_microcode() : cpu_model.microcode;
    mine->feature_control = feature_control();
    if (cpu_id() == 0) {
        mtrr_keep();
        return;
    }
    mine->mtrrs = mtrr_align();
    compare(mine, &findings[0]);
}

/* SDM, "Enabling and Entering VMX Operation". */
static const char *lock_state(uint64_t control)
{
    if (!(cpuid(1, 0).ecx & CPUID_1C_VMX))
        return "absent";
    if (!(control & FEATURE_CONTROL_LOCK))
        return "not locked";
    return control & FEATURE_CONTROL_VMX ? "locked on" : "locked off";
}

void inspect_report(void)
{
    for (unsigned i = 0; i < cpu_count; i++) {
        const struct finding *f = &findings[i];

        log_info("report: pCPU %u: APIC id %u, package %u, core %u, microcode 0x%x, VT-x %s, "
                 "TSC ahead by %ld, MTRRs changed %u",
                 i, percpu[i].apic_id, topology_package(percpu[i].apic_id),
                 topology_core(percpu[i].apic_id), f->microcode, lock_state(f->feature_control),
                 tsc_sync_offset(i), f->mtrrs);
    }
}
