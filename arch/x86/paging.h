/*
 * The format of the CPU's own page tables: 4-level paging. Sources: SDM, "4-Level Paging and
 * 5-Level Paging" and "Page Attribute Table (PAT)".
 *
 * Levels are counted as the SDM's tables are stacked: 0 is the page table, 3 the PML4.
 */
#ifndef CAISSON_ARCH_X86_PAGING_H
#define CAISSON_ARCH_X86_PAGING_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"

typedef uint64_t pte_t;

#define PTE_P  (1UL << 0) /* present */
#define PTE_W  (1UL << 1) /* writable */
#define PTE_U  (1UL << 2) /* for CPL 3 */
#define PTE_WT (1UL << 3) /* with PTE_CD, selects the memory type from the PAT */
#define PTE_CD (1UL << 4)
#define PTE_A  (1UL << 5)  /* accessed */
#define PTE_D  (1UL << 6)  /* dirty */
#define PTE_PS (1UL << 7)  /* levels 1 and 2: a large page */
#define PTE_NX (1UL << 63) /* needs EFER.NXE, a reserved bit without */

#define PTE_ADDRESS 0x000ffffffffff000UL

#define PAGING_ENTRIES 512
#define PAGING_TOP     3 /* level of the PML4 */

#define LARGE_SIZE (1UL << 21) /* of a large page at level 1 */
#define LARGE_MASK (~(LARGE_SIZE - 1))

/*
 * The PAT that Caisson's tables count on, on every CPU (cpu_init() sets it): as after RESET but for
 * entry 1 (PTE_WT), which is write-combining instead of write-through, for the framebuffer.
 */
#define PAGING_PAT  0x0007040600070106UL
#define PTE_TYPE_WB 0UL
#define PTE_TYPE_WC PTE_WT
#define PTE_TYPE_UC (PTE_CD | PTE_WT)

/* Bytes that one entry of a table at `level` covers. */
static inline uint64_t paging_span(unsigned level)
{
    return 1UL << (PAGE_SHIFT + 9 * level);
}

/* Which entry of its table at `level` translates va. */
static inline unsigned paging_index(uint64_t va, unsigned level)
{
    return va >> (PAGE_SHIFT + 9 * level) & (PAGING_ENTRIES - 1);
}

static inline maddr_t pte_target(pte_t e)
{
    return maddr(e & PTE_ADDRESS);
}

/* True for an entry that maps memory, false for one that leads to another table. */
static inline bool pte_is_leaf(pte_t e, unsigned level)
{
    return level == 0 || (e & PTE_PS);
}

#endif
