/*
 * xen_version: who the hypervisor is. Source: xen/include/public/version.h.
 */
#include "hypercall/hypercall.h"
#include "include/public/version.h"

/* The interface that is spoken, in Xen's own counting: 4.17. */
#define VERSION (4 << 16 | 17)

int64_t hypercall_xen_version(struct vcpu *v, uint64_t *args)
{
    static const char extraversion[XENVER_EXTRAVERSION_LEN] = "-caisson";

    switch (args[0]) {
    case XENVER_VERSION:
        return VERSION;
    case XENVER_EXTRAVERSION:
        return hypercall_copy_out(v, args[1], extraversion, sizeof(extraversion));
    case XENVER_PAGESIZE:
        return PAGE_SIZE;
    }
    return -ENOSYS;
}
