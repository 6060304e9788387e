/* links: arch/x86/ioapic.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * The machine's I/O APIC, on a pretended one: an index and a window to its entries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/acpi.h"
#include "arch/x86/insn.h"
#include "arch/x86/ioapic.h"
#include "arch/x86/irq.h"
#include "arch/x86/percpu.h"
#include "tests/fakes/log.h"

#define PINS       24
#define BASE       8 /* the first GSI: other lines have no pin here */
#define LOW(pin)   regs[0x10 + 2 * (pin)]
#define HIGH(pin)  regs[0x11 + 2 * (pin)]
#define LOW_ACTIVE 0x2000u
#define LEVEL      0x8000u
#define MASKED     0x10000u
#define REMOTE_IRR 0x4000u

struct acpi_info acpi;
static uint32_t window[8], regs[0x10 + 2 * PINS];
static uint16_t elcr;

static void written(volatile void *at, uint32_t v)
{
    if (at == &window[4])
        regs[window[0]] = v;
    assert_in_range(window[0], 0, sizeof(regs) / sizeof(regs[0]) - 1);
    window[4] = regs[window[0]];
}

static uint32_t in(uint16_t port, unsigned size)
{
    assert_int_equal(size, 1);
    return port == 0x4D0 ? elcr & 0xFF : port == 0x4D1 ? elcr >> 8 : 0xFF;
}

static void out(uint16_t port, unsigned size, uint32_t value)
{
    (void)port;
    (void)size;
    (void)value;
}

static void fn(void)
{
}

int irq_alloc_vector(irq_fn f)
{
    assert_ptr_equal(f, fn);
    return 0x31;
}

/* An IOMMU's table. */
static struct {
    uint8_t pin, vector;
    uint32_t apic_id;
    bool level;
    int err;
} told;

static int remap(uint8_t pin, uint8_t vector, uint32_t apic_id, bool level)
{
    assert_true(LOW(pin) & MASKED); /* it is told first */
    told.pin = pin;
    told.vector = vector;
    told.apic_id = apic_id;
    told.level = level;
    return told.err;
}

static int setup(void **state)
{
    (void)state;
    fake_log_reset();
    memset(&acpi, 0, sizeof(acpi));
    for (unsigned i = 0; i < 16; i++)
        acpi.isa[i].gsi = i;
    acpi.ioapic_gsi_base = BASE;
    elcr = 0x0E00; /* lines 9 to 11 */
    memset(regs, 0, sizeof(regs));
    regs[1] = (PINS - 1) << 16;
    memset(&told, 0, sizeof(told));
    percpu[0].apic_id = 2;
    fake_in = in;
    fake_out = out;
    fake_mmio_written = written;
    ioapic_remap(NULL);
    ioapic_init(window);
    return 0;
}

static void test_lines(void **state)
{
    (void)state;
    for (unsigned pin = 0; pin < PINS; pin++)
        assert_int_equal(LOW(pin), MASKED);
    assert_int_equal(irq_route_isa(4, fn), -ENODEV);
    assert_true(fake_log_has("ioapic: no pin for ISA line 4"));
    assert_int_equal(irq_route_isa(12, fn), 0);
    assert_int_equal(LOW(4), 0x31);
    assert_int_equal(HIGH(4), 2u << 24);
}

/* What firmware says of a device's line is believed where it can be so. */
static void test_check(void **state)
{
    (void)state;
    assert_int_equal(ioapic_check_line(10), 0);
    assert_int_equal(ioapic_check_line(4), -ENODEV);
    assert_int_equal(ioapic_check_line(16), -ENODEV);
    assert_int_equal(ioapic_check_line(255), -ENODEV);
    assert_int_equal(ioapic_check_line(13), -EINVAL);
    acpi.isa[13].flags = 0xD; /* the MADT knows better */
    assert_int_equal(ioapic_check_line(13), 0);
    acpi.isa[10].flags = 0x5;
    assert_int_equal(ioapic_check_line(10), -EINVAL);
    acpi.isa[14].gsi = 11;
    assert_int_equal(ioapic_check_line(11), -EBUSY);
    elcr = 0xFFFF; /* there is none */
    assert_int_equal(ioapic_check_line(9), -EINVAL);
    elcr = 0x0200;
    assert_int_equal(irq_route_isa(9, fn), 0);
    assert_int_equal(ioapic_check_line(9), -EBUSY);
    ioapic_init(NULL);
    assert_int_equal(ioapic_check_line(9), -ENODEV);
}

static void test_route(void **state)
{
    (void)state;
    assert_int_equal(ioapic_route_line(10, 5, 0x42), 0);
    assert_int_equal(LOW(2), MASKED | LEVEL | LOW_ACTIVE | 0x42);
    assert_int_equal(HIGH(2), 5u << 24);
    ioapic_mask_line(10, false);
    assert_int_equal(LOW(2), LEVEL | LOW_ACTIVE | 0x42);
    ioapic_mask_line(10, true);
    assert_int_equal(LOW(2), MASKED | LEVEL | LOW_ACTIVE | 0x42);
    acpi.isa[11].flags = 0xD;
    assert_int_equal(ioapic_route_line(11, 0xFE, 0x43), 0);
    assert_int_equal(LOW(3), MASKED | LEVEL | 0x43);
    assert_int_equal(ioapic_route_line(11, 0xFF, 0x43), -ERANGE);
    assert_int_equal(ioapic_route_line(11, 0x100, 0x43), -ERANGE);
}

/* Its EOI would no longer find the entry. */
static void test_under_way(void **state)
{
    (void)state;
    assert_int_equal(ioapic_route_line(10, 5, 0x42), 0);
    LOW(2) |= REMOTE_IRR;
    assert_int_equal(ioapic_route_line(10, 6, 0x43), -EBUSY);
    assert_int_equal(LOW(2) & 0xFF, 0x42);
    ioapic_mask_line(10, false);
    assert_int_equal(LOW(2) & 0xFF, 0x42);
}

static void test_remapped(void **state)
{
    (void)state;
    ioapic_remap(remap);
    assert_int_equal(ioapic_route_line(10, 0x1234, 0x42), 0);
    assert_int_equal(told.pin, 2);
    assert_int_equal(told.vector, 0x42);
    assert_int_equal(told.apic_id, 0x1234);
    assert_true(told.level);
    assert_int_equal(HIGH(2), 2u << 17 | 1u << 16);
    assert_int_equal(LOW(2), MASKED | LEVEL | LOW_ACTIVE | 0x42); /* EOIs look at the vector here */
    told.err = -ERANGE;
    assert_int_equal(ioapic_route_line(10, 1, 0x43), -ERANGE);
    ioapic_mask_line(10, false);
    assert_int_equal(LOW(2), LEVEL | LOW_ACTIVE | 0x42); /* as before */
    ioapic_mask_line(10, true);
    told.err = -ENODEV;
    assert_int_equal(ioapic_route_line(10, 1, 0x43), -ENODEV);
    ioapic_mask_line(10, false); /* who knows what the table has */
    assert_int_equal(LOW(2), MASKED);
    told.err = 0;
    assert_int_equal(ioapic_route_line(10, 1, 0x43), 0);
    ioapic_mask_line(10, false);
    assert_int_equal(LOW(2), LEVEL | LOW_ACTIVE | 0x43);
    told.err = -ENODEV;
    assert_int_equal(irq_route_isa(12, fn), -ENODEV);
    assert_true(LOW(4) & MASKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lines, setup),    cmocka_unit_test_setup(test_check, setup),
        cmocka_unit_test_setup(test_route, setup),    cmocka_unit_test_setup(test_under_way, setup),
        cmocka_unit_test_setup(test_remapped, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
