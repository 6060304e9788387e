/* links: devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c tests/fakes/panic.c */
/*
 * The local APIC by MSR: the states of IA32_APICBASE, and which x2APIC registers take what.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "devices/vlapic.h"

#define OFF    VLAPIC_DEFAULT_BASE
#define XAPIC  (VLAPIC_DEFAULT_BASE | APICBASE_ENABLE)
#define X2APIC (XAPIC | APICBASE_X2APIC)

static struct vlapic l;
static struct vlapic_page page;
static struct apic_message sent;
static unsigned sends;

static void on_send(void *ctx, const struct apic_message *m)
{
    (void)ctx;
    sent = *m;
    sends++;
}

static const struct vlapic_bus bus = { .send_ipi = on_send, .address_bits = 39 };

static int wr(uint32_t msr, uint64_t value)
{
    return vlapic_msr_write(&l, msr, value, 0);
}

static int base(uint64_t value)
{
    return wr(MSR_IA32_APICBASE, value);
}

static int rd_status(uint32_t msr)
{
    uint64_t value;

    return vlapic_msr_read(&l, msr, &value, 0);
}

static uint64_t rd(uint32_t msr)
{
    uint64_t value = 0;

    assert_int_equal(vlapic_msr_read(&l, msr, &value, 0), 0);
    return value;
}

static int setup(void **state)
{
    (void)state;
    sends = 0;
    vlapic_init(&l, 0x25, 1000000000, &bus, &page);
    return 0;
}

static int setup_x2apic(void **state)
{
    setup(state);
    assert_int_equal(base(X2APIC), 0);
    assert_int_equal(wr(0x80F, 0x1FF), 0);
    return 0;
}

/* ---- IA32_APICBASE ---- */

static void go_to(uint64_t state)
{
    vlapic_init(&l, 0x25, 1000000000, &bus, &page);
    if (state == OFF)
        assert_int_equal(base(OFF), 0);
    if (state == X2APIC)
        assert_int_equal(base(X2APIC), 0);
}

/* All transitions of the SDM's figure "Local x2APIC State Transitions". */
static void test_transitions(void **state)
{
    static const uint64_t states[] = { OFF, XAPIC, X2APIC, OFF | APICBASE_X2APIC };
    static const bool legal[3][4] = {
        { true, true, false, false },
        { true, true, true, false },
        { true, false, true, false },
    };

    (void)state;
    for (int from = 0; from < 3; from++) {
        for (int to = 0; to < 4; to++) {
            go_to(states[from]);
            assert_int_equal(base(states[to]), legal[from][to] ? 0 : -EINVAL);
            assert_int_equal(rd(MSR_IA32_APICBASE), states[legal[from][to] ? to : from]);
        }
    }
}

static void test_base_bits(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        bool address = bit >= 12 && bit < 39;

        go_to(XAPIC);
        if (bit == 10 || bit == 11)
            continue;
        assert_int_equal(base(XAPIC ^ 1UL << bit), address || bit == 8 ? 0 : -EINVAL);
    }
    assert_int_equal(base(0x12345000 | APICBASE_ENABLE), 0);
    assert_int_equal(vlapic_base(&l), 0x12345000);
}

static void test_disabling_forgets(void **state)
{
    (void)state;
    l.dev.ops->write(&l.dev, 0xF0, 4, 0x1FF, 0);
    l.dev.ops->write(&l.dev, 0x80, 4, 0x20, 0);
    vlapic_accept(&l, 0x55, false);
    assert_int_equal(base(OFF), 0);
    assert_false(vlapic_enabled(&l));
    assert_false(vlapic_mmio_active(&l));
    assert_int_equal(vlapic_pending(&l), -1);
    assert_false(vlapic_accept(&l, 0x55, false));
    assert_false(vlapic_matches(&l, 0x25, false));
    assert_false(vlapic_matches(&l, APIC_DEST_ALL, false));
    assert_int_equal(base(XAPIC), 0);
    assert_int_equal(l.dev.ops->read(&l.dev, 0xF0, 4, 0), 0xFF);
    assert_int_equal(l.dev.ops->read(&l.dev, 0x80, 4, 0), 0);
}

static void test_entering_x2apic_keeps(void **state)
{
    (void)state;
    l.dev.ops->write(&l.dev, 0xF0, 4, 0x1FF, 0);
    vlapic_accept(&l, 0x55, false);
    assert_int_equal(base(X2APIC), 0);
    assert_true(vlapic_enabled(&l) && vlapic_x2apic(&l) && !vlapic_mmio_active(&l));
    assert_int_equal(vlapic_pending(&l), 0x55);
    assert_int_equal(rd(0x80F), 0x1FF);
}

/* ---- x2APIC registers ---- */

static void test_not_in_xapic_mode(void **state)
{
    (void)state;
    for (uint32_t msr = MSR_X2APIC_FIRST; msr <= MSR_X2APIC_LAST; msr++) {
        assert_int_equal(rd_status(msr), -EINVAL);
        assert_int_equal(wr(msr, 0), -EINVAL);
    }
}

static bool readable(unsigned reg)
{
    return reg == 0x02 || reg == 0x03 || reg == 0x08 || reg == 0x0A || reg == 0x0D || reg == 0x0F ||
           (reg >= 0x10 && reg <= 0x28) || reg == 0x30 || (reg >= 0x32 && reg <= 0x39) ||
           reg == 0x3E;
}

/* Bits that a write may set; -1: no write at all. */
static int64_t writable(unsigned reg)
{
    static const struct {
        uint8_t reg;
        uint32_t bits;
    } rows[] = {
        { 0x08, 0xFF },    { 0x0B, 0 },       { 0x0F, 0x1FF },   { 0x28, 0 },
        { 0x32, 0x750FF }, { 0x33, 0x157FF }, { 0x34, 0x157FF }, { 0x35, 0x1F7FF },
        { 0x36, 0x1F7FF }, { 0x37, 0x150FF }, { 0x3E, 0xB },     { 0x38, 0xFFFFFFFF },
        { 0x3F, 0xFF },
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].reg == reg)
            return rows[i].bits;
    }
    return -1;
}

static void test_every_msr(void **state)
{
    (void)state;
    for (unsigned reg = 0; reg < 0x100; reg++) {
        uint32_t msr = MSR_X2APIC_FIRST + reg;
        int64_t bits = writable(reg);

        assert_int_equal(rd_status(msr), readable(reg) ? 0 : -EINVAL);
        if (reg == 0x30)
            continue; /* the ICR is tested below */
        assert_int_equal(wr(msr, 0), bits < 0 ? -EINVAL : 0);
        for (unsigned bit = 0; bit < 64; bit++) {
            bool ok = bits >= 0 && bit < 32 && bits >> bit & 1;

            assert_int_equal(wr(msr, 1UL << bit), ok ? 0 : -EINVAL);
        }
        if (bits >= 0)
            assert_int_equal(wr(msr, 0), 0);
    }
    assert_int_equal(rd_status(0x7FF), -EINVAL);
    assert_int_equal(wr(0x900, 0), -EINVAL);
}

static void test_ids(void **state)
{
    (void)state;
    assert_int_equal(rd(0x802), 0x25);
    assert_int_equal(rd(0x80D), 0x2 << 16 | 1 << 5);
    assert_int_equal(rd(0x803), 0x50014);
    assert_true(vlapic_matches(&l, 0x25, false));
    assert_true(vlapic_matches(&l, 0x20021, true));
    assert_true(vlapic_matches(&l, 0x2FFFF, true));
    assert_true(vlapic_matches(&l, APIC_DEST_ALL, true));
    assert_false(vlapic_matches(&l, 0x1FFFF, true));
    assert_false(vlapic_matches(&l, 0x20001, true));
}

static void test_icr(void **state)
{
    (void)state;
    assert_int_equal(wr(0x830, 0x12345678000000FBUL), 0);
    assert_int_equal(sends, 1);
    assert_int_equal(sent.dest, 0x12345678);
    assert_int_equal(sent.vector, 0xFB);
    assert_int_equal(rd(0x830), 0x12345678000000FBUL);
    assert_int_equal(wr(0x830, 0xFF000000FBUL), 0);
    assert_int_equal(sent.dest, 0xFF); /* no broadcast here */
    assert_int_equal(wr(0x830, 0xFFFFFFFF000000FBUL), 0);
    assert_int_equal(sent.dest, APIC_DEST_ALL);
    for (unsigned bit = 13; bit < 32; bit++) {
        bool ok = bit == 14 || bit == 15 || bit == 18 || bit == 19;

        assert_int_equal(wr(0x830, 0xFB | 1UL << bit), ok ? 0 : -EINVAL);
    }
}

static void test_self_ipi_and_eoi(void **state)
{
    (void)state;
    assert_int_equal(wr(0x83F, 0x77), 0);
    assert_int_equal(vlapic_pending(&l), 0x77);
    vlapic_ack(&l, 0x77);
    assert_int_equal(rd(0x813), 1u << 23);
    assert_int_equal(wr(0x80B, 0), 0);
    assert_int_equal(rd(0x813), 0);
    assert_int_equal(wr(0x83F, 3), 0); /* an illegal vector is an error, not a fault */
    assert_int_equal(wr(0x828, 0), 0);
    assert_int_equal(rd(0x828), 0x20);
    assert_int_equal(sends, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_transitions, setup),
        cmocka_unit_test_setup(test_base_bits, setup),
        cmocka_unit_test_setup(test_disabling_forgets, setup),
        cmocka_unit_test_setup(test_entering_x2apic_keeps, setup),
        cmocka_unit_test_setup(test_not_in_xapic_mode, setup),
        cmocka_unit_test_setup(test_every_msr, setup_x2apic),
        cmocka_unit_test_setup(test_ids, setup_x2apic),
        cmocka_unit_test_setup(test_icr, setup_x2apic),
        cmocka_unit_test_setup(test_self_ipi_and_eoi, setup_x2apic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
