/*
 * The heart of Xen's public interface: hypercall numbers, domain ids, virtual interrupts, and the
 * page that hypervisor and guest share. The groups of calls have files of their own beside this
 * one.
 *
 * Numbers and layouts are those of Xen (xen/include/public/xen.h); a guest built for Xen finds
 * what it knows. Handles (pointers in guest memory) are 64-bit numbers here; what 32-bit callers
 * pass is in compat.h. This folder includes nothing else of Caisson's: guests are compiled with it.
 */
#ifndef CAISSON_PUBLIC_XEN_H
#define CAISSON_PUBLIC_XEN_H

#include <stdint.h>

/* Hypercall numbers: RAX (EAX) at VMCALL. Arguments: RDI, RSI, RDX, R10, R8; from 32-bit code EBX,
 * ECX, EDX, ESI, EDI. The result comes back in RAX: a negative value is an errno. */
#define XEN_HYPERCALL_PLATFORM_OP      7
#define XEN_HYPERCALL_MEMORY_OP        12
#define XEN_HYPERCALL_MULTICALL        13
#define XEN_HYPERCALL_SET_TIMER_OP     15
#define XEN_HYPERCALL_XEN_VERSION      17
#define XEN_HYPERCALL_CONSOLE_IO       18
#define XEN_HYPERCALL_GRANT_TABLE_OP   20
#define XEN_HYPERCALL_VM_ASSIST        21
#define XEN_HYPERCALL_IRET             23 /* not for us: its stub in the hypercall page faults */
#define XEN_HYPERCALL_VCPU_OP          24
#define XEN_HYPERCALL_MMUEXT_OP        26
#define XEN_HYPERCALL_SCHED_OP         29
#define XEN_HYPERCALL_EVENT_CHANNEL_OP 32
#define XEN_HYPERCALL_PHYSDEV_OP       33
#define XEN_HYPERCALL_HVM_OP           34
#define XEN_HYPERCALL_SYSCTL           35
#define XEN_HYPERCALL_DOMCTL           36

/* The page that WRMSR of the hypercall MSR fills: a stub for each number. */
#define XEN_HYPERCALL_STUB_BYTES 32
#define XEN_HYPERCALL_STUBS      128

/* Domain ids: real ones are below the first reserved. */
#define XEN_DOMID_CONTROL        0 /* the control domain's */
#define XEN_DOMID_FIRST_RESERVED 0x7FF0
#define XEN_DOMID_SELF           0x7FF0
#define XEN_DOMID_INVALID        0x7FF4

/* Virtual interrupts. The first two are of each vCPU, the others of the domain. Those that tell of
 * the whole machine are for the control domain. */
#define XEN_VIRQ_TIMER      0
#define XEN_VIRQ_DEBUG      1
#define XEN_VIRQ_CONSOLE    2
#define XEN_VIRQ_DOM_EXC    3
#define XEN_VIRQ_TBUF       4
#define XEN_VIRQ_XENOPROF   7
#define XEN_VIRQ_CON_RING   8
#define XEN_VIRQ_PCPU_STATE 9
#define XEN_VIRQ_MEM_EVENT  10
#define XEN_VIRQ_ARGO       11
#define XEN_VIRQ_ENOMEM     12
#define XEN_VIRQ_XENPMU     13
#define XEN_VIRQ_MCA        16
#define XEN_VIRQ_COUNT      24

/* console_io(cmd, count, pointer) */
#define XEN_CONSOLE_WRITE 0
#define XEN_CONSOLE_READ  1

/* vm_assist(cmd, type) */
#define XEN_VMASST_ENABLE               0
#define XEN_VMASST_DISABLE              1
#define XEN_VMASST_RUNSTATE_UPDATE_FLAG 5

/* multicall(entries, count) */
struct xen_multicall_entry {
    uint64_t op, result;
    uint64_t args[6]; /* five of them are used */
};

/* ---- The shared page ---- */

/* Time: system_time + ((TSC - tsc_timestamp) << tsc_shift) * tsc_to_system_mul >> 32. version is
 * odd while the rest is being written. */
struct xen_vcpu_time_info {
    uint32_t version;
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time; /* ns since some moment before the guest was started */
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift; /* negative: to the right */
    uint8_t flags;    /* XEN_PVCLOCK_* */
    uint8_t pad1[2];
};
#define XEN_PVCLOCK_TSC_STABLE 1u

struct xen_vcpu_info {
    uint8_t evtchn_upcall_pending;
    uint8_t evtchn_upcall_mask;
    uint8_t pad[6];
    uint64_t evtchn_pending_sel; /* which words of evtchn_pending to look at */
    uint64_t arch[2];
    struct xen_vcpu_time_info time;
};

#define XEN_LEGACY_MAX_VCPUS 32 /* that have their vcpu_info in the shared page */

struct xen_shared_info {
    struct xen_vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
    uint64_t evtchn_pending[64]; /* two-level events: one bit a port */
    uint64_t evtchn_mask[64];
    uint32_t wc_version; /* as in the time info */
    uint32_t wc_sec;     /* UTC at system time 0 */
    uint32_t wc_nsec;
    uint32_t wc_sec_hi;
    uint64_t max_pfn;
    uint64_t pfn_to_mfn_frame_list_list;
    uint64_t nmi_reason;
    uint64_t p2m_cr3, p2m_vaddr, p2m_generation;
};

_Static_assert(sizeof(struct xen_multicall_entry) == 64, "as in Xen");
_Static_assert(sizeof(struct xen_vcpu_time_info) == 32, "as in Xen");
_Static_assert(sizeof(struct xen_vcpu_info) == 64, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_vcpu_info, time) == 32, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_shared_info, evtchn_pending) == 2048, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_shared_info, evtchn_mask) == 2560, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_shared_info, wc_version) == 3072, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_shared_info, max_pfn) == 3088, "as in Xen");
_Static_assert(sizeof(struct xen_shared_info) == 3136, "as in Xen");

#endif
