/*
 * Segment registers by selector: descriptors, and what is checked of them. See emulate/selector.h.
 * Source: SDM volume 3, "Segment Descriptors", "Privilege Level Checking When Accessing Data
 * Segments", "Task Switching"; volume 2, MOV, LLDT, LTR.
 */
#include "emulate/selector.h"
#include "arch/x86/cpu.h"
#include "emulate/emulator.h"
#include "guestmem/gva.h"

#define ACCESS_BYTE 5u /* of a descriptor: type, S, DPL, P */

/* Types, with S as bit 4. */
#define TYPE_ACCESSED   0x01u
#define TYPE_READ_WRITE 0x02u
#define TYPE_CONFORMING 0x04u
#define TYPE_CODE       0x08u
#define TYPE_LDT        0x02u

static bool is_real(struct emulator *e)
{
    return !(virt_cr0(e->virt) & CR0_PE) || (virt_rflags(e->virt) & RFLAGS_VM);
}

static bool is_system(enum seg s)
{
    return s >= SEG_LDTR;
}

int selector_refuse(struct emulator *e, uint8_t vector, uint16_t selector)
{
    int err = emulator_refuse(e, vector);

    e->error = selector & ~SELECTOR_RPL;
    return err;
}

/* System descriptors have 16 bytes in IA-32e mode. */
static unsigned descriptor_size(struct emulator *e, enum seg s)
{
    return is_system(s) && (virt_efer(e->virt) & EFER_LMA) ? 16 : 8;
}

static int find(struct emulator *e, uint16_t selector, unsigned size, gva_t *at)
{
    unsigned offset = selector & ~(SELECTOR_RPL | SELECTOR_TI);
    struct segment table;

    if (selector & SELECTOR_TI)
        virt_segment(e->virt, SEG_LDTR, &table);
    else
        virt_gdt(e->virt, &table);
    if ((table.ar & SEG_AR_UNUSABLE) || offset + size - 1 > table.limit)
        return selector_refuse(e, VECTOR_GP, selector);
    *at = gva(table.base + offset);
    return 0;
}

static struct segment unpack(uint16_t selector, const uint64_t d[2])
{
    struct segment s = { .selector = selector,
                         .base = (d[0] >> 16 & 0xffffff) | (d[0] >> 32 & 0xff000000) | d[1] << 32,
                         .limit = (uint32_t)((d[0] & 0xffff) | (d[0] >> 32 & 0xf0000)),
                         .ar = d[0] >> 40 & 0xf0ff };

    if (s.ar & SEG_AR_G)
        s.limit = s.limit << 12 | 0xfff;
    return s;
}

int selector_find(struct emulator *e, uint16_t selector, struct descriptor *out)
{
    uint64_t d[2] = { 0 };
    int err = find(e, selector, 8, &out->at);

    if (!err)
        err = gva_read(e->space, out->at, d, 8, GVA_IMPLICIT);
    if (!err)
        out->segment = unpack(selector, d);
    return err;
}

/* As a task switch wants it, whose CPL is the RPL. */
static bool code_ok(const struct segment *g)
{
    unsigned rpl = g->selector & SELECTOR_RPL, dpl = g->ar >> 5 & 3;

    if (!(g->ar & TYPE_CODE))
        return false;
    return g->ar & TYPE_CONFORMING ? dpl <= rpl : dpl == rpl;
}

static bool data_ok(struct emulator *e, enum seg s, const struct segment *g)
{
    unsigned cpl = virt_cpl(e->virt), rpl = g->selector & SELECTOR_RPL, dpl = g->ar >> 5 & 3;
    bool code = g->ar & TYPE_CODE;

    if (!(g->ar & SEG_AR_S))
        return false;
    if (s == SEG_CS)
        return code_ok(g);
    if (s == SEG_SS)
        return !code && (g->ar & TYPE_READ_WRITE) && rpl == cpl && dpl == cpl;
    if (code && !(g->ar & TYPE_READ_WRITE))
        return false;
    return (code && (g->ar & TYPE_CONFORMING)) || (rpl <= dpl && cpl <= dpl);
}

static bool system_ok(struct emulator *e, enum seg s, const struct segment *g)
{
    unsigned type = g->ar & (SEG_AR_S | 15);
    bool tss =
        type == SELECTOR_TSS32 || (type == SELECTOR_TSS16 && !(virt_efer(e->virt) & EFER_LMA));

    if ((g->selector & SELECTOR_TI) || !is_canonical(g->base))
        return false;
    return s == SEG_TR ? tss : type == TYPE_LDT;
}

static int check(struct emulator *e, enum seg s, const struct segment *g)
{
    bool ok = is_system(s) ? system_ok(e, s, g) : data_ok(e, s, g);

    if (!ok)
        return selector_refuse(e, VECTOR_GP, g->selector);
    if (!(g->ar & SEG_AR_P))
        return selector_refuse(e, s == SEG_SS ? VECTOR_SS : VECTOR_NP, g->selector);
    return 0;
}

/* The descriptor becomes an accessed, or a busy one. */
static int mark(struct emulator *e, enum seg s, gva_t at, struct segment *g)
{
    uint8_t bit = s == SEG_TR ? SELECTOR_BUSY : s == SEG_LDTR ? 0 : TYPE_ACCESSED;
    uint8_t byte = (uint8_t)(g->ar | bit);

    if ((g->ar & bit) == bit)
        return 0;
    g->ar |= bit;
    return gva_write(e->space, gva(at.v + ACCESS_BYTE), &byte, 1, GVA_IMPLICIT);
}

int selector_probe(struct emulator *e, const struct descriptor *d)
{
    gpa_t where;

    return gva_translate(e->space, gva(d->at.v + ACCESS_BYTE), GVA_IMPLICIT | GVA_WRITE, &where);
}

int selector_set_busy(struct emulator *e, const struct descriptor *d, bool busy)
{
    uint8_t byte = (uint8_t)((d->segment.ar & ~SELECTOR_BUSY) | (busy ? SELECTOR_BUSY : 0));

    return gva_write(e->space, gva(d->at.v + ACCESS_BYTE), &byte, 1, GVA_IMPLICIT);
}

/* Of SS in 64-bit code, the CPL is still to be found in it. */
static int load_null(struct emulator *e, enum seg s, uint16_t selector)
{
    unsigned cpl = virt_cpl(e->virt);
    struct segment g = { .selector = selector, .ar = SEG_AR_UNUSABLE };

    if (s == SEG_TR || s == SEG_CS)
        return selector_refuse(e, VECTOR_GP, 0);
    if (s == SEG_SS) {
        if (!virt_in_64bit_code(e->virt) || cpl == 3 || (selector & SELECTOR_RPL) != cpl)
            return selector_refuse(e, VECTOR_GP, 0);
        g.ar |= cpl << 5;
    }
    virt_set_segment(e->virt, s, &g);
    return 0;
}

static int load_real(struct emulator *e, enum seg s, uint16_t selector)
{
    struct segment g;

    if (is_system(s))
        return emulator_refuse(e, VECTOR_UD);
    virt_segment(e->virt, s, &g);
    g.selector = selector;
    g.base = (uint64_t)selector << 4;
    virt_set_segment(e->virt, s, &g);
    return 0;
}

static int load(struct emulator *e, enum seg s, uint16_t selector)
{
    uint64_t d[2] = { 0 };
    gva_t at;

    if (!(selector & ~SELECTOR_RPL))
        return load_null(e, s, selector);
    unsigned size = descriptor_size(e, s);
    int err = find(e, selector, size, &at);
    if (!err)
        err = gva_read(e->space, at, d, size, GVA_IMPLICIT);
    if (err)
        return err;
    struct segment g = unpack(selector, d);
    err = check(e, s, &g);
    if (!err)
        err = mark(e, s, at, &g);
    if (!err)
        virt_set_segment(e->virt, s, &g);
    return err;
}

int selector_load(struct emulator *e, enum seg s, uint16_t selector)
{
    if (is_real(e))
        return load_real(e, s, selector);
    if (is_system(s) && virt_cpl(e->virt))
        return emulator_refuse(e, VECTOR_GP);
    return load(e, s, selector);
}

int selector_load_of_task(struct emulator *e, enum seg s, uint16_t selector)
{
    int err = load(e, s, selector);

    if (err == -EACCES && (e->vector == VECTOR_GP || s == SEG_LDTR))
        e->vector = VECTOR_TS;
    return err;
}
