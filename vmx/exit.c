/*
 * From exit reasons to typed exits: one row a reason, one small function for each that has more
 * to tell. Sources: SDM, appendix "VMX Basic Exit Reasons"; "Basic VM-Exit Information".
 */
#include "vmx/exit.h"

#include <stddef.h>
#include "arch/x86/cpu.h"
#include "vmx/controls.h"
#include "vmx/event.h"
#include "vmx/vmcs.h"
#include "vmx/vmx.h"

const char *const vmx_exit_name[VMX_EXIT_KINDS] = {
    [VMX_EXIT_HOST] = "host",
    [VMX_EXIT_DEADLINE] = "deadline",
    [VMX_EXIT_IRQ_WINDOW] = "interrupt window",
    [VMX_EXIT_NMI_WINDOW] = "NMI window",
    [VMX_EXIT_CPUID] = "CPUID",
    [VMX_EXIT_RDMSR] = "RDMSR",
    [VMX_EXIT_WRMSR] = "WRMSR",
    [VMX_EXIT_IO] = "port I/O",
    [VMX_EXIT_CR] = "control register",
    [VMX_EXIT_XSETBV] = "XSETBV",
    [VMX_EXIT_HLT] = "HLT",
    [VMX_EXIT_PAUSE] = "PAUSE",
    [VMX_EXIT_VMCALL] = "VMCALL",
    [VMX_EXIT_WBINVD] = "WBINVD",
    [VMX_EXIT_RDPMC] = "RDPMC",
    [VMX_EXIT_MONITOR] = "MONITOR or MWAIT",
    [VMX_EXIT_VMX_INSN] = "VMX instruction",
    [VMX_EXIT_MEMORY] = "memory",
    [VMX_EXIT_EXCEPTION] = "exception",
    [VMX_EXIT_TASK_SWITCH] = "task switch",
    [VMX_EXIT_TRIPLE_FAULT] = "triple fault",
    [VMX_EXIT_INIT] = "INIT",
    [VMX_EXIT_ENTRY_FAILED] = "failed entry",
    [VMX_EXIT_UNKNOWN] = "unknown",
};

/* SDM, "Exit Qualification for I/O Instructions"; instruction information for INS and OUTS. */
static void decode_io(struct vmx_exit *x)
{
    uint64_t q = x->qualification;
    x->io.port = q >> 16;
    x->io.size = (q & 7) + 1;
    x->io.in = q & 8;
    x->io.string = q & 16;
    x->io.rep = q & 32;
    x->io.addr_size = 0;
    x->io.seg = SEG_DS;
    if (!x->io.string)
        return;
    uint32_t info = vmcs_read(VMCS_EXIT_INSN_INFO);
    x->io.addr_size = 2u << (info >> 7 & 3);
    x->io.seg = x->io.in ? SEG_ES : (enum seg)(info >> 15 & 7);
}

/* SDM, "Exit Qualification for Control-Register Accesses". */
static void decode_cr(struct vmx_exit *x)
{
    uint64_t q = x->qualification;
    x->cr.number = q & 15;
    x->cr.op = q >> 4 & 3;
    x->cr.gpr = (enum gpr)(q >> 8 & 15);
    x->cr.lmsw = q >> 16;
    if (x->cr.op == CR_CLTS || x->cr.op == CR_LMSW)
        x->cr.number = 0;
}

/* SDM, "Exit Qualification for EPT Violations". */
static void decode_memory(struct vmx_exit *x)
{
    uint64_t q = x->qualification;
    x->memory.gpa = gpa(vmcs_read(VMCS_EXIT_GPA));
    x->memory.read = q & 1;
    x->memory.write = q & 2;
    x->memory.fetch = q & 4;
    x->memory.present = q & 0x38;
    x->memory.gva_valid = q & 0x80;
    x->memory.gva = gva(x->memory.gva_valid ? vmcs_read(VMCS_EXIT_GVA) : 0);
    x->memory.page_walk = x->memory.gva_valid && !(q & 0x100);
    x->memory.delivery = vmcs_read(VMCS_IDT_EVENT) & EVENT_VALID;
}

/* NMI and #MC are the machine's, whatever the guest was doing. */
static void decode_exception(struct vmx_exit *x)
{
    uint32_t info = vmcs_read(VMCS_EXIT_EVENT);
    x->exception = event_decode(info, vmcs_read(VMCS_EXIT_EVENT_ERROR));
    if (x->exception.type == EVENT_NMI || x->exception.vector == VECTOR_MC)
        x->kind = VMX_EXIT_HOST;
    if (x->exception.type == EVENT_SOFT_EXC || x->exception.type == EVENT_PRIV_SOFT_EXC)
        x->exception.insn_len = vmcs_read(VMCS_EXIT_INSN_LEN);
}

static const struct exit_row {
    bool known;
    enum vmx_exit_kind kind;
    void (*decode)(struct vmx_exit *x);
} rows[] = {
    [REASON_EXCEPTION] = { true, VMX_EXIT_EXCEPTION, decode_exception },
    [REASON_EXTINT] = { true, VMX_EXIT_HOST, NULL },
    [2] = { true, VMX_EXIT_TRIPLE_FAULT, NULL },
    [3] = { true, VMX_EXIT_INIT, NULL },
    [REASON_IRQ_WINDOW] = { true, VMX_EXIT_IRQ_WINDOW, NULL },
    [REASON_NMI_WINDOW] = { true, VMX_EXIT_NMI_WINDOW, NULL },
    [9] = { true, VMX_EXIT_TASK_SWITCH, NULL },
    [10] = { true, VMX_EXIT_CPUID, NULL },
    [11] = { true, VMX_EXIT_VMX_INSN, NULL }, /* GETSEC */
    [12] = { true, VMX_EXIT_HLT, NULL },
    [13] = { true, VMX_EXIT_WBINVD, NULL }, /* INVD */
    [15] = { true, VMX_EXIT_RDPMC, NULL },
    [17] = { true, VMX_EXIT_VMX_INSN, NULL }, /* RSM */
    [18] = { true, VMX_EXIT_VMCALL, NULL },
    [19] = { true, VMX_EXIT_VMX_INSN, NULL }, /* VMCLEAR */
    [20] = { true, VMX_EXIT_VMX_INSN, NULL }, /* VMLAUNCH */
    [21] = { true, VMX_EXIT_VMX_INSN, NULL }, /* VMPTRLD */
    [22] = { true, VMX_EXIT_VMX_INSN, NULL }, /* VMPTRST */
    [23] = { true, VMX_EXIT_VMX_INSN, NULL }, /* VMREAD */
    [24] = { true, VMX_EXIT_VMX_INSN, NULL }, /* VMRESUME */
    [25] = { true, VMX_EXIT_VMX_INSN, NULL }, /* VMWRITE */
    [26] = { true, VMX_EXIT_VMX_INSN, NULL }, /* VMXOFF */
    [27] = { true, VMX_EXIT_VMX_INSN, NULL }, /* VMXON */
    [28] = { true, VMX_EXIT_CR, decode_cr },
    [30] = { true, VMX_EXIT_IO, decode_io },
    [31] = { true, VMX_EXIT_RDMSR, NULL },
    [32] = { true, VMX_EXIT_WRMSR, NULL },
    [36] = { true, VMX_EXIT_MONITOR, NULL }, /* MWAIT */
    [39] = { true, VMX_EXIT_MONITOR, NULL }, /* MONITOR */
    [40] = { true, VMX_EXIT_PAUSE, NULL },
    [REASON_EPT_VIOLATION] = { true, VMX_EXIT_MEMORY, decode_memory },
    [50] = { true, VMX_EXIT_VMX_INSN, NULL },       /* INVEPT */
    [REASON_TIMER] = { true, VMX_EXIT_HOST, NULL }, /* vmx_run knows whose deadline it was */
    [53] = { true, VMX_EXIT_VMX_INSN, NULL },       /* INVVPID */
    [54] = { true, VMX_EXIT_WBINVD, NULL },
    [55] = { true, VMX_EXIT_XSETBV, NULL },
    [59] = { true, VMX_EXIT_VMX_INSN, NULL }, /* VMFUNC */
};

void exit_decode(uint32_t reason, struct vmx_exit *x)
{
    x->raw_reason = reason;
    x->kind = VMX_EXIT_UNKNOWN;
    x->qualification = 0;
    uint32_t basic = reason & 0xFFFF;
    if (basic >= sizeof(rows) / sizeof(rows[0]) || !rows[basic].known)
        return;
    x->kind = rows[basic].kind;
    if (!rows[basic].decode)
        return;
    x->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
    rows[basic].decode(x);
}
