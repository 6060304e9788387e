/* links: guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/gmem.c arch/x86/moment.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * The walk of a guest's page tables, in every paging mode, against tables built here from the
 * figures of the SDM ("Paging"), and rights against a second statement of the SDM's rules.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "guestmem/gmem.h"
#include "guestmem/gva.h"
#include "mm/frame.h"
#include "tests/fakes/guest.h"

#define P  1ul
#define RW 2ul
#define US 4ul
#define A  0x20ul
#define D  0x40ul
#define PS 0x80ul
#define NX (1ul << 63)

#define ROOT 0x20000ul /* tables: from here on */

/* ---- Building tables ---- */

struct mode {
    const char *name;
    unsigned levels, entry;
    unsigned shift[4]; /* of each level's index, from the top */
    uint64_t cr4, efer;
};
static const struct mode modes[] = {
    { "32-bit", 2, 4, { 22, 12 }, 0, 0 },
    { "PAE", 3, 8, { 30, 21, 12 }, CR4_PAE, 0 },
    { "4-level", 4, 8, { 39, 30, 21, 12 }, CR4_PAE, EFER_LME | EFER_LMA },
};
#define MODES 3
static const struct mode *const m32 = &modes[0], *const pae = &modes[1], *const m64 = &modes[2];

static uint64_t next_table;
static uint64_t slot[4]; /* where the entries of the last map() are, from the top */

static void use(const struct mode *m)
{
    static const char zeros[PAGE_SIZE];

    for (uint64_t at = ROOT; at < ROOT + 24 * PAGE_SIZE; at += PAGE_SIZE)
        guest_put(at, zeros, PAGE_SIZE);
    next_table = ROOT + PAGE_SIZE;
    cpu()->cr0 = CR0_PE | CR0_PG | CR0_WP;
    cpu()->cr4 = m->cr4;
    cpu()->efer = m->efer;
    cpu()->cr3 = ROOT;
    cpu()->rflags = RFLAGS_FIXED;
}

static uint64_t entry_get(const struct mode *m, uint64_t at)
{
    uint64_t e = 0;

    guest_get(at, &e, m->entry);
    return e;
}

static void entry_put(const struct mode *m, uint64_t at, uint64_t e)
{
    guest_put(at, &e, m->entry);
}

/* Maps va by an entry `leaf` after `depth` levels; new tables get the bits `upper`. */
static void map(const struct mode *m, uint64_t va, unsigned depth, uint64_t upper, uint64_t leaf)
{
    uint64_t table = ROOT;

    for (unsigned i = 0; i < depth; i++) {
        unsigned mask = m == m32 ? 0x3ff : m == pae && i == 0 ? 3 : 0x1ff;
        slot[i] = table + (va >> m->shift[i] & mask) * m->entry;
        if (i == depth - 1)
            break;
        uint64_t e = entry_get(m, slot[i]);
        if (!(e & P)) {
            e = next_table | (m == pae && i == 0 ? P : upper);
            next_table += PAGE_SIZE;
            entry_put(m, slot[i], e);
        }
        table = e & 0xfffff000;
    }
    entry_put(m, slot[depth - 1], leaf);
}

/* ---- Asking ---- */

static struct gva_fault *const fault = &guest_vcpu.space.fault;

static uint64_t where(uint64_t va, uint32_t access)
{
    gpa_t out = { ~0ul };

    assert_int_equal(gva_translate(&guest_vcpu.space, gva(va), access, &out), 0);
    return out.v;
}

static void assert_fault(uint64_t va, uint32_t access, uint32_t error)
{
    gpa_t out;

    *fault = (struct gva_fault){ { ~0ul }, ~0u };
    assert_int_equal(gva_translate(&guest_vcpu.space, gva(va), access, &out), -EFAULT);
    assert_int_equal(fault->address.v, va);
    assert_int_equal(fault->error, error);
}

static int setup(void **state)
{
    (void)state;
    guest_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guest_stop();
    return 0;
}

/* ---- Tests ---- */

static void test_no_paging(void **state)
{
    (void)state;
    cpu()->cr0 = CR0_PE;
    assert_int_equal(where(0x12345678, GVA_WRITE | GVA_USER), 0x12345678);
    assert_int_equal(where(0x1fffffff0, 0), 0xfffffff0); /* 32 bits of address */
}

static uint64_t random_va(const struct mode *m)
{
    uint64_t va = (uint64_t)(uint32_t)mrand48() << 32 | (uint32_t)mrand48();
    unsigned unused = m->levels == 4 ? 16 : 7;

    if (m->levels < 4)
        return va & 0xffffffff;
    return (uint64_t)((int64_t)(va << unused) >> unused);
}

static void test_4k_pages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MODES; i++)
        for (unsigned n = 0; n < 50; n++) {
            const struct mode *m = &modes[i];
            uint64_t va = random_va(m), page = (uint64_t)(uint32_t)mrand48() << 12;
            if (m == m32)
                page &= 0xfffff000;
            use(m);
            map(m, va, m->levels, P | RW | US, page | P | RW | US);
            assert_int_equal(where(va, 0), page | (va & 0xfff));
            assert_int_equal(where(va ^ 0xfff, 0), page | ((va & 0xfff) ^ 0xfff));
        }
}

static void test_large_pages(void **state)
{
    (void)state;
    use(m32);
    cpu()->cr4 |= CR4_PSE;
    map(m32, 0xc0312345, 1, 0, 0x12c00000 | PS | P | RW | US);
    assert_int_equal(where(0xc0312345, 0), 0x12f12345);
    /* PSE-36: address bits 39:32 in bits 20:13 */
    map(m32, 0xc0712345, 1, 0, 0x12c00000 | 0xa5ul << 13 | PS | P);
    assert_int_equal(where(0xc0712345, 0), 0xa512f12345);
    use(pae);
    map(pae, 0xc0312345, 2, 0, 0x112c00000 | PS | P | 1ul << 12 /* PAT */);
    assert_int_equal(where(0xc0312345, 0), 0x112d12345);
    for (unsigned i = 2; i < MODES; i++) {
        const struct mode *m = &modes[i];
        uint64_t va = 0xffff8880b2345678;
        use(m);
        map(m, va, m->levels - 1, P, 0x7fa00000 | PS | P | 1ul << 12);
        assert_int_equal(where(va, 0), 0x7fb45678);
        use(m);
        map(m, va, m->levels - 2, P, 0x1c0000000 | PS | P | 1ul << 12);
        assert_int_equal(where(va, 0), 0x1f2345678);
    }
}

/* Bit 7 is no page size without CR4.PSE, and in PAE's page-directory pointers neither. */
static void test_bit_7_elsewhere(void **state)
{
    (void)state;
    use(m32);
    map(m32, 0x00405000, 2, PS | P, 0x5a000 | P);
    assert_int_equal(where(0x00405123, 0), 0x5a123);
    cpu()->cr4 |= CR4_PSE;
    assert_int_not_equal(where(0x00405123, 0), 0x5a123);
    use(pae);
    map(pae, 0x00405000, 3, P, 0x5a000 | PS | P); /* PAT of a 4 KiB page */
    assert_int_equal(where(0x00405123, 0), 0x5a123);
    entry_put(pae, slot[0], entry_get(pae, slot[0]) | PS);
    assert_int_equal(where(0x00405123, 0), 0x5a123);
    use(m64); /* no pages of 512 GiB */
    map(m64, 0x00405000, 4, PS | P, 0x5a000 | P);
    entry_put(m64, slot[1], entry_get(m64, slot[1]) & ~PS);
    entry_put(m64, slot[2], entry_get(m64, slot[2]) & ~PS);
    assert_int_equal(where(0x00405123, 0), 0x5a123);
}

static void test_cr3(void **state)
{
    (void)state;
    use(m64);
    map(m64, 0x1000, 4, P, 0x5a000 | P);
    cpu()->cr3 |= 0xfff; /* PCID */
    assert_int_equal(where(0x1000, 0), 0x5a000);
    use(pae); /* the table of four pointers is aligned to 32 bytes only */
    map(pae, 0x1000, 3, P, 0x5a000 | P);
    uint64_t pdpte = entry_get(pae, slot[0]);
    entry_put(pae, ROOT, 0);
    entry_put(pae, ROOT + 0x60, pdpte);
    cpu()->cr3 = ROOT + 0x60 + 0x18;
    assert_int_equal(where(0x1000, 0), 0x5a000);
}

static void test_not_present(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MODES; i++)
        for (unsigned level = 0; level < modes[i].levels; level++) {
            const struct mode *m = &modes[i];
            use(m);
            map(m, 0x12345000, m->levels, P | RW | US, 0x5a000 | P | RW | US);
            entry_put(m, slot[level], entry_get(m, slot[level]) & ~P);
            assert_fault(0x12345678, 0, 0);
            assert_fault(0x12345678, GVA_WRITE, GVA_WRITE);
            assert_fault(0x12345678, GVA_WRITE | GVA_USER, GVA_WRITE | GVA_USER);
        }
}

static void test_tables_out_of_ram(void **state)
{
    (void)state;
    use(m64);
    map(m64, 0x1000, 4, P, 0x5a000 | P);
    entry_put(m64, slot[1], 0xfee00000 | P);
    assert_fault(0x1000, 0, 0);
    entry_put(m64, slot[1], 0xffffffffff000 | P);
    assert_fault(0x1000, 0, 0);
    cpu()->cr3 = 0xfee00000;
    assert_fault(0x1000, 0, 0);
}

static void test_canonical(void **state)
{
    (void)state;
    use(m64);
    map(m64, 0x00007ffffffff000, 4, P, 0x5a000 | P);
    map(m64, 0xffff800000000000, 4, P, 0x5b000 | P);
    assert_int_equal(where(0x00007ffffffff010, 0), 0x5a010);
    assert_int_equal(where(0xffff800000000010, 0), 0x5b010);
    assert_fault(0x0000800000000000, 0, 0);
    assert_fault(0xffff7ffffffff000, 0, 0);
    assert_fault(0x0100800000000010, 0, 0);
}

/* ---- Rights ---- */

struct rights_case {
    uint64_t upper, leaf; /* of RW, US, NX */
    uint32_t access;
    bool wp, smep, smap, ac, nxe;
};

/* SDM, "Determination of Access Rights", sentence by sentence. */
static bool may(const struct rights_case *c)
{
    bool user_mode_address = (c->upper & US) && (c->leaf & US);
    bool writable = (c->upper & RW) && (c->leaf & RW);
    bool no_execute = c->nxe && ((c->upper | c->leaf) & NX);
    bool write = c->access & GVA_WRITE, fetch = c->access & GVA_FETCH;

    if (c->access & GVA_USER) {
        if (!user_mode_address)
            return false;
        return write ? writable : fetch ? !no_execute : true;
    }
    if (fetch)
        return !no_execute && !(user_mode_address && c->smep);
    if (user_mode_address && c->smap && (!c->ac || c->access & GVA_IMPLICIT))
        return false;
    return !write || writable || !c->wp;
}

static void check_rights(const struct rights_case *c)
{
    gpa_t out;

    cpu()->cr0 = CR0_PE | CR0_PG | (c->wp ? CR0_WP : 0);
    cpu()->cr4 = CR4_PAE | (c->smep ? CR4_SMEP : 0) | (c->smap ? CR4_SMAP : 0);
    cpu()->efer = EFER_LME | EFER_LMA | (c->nxe ? EFER_NXE : 0);
    cpu()->rflags = RFLAGS_FIXED | (c->ac ? RFLAGS_AC : 0);
    entry_put(m64, slot[1], (entry_get(m64, slot[1]) & 0xfffff000) | P | c->upper);
    entry_put(m64, slot[3], 0x5a000 | P | c->leaf);
    int err = gva_translate(&guest_vcpu.space, gva(0x1000), c->access, &out);
    if ((err == 0) != may(c))
        fail_msg("upper %lx leaf %lx access %x wp %d smep %d smap %d ac %d nxe %d: %d", c->upper,
                 c->leaf, c->access, c->wp, c->smep, c->smap, c->ac, c->nxe, err);
    if (!err)
        return;
    uint32_t told = c->access & (c->smep || c->nxe ? ~GVA_IMPLICIT : ~(GVA_IMPLICIT | GVA_FETCH));
    assert_int_equal(fault->error, told | GVA_PRESENT);
    assert_int_equal(fault->address.v, 0x1000);
    assert_false(entry_get(m64, slot[3]) & D);
}

static uint64_t rights_of(unsigned n)
{
    return (n & 1 ? RW : 0) | (n & 2 ? US : 0) | (n & 4 ? NX : 0);
}

static void test_rights(void **state)
{
    static const uint32_t accesses[] = { 0,
                                         GVA_WRITE,
                                         GVA_FETCH,
                                         GVA_USER,
                                         GVA_USER | GVA_WRITE,
                                         GVA_USER | GVA_FETCH,
                                         GVA_IMPLICIT,
                                         GVA_IMPLICIT | GVA_WRITE };

    (void)state;
    use(m64);
    map(m64, 0x1000, 4, P | RW | US, 0x5a000 | P);
    for (unsigned pages = 0; pages < 64; pages++)
        for (unsigned cpu_bits = 0; cpu_bits < 32; cpu_bits++)
            for (unsigned i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++)
                check_rights(&(struct rights_case){ rights_of(pages & 7), rights_of(pages >> 3),
                                                    accesses[i], cpu_bits & 1, cpu_bits & 2,
                                                    cpu_bits & 4, cpu_bits & 8, cpu_bits & 16 });
}

/* Rights of both levels count in the legacy modes too; PAE's pointers have none. */
static void test_rights_32(void **state)
{
    (void)state;
    use(m32);
    map(m32, 0x1000, 2, P | US, 0x5a000 | P | RW | US);
    assert_fault(0x1000, GVA_USER | GVA_WRITE, GVA_USER | GVA_WRITE | GVA_PRESENT);
    assert_fault(0x1000, GVA_WRITE, GVA_WRITE | GVA_PRESENT);
    cpu()->cr0 &= ~CR0_WP;
    assert_int_equal(where(0x1000, GVA_WRITE), 0x5a000);
    assert_int_equal(where(0x1000, GVA_USER), 0x5a000);
    assert_int_equal(where(0x1000, GVA_USER | GVA_FETCH), 0x5a000);
    use(pae);
    map(pae, 0x1000, 3, P | RW | US, 0x5a000 | P | RW | US);
    assert_int_equal(where(0x1000, GVA_USER | GVA_WRITE), 0x5a000);
}

/* ---- Accessed and dirty ---- */

static void test_accessed_dirty(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MODES; i++) {
        const struct mode *m = &modes[i];
        unsigned last = m->levels - 1;
        use(m);
        map(m, 0x12345000, m->levels, P | RW | US, 0x5a000 | P | RW | US);
        where(0x12345000, 0);
        for (unsigned level = 0; level <= last; level++) {
            bool pdpte = m == pae && level == 0;
            assert_int_equal(entry_get(m, slot[level]) & (A | D), pdpte ? 0 : A);
        }
        where(0x12345000, GVA_WRITE);
        for (unsigned level = 0; level < last; level++)
            assert_int_equal(entry_get(m, slot[level]) & D, 0);
        assert_int_equal(entry_get(m, slot[last]), 0x5a000 | P | RW | US | A | D);
    }
}

static void test_dirty_large(void **state)
{
    (void)state;
    use(m64);
    map(m64, 0x12345000, 3, P | RW, 0x400000 | PS | P | RW | NX);
    where(0x12345000, GVA_WRITE);
    assert_int_equal(entry_get(m64, slot[2]), 0x400000 | PS | P | RW | NX | A | D);
}

/* What another vCPU has done to an entry since it was read stays done. */
static void test_entry_changes(void **state)
{
    (void)state;
    for (unsigned size = 4; size <= 8; size += 4) {
        struct gmem_entry e = { .at = gpa(ROOT + 8), .size = size };
        guest_write64(ROOT + 8, 0x5a000 | P);
        assert_int_equal(gmem_load(&guest.p2m, &e), 0);
        assert_int_equal(e.value, 0x5a000 | P);
        guest_write64(ROOT + 8, 0);
        assert_int_equal(gmem_set_bits(&guest.p2m, &e, A), -EAGAIN);
        assert_int_equal(gmem_load(&guest.p2m, &e), 0);
        assert_int_equal(e.value, 0);
        assert_int_equal(gmem_set_bits(&guest.p2m, &e, A | D), 0);
        assert_int_equal(gmem_load(&guest.p2m, &e), 0);
        assert_int_equal(e.value, A | D);
    }
}

/* ---- Copies ---- */

/* What is remembered of a walk counts only while all is as it was. */
static void test_remembered(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MODES; i++) {
        const struct mode *m = &modes[i];
        uint64_t leaf;
        use(m);
        map(m, 0x400000, m->levels, P | RW | US, 0x5a000 | P | RW | US);
        uint64_t at = slot[m->levels - 1];
        assert_int_equal(where(0x400123, GVA_WRITE), 0x5a123);
        assert_int_equal(where(0x400456, GVA_WRITE), 0x5a456);
        assert_int_equal(where(0x400456, GVA_USER), 0x5a456);
        entry_put(m, at, 0x5b000 | P | RW | US); /* no flush of anything */
        assert_int_equal(where(0x400456, GVA_WRITE), 0x5b456);
        leaf = entry_get(m, at);
        assert_int_equal(leaf & (A | D), A | D);
        entry_put(m, at, leaf & ~(A | D));
        assert_int_equal(where(0x400456, GVA_WRITE), 0x5b456);
        assert_int_equal(entry_get(m, at) & (A | D), A | D);
        entry_put(m, at, leaf & ~US);
        assert_int_equal(where(0x400456, 0), 0x5b456);
        cpu()->rflags |= RFLAGS_AC;
        cpu()->cr4 |= CR4_SMAP;
        entry_put(m, at, leaf);
        assert_int_equal(where(0x400456, 0), 0x5b456);
        cpu()->rflags &= ~RFLAGS_AC;
        assert_fault(0x400456, 0, GVA_PRESENT);
        cpu()->cr4 &= ~CR4_SMAP;
        assert_int_equal(where(0x400456, 0), 0x5b456);
        entry_put(m, slot[0], 0);
        assert_fault(0x400456, 0, 0);
    }
}

static void test_copy_crosses(void **state)
{
    char out[6000], in[6000];

    (void)state;
    for (unsigned i = 0; i < MODES; i++) {
        const struct mode *m = &modes[i];
        use(m);
        map(m, 0x400000, m->levels, P | RW | US, 0x5a000 | P | RW | US);
        map(m, 0x401000, m->levels, P | RW | US, 0x3000 | P | RW | US);
        map(m, 0x402000, m->levels, P | RW | US, 0x7f000 | P | RW | US);
        for (unsigned n = 0; n < sizeof(out); n++)
            out[n] = (char)(n * 13 + n / 256 + i);
        assert_int_equal(gva_write(&guest_vcpu.space, gva(0x400f00), out, 6000, GVA_USER), 0);
        assert_int_equal(gva_read(&guest_vcpu.space, gva(0x400f00), in, 6000, GVA_USER), 0);
        assert_memory_equal(in, out, 6000);
        guest_get(0x5af00, in, 0x100);
        assert_memory_equal(in, out, 0x100);
        guest_get(0x3000, in, 0x1000);
        assert_memory_equal(in, out + 0x100, 0x1000);
        guest_get(0x7f000, in, 6000 - 0x1100);
        assert_memory_equal(in, out + 0x1100, 6000 - 0x1100);
    }
}

static void test_copy_faults_in_the_middle(void **state)
{
    char bytes[32] = "0123456789abcdefghijklmnopqrstu", seen[16];

    (void)state;
    use(m64);
    map(m64, 0x400000, 4, P | RW | US, 0x5a000 | P | RW);
    map(m64, 0x401000, 4, P | RW | US, 0x5b000 | P);
    assert_int_equal(gva_write(&guest_vcpu.space, gva(0x400ff0), bytes, 32, 0), -EFAULT);
    assert_int_equal(fault->address.v, 0x401000);
    assert_int_equal(fault->error, GVA_WRITE | GVA_PRESENT);
    guest_get(0x5aff0, seen, 16);
    assert_memory_equal(seen, bytes, 16); /* a leading part has been done */
    assert_int_equal(gva_read(&guest_vcpu.space, gva(0x400ff0), bytes, 32, 0), 0);
    assert_int_equal(gva_read(&guest_vcpu.space, gva(0x401ff8), bytes, 9, 0), -EFAULT);
    assert_int_equal(fault->address.v, 0x402000);
    assert_int_equal(fault->error, 0);
}

/* GVA_WRITE is the function's to say: a reader with it must not make pages dirty. */
static void test_read_is_no_write(void **state)
{
    char byte;

    (void)state;
    use(m64);
    map(m64, 0x400000, 4, P, 0x5a000 | P);
    assert_int_equal(gva_read(&guest_vcpu.space, gva(0x400000), &byte, 1, GVA_WRITE), 0);
    assert_false(entry_get(m64, slot[3]) & D);
    assert_int_equal(gva_write(&guest_vcpu.space, gva(0x400000), &byte, 1, 0), -EFAULT);
}

static void test_copy_to_no_ram(void **state)
{
    char byte = 0;

    (void)state;
    use(m64);
    map(m64, 0x400000, 4, P | RW, 0xfee00000 | P | RW);
    assert_int_equal(gva_write(&guest_vcpu.space, gva(0x400010), &byte, 1, 0), -EFAULT);
    assert_int_equal(fault->address.v, 0x400010);
    assert_int_equal(gva_read(&guest_vcpu.space, gva(0x400010), &byte, 1, 0), -EFAULT);
}

/* 32-bit addresses go round at 4 GiB. */
static void test_wrap_32(void **state)
{
    char bytes[8] = "abcdefg", seen[4];

    (void)state;
    use(m32);
    map(m32, 0xfffff000, 2, P | RW, 0x5a000 | P | RW);
    map(m32, 0x00000000, 2, P | RW, 0x5b000 | P | RW);
    assert_int_equal(gva_write(&guest_vcpu.space, gva(0xfffffffc), bytes, 8, 0), 0);
    guest_get(0x5b000, seen, 4);
    assert_memory_equal(seen, "efg", 4);
}

static void test_out_of_memory(void **state)
{
    char byte;
    gpa_t out;

    (void)state;
    use(m64);
    virt_caps.slat_2m = false; /* each of them needs an EPT table of its own then */
    map(m64, 0x400000, 4, P, 0x800000 | P);
    frame_fail_nth(1);
    assert_int_equal(gva_read(&guest_vcpu.space, gva(0x400000), &byte, 1, 0), -ENOMEM);
    cpu()->cr3 = 0xa00000; /* a table that nobody has touched */
    frame_fail_nth(1);
    assert_int_equal(gva_translate(&guest_vcpu.space, gva(0x400000), 0, &out), -ENOMEM);
}

/* The guest may have a frame of its own lent to it read-only, and tables in there. */
static void allow(uint64_t at, unsigned rights)
{
    struct slat *e = &guest.p2m.slat;
    struct slat_entry entry;

    assert_int_equal(slat_lookup(e, gpa_to_gfn(gpa(at)), &entry), 0);
    assert_int_equal(slat_unmap(e, gpa_to_gfn(gpa(at))), 0);
    assert_int_equal(slat_map(e, gpa_to_gfn(gpa(at)), entry.mfn, ORDER_4K, rights, SLAT_WB), 0);
    p2m_forget(&guest.p2m);
}

static void test_table_read_only(void **state)
{
    (void)state;
    use(m64);
    map(m64, 0x5000, 4, P | RW | US | A, 0x300000 | P | RW | US);
    allow(slot[3], SLAT_R | SLAT_LENT);
    assert_fault(0x5000, 0, GVA_PRESENT); /* A cannot be set */
    allow(slot[3], SLAT_RWX);
    entry_put(m64, slot[3], 0x300000 | P | RW | US | A);
    allow(slot[3], SLAT_R | SLAT_LENT);
    assert_int_equal(where(0x5000, 0), 0x300000);
    assert_fault(0x5000, GVA_WRITE, GVA_PRESENT | GVA_WRITE); /* nor can D */
    allow(slot[3], SLAT_RWX);
}

/* ---- Arguments that are answered ---- */

static int take(uint64_t at, char bytes[8], struct gva_place *place)
{
    return gva_take(&guest_vcpu.space, bytes, at, 8, place);
}

/* Four bytes of an answer. */
static int answer(uint64_t at, const struct gva_place *place)
{
    return gva_answer(&guest_vcpu.space, at, "ANSW", 4, place);
}

static void assert_bytes(uint64_t at, const char *bytes)
{
    char seen[8];

    guest_get(at, seen, sizeof(seen));
    assert_memory_equal(seen, bytes, sizeof(seen));
}

/* It goes where the argument was, as from a TLB, whatever has become of the tables; but not to a
 * page that was taken away. */
static void test_answer(void **state)
{
    struct gva_place place;
    char bytes[8];

    (void)state;
    for (unsigned i = 0; i < MODES; i++) {
        const struct mode *m = &modes[i];
        use(m);
        map(m, 0x400000, m->levels, P | RW | US, 0x5a000 | P | RW | US);
        guest_put(0x5a010, "argument", 8);
        assert_int_equal(take(0x400010, bytes, &place), 0);
        assert_memory_equal(bytes, "argument", 8);
        assert_bytes(0x5a010, "argument");
        entry_put(m, slot[m->levels - 1], 0);
        assert_int_equal(answer(0x400010, &place), 0);
        assert_bytes(0x5a010, "ANSWment");
        p2m_flush(&guest.p2m); /* it says that nobody has an old translation any more */
        assert_int_equal(answer(0x400010, &place), -EFAULT);
        assert_int_equal(take(0x400010, bytes, &place), -EFAULT);
        entry_put(m, slot[m->levels - 1], 0x5a000 | P | RW | US);
        assert_int_equal(take(0x400010, bytes, &place), 0);
        assert_memory_equal(bytes, "ANSWment", 8);
        assert_int_equal(p2m_remove(&guest.p2m, gfn(0x5a)), 0);
        assert_int_equal(answer(0x400010, &place), -EFAULT);
        assert_int_equal(take(0x400010, bytes, &place), -EFAULT);
        p2m_reap(&guest.p2m, 1);
        assert_int_equal(p2m_fill(&guest.p2m, gfn(0x5a)), 0);
        assert_int_equal(answer(0x400010, &place), 0); /* what is there now */
        assert_bytes(0x5a010, "ANSW\0\0\0\0");
    }
}

/* What is unmapped elsewhere changes nothing. */
static void test_answer_beside_a_change(void **state)
{
    struct gva_place place;
    char bytes[8];

    (void)state;
    use(m64);
    map(m64, 0x400000, 4, P | RW, 0x5a000 | P | RW);
    assert_int_equal(take(0x400010, bytes, &place), 0);
    uint64_t epoch = guest.p2m.cache_epoch;
    assert_int_equal(p2m_remove(&guest.p2m, gfn(0x5b)), 0);
    assert_int_equal(guest.p2m.cache_epoch, epoch);
    assert_int_equal(answer(0x400010, &place), 0);
    assert_bytes(0x5a010, "ANSW\0\0\0\0");
    assert_int_equal(p2m_remove(&guest.p2m, gfn(slot[0] >> PAGE_SHIFT)), 0); /* the root */
    assert_int_equal(answer(0x400010, &place), -EFAULT);
    p2m_reap(&guest.p2m, 1);
    assert_int_equal(p2m_fill(&guest.p2m, gfn(0x5b)), 0);
    assert_int_equal(p2m_fill(&guest.p2m, gfn(slot[0] >> PAGE_SHIFT)), 0);
}

/* It is read only where it can be written, all of it. */
static void test_answer_has_its_place(void **state)
{
    struct gva_place place;
    char bytes[8];

    (void)state;
    use(m64);
    map(m64, 0x400000, 4, P | RW, 0x5a000 | P | RW);
    map(m64, 0x401000, 4, P | RW, 0x5b000 | P);
    guest_put(0x5affc, "argu", 4);
    guest_put(0x5b000, "ment", 4);
    assert_int_equal(take(0x401000, bytes, &place), -EFAULT);
    assert_int_equal(take(0x400ffc, bytes, &place), -EFAULT);
    entry_put(m64, slot[3], 0x5b000 | P | RW);
    assert_int_equal(take(0x400ffc, bytes, &place), 0); /* over a page's end */
    assert_memory_equal(bytes, "argument", 8);
    assert_int_equal(answer(0x400ffc, &place), 0);
    assert_bytes(0x5affc, "ANSWment"); /* side by side in the guest's memory too */
    assert_int_equal(take(0x400ff8, bytes, &place), 0);
    allow(0x5a000, SLAT_R | SLAT_LENT);
    assert_int_equal(take(0x400ff8, bytes, &place), -EFAULT);
    assert_int_equal(answer(0x400ff8, &place), -EFAULT);
    allow(0x5a000, SLAT_RWX);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_paging),
        TEST(test_4k_pages),
        TEST(test_large_pages),
        TEST(test_bit_7_elsewhere),
        TEST(test_cr3),
        TEST(test_not_present),
        TEST(test_tables_out_of_ram),
        TEST(test_canonical),
        TEST(test_rights),
        TEST(test_rights_32),
        TEST(test_accessed_dirty),
        TEST(test_dirty_large),
        TEST(test_entry_changes),
        TEST(test_remembered),
        TEST(test_copy_crosses),
        TEST(test_copy_faults_in_the_middle),
        TEST(test_read_is_no_write),
        TEST(test_copy_to_no_ram),
        TEST(test_wrap_32),
        TEST(test_table_read_only),
        TEST(test_out_of_memory),
        TEST(test_answer),
        TEST(test_answer_beside_a_change),
        TEST(test_answer_has_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
