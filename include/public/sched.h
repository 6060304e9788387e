/*
 * sched_op(cmd, pointer): give way, wait, end. Layouts as in xen/include/public/sched.h.
 */
#ifndef CAISSON_PUBLIC_SCHED_H
#define CAISSON_PUBLIC_SCHED_H

#include <stdint.h>

#define XEN_SCHED_YIELD           0
#define XEN_SCHED_BLOCK           1
#define XEN_SCHED_SHUTDOWN        2 /* struct xen_sched_shutdown */
#define XEN_SCHED_POLL            3 /* struct xen_sched_poll */
#define XEN_SCHED_REMOTE_SHUTDOWN 4
#define XEN_SCHED_SHUTDOWN_CODE   5 /* struct xen_sched_shutdown */
#define XEN_SCHED_WATCHDOG        6 /* struct xen_sched_watchdog */
#define XEN_SCHED_PIN_OVERRIDE    7

struct xen_sched_shutdown {
    uint32_t reason;
};
#define XEN_SHUTDOWN_POWEROFF   0
#define XEN_SHUTDOWN_REBOOT     1
#define XEN_SHUTDOWN_SUSPEND    2
#define XEN_SHUTDOWN_CRASH      3
#define XEN_SHUTDOWN_WATCHDOG   4
#define XEN_SHUTDOWN_SOFT_RESET 5

struct xen_sched_poll {
    uint64_t ports; /* handle: uint32_t[] */
    uint32_t nr_ports;
    uint32_t pad;
    uint64_t timeout; /* ns of system time; 0: none */
};
#define XEN_SCHED_POLL_MOST 128 /* ports in one call */

struct xen_sched_watchdog {
    uint32_t id;      /* 0: a new one */
    uint32_t timeout; /* seconds; 0: off */
};
#define XEN_SCHED_WATCHDOGS 2

_Static_assert(sizeof(struct xen_sched_poll) == 24, "as in Xen");

#endif
