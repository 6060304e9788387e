/*
 * vcpu_op(cmd, vcpu, pointer): where a vCPU keeps its areas, its timers, whether it is up. Layouts
 * as in xen/include/public/vcpu.h.
 */
#ifndef CAISSON_PUBLIC_VCPU_H
#define CAISSON_PUBLIC_VCPU_H

#include <stdint.h>

#define VCPUOP_INITIALISE                    0
#define VCPUOP_UP                            1
#define VCPUOP_DOWN                          2
#define VCPUOP_IS_UP                         3
#define VCPUOP_GET_RUNSTATE_INFO             4
#define VCPUOP_REGISTER_RUNSTATE_MEMORY_AREA 5
#define VCPUOP_SET_PERIODIC_TIMER            6
#define VCPUOP_STOP_PERIODIC_TIMER           7
#define VCPUOP_SET_SINGLESHOT_TIMER          8
#define VCPUOP_STOP_SINGLESHOT_TIMER         9
#define VCPUOP_REGISTER_VCPU_INFO            10
#define VCPUOP_SEND_NMI                      11
#define VCPUOP_GET_PHYSID                    12
#define VCPUOP_REGISTER_TIME_MEMORY_AREA     13
#define VCPUOP_REGISTER_RUNSTATE_PHYS_AREA   14
#define VCPUOP_REGISTER_TIME_PHYS_AREA       15

enum xen_runstate {
    XEN_RUNSTATE_RUNNING,  /* on a CPU */
    XEN_RUNSTATE_RUNNABLE, /* would, but others are: stolen time */
    XEN_RUNSTATE_BLOCKED,  /* waits for an event */
    XEN_RUNSTATE_OFFLINE,
    XEN_RUNSTATES
};
/* In state_entry_time, if vm_assist has switched it on: an update is under way. */
#define XEN_RUNSTATE_UPDATE (1ul << 63)

struct xen_runstate_info {
    int32_t state;
    uint32_t pad;
    uint64_t state_entry_time; /* ns of system time */
    uint64_t time[XEN_RUNSTATES];
};

/* REGISTER_*_AREA: the argument is a pointer to the pointer (or, for PHYS, to the address). */
struct xen_register_area {
    uint64_t at;
};

struct xen_set_periodic_timer {
    uint64_t period_ns;
};

struct xen_set_singleshot_timer {
    uint64_t timeout_abs_ns; /* of system time */
    uint32_t flags;
    uint32_t pad;
};
#define XEN_SSHOTTMR_FUTURE 1u /* -ETIME if it has passed */

struct xen_register_vcpu_info {
    uint64_t mfn;    /* guest frame, for a guest as we have them */
    uint32_t offset; /* in it */
    uint32_t rsvd;
};

_Static_assert(sizeof(struct xen_runstate_info) == 48, "as in Xen");
_Static_assert(sizeof(struct xen_set_singleshot_timer) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_register_vcpu_info) == 16, "as in Xen");

#endif
