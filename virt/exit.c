/*
 * The names of the kinds of exits, for people.
 */
#include "virt/virt.h"

const char *const virt_exit_name[VIRT_EXIT_KINDS] = {
    [VIRT_EXIT_UNKNOWN] = "unknown",
    [VIRT_EXIT_HOST] = "host",
    [VIRT_EXIT_DEADLINE] = "deadline",
    [VIRT_EXIT_IRQ_WINDOW] = "interrupt window",
    [VIRT_EXIT_NMI_WINDOW] = "NMI window",
    [VIRT_EXIT_CPUID] = "CPUID",
    [VIRT_EXIT_RDMSR] = "RDMSR",
    [VIRT_EXIT_WRMSR] = "WRMSR",
    [VIRT_EXIT_IO] = "port I/O",
    [VIRT_EXIT_CR] = "control register",
    [VIRT_EXIT_XSETBV] = "XSETBV",
    [VIRT_EXIT_HLT] = "HLT",
    [VIRT_EXIT_PAUSE] = "PAUSE",
    [VIRT_EXIT_HYPERCALL] = "VMCALL",
    [VIRT_EXIT_HYPERCALL_OTHER] = "VMCALL elsewhere",
    [VIRT_EXIT_WBINVD] = "WBINVD",
    [VIRT_EXIT_RDPMC] = "RDPMC",
    [VIRT_EXIT_MONITOR] = "MONITOR or MWAIT",
    [VIRT_EXIT_VIRT_INSN] = "virtualization instruction",
    [VIRT_EXIT_MEMORY] = "memory",
    [VIRT_EXIT_EXCEPTION] = "exception",
    [VIRT_EXIT_TPR] = "TPR below threshold",
    [VIRT_EXIT_APIC_WRITE] = "APIC write",
    [VIRT_EXIT_EOI] = "EOI",
    [VIRT_EXIT_TASK_SWITCH] = "task switch",
    [VIRT_EXIT_TRIPLE_FAULT] = "triple fault",
    [VIRT_EXIT_BUS_LOCK] = "bus lock",
    [VIRT_EXIT_BAD_MEMORY] = "memory error",
    [VIRT_EXIT_INIT] = "INIT",
    [VIRT_EXIT_ENTRY_FAILED] = "failed entry",
};
