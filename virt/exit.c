/*
 * Exits for people: the names of their kinds, and how many there were of each.
 */
#include "lib/log.h"
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
    [VIRT_EXIT_DEBUG_REGISTER] = "debug register",
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

uint64_t virt_exit_count(const struct virt_vcpu *v)
{
    uint64_t sum = 0;

    for (unsigned kind = 0; kind < VIRT_EXIT_KINDS; kind++)
        sum += v->exits[kind];
    return sum;
}

void virt_count_exits(const struct virt_vcpu *v, struct virt_exits *sum)
{
    for (unsigned kind = 0; kind < VIRT_EXIT_KINDS; kind++) {
        sum->count[kind] += v->exits[kind];
        sum->ticks[kind] += v->exit_ticks[kind];
    }
}

void virt_log_exits(const struct virt_exits *sum, const char *whose)
{
    uint64_t all = 0;

    for (unsigned kind = 0; kind < VIRT_EXIT_KINDS; kind++)
        all += sum->count[kind];
    log_debug("%s: %lu VM exits; of each kind, and TSC ticks that one took above virt/:", whose,
              all);
    for (unsigned kind = 0; kind < VIRT_EXIT_KINDS; kind++)
        if (sum->count[kind])
            log_debug("%s: %8lu  %-16s %8lu", whose, sum->count[kind], virt_exit_name[kind],
                      sum->ticks[kind] / sum->count[kind]);
}
