/*
 * CPUID leaves by which a guest knows Xen's interface. See xen/xen.h.
 */
#include "xen/xen.h"
#include "include/public/arch-x86/cpuid.h"

struct cpuid_regs xen_cpuid(const struct xen_vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    switch (leaf - XEN_CPUID_BASE) {
    case 0:
        return (struct cpuid_regs){ XEN_CPUID_BASE + XEN_CPUID_HVM, XEN_CPUID_SIGNATURE_EBX,
                                    XEN_CPUID_SIGNATURE_ECX, XEN_CPUID_SIGNATURE_EDX };
    case XEN_CPUID_VERSION:
        return (struct cpuid_regs){ .eax = PV_XEN_VERSION };
    case XEN_CPUID_HYPERCALL:
        return (struct cpuid_regs){ .eax = 1, .ebx = XEN_HYPERCALL_MSR };
    case XEN_CPUID_TIME:
        if (subleaf == 0)
            return (struct cpuid_regs){ .eax = XEN_CPUID_TSC_RELIABLE | XEN_CPUID_TSC_RDTSCP,
                                        .ebx = XEN_CPUID_TSC_MODE_NEVER_EMULATE,
                                        .ecx = (uint32_t)(tsc_hz / 1000) };
        break;
    case XEN_CPUID_HVM:
        if (subleaf == 0)
            return (struct cpuid_regs){ .eax = XEN_CPUID_HVM_VCPU_ID | XEN_CPUID_HVM_DOMID,
                                        .ebx = v->id,
                                        .ecx = v->domain->id };
        break;
    }
    return (struct cpuid_regs){ 0 };
}
