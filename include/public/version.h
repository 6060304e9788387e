/*
 * xen_version(cmd, pointer): who the hypervisor is. Layouts as in xen/include/public/version.h.
 */
#ifndef CAISSON_PUBLIC_VERSION_H
#define CAISSON_PUBLIC_VERSION_H

#include <stdint.h>

#define XENVER_VERSION             0 /* major << 16 | minor, as the result */
#define XENVER_EXTRAVERSION        1 /* char[16] */
#define XENVER_COMPILE_INFO        2
#define XENVER_CAPABILITIES        3 /* char[1024] */
#define XENVER_CHANGESET           4 /* char[64] */
#define XENVER_PLATFORM_PARAMETERS 5 /* unsigned long: where the hypervisor begins */
#define XENVER_GET_FEATURES        6
#define XENVER_PAGESIZE            7 /* bytes, as the result */
#define XENVER_GUEST_HANDLE        8 /* uint8_t[16]: the domain's UUID */
#define XENVER_COMMANDLINE         9 /* char[1024] */
#define XENVER_BUILD_ID            10

#define XENVER_EXTRAVERSION_LEN 16
#define XENVER_CAPABILITIES_LEN 1024
#define XENVER_CHANGESET_LEN    64
#define XENVER_COMMANDLINE_LEN  1024
#define XENVER_HANDLE_LEN       16

struct xen_compile_info {
    char compiler[64];
    char compile_by[16];
    char compile_domain[32];
    char compile_date[32];
};

struct xen_feature_info {
    uint32_t submap_idx; /* in: which 32 bits */
    uint32_t submap;     /* out */
};

_Static_assert(sizeof(struct xen_compile_info) == 144, "as in Xen");
_Static_assert(sizeof(struct xen_feature_info) == 8, "as in Xen");

#endif
