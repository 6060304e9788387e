/*
 * VMX operation on and off, one pCPU at a time.
 * Sources: SDM, "Enabling and Entering VMX Operation", "Restrictions on VMX Operation".
 */
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "mm/heap.h"
#include "vmx/caps.h"
#include "vmx/insn.h"
#include "virt/virt.h"

static void *vmxon_region[MAX_PCPUS]; /* one for each pCPU in VMX operation; else NULL */

/* Firmware that leaves the switch unlocked leaves it to us: lock it on. */
static bool unlock(void)
{
    uint64_t fc = rdmsr(MSR_IA32_FEATURE_CONTROL);
    if (!(fc & FEATURE_CONTROL_LOCK))
        wrmsr(MSR_IA32_FEATURE_CONTROL, fc | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
    return rdmsr(MSR_IA32_FEATURE_CONTROL) & FEATURE_CONTROL_VMX;
}

/* CR0 and CR4 as VMX operation wants them; CR4 gets VMXE, which is among its fixed bits. */
static void fix_control_registers(const struct caps *c)
{
    write_cr0((read_cr0() | c->cr0_fixed0) & c->cr0_fixed1);
    write_cr4((read_cr4() | c->cr4_fixed0 | CR4_VMXE) & c->cr4_fixed1);
}

static int enter_vmx_operation(void *region)
{
    *(uint32_t *)region = caps.revision;
    if (!vmxon(heap_to_maddr(region))) {
        log_error("VT-x: VMXON failed on pCPU %u", cpu_id());
        return -ENODEV;
    }
    vmxon_region[cpu_id()] = region;
    return 0;
}

int virt_cpu_enable(void)
{
    ASSERT(caps.revision != 0 && !vmxon_region[cpu_id()]);
    if (!(cpuid(1, 0).ecx & CPUID_1C_VMX) || !unlock()) {
        log_error("VT-x: absent or locked off in firmware on pCPU %u", cpu_id());
        return -ENODEV;
    }
    struct caps mine;
    caps_read(&mine);
    int err = caps_compare(&mine);
    if (err)
        return err;

    void *region = heap_pages(0, OWNER_CAISSON);
    if (!region)
        return -ENOMEM;
    fix_control_registers(&mine);
    err = enter_vmx_operation(region);
    if (err)
        heap_free_pages(region, 0, OWNER_CAISSON);
    return err;
}

void virt_cpu_disable(void)
{
    void *region = vmxon_region[cpu_id()];
    if (!region)
        return;
    vmxoff();
    write_cr4(read_cr4() & ~CR4_VMXE);
    vmxon_region[cpu_id()] = NULL;
    /* The page stays allocated: this runs on the way to the machine's end, perhaps in a panic. */
}
