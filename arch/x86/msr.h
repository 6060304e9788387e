/*
 * Numbers of the model-specific registers that Caisson reads, writes or has a policy for, and the
 * bits of those whose bits matter. Source: SDM volume 4, "Model-Specific Registers (MSRs)"; the
 * Linux and Xen names where the SDM has none that is short.
 */
#ifndef CAISSON_ARCH_X86_MSR_H
#define CAISSON_ARCH_X86_MSR_H

/* Identity and time */
#define MSR_IA32_P5_MC_ADDR   0x000
#define MSR_IA32_P5_MC_TYPE   0x001
#define MSR_IA32_TSC          0x010
#define MSR_IA32_PLATFORM_ID  0x017
#define MSR_IA32_TSC_ADJUST   0x03B
#define MSR_IA32_BIOS_SIGN_ID 0x08B
#define MSR_PLATFORM_INFO     0x0CE
#define MSR_IA32_MPERF        0x0E7
#define MSR_IA32_TSC_DEADLINE 0x6E0
#define MSR_IA32_TSX_CTRL     0x122
#define MSR_IA32_MISC_ENABLE  0x1A0

/* Local APIC */
#define MSR_IA32_APIC_BASE 0x01B
#define APIC_BASE_BSP      (1UL << 8)
#define APIC_BASE_X2APIC   (1UL << 10)
#define APIC_BASE_ENABLE   (1UL << 11)
#define MSR_X2APIC_FIRST   0x800
#define MSR_X2APIC_LAST    0x8FF

/* VT-x (SDM, "VMX Capability Reporting Facility") */
#define MSR_IA32_FEATURE_CONTROL        0x03A
#define FEATURE_CONTROL_LOCK            (1UL << 0)
#define FEATURE_CONTROL_VMX             (1UL << 2)
#define MSR_IA32_VMX_BASIC              0x480
#define MSR_IA32_VMX_PINBASED_CTLS      0x481
#define MSR_IA32_VMX_PROCBASED_CTLS     0x482
#define MSR_IA32_VMX_EXIT_CTLS          0x483
#define MSR_IA32_VMX_ENTRY_CTLS         0x484
#define MSR_IA32_VMX_MISC               0x485
#define MSR_IA32_VMX_CR0_FIXED0         0x486
#define MSR_IA32_VMX_CR0_FIXED1         0x487
#define MSR_IA32_VMX_CR4_FIXED0         0x488
#define MSR_IA32_VMX_CR4_FIXED1         0x489
#define MSR_IA32_VMX_PROCBASED_CTLS2    0x48B
#define MSR_IA32_VMX_EPT_VPID_CAP       0x48C
#define MSR_IA32_VMX_TRUE_PINBASED_CTLS 0x48D
#define MSR_IA32_VMX_TRUE_ENTRY_CTLS    0x490
#define MSR_IA32_VMX_VMFUNC             0x491

/* AMD-V (APM volume 2, "SVM Related MSRs") */
#define MSR_VM_CR       0xC0010114
#define VM_CR_LOCK      (1UL << 3)
#define VM_CR_SVMDIS    (1UL << 4)
#define MSR_VM_HSAVE_PA 0xC0010117
#define MSR_TSC_RATIO   0xC0000104 /* of guests' TSC: 32 bits, and 32 after the point */
#define TSC_RATIO_ONE   (1UL << 32)
#define MSR_IBS_FETCH   0xC0011030 /* instruction-based sampling */
#define MSR_IBS_OP      0xC0011033

/* AMD (APM volume 2, appendix A) */
#define MSR_AMD_EVNTSEL0    0xC0010000 /* four of them, then their counters */
#define MSR_AMD_SYSCFG      0xC0010010
#define MSR_AMD_HWCR        0xC0010015
#define MSR_AMD_TOP_MEM     0xC001001A
#define MSR_AMD_TOP_MEM2    0xC001001D
#define MSR_AMD_INT_PENDING 0xC0010055
#define MSR_AMD_DE_CFG      0xC0011029
#define DE_CFG_LFENCE       (1UL << 1) /* LFENCE lets nothing behind it begin */
#define DE_CFG_ZENBLEED     (1UL << 9) /* no merging of vector registers' upper halves */
#define MSR_AMD_OSVW_LENGTH 0xC0010140
#define MSR_AMD_OSVW_STATUS 0xC0010141
#define OSVW_383            3 /* the number of its bit */

/* Speculation and capabilities */
#define MSR_IA32_SPEC_CTRL         0x048
#define MSR_IA32_PRED_CMD          0x049
#define PRED_CMD_IBPB              (1UL << 0)
#define MSR_IA32_ARCH_CAPABILITIES 0x10A
#define MSR_IA32_FLUSH_CMD         0x10B

/* Memory types */
#define MSR_IA32_MTRRCAP           0x0FE
#define MSR_IA32_MTRR_PHYSBASE0    0x200 /* base n: + 2n, mask n: + 2n + 1 */
#define MSR_IA32_MTRR_PHYSMASK0    0x201
#define MSR_IA32_MTRR_FIX64K       0x250
#define MSR_IA32_MTRR_FIX16K_80000 0x258
#define MSR_IA32_MTRR_FIX16K_A0000 0x259
#define MSR_IA32_MTRR_FIX4K_C0000  0x268 /* and the seven that follow */
#define MSR_IA32_MTRR_FIX4K_F8000  0x26F
#define MSR_IA32_PAT               0x277
#define MSR_IA32_MTRR_DEF_TYPE     0x2FF
#define PAT_AFTER_RESET            0x0007040600070406UL

/* System calls, segments, modes */
#define MSR_IA32_SYSENTER_CS    0x174
#define MSR_IA32_SYSENTER_ESP   0x175
#define MSR_IA32_SYSENTER_EIP   0x176
#define MSR_IA32_DEBUGCTL       0x1D9
#define DEBUGCTL_BTF            (1UL << 1)
#define MSR_IA32_XSS            0xDA0
#define MSR_IA32_EFER           0xC0000080
#define MSR_IA32_STAR           0xC0000081
#define MSR_IA32_LSTAR          0xC0000082
#define MSR_IA32_CSTAR          0xC0000083
#define MSR_IA32_FMASK          0xC0000084
#define MSR_IA32_FS_BASE        0xC0000100
#define MSR_IA32_GS_BASE        0xC0000101
#define MSR_IA32_KERNEL_GS_BASE 0xC0000102
#define MSR_IA32_TSC_AUX        0xC0000103

/* Machine check */
#define MSR_IA32_MCG_CAP    0x179
#define MSR_IA32_MCG_STATUS 0x17A
#define MSR_IA32_MCG_CTL    0x17B
#define MSR_IA32_MC0_CTL    0x400 /* four registers a bank */

/* Performance monitoring */
#define MSR_IA32_PMC0              0x0C1
#define MSR_IA32_PERFEVTSEL0       0x186
#define MSR_IA32_PERF_CTL          0x199
#define MSR_IA32_PERF_CAPABILITIES 0x345
#define MSR_IA32_PERF_GLOBAL_CTRL  0x38F

#endif
