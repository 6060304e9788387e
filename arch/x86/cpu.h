/*
 * The processor: names for the bits of its control registers and CPUID leaves, and its setting up.
 *
 * Sources: SDM volume 3, "Control Registers" and "Extended Feature Enable Register"; volume 2,
 * CPUID. CPUID names carry leaf and register: CPUID_1C_ is leaf 1, ECX; CPUID_7B_ leaf 7.0, EBX.
 */
#ifndef CAISSON_ARCH_X86_CPU_H
#define CAISSON_ARCH_X86_CPU_H

#include <stdbool.h>
#include <stdint.h>

#define CR0_PE (1UL << 0)
#define CR0_MP (1UL << 1)
#define CR0_EM (1UL << 2)
#define CR0_TS (1UL << 3)
#define CR0_ET (1UL << 4)
#define CR0_NE (1UL << 5)
#define CR0_WP (1UL << 16)
#define CR0_AM (1UL << 18)
#define CR0_NW (1UL << 29)
#define CR0_CD (1UL << 30)
#define CR0_PG (1UL << 31)

#define CR4_VME        (1UL << 0)
#define CR4_PVI        (1UL << 1)
#define CR4_TSD        (1UL << 2)
#define CR4_DE         (1UL << 3)
#define CR4_PSE        (1UL << 4)
#define CR4_PAE        (1UL << 5)
#define CR4_MCE        (1UL << 6)
#define CR4_PGE        (1UL << 7)
#define CR4_PCE        (1UL << 8)
#define CR4_OSFXSR     (1UL << 9)
#define CR4_OSXMMEXCPT (1UL << 10)
#define CR4_UMIP       (1UL << 11)
#define CR4_VMXE       (1UL << 13)
#define CR4_SMXE       (1UL << 14)
#define CR4_FSGSBASE   (1UL << 16)
#define CR4_PCIDE      (1UL << 17)
#define CR4_OSXSAVE    (1UL << 18)
#define CR4_SMEP       (1UL << 20)
#define CR4_SMAP       (1UL << 21)
#define CR4_PKE        (1UL << 22)
#define CR4_CET        (1UL << 23)

#define EFER_SCE   (1UL << 0)
#define EFER_LME   (1UL << 8)
#define EFER_LMA   (1UL << 10)
#define EFER_NXE   (1UL << 11)
#define EFER_SVME  (1UL << 12)
#define EFER_AIBRS (1UL << 21) /* AMD: automatic IBRS */

#define RFLAGS_CF    (1UL << 0)
#define RFLAGS_FIXED (1UL << 1)
#define RFLAGS_PF    (1UL << 2)
#define RFLAGS_AF    (1UL << 4)
#define RFLAGS_ZF    (1UL << 6)
#define RFLAGS_SF    (1UL << 7)
#define RFLAGS_TF    (1UL << 8)
#define RFLAGS_IF    (1UL << 9)
#define RFLAGS_DF    (1UL << 10)
#define RFLAGS_OF    (1UL << 11)
#define RFLAGS_IOPL  (3UL << 12)
#define RFLAGS_NT    (1UL << 14)
#define RFLAGS_RF    (1UL << 16)
#define RFLAGS_VM    (1UL << 17)
#define RFLAGS_AC    (1UL << 18)
#define RFLAGS_VIF   (1UL << 19)
#define RFLAGS_VIP   (1UL << 20)
#define RFLAGS_ID    (1UL << 21)

#define XCR0_X87       (1UL << 0)
#define XCR0_SSE       (1UL << 1)
#define XCR0_AVX       (1UL << 2)
#define XCR0_BNDREGS   (1UL << 3)
#define XCR0_BNDCSR    (1UL << 4)
#define XCR0_OPMASK    (1UL << 5)
#define XCR0_ZMM_HI256 (1UL << 6)
#define XCR0_HI16_ZMM  (1UL << 7)
#define XCR0_PKRU      (1UL << 9)

/* Debug registers: what reads as one, and what cannot be written. */
#define DR6_FIXED       0xFFFF0FF0UL
#define DR6_BREAKPOINTS 0xFUL
#define DR6_BS          (1UL << 14)
#define DR6_BD          (1UL << 13)
#define DR6_BT          (1UL << 15)
#define DR7_FIXED       0x400UL
#define DR7_GD          (1UL << 13)
#define DR7_LOCAL       0x155UL /* L0 to L3, and LE */

/* Exceptions */
#define VECTOR_DE  0
#define VECTOR_DB  1
#define VECTOR_NMI 2
#define VECTOR_BP  3
#define VECTOR_OF  4
#define VECTOR_BR  5
#define VECTOR_UD  6
#define VECTOR_NM  7
#define VECTOR_DF  8
#define VECTOR_TS  10
#define VECTOR_NP  11
#define VECTOR_SS  12
#define VECTOR_GP  13
#define VECTOR_PF  14
#define VECTOR_MF  16
#define VECTOR_AC  17
#define VECTOR_MC  18
#define VECTOR_XM  19
#define VECTOR_VE  20
#define VECTOR_CP  21
/* Exceptions that push an error code, in protected mode only: 8, 10 to 14, 17 and 21. */
#define ERROR_CODE_VECTORS 0x00227D00u

#define CPUID_1C_SSE3         (1u << 0)
#define CPUID_1C_PCLMUL       (1u << 1)
#define CPUID_1C_DTES64       (1u << 2)
#define CPUID_1C_MONITOR      (1u << 3)
#define CPUID_1C_DSCPL        (1u << 4)
#define CPUID_1C_VMX          (1u << 5)
#define CPUID_1C_SMX          (1u << 6)
#define CPUID_1C_EIST         (1u << 7)
#define CPUID_1C_TM2          (1u << 8)
#define CPUID_1C_SSSE3        (1u << 9)
#define CPUID_1C_FMA          (1u << 12)
#define CPUID_1C_CX16         (1u << 13)
#define CPUID_1C_XTPR         (1u << 14)
#define CPUID_1C_PDCM         (1u << 15)
#define CPUID_1C_PCID         (1u << 17)
#define CPUID_1C_DCA          (1u << 18)
#define CPUID_1C_SSE41        (1u << 19)
#define CPUID_1C_SSE42        (1u << 20)
#define CPUID_1C_X2APIC       (1u << 21)
#define CPUID_1C_MOVBE        (1u << 22)
#define CPUID_1C_POPCNT       (1u << 23)
#define CPUID_1C_TSC_DEADLINE (1u << 24)
#define CPUID_1C_AES          (1u << 25)
#define CPUID_1C_XSAVE        (1u << 26)
#define CPUID_1C_OSXSAVE      (1u << 27)
#define CPUID_1C_AVX          (1u << 28)
#define CPUID_1C_F16C         (1u << 29)
#define CPUID_1C_RDRAND       (1u << 30)
#define CPUID_1C_HYPERVISOR   (1u << 31)

#define CPUID_1D_FPU   (1u << 0)
#define CPUID_1D_VME   (1u << 1)
#define CPUID_1D_DE    (1u << 2)
#define CPUID_1D_PSE   (1u << 3)
#define CPUID_1D_TSC   (1u << 4)
#define CPUID_1D_MSR   (1u << 5)
#define CPUID_1D_PAE   (1u << 6)
#define CPUID_1D_MCE   (1u << 7)
#define CPUID_1D_CX8   (1u << 8)
#define CPUID_1D_APIC  (1u << 9)
#define CPUID_1D_SEP   (1u << 11)
#define CPUID_1D_MTRR  (1u << 12)
#define CPUID_1D_PGE   (1u << 13)
#define CPUID_1D_MCA   (1u << 14)
#define CPUID_1D_CMOV  (1u << 15)
#define CPUID_1D_PAT   (1u << 16)
#define CPUID_1D_PSE36 (1u << 17)
#define CPUID_1D_CLFSH (1u << 19)
#define CPUID_1D_DS    (1u << 21)
#define CPUID_1D_ACPI  (1u << 22)
#define CPUID_1D_MMX   (1u << 23)
#define CPUID_1D_FXSR  (1u << 24)
#define CPUID_1D_SSE   (1u << 25)
#define CPUID_1D_SSE2  (1u << 26)
#define CPUID_1D_SS    (1u << 27)
#define CPUID_1D_HTT   (1u << 28)
#define CPUID_1D_TM    (1u << 29)
#define CPUID_1D_PBE   (1u << 31)

#define CPUID_6A_ARAT (1u << 2)

#define CPUID_7B_FSGSBASE   (1u << 0)
#define CPUID_7B_TSC_ADJUST (1u << 1)
#define CPUID_7B_SGX        (1u << 2)
#define CPUID_7B_BMI1       (1u << 3)
#define CPUID_7B_HLE        (1u << 4)
#define CPUID_7B_AVX2       (1u << 5)
#define CPUID_7B_FDP_EXCPTN (1u << 6)
#define CPUID_7B_SMEP       (1u << 7)
#define CPUID_7B_BMI2       (1u << 8)
#define CPUID_7B_ERMS       (1u << 9)
#define CPUID_7B_INVPCID    (1u << 10)
#define CPUID_7B_RTM        (1u << 11)
#define CPUID_7B_PQM        (1u << 12)
#define CPUID_7B_ZERO_FCS   (1u << 13)
#define CPUID_7B_MPX        (1u << 14)
#define CPUID_7B_PQE        (1u << 15)
#define CPUID_7B_AVX512F    (1u << 16)
#define CPUID_7B_AVX512DQ   (1u << 17)
#define CPUID_7B_RDSEED     (1u << 18)
#define CPUID_7B_ADX        (1u << 19)
#define CPUID_7B_SMAP       (1u << 20)
#define CPUID_7B_AVX512IFMA (1u << 21)
#define CPUID_7B_CLFLUSHOPT (1u << 23)
#define CPUID_7B_CLWB       (1u << 24)
#define CPUID_7B_PT         (1u << 25)
#define CPUID_7B_AVX512CD   (1u << 28)
#define CPUID_7B_SHA        (1u << 29)
#define CPUID_7B_AVX512BW   (1u << 30)
#define CPUID_7B_AVX512VL   (1u << 31)

#define CPUID_7C_UMIP    (1u << 2)
#define CPUID_7C_PKU     (1u << 3)
#define CPUID_7C_OSPKE   (1u << 4)
#define CPUID_7C_WAITPKG (1u << 5)
#define CPUID_7C_CET_SS  (1u << 7)
#define CPUID_7C_LA57    (1u << 16)
#define CPUID_7C_RDPID   (1u << 22)
#define CPUID_7C_KL      (1u << 23)
#define CPUID_7C_PKS     (1u << 31)

#define CPUID_7D_MD_CLEAR  (1u << 10)
#define CPUID_7D_SPEC_CTRL (1u << 26)
#define CPUID_7D_STIBP     (1u << 27)
#define CPUID_7D_FLUSH_L1D (1u << 28)
#define CPUID_7D_ARCH_CAPS (1u << 29)
#define CPUID_7D_SSBD      (1u << 31)

#define CPUID_72D_BHI_CTRL (1u << 4)

#define CPUID_D1A_XSAVEOPT (1u << 0)
#define CPUID_D1A_XSAVEC   (1u << 1)
#define CPUID_D1A_XGETBV1  (1u << 2)
#define CPUID_D1A_XSAVES   (1u << 3)

#define CPUID_EXT1C_LAHF          (1u << 0)
#define CPUID_EXT1C_CMP_LEGACY    (1u << 1) /* AMD: leaf 1 counts cores, not threads */
#define CPUID_EXT1C_SVM           (1u << 2)
#define CPUID_EXT1C_LZCNT         (1u << 5)
#define CPUID_EXT1C_PREFW         (1u << 8)
#define CPUID_EXT1C_OSVW          (1u << 9)
#define CPUID_EXT1C_IBS           (1u << 10) /* AMD: instruction-based sampling */
#define CPUID_EXT1C_TOPOEXT       (1u << 22) /* AMD: leaves 8000001D and 8000001E */
#define CPUID_EXT1D_SYSCALL       (1u << 11)
#define CPUID_EXT1D_NX            (1u << 20)
#define CPUID_EXT1D_MMXEXT        (1u << 22)
#define CPUID_EXT1D_1G            (1u << 26)
#define CPUID_EXT1D_RDTSCP        (1u << 27)
#define CPUID_EXT1D_LM            (1u << 29)
#define CPUID_EXT7D_INVARIANT_TSC (1u << 8)
#define CPUID_EXT8B_CLZERO        (1u << 0)  /* AMD: CLZERO */
#define CPUID_EXT8B_ERR_PTRS      (1u << 2)  /* AMD: XRSTOR takes the x87 pointers always */
#define CPUID_EXT8B_IBPB          (1u << 12) /* AMD: IA32_PRED_CMD has IBPB */
#define CPUID_EXT8B_IBRS          (1u << 14) /* AMD: IA32_SPEC_CTRL has the bits of that name */
#define CPUID_EXT8B_STIBP         (1u << 15)
#define CPUID_EXT8B_IBRS_STAYS    (1u << 16) /* AMD: once set it is good for later exits too */
#define CPUID_EXT8B_SSBD          (1u << 24)
#define CPUID_EXT8B_BTC_NO        (1u << 29) /* AMD: free of branch type confusion */
#define CPUID_EXT8B_FREE_OF       (1u << 26 | 1u << 29 | 1u << 30) /* AMD: SSBD_NO, BTC_NO, IBPB_RET */
#define CPUID_EXT21A_LFENCE       (1u << 2)  /* AMD: as if DE_CFG said so, for good */
#define CPUID_EXT21A_VERW_CLEAR   (1u << 5)  /* AMD: VERW empties buffers against TSA */
#define CPUID_EXT21A_NULL_BASE    (1u << 6)  /* AMD: a null selector clears the base */
#define CPUID_EXT21A_AIBRS        (1u << 8)  /* AMD: EFER has automatic IBRS */
#define CPUID_EXT21A_IBPB_BRTYPE  (1u << 28) /* AMD: IBPB has types of branches forgotten too */
#define CPUID_EXT21A_SRSO_NO      (1u << 29) /* AMD: free of return stack overflows by guess */
#define CPUID_EXT21C_TSA_NO       (3u << 1)  /* AMD: TSA_SQ_NO, TSA_L1_NO: free of it, a way each */

/*
 * Sets the calling CPU's protections: WP, NE, NXE, and SMEP, SMAP, UMIP, OSXSAVE where they exist.
 * On every CPU, before it touches tables with the NX bit. The boot CPU logs what it set.
 */
void cpu_init(void);

/* Gives __stack_chk_guard its value; from code that is not itself protected. Boot CPU, first. */
void cpu_seed_canary(void);
/* As random as this CPU can: RDRAND where there is one, and the TSC. */
uint64_t cpu_random(void);

/* With tables of four levels, all that Caisson and its guests have, bits 63:47 of an address are
 * the same (SDM volume 1, "Canonical Addressing"). */
static inline bool is_canonical(uint64_t address)
{
    int64_t top = (int64_t)address >> 47;

    return top == 0 || top == -1;
}

/* Bits of a machine address: CPUID leaf 0x80000008, or 36 where that does not exist. */
unsigned cpu_maddr_bits(void);

#endif
