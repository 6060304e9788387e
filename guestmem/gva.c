/*
 * Walking the guest's page tables. See guestmem/gva.h.
 *
 * One loop serves all paging modes: a const table gives each mode's levels, entry size and index
 * width; what differs beyond that (PAE's page-directory pointers, PSE's 36-bit addresses) is
 * in the few lines that say so.
 */
#include "guestmem/gva.h"
#include "arch/x86/cpu.h"
#include "guestmem/gmem.h"
#include "guestmem/p2m.h"
#include "lib/likely.h"

#define PTE_P       (1ul << 0)
#define PTE_RW      (1ul << 1)
#define PTE_US      (1ul << 2)
#define PTE_A       (1ul << 5)
#define PTE_D       (1ul << 6)
#define PTE_PS      (1ul << 7)
#define PTE_NX      (1ul << 63)
#define PTE_ADDRESS 0x000ffffffffff000ul

/* A walk begins anew when another vCPU changes an entry under it, so many times at most: nobody's
 * page tables hold the pCPU up. */
#define WALKS 8

struct paging_mode {
    unsigned levels;
    unsigned entry_size; /* bytes */
    unsigned index_bits;
};

static const struct paging_mode paging_32 = { 2, 4, 10 };
static const struct paging_mode paging_pae = { 3, 8, 9 };
static const struct paging_mode paging_4level = { 4, 8, 9 };

static const struct paging_mode *mode_of(struct gva_space *s)
{
    uint64_t cr4 = virt_cr4(s->virt);

    if (!(cr4 & CR4_PAE))
        return &paging_32;
    if (!(virt_efer(s->virt) & EFER_LMA))
        return &paging_pae;
    return &paging_4level;
}

/* error: the access, and why it failed. That it was a fetch is told only where fetches are treated
 * apart (SDM, "Page-Fault Exceptions", I/D flag). */
static int fail(struct gva_space *s, gva_t at, uint32_t error)
{
    uint64_t cr4 = virt_cr4(s->virt);
    bool nx = (cr4 & CR4_PAE) && (virt_efer(s->virt) & EFER_NXE);

    s->fault.address = at;
    s->fault.error = error & ~(GVA_IMPLICIT | (nx || (cr4 & CR4_SMEP) ? 0 : GVA_FETCH));
    return -EFAULT;
}

/* May the access be made, given what all levels allow together? (SDM, "Determination of Access
 * Rights") */
static bool allowed(struct gva_space *s, uint64_t rights, uint32_t access)
{
    uint64_t cr0 = virt_cr0(s->virt), cr4 = virt_cr4(s->virt);
    bool user = access & GVA_USER, user_page = rights & PTE_US;

    if (user && !user_page)
        return false;
    if ((access & GVA_WRITE) && !(rights & PTE_RW) && (user || (cr0 & CR0_WP)))
        return false;
    if ((access & GVA_FETCH) && (rights & PTE_NX) && (virt_efer(s->virt) & EFER_NXE))
        return false;
    if (user || !user_page)
        return true;
    if (access & GVA_FETCH)
        return !(cr4 & CR4_SMEP);
    return !(cr4 & CR4_SMAP) || (!(access & GVA_IMPLICIT) && (virt_rflags(s->virt) & RFLAGS_AC));
}

/* Sets A or D as the CPU does: only in the entry that was read. Another vCPU may have changed or
 * cleared it since, and would get it back from us: -EAGAIN then. */
static int mark(struct gva_space *s, struct gmem_entry *entry, uint64_t bits)
{
    if ((entry->value & bits) == bits)
        return 0;
    return gmem_set_bits(s->p2m, entry, bits);
}

/* An entry as a word for window_same(): the aligned eight bytes around it. */
static struct window_word as_word(const struct gmem_entry *e)
{
    unsigned shift = 8 * (e->machine.v & 7);

    return (struct window_word){
        .at = maddr(e->machine.v & ~7ul),
        .mask = e->size == 4 ? 0xfffffffful << shift : ~0ul,
        .value = e->value << shift,
    };
}

/* The entry of a page that is about to be written to, the last that was noted. */
static int mark_dirty(struct gva_space *s, struct gmem_entry *leaf, struct gva_walk *found)
{
    int err = mark(s, leaf, PTE_D);

    found->read[found->count - 1] = as_word(leaf);
    return err;
}

/* Bytes that an entry covers which maps a page at this level (0 is the lowest). */
static uint64_t page_bytes(const struct paging_mode *m, unsigned level)
{
    return PAGE_SIZE << (level * m->index_bits);
}

/* Where a leaf's page begins; PSE puts address bits 39:32 into bits 20:13. */
static uint64_t leaf_base(const struct paging_mode *m, uint64_t entry, unsigned level)
{
    uint64_t base = entry & PTE_ADDRESS & ~(page_bytes(m, level) - 1);

    if (m->entry_size == 4 && level == 1)
        base = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
    return base;
}

static bool is_leaf(struct gva_space *s, const struct paging_mode *m, uint64_t entry,
                    unsigned level)
{
    if (level == 0)
        return true;
    if (!(entry & PTE_PS) || level > 2 || (m == &paging_pae && level == 2))
        return false;
    return m->entry_size == 8 || (virt_cr4(s->virt) & CR4_PSE);
}

static int walk(struct gva_space *s, const struct paging_mode *m, gva_t at, uint32_t access,
                struct gva_walk *found)
{
    uint64_t table = virt_cr3(s->virt) & (m == &paging_pae ? 0xffffffe0 : PTE_ADDRESS);
    uint64_t rights = PTE_RW | PTE_US;

    found->count = 0; /* it may not be the first try */
    for (unsigned level = m->levels; level-- > 0;) {
        uint64_t index = at.v >> (PAGE_SHIFT + level * m->index_bits) & ((1u << m->index_bits) - 1);
        struct gmem_entry slot = { .at = gpa(table + index * m->entry_size),
                                   .size = m->entry_size };
        bool pdpte = m == &paging_pae && level == 2; /* has no rights and no accessed bit */
        int err = gmem_load(s->p2m, &slot);
        if (err == -EFAULT || (!err && !(slot.value & PTE_P)))
            return fail(s, at, access);
        if (!err && !pdpte)
            err = mark(s, &slot, PTE_A);
        if (err == -EFAULT) /* the guest itself may only read its table */
            return fail(s, at, access | GVA_PRESENT);
        if (err)
            return err;
        uint64_t entry = slot.value;
        found->read[found->count++] = as_word(&slot);
        if (!pdpte)
            rights = (rights & entry & (PTE_RW | PTE_US)) | ((rights | entry) & PTE_NX);
        if (is_leaf(s, m, entry, level)) {
            if (!allowed(s, rights, access))
                return fail(s, at, access | GVA_PRESENT);
            found->page =
                gpa(leaf_base(m, entry, level) | (at.v & (page_bytes(m, level) - 1) & PAGE_MASK));
            err = access & GVA_WRITE ? mark_dirty(s, &slot, found) : 0;
            return err == -EFAULT ? fail(s, at, access | GVA_PRESENT) : err;
        }
        table = entry & (m->entry_size == 4 ? 0xfffff000 : PTE_ADDRESS);
    }
    return -EFAULT; /* not reached: level 0 is always a leaf */
}

/* Walks anew. */
static int find(struct gva_space *s, gva_t at, uint32_t access, struct gva_walk *found)
{
    found->count = 0;
    if (!(virt_cr0(s->virt) & CR0_PG)) {
        found->page = gpa(at.v & 0xfffff000);
        return 0;
    }
    const struct paging_mode *m = mode_of(s);
    if (m->levels < 4)
        at.v &= 0xffffffff;
    else if (!is_canonical(at.v))
        return fail(s, at, access);
    for (unsigned i = 0; i < WALKS; i++) {
        int err = walk(s, m, at, access, found);
        if (err != -EAGAIN)
            return err;
    }
    return fail(s, at, access | GVA_PRESENT); /* spurious: the guest tries again */
}

/* ---- What is known ---- */

/* Into its place, which knows nothing until it is done. */
static __attribute__((noinline)) struct gva_walk *walk_anew(struct gva_space *s, gva_t at,
                                                            uint32_t access, struct gva_walk *w)
{
    uint64_t epoch = s->p2m->cache_epoch;

    w->epoch = 0;
    w->found = false;
    w->linear = at.v & PAGE_MASK;
    w->access = access | (virt_rflags(s->virt) & RFLAGS_AC);
    w->mode = s->mode;
    s->error = find(s, at, access, w);
    if (s->error)
        return NULL;
    w->epoch = epoch;
    return w;
}

static struct gva_walk *look(struct gva_space *s, gva_t at, uint32_t access)
{
    struct gva_walk *w = &s->walks[(at.v >> PAGE_SHIFT ^ access) % GVA_RECENT];

    virt_mode(s->virt, &s->mode);
    if (likely(w->linear == (at.v & PAGE_MASK) && w->epoch == s->p2m->cache_epoch &&
               w->access == (access | (virt_rflags(s->virt) & RFLAGS_AC)) &&
               virt_mode_same(&w->mode, &s->mode) && window_same(w->read, w->count)))
        return w;
    return walk_anew(s, at, access, w);
}

const struct gva_walk *gva_walk(struct gva_space *s, gva_t at, uint32_t access)
{
    return look(s, at, access);
}

int gva_translate(struct gva_space *s, gva_t at, uint32_t access, gpa_t *out)
{
    const struct gva_walk *w = look(s, at, access);

    if (!w)
        return s->error;
    *out = gpa(w->page.v | (at.v & ~PAGE_MASK));
    return 0;
}

/* Of a walk, or NULL. */
static __attribute__((noinline)) const struct gva_walk *
find_frame(struct gva_space *s, gva_t at, uint32_t access, struct gva_walk *w)
{
    if (!w)
        return NULL;
    s->error = gmem_find(s->p2m, w->page, access & GVA_WRITE, &w->frame);
    w->found = !s->error;
    if (s->error == -EFAULT)
        s->error = fail(s, at, access | GVA_PRESENT);
    return w->found ? w : NULL;
}

/* Down to the frame, that of RAM, for this access. NULL: s->error says why there is none. */
static const struct gva_walk *reach(struct gva_space *s, gva_t at, uint32_t access)
{
    struct gva_walk *w = look(s, at, access);

    return likely(w && w->found) ? w : find_frame(s, at, access, w);
}

/* Where nothing is, it is in no page. */
static bool is_in_a_page(gva_t at, size_t n)
{
    return n - 1 < PAGE_SIZE - (at.v & ~PAGE_MASK);
}

/* Within a page. What may be written may be read too. */
static int copy_piece(struct gva_space *s, gva_t at, char *buf, size_t n, uint32_t access, bool out)
{
    const struct gva_walk *w = reach(s, at, access);

    if (!w)
        return s->error;
    if (out)
        window_write(w->frame, at.v & ~PAGE_MASK, buf, n);
    else
        window_read(w->frame, at.v & ~PAGE_MASK, buf, n);
    return 0;
}

static cold int copy_pieces(struct gva_space *s, gva_t at, char *buf, size_t n, uint32_t access,
                            bool out)
{
    while (n) {
        size_t here = PAGE_SIZE - (at.v & ~PAGE_MASK);
        if (here > n)
            here = n;
        int err = copy_piece(s, at, buf, here, access, out);
        if (err)
            return err;
        at.v += here;
        buf += here;
        n -= here;
    }
    return 0;
}

static int copy(struct gva_space *s, gva_t at, char *buf, size_t n, uint32_t access, bool out)
{
    return likely(is_in_a_page(at, n)) ? copy_piece(s, at, buf, n, access, out)
                                       : copy_pieces(s, at, buf, n, access, out);
}

int gva_read(struct gva_space *s, gva_t from, void *to, size_t n, uint32_t access)
{
    return copy(s, from, to, n, access & ~GVA_WRITE, false);
}

int gva_write(struct gva_space *s, gva_t to, const void *from, size_t n, uint32_t access)
{
    return copy(s, to, (char *)from, n, access | GVA_WRITE, true);
}

int gva_copy_in(struct gva_space *s, void *to, uint64_t from, size_t n)
{
    return copy(s, gva(from), to, n, 0, false) ? -EFAULT : 0;
}

int gva_copy_out(struct gva_space *s, uint64_t to, const void *from, size_t n)
{
    return copy(s, gva(to), (char *)from, n, GVA_WRITE, true) ? -EFAULT : 0;
}

/* What it costs to find the place is paid once. The epoch is the walk's: should it have moved
 * since, by a touch elsewhere, who takes the page away need not know that it is remembered. */
int gva_take(struct gva_space *s, void *to, uint64_t from, size_t n, struct gva_place *place)
{
    place->epoch = 0;
    if (unlikely(!is_in_a_page(gva(from), n)))
        return copy_pieces(s, gva(from), to, n, GVA_WRITE, false) ? -EFAULT : 0;
    const struct gva_walk *w = reach(s, gva(from), GVA_WRITE);
    if (!w)
        return -EFAULT;
    place->epoch = w->epoch;
    place->frame = w->frame;
    window_read(w->frame, from & ~PAGE_MASK, to, n);
    return 0;
}

int gva_answer(struct gva_space *s, uint64_t to, const void *from, size_t n,
               const struct gva_place *place)
{
    if (unlikely(place->epoch != s->p2m->cache_epoch))
        return gva_copy_out(s, to, from, n);
    window_write(place->frame, to & ~PAGE_MASK, from, n);
    return 0;
}
