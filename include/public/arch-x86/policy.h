/*
 * CPUID and MSRs of a guest as the control domain's tools exchange them. Layouts as in
 * xen/include/public/arch-x86/xen.h; the order of feature words as in the tools of Xen 4.17.
 */
#ifndef CAISSON_PUBLIC_ARCH_X86_POLICY_H
#define CAISSON_PUBLIC_ARCH_X86_POLICY_H

#include <stdint.h>

#define XEN_CPUID_NO_SUBLEAF 0xffffffffu

struct xen_cpuid_leaf {
    uint32_t leaf, subleaf; /* XEN_CPUID_NO_SUBLEAF: it has none */
    uint32_t a, b, c, d;
};

/* Leaves at most: 0 to 0xD with six sub-leaves of 4, three of 7, two of 0xB and 63 of 0xD; two of
 * hypervisors; 0x80000000 to 0x80000021. */
#define XEN_CPUID_LAST_BASIC    0xdu
#define XEN_CPUID_LAST_EXTENDED 0x80000021u
#define XEN_CPUID_LEAVES_MOST   (14 + 5 + 2 + 1 + 62 + 2 + 34)

struct xen_msr_entry {
    uint32_t idx;
    uint32_t flags; /* 0 */
    uint64_t val;
};

#define XEN_MSR_PLATFORM_INFO     0xceu
#define XEN_MSR_ARCH_CAPABILITIES 0x10au
#define XEN_MSRS_MOST             2

/* Words of features; each is one register of a leaf, or half of an MSR. */
enum xen_feature_word {
    XEN_FEATURES_1D,
    XEN_FEATURES_1C,
    XEN_FEATURES_E1D,
    XEN_FEATURES_E1C,
    XEN_FEATURES_DA1,
    XEN_FEATURES_7B0,
    XEN_FEATURES_7C0,
    XEN_FEATURES_E7D,
    XEN_FEATURES_E8B,
    XEN_FEATURES_7D0,
    XEN_FEATURES_7A1,
    XEN_FEATURES_E21A,
    XEN_FEATURES_7B1,
    XEN_FEATURES_7D2,
    XEN_FEATURES_7C1,
    XEN_FEATURES_7D1,
    XEN_FEATURES_M10AL,
    XEN_FEATURES_M10AH,
    XEN_FEATURES_E21C,
    XEN_FEATURES
};

_Static_assert(sizeof(struct xen_cpuid_leaf) == 24, "as in Xen");
_Static_assert(sizeof(struct xen_msr_entry) == 16, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_msr_entry, val) == 8, "as in Xen");
_Static_assert(XEN_CPUID_LEAVES_MOST == 120 && XEN_FEATURES == 19, "as in Xen 4.17");

#endif
