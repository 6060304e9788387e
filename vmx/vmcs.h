/*
 * The fields of the VMCS: number, name, and the only way to read and write them.
 *
 * An access that fails is a bug of ours (no current VMCS, a field that this CPU lacks), so it is
 * checked once, in here, and ends in a panic that names the field. The number tells the width
 * (SDM, "Field Encoding in VMCS"); G_ is the guest-state area, H_ the host-state area.
 */
#ifndef CAISSON_VMX_VMCS_H
#define CAISSON_VMX_VMCS_H

#include <stdbool.h>
#include <stdint.h>
#include "vmx/insn.h"

/* clang-format off */
#define VMCS_FIELDS(X)                                             \
    X(VPID, 0x0000, "VPID")                                        \
    X(POSTED_VECTOR, 0x0002, "posted-interrupt notification vector")\
    X(G_ES_SEL, 0x0800, "guest ES selector")                       \
    X(G_CS_SEL, 0x0802, "guest CS selector")                       \
    X(G_SS_SEL, 0x0804, "guest SS selector")                       \
    X(G_DS_SEL, 0x0806, "guest DS selector")                       \
    X(G_FS_SEL, 0x0808, "guest FS selector")                       \
    X(G_GS_SEL, 0x080A, "guest GS selector")                       \
    X(G_LDTR_SEL, 0x080C, "guest LDTR selector")                   \
    X(G_TR_SEL, 0x080E, "guest TR selector")                       \
    X(G_INTERRUPTS, 0x0810, "guest interrupt status")              \
    X(H_ES_SEL, 0x0C00, "host ES selector")                        \
    X(H_CS_SEL, 0x0C02, "host CS selector")                        \
    X(H_SS_SEL, 0x0C04, "host SS selector")                        \
    X(H_DS_SEL, 0x0C06, "host DS selector")                        \
    X(H_FS_SEL, 0x0C08, "host FS selector")                        \
    X(H_GS_SEL, 0x0C0A, "host GS selector")                        \
    X(H_TR_SEL, 0x0C0C, "host TR selector")                        \
    X(IO_BITMAP_A, 0x2000, "I/O bitmap A")                         \
    X(IO_BITMAP_B, 0x2002, "I/O bitmap B")                         \
    X(MSR_BITMAP, 0x2004, "MSR bitmaps")                           \
    X(EXIT_MSR_STORE, 0x2006, "VM-exit MSR-store address")         \
    X(EXIT_MSR_LOAD, 0x2008, "VM-exit MSR-load address")           \
    X(ENTRY_MSR_LOAD, 0x200A, "VM-entry MSR-load address")         \
    X(TSC_OFFSET, 0x2010, "TSC offset")                            \
    X(APIC_PAGE, 0x2012, "virtual-APIC address")                   \
    X(APIC_ACCESS, 0x2014, "APIC-access address")                  \
    X(POSTED, 0x2016, "posted-interrupt descriptor address")       \
    X(EPT_POINTER, 0x201A, "EPT pointer")                          \
    X(EOI_EXIT0, 0x201C, "EOI-exit bitmap 0")                      \
    X(EOI_EXIT1, 0x201E, "EOI-exit bitmap 1")                      \
    X(EOI_EXIT2, 0x2020, "EOI-exit bitmap 2")                      \
    X(EOI_EXIT3, 0x2022, "EOI-exit bitmap 3")                      \
    X(XSS_EXITING, 0x202C, "XSS-exiting bitmap")                   \
    X(EXIT_GPA, 0x2400, "guest-physical address of the exit")      \
    X(G_LINK, 0x2800, "VMCS link pointer")                         \
    X(G_DEBUGCTL, 0x2802, "guest IA32_DEBUGCTL")                   \
    X(G_PAT, 0x2804, "guest IA32_PAT")                             \
    X(G_EFER, 0x2806, "guest IA32_EFER")                           \
    X(G_PDPTE0, 0x280A, "guest PDPTE0")                            \
    X(G_PDPTE1, 0x280C, "guest PDPTE1")                            \
    X(G_PDPTE2, 0x280E, "guest PDPTE2")                            \
    X(G_PDPTE3, 0x2810, "guest PDPTE3")                            \
    X(H_PAT, 0x2C00, "host IA32_PAT")                              \
    X(H_EFER, 0x2C02, "host IA32_EFER")                            \
    X(PIN_CTLS, 0x4000, "pin-based controls")                      \
    X(PROC_CTLS, 0x4002, "primary processor-based controls")       \
    X(EXCEPTION_BITMAP, 0x4004, "exception bitmap")                \
    X(PF_ERROR_MASK, 0x4006, "page-fault error-code mask")         \
    X(PF_ERROR_MATCH, 0x4008, "page-fault error-code match")       \
    X(CR3_TARGET_COUNT, 0x400A, "CR3-target count")                \
    X(EXIT_CTLS, 0x400C, "VM-exit controls")                       \
    X(EXIT_MSR_STORE_COUNT, 0x400E, "VM-exit MSR-store count")     \
    X(EXIT_MSR_LOAD_COUNT, 0x4010, "VM-exit MSR-load count")       \
    X(ENTRY_CTLS, 0x4012, "VM-entry controls")                     \
    X(ENTRY_MSR_LOAD_COUNT, 0x4014, "VM-entry MSR-load count")     \
    X(ENTRY_EVENT, 0x4016, "VM-entry interruption information")    \
    X(ENTRY_EVENT_ERROR, 0x4018, "VM-entry exception error code")  \
    X(ENTRY_INSN_LEN, 0x401A, "VM-entry instruction length")       \
    X(TPR_THRESHOLD, 0x401C, "TPR threshold")                      \
    X(PROC_CTLS2, 0x401E, "secondary processor-based controls")    \
    X(PLE_GAP, 0x4020, "PLE gap")                                  \
    X(PLE_WINDOW, 0x4022, "PLE window")                            \
    X(INSN_ERROR, 0x4400, "VM-instruction error")                  \
    X(EXIT_REASON, 0x4402, "exit reason")                          \
    X(EXIT_EVENT, 0x4404, "VM-exit interruption information")      \
    X(EXIT_EVENT_ERROR, 0x4406, "VM-exit interruption error code") \
    X(IDT_EVENT, 0x4408, "IDT-vectoring information")              \
    X(IDT_EVENT_ERROR, 0x440A, "IDT-vectoring error code")         \
    X(EXIT_INSN_LEN, 0x440C, "VM-exit instruction length")         \
    X(EXIT_INSN_INFO, 0x440E, "VM-exit instruction information")   \
    X(G_ES_LIMIT, 0x4800, "guest ES limit")                        \
    X(G_CS_LIMIT, 0x4802, "guest CS limit")                        \
    X(G_SS_LIMIT, 0x4804, "guest SS limit")                        \
    X(G_DS_LIMIT, 0x4806, "guest DS limit")                        \
    X(G_FS_LIMIT, 0x4808, "guest FS limit")                        \
    X(G_GS_LIMIT, 0x480A, "guest GS limit")                        \
    X(G_LDTR_LIMIT, 0x480C, "guest LDTR limit")                    \
    X(G_TR_LIMIT, 0x480E, "guest TR limit")                        \
    X(G_GDTR_LIMIT, 0x4810, "guest GDTR limit")                    \
    X(G_IDTR_LIMIT, 0x4812, "guest IDTR limit")                    \
    X(G_ES_AR, 0x4814, "guest ES access rights")                   \
    X(G_CS_AR, 0x4816, "guest CS access rights")                   \
    X(G_SS_AR, 0x4818, "guest SS access rights")                   \
    X(G_DS_AR, 0x481A, "guest DS access rights")                   \
    X(G_FS_AR, 0x481C, "guest FS access rights")                   \
    X(G_GS_AR, 0x481E, "guest GS access rights")                   \
    X(G_LDTR_AR, 0x4820, "guest LDTR access rights")               \
    X(G_TR_AR, 0x4822, "guest TR access rights")                   \
    X(G_INTERRUPTIBILITY, 0x4824, "guest interruptibility state")  \
    X(G_ACTIVITY, 0x4826, "guest activity state")                  \
    X(G_SYSENTER_CS, 0x482A, "guest IA32_SYSENTER_CS")             \
    X(PREEMPTION_TIMER, 0x482E, "VMX-preemption timer")            \
    X(H_SYSENTER_CS, 0x4C00, "host IA32_SYSENTER_CS")              \
    X(CR0_MASK, 0x6000, "CR0 guest/host mask")                     \
    X(CR4_MASK, 0x6002, "CR4 guest/host mask")                     \
    X(CR0_SHADOW, 0x6004, "CR0 read shadow")                       \
    X(CR4_SHADOW, 0x6006, "CR4 read shadow")                       \
    X(EXIT_QUALIFICATION, 0x6400, "exit qualification")            \
    X(EXIT_GVA, 0x640A, "guest-linear address of the exit")        \
    X(G_CR0, 0x6800, "guest CR0")                                  \
    X(G_CR3, 0x6802, "guest CR3")                                  \
    X(G_CR4, 0x6804, "guest CR4")                                  \
    X(G_ES_BASE, 0x6806, "guest ES base")                          \
    X(G_CS_BASE, 0x6808, "guest CS base")                          \
    X(G_SS_BASE, 0x680A, "guest SS base")                          \
    X(G_DS_BASE, 0x680C, "guest DS base")                          \
    X(G_FS_BASE, 0x680E, "guest FS base")                          \
    X(G_GS_BASE, 0x6810, "guest GS base")                          \
    X(G_LDTR_BASE, 0x6812, "guest LDTR base")                      \
    X(G_TR_BASE, 0x6814, "guest TR base")                          \
    X(G_GDTR_BASE, 0x6816, "guest GDTR base")                      \
    X(G_IDTR_BASE, 0x6818, "guest IDTR base")                      \
    X(G_DR7, 0x681A, "guest DR7")                                  \
    X(G_RSP, 0x681C, "guest RSP")                                  \
    X(G_RIP, 0x681E, "guest RIP")                                  \
    X(G_RFLAGS, 0x6820, "guest RFLAGS")                            \
    X(G_PENDING_DEBUG, 0x6822, "guest pending debug exceptions")   \
    X(G_SYSENTER_ESP, 0x6824, "guest IA32_SYSENTER_ESP")           \
    X(G_SYSENTER_EIP, 0x6826, "guest IA32_SYSENTER_EIP")           \
    X(H_CR0, 0x6C00, "host CR0")                                   \
    X(H_CR3, 0x6C02, "host CR3")                                   \
    X(H_CR4, 0x6C04, "host CR4")                                   \
    X(H_FS_BASE, 0x6C06, "host FS base")                           \
    X(H_GS_BASE, 0x6C08, "host GS base")                           \
    X(H_TR_BASE, 0x6C0A, "host TR base")                           \
    X(H_GDTR_BASE, 0x6C0C, "host GDTR base")                       \
    X(H_IDTR_BASE, 0x6C0E, "host IDTR base")                       \
    X(H_SYSENTER_ESP, 0x6C10, "host IA32_SYSENTER_ESP")            \
    X(H_SYSENTER_EIP, 0x6C12, "host IA32_SYSENTER_EIP")            \
    X(H_RSP, 0x6C14, "host RSP")                                   \
    X(H_RIP, 0x6C16, "host RIP")
/* clang-format on */

enum vmcs_field {
#define VMCS_NUMBER(id, number, name) VMCS_##id = number,
    VMCS_FIELDS(VMCS_NUMBER)
#undef VMCS_NUMBER
};

/* Field n places on, for those that stand in a row: segment registers, PDPTEs. */
static inline enum vmcs_field vmcs_nth(enum vmcs_field first, unsigned n)
{
    return (enum vmcs_field)(first + 2 * n);
}

_Noreturn void vmcs_read_failed(enum vmcs_field field);
_Noreturn void vmcs_write_failed(enum vmcs_field field);

static inline uint64_t vmcs_read(enum vmcs_field field)
{
    uint64_t value;
    if (__builtin_expect(!vmread(field, &value), 0))
        vmcs_read_failed(field);
    return value;
}

static inline void vmcs_write(enum vmcs_field field, uint64_t value)
{
    if (__builtin_expect(!vmwrite(field, value), 0))
        vmcs_write_failed(field);
}

const char *vmcs_field_name(enum vmcs_field field);

/* Calls fn for those that this CPU has of n fields from the first-th on, in order of number. False:
 * there are none behind them. */
bool vmcs_walk(unsigned first, unsigned n,
               void (*fn)(const char *name, enum vmcs_field field, uint64_t value));

#endif
