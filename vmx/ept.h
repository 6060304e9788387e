/*
 * Extended page tables: what is VT-x's own about them. All else is virt/slat.c.
 * Source: SDM, "The Extended Page Table Mechanism (EPT)".
 */
#ifndef CAISSON_VMX_EPT_H
#define CAISSON_VMX_EPT_H

#include "vmx/controls.h"
#include "virt/slat.h"

#define EPT_X          (1UL << 2)
#define EPT_TYPE(type) ((type) << 3)

#define EPT_FORMAT                                                                                 \
    {                                                                                              \
        .pointer = EPTP_WALK4 | EPTP_WB, .rights = 1, .table = SLAT_RWX, .x = EPT_X,               \
        .cache = { [SLAT_UC] = EPT_TYPE(SLAT_UC),                                                  \
                   [SLAT_WC] = EPT_TYPE(SLAT_WC),                                                  \
                   [SLAT_WT] = EPT_TYPE(SLAT_WT),                                                  \
                   [SLAT_WP] = EPT_TYPE(SLAT_WP),                                                  \
                   [SLAT_WB] = EPT_TYPE(SLAT_WB) },                                                \
        .type = { [SLAT_UC] = SLAT_UC,                                                             \
                  [SLAT_WC] = SLAT_WC,                                                             \
                  [SLAT_WT] = SLAT_WT,                                                             \
                  [SLAT_WP] = SLAT_WP,                                                             \
                  [SLAT_WB] = SLAT_WB },                                                           \
    }

#endif
