/*
 * What the CPU's AMD-V offers. For svm/ alone; others see virt_caps.
 */
#ifndef CAISSON_SVM_CAPS_H
#define CAISSON_SVM_CAPS_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/errno.h"

/* CPUID leaf 0x8000000A, EDX (APM volume 3, "SVM Features"): those that Caisson knows of. */
#define FEATURE_NESTED_PAGING (1u << 0)
#define FEATURE_NEXT_RIP      (1u << 3)
#define FEATURE_TSC_RATIO     (1u << 4)
#define FEATURE_CLEAN_BITS    (1u << 5)
#define FEATURE_FLUSH_ASID    (1u << 6)
#define FEATURE_DECODE        (1u << 7)
#define FEATURE_PAUSE_FILTER  (1u << 10)
#define FEATURE_AVIC          (1u << 13)
#define FEATURE_X2AVIC        (1u << 18)
#define FEATURE_AVIC_EXT_LVT  (1u << 27) /* AVIC traps writes to the extended LVT */

struct svm_caps {
    uint8_t revision;
    uint32_t asids;    /* numbers below that, 0 being Caisson's own */
    uint32_t features; /* FEATURE_...: those that are used, of the boot CPU's */
};
extern struct svm_caps svm_caps; /* the boot CPU's; read-only after virt_probe() */

static inline bool svm_has(uint32_t feature)
{
    return svm_caps.features & feature;
}

/* 0, or -ENODEV (logged) if the calling CPU has no AMD-V, or it is locked off. */
int must_check caps_svm_there(void);
/* 0, or -ENODEV (logged) if the calling CPU cannot do what the boot CPU does. */
int must_check caps_svm_compare(void);

#endif
