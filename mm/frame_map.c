/*
 * From the boot loader's memory map to the table of frames.
 *
 * The table is carved out of the memory that it describes, below 4 GiB, where the boot code's
 * identity map reaches. A frame is free only if every byte of it is usable and no byte of it is
 * anything else: what a map says twice, it says with the more careful word.
 *
 * The map is cut wherever anything begins or ends. Between two cuts all frames are alike: so each
 * piece is looked up once, however many frames it has.
 */
#include "mm/frame.h"

#include "arch/x86/paging.h"
#include "lib/bitmap.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/frame_table.h"

#define LOW_END    0x100000UL    /* below: the firmware's, and the trampoline */
#define HIGH_END   0x100000000UL /* above: out of the identity map's reach */
#define LOW_FRAMES (LOW_END >> PAGE_SHIFT)
#define LOW_FIRST  8    /* below: interrupt vectors and data of the BIOS, and of boot loaders */
#define LOW_LAST   0x9f /* above: video memory and ROM; no vector for a SIPI */

/* Frames first up to end. */
struct span {
    uint64_t first, end;
};

/* The boot loader's word, and what is known to be in use. */
struct map {
    const struct mem_region *regions;
    unsigned region_count;
    const struct mem_claim *claims;
    unsigned claim_count;
    struct span table; /* in use too, when its place is found */
};

static uint64_t low_usable[BITMAP_WORDS(LOW_FRAMES)]; /* boot only */

/* End of a piece of memory, whatever size the boot loader claims for it. */
static uint64_t end_of(maddr_t start, uint64_t size)
{
    return start.v + size < start.v ? UINT64_MAX : start.v + size;
}

/* The frames that lie wholly in it. */
static struct span inner(maddr_t start, uint64_t size)
{
    struct span s = { start.v / PAGE_SIZE + (start.v % PAGE_SIZE != 0),
                      end_of(start, size) / PAGE_SIZE };

    if (s.end < s.first)
        s.end = s.first;
    return s;
}

/* The frames that it touches. */
static struct span outer(maddr_t start, uint64_t size)
{
    uint64_t end = end_of(start, size);

    if (!size)
        return (struct span){ 0, 0 };
    return (struct span){ start.v / PAGE_SIZE, end / PAGE_SIZE + (end % PAGE_SIZE != 0) };
}

/* The frames that the region says something about. */
static struct span extent(const struct mem_region *r)
{
    return r->kind == MEM_USABLE ? inner(r->start, r->size) : outer(r->start, r->size);
}

static bool has(struct span s, uint64_t n)
{
    return s.first <= n && n < s.end;
}

static uint64_t highest_usable(const struct map *m)
{
    uint64_t highest = 0;

    for (unsigned i = 0; i < m->region_count; i++) {
        const struct mem_region *r = &m->regions[i];
        struct span s = inner(r->start, r->size);

        if (r->kind == MEM_USABLE && s.end > s.first && s.end > highest)
            highest = s.end;
    }
    return highest;
}

/* End of something in use that overlaps s; 0 if there is nothing. */
static uint64_t obstacle(const struct map *m, struct span s)
{
    for (unsigned i = 0; i < m->region_count; i++) {
        struct span o = outer(m->regions[i].start, m->regions[i].size);

        if (m->regions[i].kind != MEM_USABLE && o.first < s.end && s.first < o.end)
            return o.end;
    }
    for (unsigned i = 0; i < m->claim_count; i++) {
        struct span o = outer(m->claims[i].start, m->claims[i].size);

        if (o.first < s.end && s.first < o.end)
            return o.end;
    }
    return 0;
}

static uint64_t align_up(uint64_t n, uint64_t align)
{
    return (n + align - 1) / align * align;
}

/* First frame of the first `frames` free ones in a region; 0 if there are none. */
static uint64_t find_in_region(const struct map *m, struct span region, uint64_t frames,
                               uint64_t align)
{
    uint64_t first = region.first < LOW_FRAMES ? LOW_FRAMES : region.first;
    uint64_t end = region.end < HIGH_END / PAGE_SIZE ? region.end : HIGH_END / PAGE_SIZE;

    for (first = align_up(first, align); first + frames <= end;) {
        uint64_t beyond = obstacle(m, (struct span){ first, first + frames });

        if (!beyond)
            return first;
        first = align_up(beyond, align);
    }
    return 0;
}

static uint64_t find_place(const struct map *m, uint64_t bytes)
{
    uint64_t align = ((bytes % LARGE_SIZE) ? PAGE_SIZE : LARGE_SIZE) / PAGE_SIZE;
    uint64_t found = 0;

    for (unsigned i = 0; i < m->region_count && !found; i++) {
        const struct mem_region *r = &m->regions[i];

        if (r->kind == MEM_USABLE)
            found = find_in_region(m, inner(r->start, r->size), bytes / PAGE_SIZE, align);
    }
    return found;
}

/* A table of 1 MiB and more takes whole large pages. */
static uint64_t table_bytes(uint64_t frames)
{
    uint64_t bytes = frames * sizeof(union frame);

    return align_up(bytes, bytes < LARGE_SIZE / 2 ? PAGE_SIZE : LARGE_SIZE);
}

/* Finds room for a table of all frames; failing that, of half of them, and so on. */
static int place_table(const struct map *m, struct frame_table *t)
{
    uint64_t wanted = highest_usable(m), first = 0;

    if (wanted >= BUDDY_NONE) {
        log_warn("memory above %lu MiB stays unused", (BUDDY_NONE - 1UL) >> 8);
        wanted = BUDDY_NONE - 1;
    }
    for (t->size = wanted; t->size > LOW_FRAMES; t->size /= 2) {
        t->bytes = table_bytes(t->size);
        first = find_place(m, t->bytes);
        if (first)
            break;
    }
    /* A table that does not reach as far as itself would be of no use. */
    if (!first || first + t->bytes / PAGE_SIZE > t->size)
        return -ENOMEM;
    if (t->size < wanted)
        log_warn("memory above %lu MiB stays unused: no room for its table", t->size >> 8);
    t->start = mfn_to_maddr(mfn(first));
    return 0;
}

/* ---- Piece by piece ---- */

static uint64_t nearer(uint64_t edge, uint64_t n, struct span s)
{
    if (s.first > n && s.first < edge)
        edge = s.first;
    if (s.end > n && s.end < edge)
        edge = s.end;
    return edge;
}

/* The first frame behind n where anything begins or ends, at most `edge`. */
static uint64_t next_edge(const struct map *m, uint64_t n, uint64_t edge)
{
    edge = nearer(edge, n, m->table);
    edge = nearer(edge, n, (struct span){ 0, LOW_FRAMES });
    for (unsigned i = 0; i < m->region_count; i++)
        edge = nearer(edge, n, extent(&m->regions[i]));
    for (unsigned i = 0; i < m->claim_count; i++)
        edge = nearer(edge, n, outer(m->claims[i].start, m->claims[i].size));
    return edge;
}

static bool is_usable(const struct map *m, uint64_t n)
{
    bool usable = false;

    for (unsigned i = 0; i < m->region_count; i++) {
        if (!has(extent(&m->regions[i]), n))
            continue;
        if (m->regions[i].kind != MEM_USABLE)
            return false;
        usable = true;
    }
    return usable;
}

/* The last claim wins. What nobody claims is free where it is usable. */
static uint16_t owner_of(const struct map *m, uint64_t n)
{
    if (has(m->table, n))
        return OWNER_CAISSON;
    for (unsigned i = m->claim_count; i-- > 0;) {
        if (has(outer(m->claims[i].start, m->claims[i].size), n))
            return m->claims[i].owner;
    }
    return is_usable(m, n) ? OWNER_FREE : OWNER_RESERVED;
}

static uint64_t count_usable(const struct map *m, uint64_t size)
{
    uint64_t count = 0, end;

    for (uint64_t n = 0; n < size; n = end) {
        end = next_edge(m, n, size);
        count += is_usable(m, n) ? end - n : 0;
    }
    return count;
}

/* The frames below 1 MiB are nobody's; remembers which of them could serve. */
static void keep_low(const struct map *m)
{
    memset(low_usable, 0, sizeof(low_usable));
    for (uint64_t n = LOW_FIRST; n <= LOW_LAST; n++) {
        if (owner_of(m, n) == OWNER_FREE)
            bitmap_set(low_usable, n);
    }
}

static uint16_t first_owner(const struct map *m, uint64_t n)
{
    uint16_t owner = owner_of(m, n);

    return n < LOW_FRAMES && owner == OWNER_FREE ? OWNER_RESERVED : owner;
}

static void fill_table(const struct map *m, uint64_t size)
{
    uint64_t end;

    for (uint64_t n = 0; n < size; n = end) {
        end = next_edge(m, n, size);
        frame_table_set(n, end, first_owner(m, n));
    }
}

int frame_init(const struct mem_region *regions, unsigned region_count,
               const struct mem_claim *claims, unsigned claim_count)
{
    struct map m = { regions, region_count, claims, claim_count, { 0, 0 } };
    struct frame_table t;

    if (place_table(&m, &t) < 0)
        return -ENOMEM;
    m.table = outer(t.start, t.bytes);
    frame_table_adopt(&t, (union frame *)t.start.v, count_usable(&m, t.size));
    keep_low(&m);
    fill_table(&m, t.size);
    return 0;
}

maddr_t frame_reserve_low(void)
{
    uint64_t n = bitmap_next_set(low_usable, LOW_FRAMES, 0);

    if (n == LOW_FRAMES)
        return maddr(0);
    bitmap_clear(low_usable, n);
    frame_reown(mfn(n), OWNER_RESERVED, OWNER_CAISSON);
    return mfn_to_maddr(mfn(n));
}
