/*
 * Where a vCPU of a guest with a whole CPU begins: the argument of VCPUOP_initialise. Layouts as in
 * xen/include/public/hvm/hvm_vcpu.h, the same for 32-bit and 64-bit callers.
 */
#ifndef CAISSON_PUBLIC_HVM_HVM_VCPU_H
#define CAISSON_PUBLIC_HVM_HVM_VCPU_H

#include <stdint.h>

#define XEN_VCPU_HVM_MODE_32B 0
#define XEN_VCPU_HVM_MODE_64B 1

/* Protected mode, paged or not, compatibility mode, even real mode: as CR0 and EFER say. The _ar
 * are bits 40 to 47 and 52 to 55 of a descriptor, in 12 bits; 0: a null selector. */
struct xen_vcpu_hvm_x86_32 {
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t eip, eflags;
    uint32_t cr0, cr3, cr4;
    uint32_t pad1;
    uint64_t efer;
    uint32_t cs_base, ds_base, ss_base, es_base, tr_base;
    uint32_t cs_limit, ds_limit, ss_limit, es_limit, tr_limit; /* in bytes */
    uint16_t cs_ar, ds_ar, ss_ar, es_ar, tr_ar;
    uint16_t pad2[3];
};

/* 64-bit mode, with flat segments. */
struct xen_vcpu_hvm_x86_64 {
    uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
    uint64_t rip, rflags;
    uint64_t cr0, cr3, cr4, efer;
};

struct xen_vcpu_hvm_context {
    uint32_t mode; /* which of the two it is */
    uint32_t pad;
    union {
        struct xen_vcpu_hvm_x86_32 x86_32;
        struct xen_vcpu_hvm_x86_64 x86_64;
    } cpu_regs;
};

_Static_assert(sizeof(struct xen_vcpu_hvm_x86_32) == 120, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_vcpu_hvm_x86_32, efer) == 56, "as in Xen");
_Static_assert(sizeof(struct xen_vcpu_hvm_x86_64) == 112, "as in Xen");
_Static_assert(sizeof(struct xen_vcpu_hvm_context) == 128, "as in Xen");

#endif
