/*
 * Windows.
 *
 * Their page tables are static, so that the whole lot needs no memory and window_open() cannot
 * fail. All small slots of all pCPUs are in one page table; behind it in the page directory
 * follows one slot of 2 MiB for each pCPU, which makes scrubbing cheap. An entry is written by its
 * own pCPU alone, and a closed one is not present, which no TLB caches (SDM, "Caching Translation
 * Information"): so it is the closing that invalidates, and opening need not.
 *
 * Until window_start() the boot code's identity map serves: machine memory below 4 GiB only, and
 * one pCPU.
 */
#include "mm/window.h"

#include <stdbool.h>
#include "arch/x86/bound.h"
#include "arch/x86/insn.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/string.h"
#include "mm/aspace.h"

#define LARGE_ORDER ORDER_2M
#define IDENTITY    (1UL << 32) /* end of the boot code's map */

_Static_assert(MAX_PCPUS *WINDOW_SLOTS <= PAGING_ENTRIES, "one page table holds all small slots");
_Static_assert(MAX_PCPUS < PAGING_ENTRIES, "one page directory holds all large slots");

static volatile pte_t pdpt[PAGING_ENTRIES] __attribute__((aligned(PAGE_SIZE)));
static volatile pte_t directory[PAGING_ENTRIES] __attribute__((aligned(PAGE_SIZE)));
static volatile pte_t table[PAGING_ENTRIES] __attribute__((aligned(PAGE_SIZE)));

/* Code stands anywhere; entries of page tables are aligned, and read in one piece. */
typedef volatile uint64_t __attribute__((aligned(1), may_alias)) word_t;

static unsigned depth[MAX_PCPUS]; /* windows that are open, per CPU */
static pte_t leaf_flags;          /* of a small window; boot only */
static bool started;              /* boot only */

maddr_t window_table(maddr_t image_phys)
{
    uint64_t shift = image_phys.v - IMAGE_BASE;
    pte_t link = PTE_P | PTE_W | PTE_A;

    directory[0] = ((uintptr_t)table + shift) | link;
    pdpt[0] = ((uintptr_t)directory + shift) | link;
    leaf_flags = PTE_P | PTE_W | PTE_A | PTE_D | PTE_TYPE_WB | aspace_nx();
    return maddr((uintptr_t)pdpt + shift);
}

void window_start(void)
{
    started = true;
}

static void *small_address(unsigned slot)
{
    return (void *)(WINDOW_BASE + slot * PAGE_SIZE);
}

void *window_open(mfn_t m)
{
    unsigned cpu, slot;

    if (!started) {
        ASSERT(mfn_to_maddr(m).v < IDENTITY);
        return (void *)mfn_to_maddr(m).v;
    }
    cpu = cpu_id();
    ASSERT(depth[cpu] < WINDOW_SLOTS);
    slot = cpu * WINDOW_SLOTS + depth[cpu]++;
    ASSERT(table[slot] == 0);
    table[slot] = mfn_to_maddr(m).v | leaf_flags;
    return small_address(slot);
}

void window_close(void *p)
{
    unsigned cpu, slot;

    if (!started)
        return;
    cpu = cpu_id();
    ASSERT(depth[cpu] > 0);
    slot = cpu * WINDOW_SLOTS + --depth[cpu];
    ASSERT(((uintptr_t)p & PAGE_MASK) == (uintptr_t)small_address(slot));
    table[slot] = 0;
    invlpg(small_address(slot));
}

/* For what opens none within and has closed its own at its end: it is not counted. */
static inline unsigned next_slot(void)
{
    unsigned cpu = cpu_id();

    ASSERT(started && depth[cpu] < WINDOW_SLOTS);
    return cpu * WINDOW_SLOTS + depth[cpu];
}

/* The compiler moves no access to the page beyond these two. */
static inline char *show(unsigned slot, mfn_t m)
{
    table[slot] = mfn_to_maddr(m).v | leaf_flags;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return small_address(slot);
}

static inline void hide(unsigned slot)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    table[slot] = 0;
    invlpg(small_address(slot));
}

void window_read(mfn_t m, size_t offset, void *to, size_t n)
{
    unsigned slot = next_slot();

    memcpy(to, show(slot, m) + offset, n);
    hide(slot);
}

void window_write(mfn_t m, size_t offset, const void *from, size_t n)
{
    unsigned slot = next_slot();

    memcpy(show(slot, m) + offset, from, n);
    hide(slot);
}

/* The words are read one after the other, so one slot does. */
bool window_same(const struct window_word *words, unsigned count)
{
    unsigned slot = next_slot();
    char *page = small_address(slot);
    bool same = true;

    for (const struct window_word *w = words; same && w < words + count; w++) {
        table[slot] = (w->at.v & PAGE_MASK) | leaf_flags;
        uint64_t now = *(word_t *)(void *)(page + (w->at.v & ~PAGE_MASK));
        same = !((now ^ w->value) & w->mask);
        table[slot] = 0;
        invlpg(page);
    }
    return same;
}

/* Never nests: only window_fill() uses it. */
static void fill_large(mfn_t m, uint8_t byte)
{
    unsigned slot = 1 + cpu_id();
    void *p = (void *)(WINDOW_BASE + slot * LARGE_SIZE);

    ASSERT(directory[slot] == 0);
    directory[slot] = mfn_to_maddr(m).v | leaf_flags | PTE_PS;
    memset(p, byte, LARGE_SIZE);
    directory[slot] = 0;
    invlpg(p);
}

static void fill_small(mfn_t m, uint8_t byte)
{
    void *p = window_open(m);

    memset(p, byte, PAGE_SIZE);
    window_close(p);
}

void window_fill(mfn_t m, unsigned order, uint8_t byte)
{
    uint64_t end = m.v + (1UL << order);
    bool large = order >= LARGE_ORDER && started;

    ASSERT(!(m.v & ((1UL << order) - 1)));
    span_pause();
    for (uint64_t n = m.v; n < end; n += large ? 1UL << LARGE_ORDER : 1) {
        if (large)
            fill_large(mfn(n), byte);
        else
            fill_small(mfn(n), byte);
    }
    span_resume();
}
