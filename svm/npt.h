/*
 * Nested page tables: what is AMD-V's own about them. All else is virt/slat.c.
 *
 * They are the tables of ordinary paging: whatever is present can be read, what must not be
 * executed says so, each access counts as a user's, and the memory type comes from Caisson's own
 * PAT. It has neither WT nor WP within reach of two bits: those become UC, which is stricter. The
 * processor would set A and D; as they are set already it writes nothing. Sources: APM volume 2,
 * "Nested Paging", "Nested versus Guest Page Faults".
 */
#ifndef CAISSON_SVM_NPT_H
#define CAISSON_SVM_NPT_H

#include "arch/x86/paging.h"
#include "virt/slat.h"

#define NPT_LEAF (PTE_U | PTE_A | PTE_D)

#define NPT_FORMAT                                                                                 \
    {                                                                                              \
        .rights = 1, .table = SLAT_RWX, .x = NPT_LEAF, .no_x = NPT_LEAF | PTE_NX,                  \
        .cache = { [SLAT_UC] = PTE_TYPE_UC,                                                        \
                   [SLAT_WC] = PTE_TYPE_WC,                                                        \
                   [SLAT_WT] = PTE_TYPE_UC,                                                        \
                   [SLAT_WP] = PTE_TYPE_UC,                                                        \
                   [SLAT_WB] = PTE_TYPE_WB },                                                      \
        .type = { [PTE_TYPE_WB >> 3] = SLAT_WB, [(PTE_TYPE_WB | PTE_A) >> 3] = SLAT_WB,            \
                  [PTE_TYPE_WC >> 3] = SLAT_WC, [(PTE_TYPE_WC | PTE_A) >> 3] = SLAT_WC,            \
                  [PTE_TYPE_UC >> 3] = SLAT_UC, [(PTE_TYPE_UC | PTE_A) >> 3] = SLAT_UC },          \
    }

#endif
