/*
 * platform_op(pointer) and physdev_op(operation, pointer): what the control domain does to the
 * machine. Layouts and numbers as in xen/include/public/platform.h and physdev.h.
 */
#ifndef CAISSON_PUBLIC_PLATFORM_H
#define CAISSON_PUBLIC_PLATFORM_H

#include <stdint.h>

#define XENPF_INTERFACE_VERSION 0x03000001u

#define XENPF_SETTIME64 62

#define PHYSDEVOP_PCI_DEVICE_ADD    25
#define PHYSDEVOP_PCI_DEVICE_REMOVE 26

struct xen_platform_op {
    uint32_t cmd;
    uint32_t interface_version;
    union {
        struct xen_platform_settime64 {
            uint64_t secs; /* the wall clock's, when the system time was this */
            uint32_t nsecs;
            uint32_t mbz;
            uint64_t system_time;
        } settime64;
        uint8_t pad[128];
    } u;
};

_Static_assert(sizeof(struct xen_platform_op) == 136, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_platform_op, u.settime64.system_time) == 24,
               "as in Xen");

#endif
