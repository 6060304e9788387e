/* links: devices/vpic.c tests/fakes/panic.c */
/*
 * The two 8259A, register by register.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "devices/vpic.h"
#include "tests/fakes/line.h"

static struct vpic pic;
static struct fake_line intr;

static uint8_t in(uint32_t offset)
{
    return reg_read(&pic.dev, offset, 0);
}

static void out(uint32_t offset, uint8_t value)
{
    reg_write(&pic.dev, offset, value, 0);
}

static void raise_irq(unsigned irq)
{
    vpic_set_irq(&pic, irq, true);
}

static void pulse_irq(unsigned irq)
{
    vpic_set_irq(&pic, irq, true);
    vpic_set_irq(&pic, irq, false);
}

static void program(uint8_t icw1, uint8_t icw4)
{
    for (uint32_t chip = 0; chip < 4; chip += 2) {
        out(chip, icw1);
        out(chip + 1, chip ? 0x28 : 0x20);
        out(chip + 1, chip ? 2 : 4);
        out(chip + 1, icw4);
    }
}

static int setup(void **state)
{
    (void)state;
    vpic_init(&pic, fake_line(&intr));
    program(0x11, 0x01);
    return 0;
}

static void test_power_on_is_silent(void **state)
{
    (void)state;
    vpic_init(&pic, fake_line(&intr));
    raise_irq(1);
    assert_false(vpic_pending(&pic));
    assert_int_equal(in(1), 0xff);
    out(1, 0); /* unmasked, yet without ICWs */
    assert_false(vpic_pending(&pic));
}

static void test_icw_sequence(void **state)
{
    (void)state;
    out(1, 0xff);
    out(0, 0x11);
    assert_int_equal(in(1), 0); /* ICW1 clears the mask */
    raise_irq(1);
    assert_false(vpic_pending(&pic)); /* not in the middle of it */
    out(1, 0x47);                     /* the low bits of ICW2 mean nothing */
    out(1, 4);
    out(1, 1);
    assert_true(vpic_pending(&pic));
    assert_int_equal(vpic_ack(&pic), 0x41);
}

static void test_icw1_without_icw4_or_cascade(void **state)
{
    (void)state;
    out(0, 0x12); /* single, no ICW4 */
    out(1, 0x50);
    out(1, 0xfd); /* this is the mask already */
    assert_int_equal(in(1), 0xfd);
    raise_irq(1);
    assert_int_equal(vpic_ack(&pic), 0x51);
}

static void test_master_and_slave_vectors(void **state)
{
    (void)state;
    raise_irq(4);
    assert_true(intr.level);
    assert_int_equal(vpic_ack(&pic), 0x24);
    assert_false(intr.level);
    out(0, 0x20);
    raise_irq(8);
    assert_int_equal(vpic_ack(&pic), 0x28);
    out(0, 0x0b);
    out(2, 0x0b);
    assert_int_equal(in(0), 0x04);
    assert_int_equal(in(2), 0x01);
}

static void test_priorities_nest(void **state)
{
    (void)state;
    raise_irq(5);
    assert_int_equal(vpic_ack(&pic), 0x25);
    raise_irq(6);
    assert_false(vpic_pending(&pic));
    raise_irq(1);
    assert_int_equal(vpic_ack(&pic), 0x21);
    out(0, 0x20); /* ends 1 */
    assert_false(vpic_pending(&pic));
    out(0, 0x65); /* ends 5 by name */
    assert_int_equal(vpic_ack(&pic), 0x26);
}

static void test_mask_and_irr(void **state)
{
    (void)state;
    out(1, 0x10);
    pulse_irq(4);
    assert_false(vpic_pending(&pic));
    out(0, 0x0a);
    assert_int_equal(in(0), 0x10); /* an edge stays latched */
    out(1, 0);
    assert_int_equal(vpic_ack(&pic), 0x24);
    assert_int_equal(in(0), 0);
}

static void test_edge_and_level(void **state)
{
    (void)state;
    out(5, 0xff);
    assert_int_equal(in(5), 0xde);
    out(4, 0xff);
    assert_int_equal(in(4), 0xf8);
    raise_irq(10);
    assert_int_equal(vpic_ack(&pic), 0x2a);
    out(2, 0x20);
    out(0, 0x20);
    assert_true(vpic_pending(&pic)); /* level: asks again */
    vpic_set_irq(&pic, 10, false);
    assert_false(vpic_pending(&pic));

    raise_irq(1);
    assert_int_equal(vpic_ack(&pic), 0x21);
    out(0, 0x20);
    assert_false(vpic_pending(&pic)); /* edge: does not */
    program(0x19, 1);                 /* LTIM makes all inputs level */
    assert_true(vpic_pending(&pic));
}

static void test_spurious(void **state)
{
    (void)state;
    assert_int_equal(vpic_ack(&pic), 0x27);
    out(0, 0x0b);
    assert_int_equal(in(0), 0); /* nothing is in service */
    out(5, 0x04);
    raise_irq(10);
    pic.chip[1].imr = 0x04; /* goes away between INTR and INTA, unseen by the master */
    assert_int_equal(vpic_ack(&pic), 0x2f);
    assert_int_equal(in(0), 0x04);
}

static void test_auto_eoi_rotates(void **state)
{
    (void)state;
    program(0x11, 0x03);
    out(0, 0x80); /* rotate in automatic EOI mode */
    raise_irq(3);
    raise_irq(4);
    assert_int_equal(vpic_ack(&pic), 0x23);
    pulse_irq(3);
    vpic_set_irq(&pic, 3, true);
    assert_int_equal(vpic_ack(&pic), 0x24); /* 3 is the lowest now */
    assert_int_equal(pic.chip[0].isr, 0);
    out(0, 0x00);
    pic.chip[0].lowest = 7;
    raise_irq(0);
    vpic_ack(&pic);
    assert_int_equal(pic.chip[0].lowest, 7);
}

static void test_rotation_by_command(void **state)
{
    (void)state;
    out(0, 0xc3); /* 3 is the lowest, 4 the highest */
    raise_irq(0);
    raise_irq(4);
    assert_int_equal(vpic_ack(&pic), 0x24);
    out(0, 0xa0); /* EOI, and 4 becomes the lowest */
    assert_int_equal(pic.chip[0].lowest, 4);
    assert_int_equal(vpic_ack(&pic), 0x20);
    out(0, 0xe0); /* specific, with rotation */
    assert_int_equal(pic.chip[0].lowest, 0);
    assert_int_equal(pic.chip[0].isr, 0);
}

static void test_special_mask(void **state)
{
    (void)state;
    raise_irq(1);
    vpic_ack(&pic);
    raise_irq(5);
    out(1, 0x02);
    assert_false(vpic_pending(&pic));
    out(0, 0x68); /* special mask mode: a masked input in service blocks nothing */
    assert_int_equal(vpic_ack(&pic), 0x25);
    out(0, 0x20); /* ends 5, not the masked 1 */
    assert_int_equal(pic.chip[0].isr, 0x02);
    out(0, 0x48);
    raise_irq(6);
    assert_false(vpic_pending(&pic));
}

static void test_special_fully_nested(void **state)
{
    (void)state;
    program(0x11, 0x11);
    raise_irq(12);
    assert_int_equal(vpic_ack(&pic), 0x2c);
    raise_irq(9);
    assert_int_equal(vpic_ack(&pic), 0x29); /* past the cascade in service */
}

static void test_poll(void **state)
{
    (void)state;
    out(0, 0x0c);
    assert_int_equal(in(0), 0);
    raise_irq(3);
    out(0, 0x0c);
    assert_int_equal(in(0), 0x83);
    assert_int_equal(pic.chip[0].isr, 0x08);
    assert_false(vpic_pending(&pic));
}

static void test_foreign_accesses(void **state)
{
    (void)state;
    assert_int_equal(pic.dev.ops->read(&pic.dev, 6, 1, 0), UINT32_MAX);
    assert_int_equal(in(1), 0);
    raise_irq(2); /* the cascade is no input */
    assert_false(vpic_pending(&pic));
}

static void test_any_bytes(void **state)
{
    uint32_t seed = 1;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        seed = seed * 1664525 + 1013904223;
        unsigned pick = seed >> 24, value = seed >> 12 & 0xff;
        if (pick & 1)
            out(pick >> 1 & 7, (uint8_t)value);
        else if (pick & 2)
            in(pick >> 2 & 7);
        else
            vpic_set_irq(&pic, value & 15, value & 16);
        if ((pick & 0x60) == 0x60)
            assert_in_range(vpic_ack(&pic), 0, 255);
        assert_true(intr.level == vpic_pending(&pic));
    }
}

#define T(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_power_on_is_silent),
        T(test_icw_sequence),
        T(test_icw1_without_icw4_or_cascade),
        T(test_master_and_slave_vectors),
        T(test_priorities_nest),
        T(test_mask_and_irr),
        T(test_edge_and_level),
        T(test_spurious),
        T(test_auto_eoi_rotates),
        T(test_rotation_by_command),
        T(test_special_mask),
        T(test_special_fully_nested),
        T(test_poll),
        T(test_foreign_accesses),
        T(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
