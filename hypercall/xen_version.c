/*
 * xen_version: who the hypervisor is. Source: xen/include/public/version.h.
 */
#include "hypercall/hypercall.h"
#include "control/control.h"
#include "domain/domain.h"
#include "include/public/features.h"
#include "include/public/version.h"
#include "lib/string.h"

#define BIT(n) (1u << (n))

static const uint32_t features = BIT(XENFEAT_AUTO_TRANSLATED_PHYSMAP) |
                                 BIT(XENFEAT_HVM_CALLBACK_VECTOR) | BIT(XENFEAT_HVM_SAFE_PVCLOCK) |
                                 BIT(XENFEAT_NOT_DIRECT_MAPPED) | BIT(XENFEAT_RUNSTATE_PHYS_AREA) |
                                 BIT(XENFEAT_TIME_PHYS_AREA);

static const struct xen_compile_info compile_info = {
    .compiler = "a C compiler",
    .compile_by = "",
    .compile_domain = "",
    .compile_date = "",
};

static int64_t get_features(struct vcpu *v, uint64_t at)
{
    struct xen_feature_info info;

    if (gva_copy_in(&v->space, &info, at, sizeof(info)))
        return -EFAULT;
    if (info.submap_idx)
        return -EINVAL;
    info.submap = features;
    return gva_copy_out(&v->space, at, &info, sizeof(info));
}

/* A text in a field of the given size: zeroes behind it. */
static int64_t text_out(struct vcpu *v, uint64_t at, const char *text, size_t size)
{
    char field[XENVER_COMMANDLINE_LEN] = ""; /* the longest */

    str_copy(field, text, size);
    return gva_copy_out(&v->space, at, field, size);
}

/* Where the hypervisor begins in the guest's address space: nowhere. */
static int64_t platform_parameters(struct vcpu *v, uint64_t at)
{
    const uint64_t nowhere = 0;

    return gva_copy_out(&v->space, at, &nowhere, virt_in_64bit_code(&v->virt) ? 8 : 4);
}

static int64_t guest_handle(struct vcpu *v, uint64_t at)
{
    uint8_t handle[XENVER_HANDLE_LEN];

    control_handle(v->domain, handle);
    return gva_copy_out(&v->space, at, handle, sizeof(handle));
}

int64_t hypercall_xen_version(struct vcpu *v, uint64_t *args)
{
    switch (args[0]) {
    case XENVER_VERSION:
        return PV_XEN_VERSION;
    case XENVER_EXTRAVERSION:
        return text_out(v, args[1], "-caisson", XENVER_EXTRAVERSION_LEN);
    case XENVER_COMPILE_INFO:
        return gva_copy_out(&v->space, args[1], &compile_info, sizeof(compile_info));
    case XENVER_CAPABILITIES:
        return text_out(v, args[1], "hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 ",
                        XENVER_CAPABILITIES_LEN);
    case XENVER_CHANGESET:
        return text_out(v, args[1], "unavailable", XENVER_CHANGESET_LEN);
    case XENVER_PLATFORM_PARAMETERS:
        return platform_parameters(v, args[1]);
    case XENVER_GET_FEATURES:
        return get_features(v, args[1]);
    case XENVER_PAGESIZE:
        return PAGE_SIZE;
    case XENVER_GUEST_HANDLE:
        return guest_handle(v, args[1]);
    case XENVER_COMMANDLINE:
        return text_out(v, args[1], "<denied>", XENVER_COMMANDLINE_LEN);
    case XENVER_BUILD_ID:
        return -EPERM;
    }
    return -ENOSYS;
}
