/* links: devices/vioapic.c tests/fakes/panic.c */
/*
 * The I/O APIC, register by register, and the ways of an edge and of a level.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "devices/vioapic.h"
#include "tests/fakes/panic.h"

static struct vioapic v;
static struct apic_message last;
static unsigned delivered;

static void on_deliver(void *ctx, const struct apic_message *m)
{
    assert_ptr_equal(ctx, &last);
    last = *m;
    delivered++;
}

static unsigned looks;

static void on_look(void *ctx)
{
    assert_ptr_equal(ctx, &last);
    looks++;
}

static const struct vioapic_bus bus = { .ctx = &last, .deliver = on_deliver, .look = on_look };

static int setup(void **state)
{
    (void)state;
    delivered = looks = 0;
    vioapic_init(&v, 5, &bus);
    return 0;
}

static uint32_t rd(uint32_t offset, unsigned size)
{
    return v.dev.ops->read(&v.dev, offset, size, 0);
}

static void wr(uint32_t offset, unsigned size, uint32_t value)
{
    v.dev.ops->write(&v.dev, offset, size, value, 0);
}

static uint32_t get(uint8_t reg)
{
    wr(VIOAPIC_SELECT, 4, reg);
    return rd(VIOAPIC_WINDOW, 4);
}

static void put(uint8_t reg, uint32_t value)
{
    wr(VIOAPIC_SELECT, 4, reg);
    wr(VIOAPIC_WINDOW, 4, value);
}

/* High half first, as kernels do. */
static void entry(unsigned pin, uint32_t low, uint8_t dest)
{
    put(0x11 + pin * 2, (uint32_t)dest << 24);
    put(0x10 + pin * 2, low);
}

#define LEVEL  (1u << 15)
#define MASKED (1u << 16)
#define REMOTE (1u << 14)

static void test_registers(void **state)
{
    (void)state;
    assert_int_equal(get(0), 5u << 24);
    assert_int_equal(get(2), 5u << 24);
    assert_int_equal(get(1), 0x00170020);
    put(1, 0xFFFFFFFF);
    assert_int_equal(get(1), 0x00170020);
    put(0, 0xFFFFFFFF);
    assert_int_equal(get(0), 0x0Fu << 24);
    for (unsigned pin = 0; pin < 24; pin++) {
        assert_int_equal(get(0x10 + pin * 2), MASKED);
        assert_int_equal(get(0x11 + pin * 2), 0);
        put(0x10 + pin * 2, 0xFFFFFFFF);
        put(0x11 + pin * 2, 0xFFFFFFFF);
        assert_int_equal(get(0x10 + pin * 2), 0x1AFFF); /* status and remote IRR are read-only */
        assert_int_equal(get(0x11 + pin * 2), 0xFF000000);
    }
    assert_int_equal(delivered, 0);
}

/* Every value of select, and what lies beyond the registers. */
static void test_nothing_there(void **state)
{
    (void)state;
    for (unsigned reg = 0; reg < 256; reg++) {
        put(reg, 0xFFFFFFFF);
        if ((reg > 2 && reg < 0x10) || reg >= 0x10 + 48)
            assert_int_equal(get(reg), 0);
    }
    assert_int_equal(rd(0x20, 4), ~0u);
    wr(0x20, 4, 0);
    assert_int_equal(rd(VIOAPIC_EOI, 4), ~0u);
    wr(VIOAPIC_SELECT, 1, 1);
    assert_int_equal(rd(VIOAPIC_SELECT, 4), 1);
    assert_int_equal(rd(VIOAPIC_WINDOW, 1), 0x20);
    assert_int_equal(rd(VIOAPIC_WINDOW, 2), 0x20);
    EXPECT_PANIC(vioapic_set_irq(&v, 24, true));
}

static void test_edge(void **state)
{
    (void)state;
    entry(2, 0x30 | 1 << 11, 0x03); /* logical */
    vioapic_set_irq(&v, 2, true);
    vioapic_set_irq(&v, 2, true);
    assert_int_equal(delivered, 1);
    assert_int_equal(last.vector, 0x30);
    assert_int_equal(last.dest, 3);
    assert_true(last.logical);
    assert_false(last.level);
    assert_null(last.from);
    assert_int_equal(last.mode, APIC_FIXED);
    vioapic_set_irq(&v, 2, false);
    vioapic_set_irq(&v, 2, true);
    assert_int_equal(delivered, 2);
    assert_int_equal(get(0x14) & REMOTE, 0);
}

static void test_edge_masked_is_lost(void **state)
{
    (void)state;
    entry(4, MASKED | 0x34, 0);
    vioapic_set_irq(&v, 4, true);
    entry(4, 0x34, 0);
    assert_int_equal(delivered, 0);
}

static void test_modes_and_broadcast(void **state)
{
    (void)state;
    entry(7, 0x41 | APIC_LOWEST << 8, 0xFF);
    vioapic_set_irq(&v, 7, true);
    assert_int_equal(last.dest, APIC_DEST_ALL);
    assert_int_equal(last.mode, APIC_LOWEST);
    entry(8, APIC_NMI << 8 | 1 << 11, 0xFF);
    vioapic_set_irq(&v, 8, true);
    assert_int_equal(last.dest, 0xFF); /* logical: everyone with any bit */
    assert_int_equal(last.mode, APIC_NMI);
}

static void test_level(void **state)
{
    (void)state;
    entry(9, LEVEL | 0x39, 0);
    vioapic_set_irq(&v, 9, true);
    assert_int_equal(delivered, 1);
    assert_true(last.level);
    assert_true(get(0x10 + 18) & REMOTE);
    vioapic_set_irq(&v, 9, false);
    vioapic_set_irq(&v, 9, true);
    assert_int_equal(delivered, 1); /* not before EOI */
    vioapic_eoi(&v, 0x38);
    assert_int_equal(delivered, 1); /* not by another's */
    vioapic_eoi(&v, 0x39);
    assert_int_equal(delivered, 2); /* still asserted */
    vioapic_set_irq(&v, 9, false);
    wr(VIOAPIC_EOI, 4, 0x39);
    assert_int_equal(delivered, 2);
    assert_false(get(0x10 + 18) & REMOTE);
}

/* Each may go to all vCPUs: one is sent, the next ones in turns of their own. */
static void test_one_eoi_for_many(void **state)
{
    (void)state;
    for (unsigned pin = 2; pin < 10; pin++) {
        entry(pin, LEVEL | 0x39, 0xFF);
        vioapic_set_irq(&v, pin, true);
    }
    assert_int_equal(delivered, 8);
    assert_int_equal(looks, 0);
    vioapic_set_irq(&v, 3, false);
    vioapic_eoi(&v, 0x39);
    assert_int_equal(delivered, 9);
    for (unsigned sent = 10; v.again; sent++) {
        assert_int_equal(looks, sent - 9);
        vioapic_settle(&v);
        assert_int_equal(delivered, sent);
    }
    assert_int_equal(delivered, 8 + 7);
    assert_false(get(0x10 + 2 * 3) & REMOTE);
    assert_true(get(0x10 + 2 * 9) & REMOTE);
    vioapic_eoi(&v, 0x39);
    v.dev.ops->reset(&v.dev, 0);
    assert_false(v.again);
}

static void test_level_unmask(void **state)
{
    (void)state;
    entry(9, LEVEL | MASKED | 0x39, 0);
    vioapic_set_irq(&v, 9, true);
    assert_int_equal(delivered, 0);
    entry(9, LEVEL | 0x39, 0);
    assert_int_equal(delivered, 1);
    entry(9, 0x39 | MASKED, 0); /* edge: frees the stuck pin */
    assert_false(get(0x10 + 18) & REMOTE);
    entry(9, LEVEL | 0x39, 0);
    assert_int_equal(delivered, 2);
}

static unsigned ended;

static void on_end(void *ctx, unsigned pin, bool level)
{
    assert_ptr_equal(ctx, &v);
    assert_false(level);
    ended = pin;
    vioapic_set_irq(&v, pin, false);
}

/* Whoever watches a pin hears of its EOI in time to lower it. */
static void test_watched(void **state)
{
    (void)state;
    ended = 0;
    v.watched = 1 << 17;
    v.ended = (struct line){ .set = on_end, .ctx = &v };
    entry(16, LEVEL | 0x38, 0);
    entry(17, LEVEL | 0x39, 0);
    vioapic_set_irq(&v, 16, true);
    vioapic_set_irq(&v, 17, true);
    assert_int_equal(delivered, 2);
    vioapic_eoi(&v, 0x38);
    assert_int_equal(ended, 0);
    assert_int_equal(delivered, 3);
    vioapic_eoi(&v, 0x39);
    assert_int_equal(ended, 17);
    assert_int_equal(delivered, 3);
    ended = 0;
    vioapic_eoi(&v, 0x39); /* it is not in service */
    assert_int_equal(ended, 0);
}

static void test_reset(void **state)
{
    (void)state;
    entry(9, LEVEL | 0x39, 7);
    vioapic_set_irq(&v, 9, true);
    v.dev.ops->reset(&v.dev, 0);
    assert_int_equal(get(0x10 + 18), MASKED);
    assert_int_equal(get(0x11 + 18), 0);
    entry(9, LEVEL | 0x39, 7);
    assert_int_equal(delivered, 2); /* the line is still up */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_registers, setup),
        cmocka_unit_test_setup(test_nothing_there, setup),
        cmocka_unit_test_setup(test_edge, setup),
        cmocka_unit_test_setup(test_edge_masked_is_lost, setup),
        cmocka_unit_test_setup(test_modes_and_broadcast, setup),
        cmocka_unit_test_setup(test_level, setup),
        cmocka_unit_test_setup(test_one_eoi_for_many, setup),
        cmocka_unit_test_setup(test_level_unmask, setup),
        cmocka_unit_test_setup(test_watched, setup),
        cmocka_unit_test_setup(test_reset, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
