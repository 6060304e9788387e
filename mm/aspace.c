/*
 * Caisson's own address space: the page tables and what is mapped where.
 *
 * The tables are frames like any other and are reached through windows, also while they are being
 * built on the boot code's identity map; so no table needs another one to be mapped first, and a
 * stray store cannot change a mapping. Sources: SDM, "4-Level Paging and 5-Level Paging".
 */
#include "mm/aspace.h"

#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "mm/frame_table.h"
#include "mm/window.h"

#define LINK       (PTE_P | PTE_W | PTE_A) /* an entry that leads to a table */
#define LEAF       (PTE_P | PTE_A | PTE_D) /* one that maps; the CPU need not set A and D */
#define STACK_SLOT ((STACK_PAGES + 1) * PAGE_SIZE)
#define GIB        (1UL << 30)

_Static_assert(STACK_PAGES == 4, "a stack is one block of order 2");
#define STACK_ORDER 2

/* A piece of address space and the memory behind it, both in whole pages. */
struct mapping {
    uint64_t va;
    maddr_t m;
    uint64_t size;
    pte_t flags;
};

static struct spinlock lock =
    SPINLOCK_RANK("aspace", LOCK_ASPACE); /* of the tables and the two below */
static uint64_t next_map = MAP_BASE;      /* aspace_map() takes from here */
static uint64_t next_stack = STACKS_BASE; /* aspace_stack() takes from here */
static maddr_t root;                      /* boot only, like the next one */
static pte_t nx;

maddr_t aspace_root(void)
{
    return root;
}

uint64_t aspace_nx(void)
{
    return nx;
}

static pte_t read_entry(maddr_t table, unsigned index)
{
    const pte_t *entries = window_open(maddr_to_mfn(table));
    pte_t e = entries[index];

    window_close((void *)entries);
    return e;
}

static void write_entry(maddr_t table, unsigned index, pte_t e)
{
    pte_t *entries = window_open(maddr_to_mfn(table));

    ASSERT(entries[index] == 0); /* mappings are only added */
    entries[index] = e;
    window_close(entries);
}

static int new_table(maddr_t *out)
{
    mfn_t m;
    int err = frame_alloc(0, OWNER_CAISSON, &m);

    *out = mfn_to_maddr(m);
    return err;
}

/* The table that the entry for va in a table at `level` leads to; made if there is none. */
static int descend(maddr_t *table, uint64_t va, unsigned level)
{
    pte_t e = read_entry(*table, paging_index(va, level));
    maddr_t below;

    if (e & PTE_P) {
        ASSERT(!pte_is_leaf(e, level));
        *table = pte_target(e);
        return 0;
    }
    if (new_table(&below) < 0)
        return -ENOMEM;
    write_entry(*table, paging_index(va, level), below.v | LINK);
    *table = below;
    return 0;
}

/* The table at `level` that translates va. */
static int reach(uint64_t va, unsigned level, maddr_t *table)
{
    *table = root;
    for (unsigned l = PAGING_TOP; l > level; l--) {
        if (descend(table, va, l) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* 1 if a large page fits at the start of what is to be mapped, else 0. */
static unsigned level_for(const struct mapping *p)
{
    return ((p->va | p->m.v) & ~LARGE_MASK) == 0 && p->size >= LARGE_SIZE;
}

static int map_pages(struct mapping p)
{
    while (p.size) {
        unsigned level = level_for(&p);
        maddr_t table;

        if (reach(p.va, level, &table) < 0)
            return -ENOMEM;
        write_entry(table, paging_index(p.va, level), p.m.v | p.flags | (level ? PTE_PS : 0));
        p.va += paging_span(level);
        p.m.v += paging_span(level);
        p.size -= paging_span(level);
    }
    return 0;
}

static int map_locked(struct mapping p)
{
    spin_lock(&lock);
    int err = map_pages(p);
    spin_unlock(&lock);
    return err;
}

/* ---- At boot ---- */

static int map_part(const struct aspace_image *i, uint64_t start, uint64_t end, pte_t flags)
{
    maddr_t m = maddr(i->phys.v + (start - IMAGE_BASE));

    ASSERT(((start | end | m.v) & ~PAGE_MASK) == 0 && start <= end);
    return map_pages((struct mapping){ start, m, end - start, LEAF | flags });
}

static int map_image(const struct aspace_image *i)
{
    if (map_part(i, i->text, i->text_end, 0) < 0 || map_part(i, i->rodata, i->rodata_end, nx) < 0 ||
        map_part(i, i->data, i->data_end, PTE_W | nx) < 0)
        return -ENOMEM;
    return 0;
}

static int map_frame_table(void)
{
    struct frame_table t = frame_table_place();

    return map_pages((struct mapping){ FRAMES_BASE, t.start, t.bytes, LEAF | PTE_W | nx });
}

/* The direct map is empty, but its tables are there down to the page directories: adding a block
 * of 2 MiB to the heap costs no further frame. */
static int prepare_direct_map(void)
{
    maddr_t table;

    for (uint64_t m = 0; m < frame_table_size() << PAGE_SHIFT; m += GIB) {
        if (reach(DIRECT_BASE + m, 1, &table) < 0)
            return -ENOMEM;
    }
    return 0;
}

int aspace_init(const struct aspace_image *image)
{
    nx = (rdmsr(MSR_IA32_EFER) & EFER_NXE) ? PTE_NX : 0;
    if (new_table(&root) < 0 || map_image(image) < 0 || map_frame_table() < 0 ||
        prepare_direct_map() < 0)
        return -ENOMEM;
    write_entry(root, paging_index(WINDOW_BASE, PAGING_TOP), window_table(image->phys).v | LINK);
    write_cr3(root.v);
    window_start();
    frame_table_move((union frame *)FRAMES_BASE);
    return 0;
}

/* ---- Later ---- */

int aspace_map_direct(mfn_t m, unsigned order)
{
    maddr_t start = mfn_to_maddr(m);

    return map_locked(
        (struct mapping){ DIRECT_BASE + start.v, start, PAGE_SIZE << order, LEAF | PTE_W | nx });
}

/* True if no frame of it is free or a domain's; for registers, which firmware says where they are,
 * if none is memory of ours either. */
static bool is_nobodys(maddr_t start, uint64_t size, bool registers)
{
    for (uint64_t n = start.v >> PAGE_SHIFT; n < (start.v + size) >> PAGE_SHIFT; n++) {
        uint16_t owner = frame_owner(mfn(n));

        if (owner != OWNER_RESERVED &&
            (registers || (owner != OWNER_CAISSON && owner != OWNER_MODULE)))
            return false;
    }
    return true;
}

/* Room for size bytes with an unmapped page behind; large pages fit where they fit the memory. */
static uint64_t take_room(maddr_t start, uint64_t size)
{
    spin_lock(&lock);
    uint64_t va = next_map;
    if (size >= LARGE_SIZE)
        va += (start.v - va) & ~LARGE_MASK;
    next_map = va + size + PAGE_SIZE;
    spin_unlock(&lock);
    return va;
}

void *aspace_map(maddr_t start, size_t size, enum aspace_kind kind)
{
    static const pte_t flags[] = {
        [ASPACE_RO] = PTE_TYPE_WB,
        [ASPACE_RW] = PTE_TYPE_WB | PTE_W,
        [ASPACE_UC] = PTE_TYPE_UC | PTE_W,
        [ASPACE_WC] = PTE_TYPE_WC | PTE_W,
    };
    uint64_t offset = start.v & ~PAGE_MASK;
    maddr_t first = maddr(start.v - offset);
    uint64_t bytes = (size + offset + PAGE_SIZE - 1) & PAGE_MASK, va;
    uint64_t end = 1UL << cpu_maddr_bits(); /* an entry that leads beyond is a fault */

    if (size > end || start.v > end - size || !is_nobodys(first, bytes, kind >= ASPACE_UC)) {
        log_error("cannot map 0x%lx bytes at 0x%lx: not the firmware's nor a device's", size,
                  start.v);
        return NULL;
    }
    va = take_room(first, bytes);
    if (map_locked((struct mapping){ va, first, bytes, LEAF | flags[kind] | nx }) < 0)
        return NULL; /* what was mapped of it stays, and so does its address */
    return (void *)(va + offset);
}

void *aspace_stack(void)
{
    mfn_t m;

    if (frame_alloc(STACK_ORDER, OWNER_CAISSON, &m) < 0)
        return NULL;
    spin_lock(&lock);
    uint64_t slot = next_stack;
    next_stack += STACK_SLOT;
    spin_unlock(&lock);
    /* The slot's first page stays unmapped, and so does that of the slot above. */
    if (map_locked((struct mapping){ slot + PAGE_SIZE, mfn_to_maddr(m), STACK_PAGES * PAGE_SIZE,
                                     LEAF | PTE_W | nx }) < 0)
        return NULL; /* boot ends here: no use in undoing it */
    return (void *)(slot + STACK_SLOT);
}

/* ---- Proof ---- */

/* rights: W and not-NX as all tables above grant them. */
static uint64_t check_table(maddr_t table, unsigned level, pte_t above)
{
    const pte_t *entries = window_open(maddr_to_mfn(table));
    uint64_t mappings = 0;

    for (unsigned i = 0; i < PAGING_ENTRIES; i++) {
        pte_t e = entries[i], rights = (above & e & PTE_W) | ((above | e) & PTE_NX);

        if (!(e & PTE_P))
            continue;
        ASSERT(!(e & PTE_U));
        ASSERT(level != PAGING_TOP || i >= paging_index(DIRECT_BASE, PAGING_TOP));
        if (!pte_is_leaf(e, level)) {
            mappings += check_table(pte_target(e), level - 1, rights);
            continue;
        }
        ASSERT(!nx || !(rights & PTE_W) || (rights & PTE_NX));
        mappings++;
    }
    window_close((void *)entries);
    return mappings;
}

uint64_t aspace_check(void)
{
    return check_table(root, PAGING_TOP, PTE_W);
}
