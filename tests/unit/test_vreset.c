/* links: devices/vreset.c devices/vi8042.c */
/*
 * The reset ports and the keyboard controller, register by register.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "devices/vi8042.h"
#include "devices/vreset.h"
#include "tests/fakes/line.h"

static struct vreset ports;
static struct vi8042 kbc;
static struct fake_line reset;

static int setup_ports(void **state)
{
    (void)state;
    vreset_init(&ports, fake_line(&reset));
    return 0;
}

static int setup_kbc(void **state)
{
    (void)state;
    vi8042_init(&kbc, fake_line(&reset), true);
    return 0;
}

static uint8_t in(uint32_t offset)
{
    return reg_read(&kbc.dev, offset, 0);
}

static void out(uint32_t offset, uint8_t value)
{
    reg_write(&kbc.dev, offset, value, 0);
}

static uint8_t ask(uint8_t command)
{
    out(1, command);
    assert_int_equal(in(1) & 1, 1);
    return in(0);
}

static void test_cf9(void **state)
{
    (void)state;
    assert_int_equal(reg_read(&ports.dev, 0, 0), 0);
    reg_write(&ports.dev, 0, 0xf2, 0);
    assert_int_equal(reg_read(&ports.dev, 0, 0), 0x02);
    assert_int_equal(reset.rises, 0);
    reg_write(&ports.dev, 0, 0x06, 0);
    assert_int_equal(reset.rises, 1);
    assert_int_equal(reset.falls, 1);
    reg_write(&ports.dev, 0, 0x06, 0); /* no edge, no reset */
    assert_int_equal(reset.rises, 1);
    ports.dev.ops->reset(&ports.dev, 0);
    reg_write(&ports.dev, 0, 0x06, 0); /* at once, as the FADT's reset register has it */
    assert_int_equal(reset.rises, 2);
}

static void test_port_92(void **state)
{
    (void)state;
    assert_int_equal(reg_read(&ports.dev, 1, 0), 0x02);
    reg_write(&ports.dev, 1, 0xfc, 0);
    assert_int_equal(reg_read(&ports.dev, 1, 0), 0);
    assert_int_equal(reset.rises, 0);
    reg_write(&ports.dev, 1, 0x01, 0);
    assert_int_equal(reset.rises, 1);
}

static void test_reset_foreign_accesses(void **state)
{
    (void)state;
    ports.dev.ops->write(&ports.dev, 2, 1, 0x06, 0);
    assert_int_equal(reset.rises, 0);
}

static void test_self_test(void **state)
{
    (void)state;
    assert_int_equal(in(1), 0x10);
    assert_int_equal(ask(0xaa), 0x55);
    assert_int_equal(in(1), 0x1c); /* system flag, last write was a command */
    assert_int_equal(ask(0xab), 0x00);
    assert_int_equal(ask(0xa9), 0x02); /* there is no mouse port */
    assert_int_equal(ask(0xc0), 0xff);
}

static void test_command_byte(void **state)
{
    (void)state;
    out(1, 0x60);
    out(0, 0x45);
    assert_int_equal(ask(0x20), 0x45);
    assert_int_equal(in(1) & 0x04, 0x04);
    out(1, 0xad);
    assert_int_equal(ask(0x20), 0x55);
    out(1, 0xae);
    out(1, 0xa7);
    assert_int_equal(ask(0x20), 0x65);
    out(1, 0xa8);
    assert_int_equal(ask(0x20), 0x45);
}

static void test_no_keyboard_answers(void **state)
{
    (void)state;
    out(0, 0xff);
    assert_int_equal(in(1), 0x51); /* full, time-out */
    assert_int_equal(in(0), 0xfe);
    assert_int_equal(in(1), 0x10);
    out(1, 0xd4);
    out(0, 0xf4);
    assert_int_equal(in(0), 0xfe);
    out(1, 0xd3); /* no loop through a mouse port: status bit 5 stays clear */
    out(0, 0x5a);
    assert_int_equal(in(1) & 0x21, 0x01);
    assert_int_equal(in(0), 0x5a);
}

static void test_output_port(void **state)
{
    (void)state;
    assert_int_equal(ask(0xd0), 0x03);
    out(1, 0xd1);
    out(0, 0x01);
    assert_int_equal(ask(0xd0), 0x01);
    assert_int_equal(reset.rises, 0);
    out(1, 0xd1);
    out(0, 0x02);
    assert_int_equal(reset.rises, 1);
}

static void test_pulse_resets(void **state)
{
    (void)state;
    out(1, 0xff);
    out(1, 0xfd);
    assert_int_equal(reset.rises, 0);
    out(1, 0xfe);
    assert_int_equal(reset.rises, 1);
    assert_false(reset.level);
}

static void test_kbc_foreign_accesses(void **state)
{
    (void)state;
    kbc.dev.ops->write(&kbc.dev, 9, 1, 0xfe, 0);
    assert_int_equal(reset.rises, 0);
}

/* Reads give ones, as where there is none; what resets does. */
static void test_silent(void **state)
{
    (void)state;
    vi8042_init(&kbc, fake_line(&reset), false);
    assert_int_equal(in(1), 0xFF);
    out(1, 0x20);
    assert_int_equal(in(0), 0xFF);
    assert_int_equal(reset.rises, 0);
    out(1, 0xFE);
    assert_int_equal(reset.rises, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_cf9, setup_ports),
        cmocka_unit_test_setup(test_port_92, setup_ports),
        cmocka_unit_test_setup(test_reset_foreign_accesses, setup_ports),
        cmocka_unit_test_setup(test_self_test, setup_kbc),
        cmocka_unit_test_setup(test_command_byte, setup_kbc),
        cmocka_unit_test_setup(test_no_keyboard_answers, setup_kbc),
        cmocka_unit_test_setup(test_output_port, setup_kbc),
        cmocka_unit_test_setup(test_pulse_resets, setup_kbc),
        cmocka_unit_test_setup(test_kbc_foreign_accesses, setup_kbc),
        cmocka_unit_test_setup(test_silent, setup_kbc),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
