/* links: arch/x86/power.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * The ends of the machine: every attempt, in its order, on a machine on which none works.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/acpi.h"
#include "arch/x86/insn.h"
#include "arch/x86/power.h"

struct acpi_info acpi;

static jmp_buf out;
static char writes[1024];
static uint16_t last_port; /* a write there ends the test: behind it machines only halt */
static unsigned sci_reads; /* until the chipset is in ACPI mode */

static void take_write(uint16_t port, unsigned size, uint32_t value)
{
    size_t used = strlen(writes);

    (void)size;
    snprintf(writes + used, sizeof(writes) - used, " %x=%x", port, value);
    if (port == last_port)
        longjmp(out, 1);
}

static uint32_t give(uint16_t port, unsigned size)
{
    (void)size;
    if (port == 0x64)
        return 0;
    return port == 0x604 && sci_reads++ > 1 ? 0x0201 : 0x0200; /* SCI_EN, and a bit to be kept */
}

static int setup(void **state)
{
    (void)state;
    acpi = (struct acpi_info){ .pm1a_control = 0x604,
                               .has_s5 = true,
                               .s5_type_a = 5,
                               .s5_type_b = 6,
                               .has_reset = true,
                               .reset_port = 0xB2,
                               .reset_value = 0x77 };
    writes[0] = '\0';
    sci_reads = 0;
    fake_out = take_write;
    fake_in = give;
    return 0;
}

static void off_until(uint16_t port, const char *want)
{
    last_port = port;
    if (!setjmp(out))
        host_power_off();
    assert_string_equal(writes, want);
}

#define BOCHS " 8900=53 8900=68 8900=75 8900=74 8900=64 8900=6f 8900=77 8900=6e"

static void test_power_off(void **state)
{
    (void)state;
    off_until(0xB004, " 604=1600 604=3600" BOCHS " 604=2000 b004=2000");
}

static void test_power_off_with_two_registers(void **state)
{
    (void)state;
    acpi.pm1b_control = 0x644;
    acpi.smi_command = 0xB2, acpi.acpi_enable = 0xA0; /* and a switch to ACPI mode */
    off_until(0xB004, " b2=a0 604=1601 604=3601 644=1a00 644=3a00" BOCHS " 604=2000 b004=2000");
}

static void test_power_off_without_s5(void **state)
{
    (void)state;
    acpi.has_s5 = false;
    off_until(0xB004, BOCHS " 604=2000 b004=2000");
}

static unsigned hooks;

static void hook(void)
{
    hooks++;
}

static void test_reboot(void **state)
{
    (void)state;
    power_set_hook(hook);
    last_port = 0x64;
    if (!setjmp(out))
        host_reboot();
    assert_string_equal(writes, " b2=77 cf9=2 cf9=6 64=fe");
    assert_int_equal(hooks, 1);
    writes[0] = '\0';
    acpi.has_reset = false;
    if (!setjmp(out))
        host_reboot();
    assert_string_equal(writes, " cf9=2 cf9=6 64=fe");
    assert_int_equal(hooks, 1); /* once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_power_off, setup),
        cmocka_unit_test_setup(test_power_off_with_two_registers, setup),
        cmocka_unit_test_setup(test_power_off_without_s5, setup),
        cmocka_unit_test_setup(test_reboot, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
