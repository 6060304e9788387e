/*
 * The virtual machine control block: what VMRUN reads and what a #VMEXIT writes, byte for byte.
 *
 * It is memory like any other, so it is a struct like any other: the control area (intercepts,
 * events, exit information), then the save area (the guest's registers).
 * Sources: APM volume 2, appendix B "VMCB Layout" and appendix C "SVM Intercept Exit Codes".
 */
#ifndef CAISSON_SVM_VMCB_H
#define CAISSON_SVM_VMCB_H

#include <stddef.h>
#include <stdint.h>

/* ---- Intercepts: the number of each bit, words 0 to 5 of 32 bits each ---- */

enum intercept {
    ICPT_CR_READ = 0,   /* + number; CR0 to CR15 */
    ICPT_CR_WRITE = 16, /* the same */
    ICPT_DR_READ = 32,
    ICPT_DR_WRITE = 48,
    ICPT_EXCEPTION = 64, /* + vector */
    ICPT_INTR = 96,
    ICPT_NMI = 97,
    ICPT_SMI = 98,
    ICPT_INIT = 99,
    ICPT_VINTR = 100,
    ICPT_CR0_SELECTIVE = 101, /* a write to CR0 that changes more than TS and MP */
    ICPT_RDPMC = 111,
    ICPT_CPUID = 114,
    ICPT_RSM = 115,
    ICPT_IRET = 116,
    ICPT_INVD = 118,
    ICPT_PAUSE = 119,
    ICPT_HLT = 120,
    ICPT_INVLPGA = 122,
    ICPT_IOIO = 123,
    ICPT_MSR = 124,
    ICPT_TASK_SWITCH = 125,
    ICPT_FERR_FREEZE = 126,
    ICPT_SHUTDOWN = 127,
    ICPT_VMRUN = 128, /* VMRUN demands it */
    ICPT_VMMCALL = 129,
    ICPT_VMLOAD = 130,
    ICPT_VMSAVE = 131,
    ICPT_STGI = 132,
    ICPT_CLGI = 133,
    ICPT_SKINIT = 134,
    ICPT_WBINVD = 137,
    ICPT_MONITOR = 138,
    ICPT_MWAIT = 139,
    ICPT_XSETBV = 141,
    ICPT_RDPRU = 142,
};
#define ICPT_WORDS 6

/* ---- Exit codes ---- */

#define EXITCODE_CR_READ       0x000u /* + number */
#define EXITCODE_CR_WRITE      0x010u
#define EXITCODE_DR_READ       0x020u
#define EXITCODE_DR_WRITE      0x030u
#define EXITCODE_EXCEPTION     0x040u /* + vector */
#define EXITCODE_INTR          0x060u
#define EXITCODE_NMI           0x061u
#define EXITCODE_SMI           0x062u
#define EXITCODE_INIT          0x063u
#define EXITCODE_VINTR         0x064u
#define EXITCODE_CR0_SELECTIVE 0x065u
#define EXITCODE_RDPMC         0x06Fu
#define EXITCODE_CPUID         0x072u
#define EXITCODE_IRET          0x074u
#define EXITCODE_INVD          0x076u
#define EXITCODE_PAUSE         0x077u
#define EXITCODE_HLT           0x078u
#define EXITCODE_INVLPGA       0x07Au
#define EXITCODE_IOIO          0x07Bu
#define EXITCODE_MSR           0x07Cu
#define EXITCODE_TASK_SWITCH   0x07Du
#define EXITCODE_SHUTDOWN      0x07Fu
#define EXITCODE_VMRUN         0x080u
#define EXITCODE_VMMCALL       0x081u
#define EXITCODE_VMLOAD        0x082u
#define EXITCODE_SKINIT        0x086u
#define EXITCODE_WBINVD        0x089u
#define EXITCODE_MONITOR       0x08Au
#define EXITCODE_MWAIT_ARMED   0x08Cu
#define EXITCODE_XSETBV        0x08Du
#define EXITCODE_RDPRU         0x08Eu
#define EXITCODE_NPF           0x400u
#define EXITCODE_AVIC_IPI      0x401u     /* sent to one that is not running, and the like */
#define EXITCODE_AVIC_ACCESS   0x402u     /* to a register, where more is to be done */
#define EXITCODE_INVALID       UINT32_MAX /* -1; QEMU stores 32 bits of it, so no more are compared */

/* EXITINFO1 of IOIO. EXITINFO2 is the RIP of the next instruction, on every CPU. */
#define IOIO_IN         (1u << 0)
#define IOIO_STRING     (1u << 2)
#define IOIO_REP        (1u << 3)
#define IOIO_SIZE_SHIFT 4 /* 3 bits: 1, 2 or 4 bytes */
#define IOIO_ADDR_SHIFT 7 /* 3 bits: 16, 32 or 64 bits */
#define IOIO_SEG_SHIFT  10

/* EXITINFO1 of a nested page fault: a page fault's error code, and two more. */
#define NPF_PRESENT   (1UL << 0)
#define NPF_WRITE     (1UL << 1)
#define NPF_FETCH     (1UL << 4)
#define NPF_PAGE_WALK (1UL << 33) /* made by the guest's page walk */

/* EXITINFO1 of a task switch has the selector, EXITINFO2 an error code and these. */
#define TASK_EXIT_IRET      (1UL << 36)
#define TASK_EXIT_JMP       (1UL << 38)
#define TASK_EXIT_HAS_ERROR (1UL << 44)
#define TASK_EXIT_RF        (1UL << 48)

/* EXITINFO1 of an AVIC access: where in the page, and whether it is a write; EXITINFO2 of an EOI:
 * its vector. */
#define AVIC_ACCESS_OFFSET 0xFF0u
#define AVIC_ACCESS_WRITE  (1UL << 32)
#define AVIC_EOI_VECTOR    0xFFu

#define MSR_EXIT_WRITE 1u          /* EXITINFO1 of MSR: else a read */
#define CR_EXIT_MOV    (1UL << 63) /* EXITINFO1 of CR, with decode assists: bits 3:0 name the GPR */

/* ---- Events: EVENTINJ and EXITINTINFO alike ---- */

#define EVENT_VECTOR(info) ((info)&0xFFu)
#define EVENT_TYPE(info)   ((info) >> 8 & 7u)
#define EVENT_TYPE_SHIFT   8
#define EVENT_HAS_ERROR    (1u << 11)
#define EVENT_VALID        (1u << 31)
#define EVENT_ERROR_SHIFT  32

/* ---- Other fields of the control area ---- */

#define TLB_FLUSH_NOTHING 0
#define TLB_FLUSH_ALL     1 /* of every ASID, Caisson's own included */
#define TLB_FLUSH_ASID    3 /* of this one; where the CPU can */

#define VINT_TPR          0xFUL /* what CR8 has, where AVIC is on */
#define VINT_IRQ          (1UL << 8)
#define VINT_PRIO_SHIFT   16
#define VINT_IGNORE_TPR   (1UL << 20)
#define VINT_AVIC_SHIFT   30
#define VINT_X2AVIC       (1UL << 30) /* besides VINT_AVIC: by MSR */
#define VINT_AVIC         (1UL << 31)
#define VINT_VECTOR_SHIFT 32
#define VINT_MASKING                                                                               \
    (1UL << 24) /* the guest's IF and CR8 are its own; interrupts exit all the same */

#define SHADOW_ACTIVE 1UL /* of int_state: the next instruction comes before any interrupt */

#define NESTED_PAGING 1UL

/* An entry of AVIC's table of physical APIC ids, beside the address of a page of registers; and the
 * last index that there is, in avic_physical. */
#define AVIC_ENTRY_VALID (1UL << 63)
#define AVIC_LAST_INDEX  0xFFFUL

/* A bit that is set: what it stands for is as it was at the last exit (APM, "VMCB State Caching").
 * Those of AVIC, and of what does not change after a vCPU's making, have no name. */
#define CLEAN_INTERCEPTS (1u << 0) /* and the TSC offset, and the pause filter */
#define CLEAN_MAPS       (1u << 1) /* of ports and MSRs */
#define CLEAN_ASID       (1u << 2)
#define CLEAN_TPR        (1u << 3) /* all of vintr */
#define CLEAN_NP         (1u << 4) /* nested CR3 and PAT */
#define CLEAN_CRX        (1u << 5) /* and EFER */
#define CLEAN_DRX        (1u << 6)
#define CLEAN_DT         (1u << 7)
#define CLEAN_SEG        (1u << 8) /* and CPL */
#define CLEAN_CR2        (1u << 9)
#define CLEAN_ALL        0x3FFu

/* A segment register. Bits 7:0 of attr are bits 47:40 of a descriptor, bits 11:8 bits 55:52. */
struct vmcb_segment {
    uint16_t selector, attr;
    uint32_t limit;
    uint64_t base;
};

/* As the save area has them: numbered so for vmcb.segment[]. */
enum vmcb_seg {
    VMCB_ES,
    VMCB_CS,
    VMCB_SS,
    VMCB_DS,
    VMCB_FS,
    VMCB_GS,
    VMCB_GDTR,
    VMCB_LDTR,
    VMCB_IDTR,
    VMCB_TR,
    VMCB_SEGMENTS
};

struct vmcb {
    uint32_t intercepts[ICPT_WORDS];
    uint8_t reserved1[0x3C - 0x18];
    uint16_t pause_threshold, pause_count;
    uint64_t iopm, msrpm, tsc_offset;
    uint32_t asid;
    uint8_t tlb_control, reserved2[3];
    uint64_t vintr, int_state;
    uint64_t exit_code, exit_info1, exit_info2, exit_int_info;
    uint64_t nested_control;
    uint64_t avic_bar; /* where the guest has its local APIC's page */
    uint8_t reserved3[0xA8 - 0xA0];
    uint64_t event_inj, nested_cr3, virt_ext;
    uint32_t clean, reserved4;
    uint64_t next_rip;
    uint8_t insn_count, insn_bytes[15];
    uint64_t avic_backing, reserved5, avic_logical, avic_physical;
    uint8_t reserved6[0x400 - 0x100];

    struct vmcb_segment segment[VMCB_SEGMENTS];
    uint8_t reserved7[0x4CB - 0x4A0];
    uint8_t cpl;
    uint32_t reserved8;
    uint64_t efer;
    uint8_t reserved9[0x548 - 0x4D8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved10[0x5D8 - 0x580];
    uint64_t rsp;
    uint8_t reserved11[0x5F8 - 0x5E0];
    uint64_t rax, star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
    uint8_t reserved12[0x668 - 0x648];
    uint64_t g_pat, dbgctl;
    uint8_t reserved13[0x6E0 - 0x678];
    uint64_t spec_ctrl; /* of CPUs that switch it themselves: beside the register's value */
    uint8_t reserved14[0x1000 - 0x6E8];
};
_Static_assert(sizeof(struct vmcb) == 0x1000, "a page");
_Static_assert(offsetof(struct vmcb, pause_threshold) == 0x3C, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, iopm) == 0x40, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, asid) == 0x58, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, vintr) == 0x60, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x70, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, exit_int_info) == 0x88, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, avic_bar) == 0x98, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, event_inj) == 0xA8, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, clean) == 0xC0, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, next_rip) == 0xC8, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, insn_bytes) == 0xD1, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, avic_backing) == 0xE0, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, avic_physical) == 0xF8, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, segment) == 0x400, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, cpl) == 0x4CB, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, efer) == 0x4D0, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, cr4) == 0x548, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, rsp) == 0x5D8, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, rax) == 0x5F8, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, g_pat) == 0x668, "APM, appendix B");
_Static_assert(offsetof(struct vmcb, spec_ctrl) == 0x6E0, "APM, appendix B");

#endif
