/*
 * The second-level page table: four levels of 512 entries each, a leaf at level 0, 1 or 2.
 *
 * Levels are counted from the leaf up: level 0 maps 4 KiB, 1 maps 2 MiB, 2 maps 1 GiB, 3 is the
 * root. Tables are heap pages, charged to the domain, and go when the whole of it goes. In what the
 * entries of VT-x's tables and of AMD-V's differ is in virt_caps.slat.
 * Sources: SDM, "The Extended Page Table Mechanism (EPT)"; APM volume 2, "Nested Paging".
 */
#include "virt/slat.h"

#include <stddef.h>
#include "arch/x86/insn.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "mm/heap.h"
#include "virt/virt.h"

#define LEVELS      4
#define ENTRIES     512
#define CACHE_SHIFT 3           /* and 3 bits */
#define LEAF        (1UL << 7)  /* at levels 1 and 2: a mapping, not a table */
#define HOLE        (1UL << 53) /* of an entry that is not present: the CPU ignores it */
#define MARKS       (SLAT_LENT | SLAT_PINNED | SLAT_X_SMALL)
#define MARKS_SHIFT 55 /* to bits 58 to 60 */
#define FRAME_MASK  0x000FFFFFFFFFF000UL
#define GFN_BITS    (SLAT_BITS - PAGE_SHIFT)
#define CACHE_LINE  64ul
#define NO_TABLE    UINT64_MAX /* slat.last_at */

static unsigned level_shift(unsigned level)
{
    return 9 * level; /* in frames */
}

static unsigned index_of(gfn_t g, unsigned level)
{
    return g.v >> level_shift(level) & (ENTRIES - 1);
}

static bool is_present(uint64_t entry)
{
    return (entry & SLAT_RWX) != 0;
}

static bool is_leaf(uint64_t entry, unsigned level)
{
    return level == 0 || (entry & LEAF) != 0;
}

static uint64_t *table_of(uint64_t entry)
{
    return heap_from_maddr(maddr(entry & FRAME_MASK));
}

static enum slat_type type_of(uint64_t entry)
{
    return (enum slat_type)virt_caps.slat.type[entry >> CACHE_SHIFT & 7];
}

static uint64_t make_leaf(mfn_t m, unsigned level, uint64_t rights, enum slat_type type)
{
    const struct slat_format *f = &virt_caps.slat;

    return mfn_to_maddr(m).v | f->cache[type] | (rights & (SLAT_R | SLAT_W)) * f->rights |
           (rights & SLAT_X ? f->x : f->no_x) | (rights & MARKS) << MARKS_SHIFT |
           (level ? LEAF : 0);
}

/* Bit 2 of each format's mapping is set if it is executable, unless bit 63 says no. */
static uint64_t rights_of(uint64_t entry)
{
    return (entry & SLAT_RWX & ~(entry >> 61 & SLAT_X)) | (entry >> MARKS_SHIFT & MARKS);
}

static cold void flush(const uint64_t *entries, unsigned count)
{
    for (uintptr_t at = (uintptr_t)entries & ~(CACHE_LINE - 1); at < (uintptr_t)(entries + count);
         at += CACHE_LINE)
        clflush((const void *)at);
}

/* Entries have been written. */
static inline void wrote(const uint64_t *entries, unsigned count)
{
    if (unlikely(virt_caps.slat.flush))
        flush(entries, count);
}

static inline void write_entry(uint64_t *entry, uint64_t value)
{
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
    wrote(entry, 1);
}

static uint64_t *new_table(struct slat *e)
{
    uint64_t *table = heap_pages(0, e->owner);
    if (!table)
        return NULL;
    e->tables++;
    wrote(table, ENTRIES);
    return table;
}

static void link_table(uint64_t *entry, const uint64_t *table, unsigned level)
{
    const struct slat_format *f = &virt_caps.slat;

    /* Rights are decided in the leaf: an upper entry grants all. */
    write_entry(entry, heap_to_maddr(table).v | f->table | level * f->level);
}

static int add_table(struct slat *e, uint64_t *entry, unsigned level)
{
    uint64_t *table = new_table(e);
    if (!table)
        return -ENOMEM;
    link_table(entry, table, level);
    return 0;
}

cold int slat_init(struct slat *e, uint16_t owner)
{
    *e = (struct slat){ .owner = owner, .last_at = NO_TABLE };
    e->root = new_table(e);
    if (!e->root)
        return -ENOMEM;
    e->pointer = heap_to_maddr(e->root).v | virt_caps.slat.pointer;
    return 0;
}

static void drop_table(struct slat *e, uint64_t *table)
{
    e->last_at = NO_TABLE;
    if (unlikely(e->lost))
        heap_forsake(table, e->owner);
    else
        heap_free_pages(table, 0, e->owner);
    e->tables--;
}

static void free_table(struct slat *e, uint64_t *table, unsigned level)
{
    for (unsigned i = 0; level > 0 && i < ENTRIES; i++)
        if (is_present(table[i]) && !is_leaf(table[i], level))
            free_table(e, table_of(table[i]), level - 1);
    drop_table(e, table);
}

cold void slat_free_cut(struct slat *e)
{
    if (e->cut)
        free_table(e, e->cut, e->cut_level);
    e->cut = NULL;
}

cold void slat_destroy(struct slat *e)
{
    if (!e->root)
        return;
    slat_free_cut(e);
    free_table(e, e->root, LEVELS - 1);
    ASSERT(e->tables == 0);
    e->root = NULL;
    e->pointer = 0;
}

/* The level whose leaf has 2^order frames, or -EINVAL if there is none on this CPU. */
static int level_of_order(unsigned order)
{
    switch (order) {
    case ORDER_4K:
        return 0;
    case ORDER_2M:
        return virt_caps.slat_2m ? 1 : -EINVAL;
    case ORDER_1G:
        return virt_caps.slat_1g ? 2 : -EINVAL;
    }
    return -EINVAL;
}

static bool is_known_type(enum slat_type type)
{
    return type == SLAT_UC || type == SLAT_WC || type == SLAT_WT || type == SLAT_WP ||
           type == SLAT_WB;
}

static bool is_mappable(gfn_t g, mfn_t m, unsigned order, unsigned rights)
{
    uint64_t inside = (1UL << order) - 1;
    if (((g.v | m.v) & inside) || g.v >> GFN_BITS || (m.v << PAGE_SHIFT & ~FRAME_MASK))
        return false;
    /* What cannot be read is no mapping, or one that no CPU takes (SDM, "EPT Misconfigurations"):
     * refused. */
    if (order != ORDER_4K &&
        (rights & SLAT_PINNED || (rights & (SLAT_LENT | SLAT_DEVICE)) == SLAT_LENT))
        return false;
    return (rights & ~(SLAT_RWX | MARKS)) == 0 && (rights & SLAT_R);
}

/* Replaces a leaf by a table of 512 smaller ones that mean the same. */
static int split(struct slat *e, uint64_t *entry, unsigned level)
{
    uint64_t *table = new_table(e);
    if (!table)
        return -ENOMEM;
    mfn_t first = maddr_to_mfn(maddr(*entry & FRAME_MASK));
    enum slat_type type = type_of(*entry);
    uint64_t rights = rights_of(*entry);
    ASSERT(!(rights & SLAT_LENT)); /* slat_drop() takes these whole */
    if (level == 1 && (rights & SLAT_X_SMALL))
        rights = (rights & ~(uint64_t)SLAT_X_SMALL) | SLAT_X;
    for (unsigned i = 0; i < ENTRIES; i++)
        table[i] = make_leaf(mfn(first.v + ((uint64_t)i << level_shift(level - 1))), level - 1,
                             rights, type);
    wrote(table, ENTRIES);
    link_table(entry, table, level);
    return 0;
}

/* What descend() does where it finds no table: none is there, or a larger mapping. */
static cold __attribute__((noinline)) int make_way(struct slat *e, uint64_t *entry, unsigned level,
                                                   bool make, bool cut)
{
    if (!is_present(*entry))
        return make ? add_table(e, entry, level) : -ENOENT;
    return cut ? split(e, entry, level) : -EEXIST;
}

/* Walks down to the entry at level. On the way tables are made where there are none (make), larger
 * mappings are split (cut). 0; -ENOENT without make, -EEXIST without cut; -ENOMEM. */
static inline int descend(struct slat *e, gfn_t g, unsigned level, bool make, bool cut,
                          uint64_t **out)
{
    uint64_t *table = e->root;
    for (unsigned l = LEVELS - 1; l > level; l--) {
        uint64_t *entry = &table[index_of(g, l)];
        if (!is_present(*entry) || is_leaf(*entry, l)) {
            int err = make_way(e, entry, l, make, cut);
            if (err)
                return err;
        }
        table = table_of(*entry);
    }
    *out = &table[index_of(g, level)];
    return 0;
}

static bool is_empty(const uint64_t *table, unsigned level)
{
    for (unsigned i = 0; i < ENTRIES; i++)
        if (table[i] && (!is_present(table[i]) || is_leaf(table[i], level) ||
                         !is_empty(table_of(table[i]), level - 1)))
            return false;
    return true;
}

/* Makes room for a leaf: tables without any mapping below the entry are cut off. */
static int clear_for_leaf(struct slat *e, const uint64_t *entry, unsigned level)
{
    if (!is_present(*entry))
        return 0;
    if (e->cut || is_leaf(*entry, level) || !is_empty(table_of(*entry), level - 1))
        return -EEXIST;
    e->last_at = NO_TABLE;
    e->cut = table_of(*entry);
    e->cut_level = level - 1;
    return 0;
}

int slat_map(struct slat *e, gfn_t g, mfn_t m, unsigned order, unsigned rights, enum slat_type type)
{
    int level = level_of_order(order);
    if (level < 0 || !is_mappable(g, m, order, rights) || !is_known_type(type))
        return -EINVAL;

    uint64_t *entry;
    int err = descend(e, g, level, true, false, &entry);
    if (!err)
        err = clear_for_leaf(e, entry, level);
    if (err)
        return err;
    write_entry(entry, make_leaf(m, level, rights, type));
    return 0;
}

cold int slat_unmap(struct slat *e, gfn_t g)
{
    uint64_t *entry;
    int err = g.v >> GFN_BITS ? -ENOENT : descend(e, g, 0, false, true, &entry);

    if (!err)
        write_entry(entry, 0);
    return err == -ENOENT ? 0 : err;
}

cold int slat_punch(struct slat *e, gfn_t g)
{
    uint64_t *entry;

    ASSERT(!(g.v >> GFN_BITS));
    int err = descend(e, g, 0, true, true, &entry);
    if (!err)
        write_entry(entry, HOLE);
    return err;
}

/* What a mapping's entry says of the frame that is so far from its first. */
static void describe(uint64_t entry, uint64_t offset, struct slat_entry *out)
{
    out->mfn = mfn(maddr_to_mfn(maddr(entry & FRAME_MASK)).v + offset);
    out->rights = (uint8_t)rights_of(entry);
    out->type = type_of(entry);
}

/* The entry that decides about g, and at which level it is. */
static __attribute__((noinline)) uint64_t *find(struct slat *e, gfn_t g, unsigned *level)
{
    uint64_t *table = e->root;

    for (*level = LEVELS - 1; *level > 0; --*level) {
        uint64_t *slot = &table[index_of(g, *level)];
        if (!is_present(*slot) || is_leaf(*slot, *level))
            return slot;
        table = table_of(*slot);
    }
    e->last = table;
    e->last_at = g.v / ENTRIES;
    return &table[index_of(g, 0)];
}

int slat_lookup(struct slat *e, gfn_t g, struct slat_entry *out)
{
    unsigned level = 0;

    out->slot = NULL;
    out->order = ORDER_4K;
    out->hole = false;
    if (g.v >> GFN_BITS)
        return -ENOENT;
    uint64_t *slot =
        likely(g.v / ENTRIES == e->last_at) ? &e->last[index_of(g, 0)] : find(e, g, &level);
    uint64_t entry = *slot;
    out->slot = slot;
    out->order = (uint8_t)level_shift(level);
    out->hole = entry == HOLE;
    if (!is_present(entry))
        return -ENOENT;
    describe(entry, g.v & ((1UL << level_shift(level)) - 1), out);
    return 0;
}

cold int slat_split_to_execute(struct slat *e, gfn_t g)
{
    struct slat_entry entry;
    unsigned can = SLAT_X;
    uint64_t *slot;

    if (slat_lookup(e, g, &entry))
        return -EFAULT;
    if (entry.order > ORDER_4K && !(entry.rights & SLAT_LENT))
        can |= SLAT_X_SMALL;
    if (!(entry.rights & can))
        return -EFAULT;
    return descend(e, g, 0, true, true, &slot);
}

/* The entry of the mapping that g lies in, whatever its size; or NULL. */
static cold __attribute__((noinline)) uint64_t *mapping_of(struct slat *e, gfn_t g)
{
    struct slat_entry found;

    return slat_lookup(e, g, &found) ? NULL : found.slot;
}

/* ---- The right to write, as a log ---- */

/* The entries of SLAT_WORD places; or the one that all of them lie in, at a level above 0. NULL:
 * there is none. */
static cold uint64_t *word_of(const struct slat *e, gfn_t first, unsigned *level)
{
    uint64_t *entry = &e->root[index_of(first, LEVELS - 1)];

    for (*level = LEVELS - 1; *level > 0; --*level) {
        if (!is_present(*entry))
            return NULL;
        if (is_leaf(*entry, *level))
            return entry;
        entry = &table_of(*entry)[index_of(first, *level - 1)];
    }
    return entry;
}

static unsigned entries_of_word(unsigned level)
{
    return level ? 1 : SLAT_WORD;
}

/* What is behind a place of those that an entry maps. */
static mfn_t frame_behind(uint64_t entry, unsigned level, uint64_t place)
{
    uint64_t offset = place & ((1UL << level_shift(level)) - 1);

    return mfn(maddr_to_mfn(maddr(entry & FRAME_MASK)).v + offset);
}

static bool is_own(uint64_t entry)
{
    return is_present(entry) && !(entry >> MARKS_SHIFT & SLAT_LENT);
}

cold uint64_t slat_writable(const struct slat *e, gfn_t first, bool (*keeps)(mfn_t m))
{
    uint64_t places = 0;
    unsigned level;
    const uint64_t *entry = word_of(e, first, &level);

    for (unsigned i = 0; entry && i < SLAT_WORD; i++) {
        uint64_t at = entry[level ? 0 : i];
        bool may = is_own(at) && (at & SLAT_W || keeps(frame_behind(at, level, first.v + i)));
        places |= (uint64_t)may << i;
    }
    return places;
}

static uint64_t write_bits(void)
{
    return SLAT_W * virt_caps.slat.rights;
}

cold void slat_protect(struct slat *e, gfn_t first, uint64_t places, bool (*keeps)(mfn_t m))
{
    unsigned level;
    uint64_t *entry = word_of(e, first, &level);

    for (unsigned i = 0; entry && i < entries_of_word(level); i++)
        if (places >> i & 1 && is_own(entry[i]) &&
            !keeps(frame_behind(entry[i], level, first.v + i)))
            write_entry(&entry[i], entry[i] & ~write_bits());
}

cold void slat_unprotect(struct slat *e, gfn_t first)
{
    unsigned level;
    uint64_t *entry = word_of(e, first, &level);

    for (unsigned i = 0; entry && i < entries_of_word(level); i++)
        if (is_own(entry[i]))
            write_entry(&entry[i], entry[i] | write_bits());
}

cold void slat_allow_write(struct slat *e, gfn_t g)
{
    uint64_t *entry = mapping_of(e, g);

    if (entry)
        write_entry(entry, *entry | write_bits());
}

cold int slat_split(struct slat *e, gfn_t g, unsigned order)
{
    struct slat_entry found;
    uint64_t *entry;

    if (slat_lookup(e, g, &found) || found.order <= order)
        return 0;
    return descend(e, g, order / level_shift(1), false, true, &entry);
}

cold void slat_drop(struct slat *e, gfn_t g)
{
    uint64_t *entry = mapping_of(e, g);

    if (entry)
        write_entry(entry, 0);
}

cold int slat_reach(struct slat *e, gfn_t g, struct slat_entry *place)
{
    int err = place->slot ? descend(e, g, 0, true, false, &place->slot) : -EINVAL;

    if (!err)
        place->order = ORDER_4K;
    return err;
}

int slat_put(struct slat *e, gfn_t g, struct slat_entry *place, mfn_t m, unsigned rights,
             enum slat_type type)
{
    if (!is_mappable(g, m, ORDER_4K, rights) || !is_known_type(type))
        return -EINVAL;
    int err = place->order == ORDER_4K ? 0 : slat_reach(e, g, place);
    if (!err)
        write_entry(place->slot, make_leaf(m, 0, rights, type));
    return err;
}

void slat_take(const struct slat_entry *place, bool hole)
{
    ASSERT(place->slot && place->order == ORDER_4K);
    write_entry(place->slot, hole ? HOLE : 0);
}

/* The entry of the first frame of the block around g. */
static uint64_t *first_of(const struct slat_entry *place, gfn_t g, unsigned order)
{
    ASSERT(place->slot && place->order == ORDER_4K && order < ORDER_2M);
    return place->slot - (g.v & ((1UL << order) - 1));
}

bool slat_is_vacant(const struct slat_entry *place, gfn_t g, unsigned order)
{
    const uint64_t *slot = first_of(place, g, order);

    for (unsigned i = 0; i < 1u << order; i++)
        if (slot[i])
            return false;
    return true;
}

void slat_fill(const struct slat_entry *place, gfn_t g, mfn_t m, unsigned order,
               enum slat_type type)
{
    uint64_t *slot = first_of(place, g, order), leaf = make_leaf(m, 0, SLAT_RWX, type);

    for (unsigned i = 0; i < 1u << order; i++)
        __atomic_store_n(&slot[i], leaf + i * PAGE_SIZE, __ATOMIC_RELEASE);
    wrote(slot, 1u << order);
}

struct drain {
    void (*fn)(void *ctx, gfn_t gfn, const struct slat_entry *entry);
    void *ctx;
    unsigned left; /* of the work of one call, see slat_drain() */
};

static bool pay(struct drain *d, unsigned price)
{
    if (!d->left)
        return false;
    d->left -= d->left < price ? d->left : price;
    return true;
}

static bool drain_table(struct slat *e, uint64_t *table, unsigned level, gfn_t first,
                        struct drain *d);

/* Takes away what a present entry leads to. False if the work was used up before. */
static bool drain_entry(struct slat *e, uint64_t *entry, unsigned level, gfn_t first,
                        struct drain *d)
{
    if (is_leaf(*entry, level)) {
        struct slat_entry found = { .order = (uint8_t)level_shift(level) };
        if (!pay(d, level ? SLAT_DRAIN_LARGE : 1))
            return false;
        describe(*entry, 0, &found);
        *entry = 0;
        d->fn(d->ctx, first, &found);
        return true;
    }
    uint64_t *below = table_of(*entry);
    if (!drain_table(e, below, level - 1, first, d) || !pay(d, SLAT_DRAIN_TABLE))
        return false;
    *entry = 0;
    drop_table(e, below);
    return true;
}

static cold bool drain_table(struct slat *e, uint64_t *table, unsigned level, gfn_t first,
                             struct drain *d)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        gfn_t g = gfn(first.v + ((uint64_t)i << level_shift(level)));
        if (is_present(table[i]) && !drain_entry(e, &table[i], level, g, d))
            return false;
    }
    return true;
}

cold bool slat_drain(struct slat *e, unsigned work,
                     void (*fn)(void *ctx, gfn_t gfn, const struct slat_entry *entry), void *ctx)
{
    struct drain d = { .fn = fn, .ctx = ctx, .left = work };

    return !e->root || drain_table(e, e->root, LEVELS - 1, gfn(0), &d);
}
