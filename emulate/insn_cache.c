/*
 * Fetching a guest's instruction. See emulate/insn_cache.h.
 */
#include "emulate/insn_cache.h"
#include "arch/x86/cpu.h"
#include "domain/domain.h"
#include "emulate/operand.h"
#include "domain/vcpu.h"
#include "lib/fmt.h"
#include "lib/likely.h"
#include "vmx/fast.h"

/* ---- What is known ---- */

static bool is_64bit(const struct virt_mode *m)
{
    return (m->efer & EFER_LMA) && (m->cs_ar & SEG_AR_L);
}

/* The linear address of the code at RIP. */
static gva_t linear_rip(struct vcpu *v, const struct virt_mode *m)
{
    uint64_t rip = virt_rip(&v->virt);
    struct segment cs;

    if (likely(is_64bit(m)))
        return gva(rip);
    virt_segment(&v->virt, SEG_CS, &cs);
    return gva((uint32_t)(rip + cs.base));
}

static struct code *place_of(struct vcpu *v, gva_t at)
{
    return &v->code[(at.v ^ at.v >> 4) % CODE_RECENT];
}

static bool is_known(struct vcpu *v, const struct code *c, gva_t at, const struct virt_mode *m)
{
    return c->at.v == at.v && c->epoch == v->domain->p2m.epoch && virt_mode_same(&c->mode, m) &&
           window_same(c->word, c->count);
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
static void remember(struct vcpu *v, struct code *c, const struct gva_walk *found,
                     const uint8_t *bytes)
{
    struct p2m *p = &v->domain->p2m;
    uint64_t offset = c->at.v & ~PAGE_MASK;
    mfn_t m;

    if (offset > PAGE_SIZE - 8 * CODE_WORDS)
        return;
    if (p2m_populate(p, gpa_to_gfn(found->page), &m) || p->epoch != found->epoch)
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

static void cannot(struct vcpu *v, gpa_t device, const uint8_t *bytes, unsigned count)
{
    char text[3 * DECODE_MAX_BYTES + 1] = "";

    for (unsigned i = 0; i < count; i++)
        fmt_sn(text + 3 * i, 4, " %02x", bytes[i]);
    domain_end(v->domain, END_KILLED,
               "instruction at 0x%lx on device memory 0x%lx is not one that is emulated:%s",
               virt_rip(&v->virt), device.v, text);
}

/* Reads the instruction into c: what there is up to the next page first, since it may end there.
 * False: it could not be had, and the guest knows. */
static bool read(struct vcpu *v, struct code *c, gpa_t device)
{
    uint8_t bytes[DECODE_MAX_BYTES];
    const struct gva_walk *found;
    uint32_t access = GVA_FETCH | (virt_cpl(&v->virt) == 3 ? GVA_USER : 0);
    unsigned count = (unsigned)(PAGE_SIZE - (c->at.v & ~PAGE_MASK));

    if (count > DECODE_MAX_BYTES)
        count = DECODE_MAX_BYTES;
    int err = gva_walk(&v->space, c->at, access, &found);
    if (!err)
        err = gva_read(&v->space, c->at, bytes, count, access);
    if (!err) {
        err = decode_insn(bytes, count, mode_of(&c->mode), &c->insn);
        if (err != -ENODATA || count == DECODE_MAX_BYTES)
            goto decoded;
        unsigned rest = DECODE_MAX_BYTES - count;
        err = gva_read(&v->space, gva(c->at.v + count), bytes + count, rest, access);
    }
    if (err) {
        operand_fault(v, err);
        return false;
    }
    count = DECODE_MAX_BYTES;
    err = decode_insn(bytes, count, mode_of(&c->mode), &c->insn);
decoded:
    if (err)
        cannot(v, device, bytes, count);
    else
        remember(v, c, found, bytes);
    return !err;
}

const struct decode *code_fetch(struct vcpu *v, gpa_t device)
{
    struct virt_mode mode;

    virt_mode(&v->virt, &mode);
    gva_t at = linear_rip(v, &mode);
    struct code *c = place_of(v, at);
    if (likely(is_known(v, c, at, &mode)))
        return &c->insn;
    c->epoch = 0;
    c->at = at;
    c->mode = mode;
    return read(v, c, device) ? &c->insn : NULL;
}
