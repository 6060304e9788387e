/*
 * Asking the hypervisor: VMCALL with Xen's numbers and registers (64-bit).
 *
 * AMD's instruction is VMMCALL, as long. Each place is noted in the section .vmcalls, and start.asm
 * writes VMMCALL there on AMD's processors, so that no call has to choose.
 */
#ifndef GUEST_HYPERCALL_H
#define GUEST_HYPERCALL_H

#include <stdint.h>
#include "include/public/sched.h"
#include "include/public/version.h"
#include "include/public/xen.h"

#define HYPERCALL_INSN                                                                             \
    "1: vmcall\n\t"                                                                                \
    ".pushsection .vmcalls, \"a\"\n\t"                                                             \
    ".long 1b\n\t"                                                                                 \
    ".popsection"

static inline int64_t hypercall(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3)
{
    int64_t result;
    asm volatile(HYPERCALL_INSN
                 : "=a"(result), "+D"(a1), "+S"(a2), "+d"(a3)
                 : "a"(nr)
                 : "memory", "r10", "r8");
    return result;
}

static inline int64_t xen_version(void)
{
    return hypercall(XEN_HYPERCALL_XEN_VERSION, XENVER_VERSION, 0, 0);
}

static inline int64_t xen_console_write(const char *text, uint64_t bytes)
{
    return hypercall(XEN_HYPERCALL_CONSOLE_IO, XEN_CONSOLE_WRITE, bytes, (uint64_t)text);
}

static inline int64_t xen_sched(uint64_t op)
{
    return hypercall(XEN_HYPERCALL_SCHED_OP, op, 0, 0);
}

/* Does not come back, unless the hypervisor refuses. */
static inline int64_t xen_shutdown(uint32_t reason)
{
    struct xen_sched_shutdown arg = { .reason = reason };

    return hypercall(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_SHUTDOWN, (uint64_t)&arg, 0);
}

#endif
