/*
 * Fetching a guest's instruction. See emulate/insn_cache.h.
 */
#include "emulate/insn_cache.h"
#include "arch/x86/cpu.h"
#include "emulate/emulator.h"
#include "emulate/operand.h"
#include "guestmem/p2m.h"
#include "lib/likely.h"
#include "lib/string.h"

/* ---- What is known ---- */

static bool is_64bit(const struct virt_mode *m)
{
    return (m->efer & EFER_LMA) && (m->cs_ar & SEG_AR_L);
}

/* The linear address of the code at RIP; and the mode in which it runs. */
static inline __attribute__((always_inline)) gva_t linear_rip(struct emulator *e,
                                                              struct virt_mode *m)
{
    uint64_t rip = virt_mode_and_rip(e->virt, m);
    struct segment cs;

    if (likely(is_64bit(m)))
        return gva(rip);
    virt_segment(e->virt, SEG_CS, &cs);
    return gva((uint32_t)(rip + cs.base));
}

static struct insn_cache_entry *place_of(struct emulator *e, gva_t at)
{
    return &e->insns[(at.v ^ at.v >> 4) % INSN_CACHE_ENTRIES];
}

static bool is_known(struct emulator *e, const struct insn_cache_entry *c, gva_t at,
                     const struct virt_mode *m)
{
    return c->at.v == at.v && c->epoch == e->space->p2m->cache_epoch &&
           virt_mode_same(&c->mode, m) && window_same(c->word, c->count);
}

/* The word of code whose bytes from `first` on stand at `where`: none after the last counts. */
static struct window_word code_word(maddr_t where, const uint8_t *bytes, unsigned first,
                                    unsigned length)
{
    struct window_word w = { .at = maddr(where.v + first) };

    for (unsigned i = 0; i < 8 && first + i < length; i++) {
        w.mask |= 0xfful << 8 * i;
        w.value |= (uint64_t)bytes[first + i] << 8 * i;
    }
    return w;
}

/* Remembers an instruction, unless it lies so near to its page's end that its words do not. */
static void remember(struct emulator *e, struct insn_cache_entry *c, const struct gva_walk *found,
                     const uint8_t *bytes)
{
    struct p2m *p = e->space->p2m;
    uint64_t offset = c->at.v & ~PAGE_MASK;
    mfn_t m;

    if (offset > PAGE_SIZE - 8 * INSN_CACHE_WORDS)
        return;
    if (p2m_populate(p, gpa_to_gfn(found->page), &m) || p->cache_epoch != found->epoch)
        return;
    maddr_t where = maddr(mfn_to_maddr(m).v | offset);
    for (c->count = 0; c->count < found->count; c->count++)
        c->word[c->count] = found->read[c->count];
    for (unsigned first = 0; first < c->insn.length; first += 8)
        c->word[c->count++] = code_word(where, bytes, first, c->insn.length);
    c->epoch = found->epoch;
}

/* ---- Reading and decoding ---- */

static enum decode_mode mode_of(const struct virt_mode *m)
{
    if (is_64bit(m))
        return DECODE_64;
    return m->cs_ar & SEG_AR_DB ? DECODE_32 : DECODE_16;
}

/* The bytes of what decode_insn() has refused. */
static int refuse(struct emulator *e, const uint8_t *bytes, unsigned count)
{
    memcpy(e->unknown, bytes, count);
    e->unknown_count = (uint8_t)count;
    return -EOPNOTSUPP;
}

static uint32_t fetch_access(const struct emulator *e)
{
    return GVA_FETCH | (virt_cpl(e->virt) == 3 ? GVA_USER : 0);
}

/* What there is of it up to the next page. */
static unsigned bytes_in_page(gva_t at)
{
    unsigned count = (unsigned)(PAGE_SIZE - (at.v & ~PAGE_MASK));

    return count < DECODE_MAX_BYTES ? count : DECODE_MAX_BYTES;
}

/* Reads the instruction into c: what there is up to the next page first, since it may end there. */
static int read(struct emulator *e, struct insn_cache_entry *c)
{
    uint8_t bytes[DECODE_MAX_BYTES];
    uint32_t access = fetch_access(e);
    const struct gva_walk *found = gva_walk(e->space, c->at, access);
    unsigned count = bytes_in_page(c->at);

    if (!found)
        return e->space->error;
    int err = gva_read(e->space, c->at, bytes, count, access);
    if (err)
        return err;
    err = decode_insn(bytes, count, mode_of(&c->mode), &c->insn);
    if (err == -ENODATA && count < DECODE_MAX_BYTES) {
        unsigned rest = DECODE_MAX_BYTES - count;
        err = gva_read(e->space, operand_further(e, c->at, count), bytes + count, rest, access);
        if (err)
            return err;
        count = DECODE_MAX_BYTES;
        err = decode_insn(bytes, count, mode_of(&c->mode), &c->insn);
    }
    if (err)
        return refuse(e, bytes, count);
    remember(e, c, found, bytes);
    return 0;
}

const struct decode *insn_cache_fetch(struct emulator *e)
{
    struct virt_mode mode;

    gva_t at = linear_rip(e, &mode);
    struct insn_cache_entry *c = place_of(e, at);
    if (likely(is_known(e, c, at, &mode)))
        return &c->insn;
    c->epoch = 0;
    c->at = at;
    c->mode = mode;
    e->fetch_error = read(e, c);
    return e->fetch_error ? NULL : &c->insn;
}

unsigned insn_cache_bytes(struct emulator *e, uint8_t bytes[DECODE_MAX_BYTES])
{
    struct virt_mode mode;
    gva_t at = linear_rip(e, &mode);
    uint32_t access = fetch_access(e);
    unsigned count = bytes_in_page(at), rest = DECODE_MAX_BYTES - count;

    if (gva_read(e->space, at, bytes, count, access))
        return 0;
    if (!rest || gva_read(e->space, operand_further(e, at, count), bytes + count, rest, access))
        return count;
    return DECODE_MAX_BYTES;
}
