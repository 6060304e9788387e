/*
 * Xen's CPUID leaves. Numbers as in xen/include/public/arch-x86/cpuid.h.
 */
#ifndef CAISSON_PUBLIC_ARCH_X86_CPUID_H
#define CAISSON_PUBLIC_ARCH_X86_CPUID_H

#define XEN_CPUID_BASE      0x40000000u
#define XEN_CPUID_VERSION   1 /* EAX: major << 16 | minor */
#define XEN_CPUID_HYPERCALL 2 /* EAX: pages; EBX: the MSR */
#define XEN_CPUID_TIME      3
#define XEN_CPUID_HVM       4

#define XEN_CPUID_SIGNATURE_EBX 0x566e6558u /* XenVMMXenVMM */
#define XEN_CPUID_SIGNATURE_ECX 0x65584d4du
#define XEN_CPUID_SIGNATURE_EDX 0x4d4d566eu

/* Leaf 3, sub-leaf 0, EAX; EBX: the TSC's mode, ECX: its kHz. */
#define XEN_CPUID_TSC_RELIABLE           (1u << 1)
#define XEN_CPUID_TSC_RDTSCP             (1u << 2)
#define XEN_CPUID_TSC_MODE_NEVER_EMULATE 2u

/* Leaf 4, EAX. */
#define XEN_CPUID_HVM_X2APIC_VIRT   (1u << 1)
#define XEN_CPUID_HVM_VCPU_ID       (1u << 3) /* in EBX */
#define XEN_CPUID_HVM_DOMID         (1u << 4) /* in ECX */
#define XEN_CPUID_HVM_UPCALL_VECTOR (1u << 6)

#define XEN_HYPERCALL_MSR 0x40000000u

#endif
