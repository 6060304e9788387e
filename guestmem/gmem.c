/*
 * Reaching a guest's memory. See guestmem/gmem.h.
 */
#include "guestmem/gmem.h"
#include "guestmem/p2m.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "lib/string.h"
#include "mm/window.h"

enum gmem_op { GMEM_READ, GMEM_WRITE, GMEM_ZERO };

int gmem_find(struct p2m *p, gpa_t at, bool write, mfn_t *out)
{
    return write ? p2m_populate_writable(p, gpa_to_gfn(at), out)
                 : p2m_populate(p, gpa_to_gfn(at), out);
}

static cold void zero_page(mfn_t m, size_t offset, size_t n)
{
    char *page = window_open(m);

    memset(page + offset, 0, n);
    window_close(page);
}

/* One piece that does not cross a page. */
static int piece(struct p2m *p, gpa_t at, void *buf, size_t n, enum gmem_op op)
{
    size_t offset = at.v & ~PAGE_MASK;
    mfn_t m;
    int err = gmem_find(p, at, op != GMEM_READ, &m);

    if (err)
        return err;
    if (!buf) /* GMEM_ZERO */
        zero_page(m, offset, n);
    else if (op == GMEM_READ)
        window_read(m, offset, buf, n);
    else
        window_write(m, offset, buf, n);
    return 0;
}

static int pieces(struct p2m *p, gpa_t at, char *buf, size_t n, enum gmem_op op)
{
    if (at.v + n < at.v)
        return -EFAULT;
    while (n) {
        size_t here = PAGE_SIZE - (at.v & ~PAGE_MASK);
        if (here > n)
            here = n;
        int err = piece(p, at, buf, here, op);
        if (err)
            return err;
        at.v += here;
        n -= here;
        if (buf)
            buf += here;
    }
    return 0;
}

int gmem_read(struct p2m *p, gpa_t from, void *to, size_t n)
{
    return pieces(p, from, to, n, GMEM_READ);
}

int gmem_write(struct p2m *p, gpa_t to, const void *from, size_t n)
{
    return pieces(p, to, (char *)from, n, GMEM_WRITE);
}

int gmem_zero(struct p2m *p, gpa_t to, size_t n)
{
    return pieces(p, to, NULL, n, GMEM_ZERO);
}

/* ---- Entries of page tables ---- */

static uint64_t load(const void *from, unsigned size)
{
    if (size == 4)
        return __atomic_load_n((const uint32_t *)from, __ATOMIC_ACQUIRE);
    return __atomic_load_n((const uint64_t *)from, __ATOMIC_ACQUIRE);
}

/* Puts `to` in place of `from`, if that is still there. */
static bool exchange(void *at, unsigned size, uint64_t from, uint64_t to)
{
    uint32_t from32 = (uint32_t)from;

    if (size == 4)
        return __atomic_compare_exchange_n((uint32_t *)at, &from32, (uint32_t)to, false,
                                           __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    return __atomic_compare_exchange_n((uint64_t *)at, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

int gmem_load(struct p2m *p, struct gmem_entry *e)
{
    mfn_t m;
    int err = p2m_populate(p, gpa_to_gfn(e->at), &m);

    ASSERT((e->size == 4 || e->size == 8) && e->at.v % e->size == 0);
    if (err)
        return err;
    char *page = window_open(m);
    e->value = load(page + (e->at.v & ~PAGE_MASK), e->size);
    window_close(page);
    e->machine = maddr(mfn_to_maddr(m).v | (e->at.v & ~PAGE_MASK));
    return 0;
}

int gmem_set_bits(struct p2m *p, struct gmem_entry *e, uint64_t bits)
{
    mfn_t m;
    int err = p2m_populate_writable(p, gpa_to_gfn(e->at), &m);

    ASSERT((e->size == 4 || e->size == 8) && e->at.v % e->size == 0);
    if (err)
        return err;
    char *page = window_open(m);
    bool done = exchange(page + (e->at.v & ~PAGE_MASK), e->size, e->value, e->value | bits);
    window_close(page);
    if (!done)
        return -EAGAIN;
    e->value |= bits;
    return 0;
}
