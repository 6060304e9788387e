/*
 * What an entry into a guest checks. See tests/fakes/entry_state.h.
 */
#include "tests/fakes/entry_state.h"

#include "arch/x86/cpu.h"
#include "lib/assert.h"
#include "tests/fakes/guest.h"

static void check_shape(const struct segment *s)
{
    ASSERT(s->ar & SEG_AR_P);
    ASSERT(!(s->ar & 0xfff00f00 & ~SEG_AR_UNUSABLE));
    ASSERT((s->limit & 0xfff) == 0xfff || !(s->ar & SEG_AR_G));
    ASSERT(!(s->limit >> 20) || (s->ar & SEG_AR_G));
    ASSERT(!(s->base >> 32));
}

static void check_code(const struct segment *cs, unsigned cpl)
{
    unsigned type = cs->ar & SEG_AR_TYPE, dpl = cs->ar >> 5 & 3;

    ASSERT((type & 9) == 9 && (cs->ar & SEG_AR_S));
    ASSERT(type & 4 ? dpl <= cpl : dpl == cpl);
}

static void check_data(const struct segment *s)
{
    unsigned type = s->ar & SEG_AR_TYPE;

    ASSERT((s->ar & SEG_AR_S) && (type & 1));
    ASSERT(!(type & 8) || (type & 2));
}

static void check_vm86(const struct segment *s)
{
    ASSERT(s->base == (uint64_t)s->selector << 4 && s->limit == 0xffff && s->ar == 0xf3);
}

void entry_state_check(void)
{
    bool vm86 = cpu()->rflags & RFLAGS_VM;
    const struct segment *tr = &cpu()->seg[SEG_TR], *ldtr = &cpu()->seg[SEG_LDTR];

    for (enum seg s = SEG_ES; s <= SEG_GS; s++) {
        const struct segment *g = &cpu()->seg[s];

        if (vm86)
            check_vm86(g);
        if ((g->ar & SEG_AR_UNUSABLE) && s != SEG_CS && s != SEG_SS)
            continue;
        check_shape(g);
        if (!vm86 && s == SEG_CS)
            check_code(g, virt_cpl(&guest_vcpu.virt));
        else
            check_data(g);
    }
    ASSERT((cpu()->seg[SEG_SS].ar & 0xb) == 3);
    check_shape(tr);
    ASSERT((tr->ar & 0x1f & ~8u) == 3 && !(tr->selector & 4));
    if (ldtr->ar & SEG_AR_UNUSABLE)
        return;
    check_shape(ldtr);
    ASSERT((ldtr->ar & 0x1f) == 2 && !(ldtr->selector & 4));
    ASSERT(!(cpu()->rip >> 32));
}
