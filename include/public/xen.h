/*
 * The part of Xen's public interface that Caisson speaks so far: hypercall numbers and the calls
 * of a domain that is alone. Numbers and layouts are those of Xen (xen/include/public/xen.h,
 * version.h, sched.h); a guest built for Xen finds what it knows.
 *
 * This folder includes nothing else of Caisson's: guests are compiled with it.
 */
#ifndef CAISSON_PUBLIC_XEN_H
#define CAISSON_PUBLIC_XEN_H

#include <stdint.h>

/* Hypercall numbers: RAX (EAX) at VMCALL. Arguments: RDI, RSI, RDX, R10, R8; from 32-bit code EBX,
 * ECX, EDX, ESI, EDI. The result comes back in RAX: a negative value is an errno. */
#define XEN_HYPERCALL_MEMORY_OP        12
#define XEN_HYPERCALL_XEN_VERSION      17
#define XEN_HYPERCALL_CONSOLE_IO       18
#define XEN_HYPERCALL_VCPU_OP          24
#define XEN_HYPERCALL_SCHED_OP         29
#define XEN_HYPERCALL_EVENT_CHANNEL_OP 32
#define XEN_HYPERCALL_HVM_OP           34

/* xen_version(cmd, pointer) */
#define XENVER_VERSION      0 /* major << 16 | minor, as the result */
#define XENVER_EXTRAVERSION 1 /* char[16] at pointer */
#define XENVER_PAGESIZE     7 /* bytes, as the result */

#define XENVER_EXTRAVERSION_LEN 16

/* console_io(cmd, count, pointer) */
#define XEN_CONSOLE_WRITE 0
#define XEN_CONSOLE_READ  1

/* sched_op(cmd, pointer) */
#define XEN_SCHED_YIELD    0
#define XEN_SCHED_BLOCK    1
#define XEN_SCHED_SHUTDOWN 2 /* struct xen_sched_shutdown */

struct xen_sched_shutdown {
    uint32_t reason;
};
#define XEN_SHUTDOWN_POWEROFF 0
#define XEN_SHUTDOWN_REBOOT   1
#define XEN_SHUTDOWN_SUSPEND  2
#define XEN_SHUTDOWN_CRASH    3
#define XEN_SHUTDOWN_WATCHDOG 4

#endif
