/*
 * What is saved of a guest with a whole CPU: records, each behind a descriptor, the last of them of
 * type 0. Layouts as in xen/include/public/hvm/save.h and arch-x86/hvm/save.h.
 */
#ifndef CAISSON_PUBLIC_HVM_SAVE_H
#define CAISSON_PUBLIC_HVM_SAVE_H

#include <stdint.h>

struct hvm_save_descriptor {
    uint16_t typecode; /* HVM_SAVE_* */
    uint16_t instance; /* the vCPU */
    uint32_t length;   /* of what follows */
};

#define HVM_SAVE_END        0
#define HVM_SAVE_HEADER     1 /* comes first */
#define HVM_SAVE_CPU        2
#define HVM_SAVE_LAPIC      5
#define HVM_SAVE_LAPIC_REGS 6
#define HVM_SAVE_MTRR       14
#define HVM_SAVE_XSAVE      16
#define HVM_SAVE_TSC_ADJUST 19
#define HVM_SAVE_MSR        20
#define HVM_SAVE_LAST       20 /* of those that Xen has; the others are of devices */

#define HVM_FILE_MAGIC   0x54381286u
#define HVM_FILE_VERSION 1u

struct hvm_save_header {
    uint32_t magic, version;
    uint64_t changeset;
    uint32_t cpuid; /* leaf 1, EAX */
    uint32_t gtsc_khz;
};

/* Access rights are those of a descriptor, in 12 bits: as in hvm_vcpu.h. */
struct hvm_hw_cpu {
    uint8_t fpu_regs[512];
    uint64_t rax, rbx, rcx, rdx, rbp, rsi, rdi, rsp;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rip, rflags;
    uint64_t cr0, cr2, cr3, cr4;
    uint64_t dr0, dr1, dr2, dr3, dr6, dr7;
    uint32_t cs_sel, ds_sel, es_sel, fs_sel, gs_sel, ss_sel, tr_sel, ldtr_sel;
    uint32_t cs_limit, ds_limit, es_limit, fs_limit, gs_limit, ss_limit, tr_limit, ldtr_limit;
    uint32_t idtr_limit, gdtr_limit;
    uint64_t cs_base, ds_base, es_base, fs_base, gs_base, ss_base, tr_base, ldtr_base;
    uint64_t idtr_base, gdtr_base;
    uint32_t cs_arbytes, ds_arbytes, es_arbytes, fs_arbytes, gs_arbytes, ss_arbytes, tr_arbytes,
        ldtr_arbytes;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t shadow_gs;
    uint64_t msr_flags, msr_lstar, msr_star, msr_cstar, msr_syscall_mask, msr_efer, msr_tsc_aux;
    uint64_t tsc;
    uint32_t pending_event, error_code;
    uint32_t flags; /* HVM_CPU_* */
    uint32_t pad0;
};

#define HVM_CPU_FPU 1u /* fpu_regs says something */

/* pending_event: an event that is on its way into the guest. */
#define HVM_EVENT_VECTOR     0xffu
#define HVM_EVENT_TYPE_SHIFT 8 /* of three bits, as VT-x numbers them */
#define HVM_EVENT_HAS_ERROR  (1u << 11)
#define HVM_EVENT_VALID      (1u << 31)

/* What of a local APIC is not in its registers. */
struct hvm_hw_lapic {
    uint64_t apic_base_msr;
    uint32_t disabled;      /* bit 0: by hardware; bit 1: by software */
    uint32_t timer_divisor; /* 1 to 128 */
    uint64_t tdt_msr;       /* TSC deadline */
    uint32_t pending_esr;   /* errors that are not in the register yet */
    uint32_t pad;
};

/* 32 bits in each 16 bytes, as in the local APIC's page. */
struct hvm_hw_lapic_regs {
    struct {
        uint32_t value, reserved[3];
    } reg[64];
};

#define HVM_MTRRS_VARIABLE 16 /* registers: bases and masks by turns */
#define HVM_MTRRS_FIXED    11

struct hvm_hw_mtrr {
    uint64_t msr_pat_cr;
    uint64_t msr_mtrr_var[HVM_MTRRS_VARIABLE];
    uint64_t msr_mtrr_fixed[HVM_MTRRS_FIXED];
    uint64_t msr_mtrr_cap;
    uint64_t msr_mtrr_def_type;
};

/* Comes before an area as XSAVE writes it, of the standard format. */
struct hvm_hw_cpu_xsave {
    uint64_t xfeature_mask; /* the states that there are */
    uint64_t xcr0;
    uint64_t xcr0_accum; /* all that were on at some time */
};

struct hvm_tsc_adjust {
    uint64_t tsc_adjust;
};

struct hvm_one_msr {
    uint32_t index;
    uint32_t reserved;
    uint64_t val;
};
/* Comes before so many of them. */
struct hvm_msr {
    uint32_t count;
    uint32_t pad;
};

_Static_assert(sizeof(struct hvm_hw_lapic) == 32, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_hw_lapic, tdt_msr) == 16, "as in Xen");
_Static_assert(sizeof(struct hvm_hw_lapic_regs) == 1024, "as in Xen");
_Static_assert(sizeof(struct hvm_hw_cpu_xsave) == 24, "as in Xen");
_Static_assert(sizeof(struct hvm_one_msr) == 16, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_one_msr, val) == 8, "as in Xen");
_Static_assert(sizeof(struct hvm_msr) == 8, "as in Xen");
_Static_assert(sizeof(struct hvm_save_descriptor) == 8, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_save_descriptor, length) == 4, "as in Xen");
_Static_assert(sizeof(struct hvm_save_header) == 24, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_save_header, cpuid) == 16, "as in Xen");
_Static_assert(sizeof(struct hvm_hw_cpu) == 1032, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_hw_cpu, rax) == 512, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_hw_cpu, rip) == 640, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_hw_cpu, cr0) == 656, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_hw_cpu, dr0) == 688, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_hw_cpu, cs_sel) == 736, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_hw_cpu, cs_limit) == 768, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_hw_cpu, cs_base) == 808, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_hw_cpu, cs_arbytes) == 888, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_hw_cpu, sysenter_cs) == 920, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_hw_cpu, msr_efer) == 992, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_hw_cpu, tsc) == 1008, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_hw_cpu, flags) == 1024, "as in Xen");
_Static_assert(sizeof(struct hvm_hw_mtrr) == 240, "as in Xen");
_Static_assert(__builtin_offsetof(struct hvm_hw_mtrr, msr_mtrr_cap) == 224, "as in Xen");

#endif
