/* links: machine/mp_table.c tests/fakes/panic.c */
/*
 * The MP tables, read as a kernel reads them; and that they say what the MADT says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "lib/limits.h"
#include "machine/mp_table.h"
#include "tests/fakes/panic.h"

#define WHERE 0xFF800u

static uint8_t buf[MP_TABLE_MAX + 1];
static size_t size;

static void build(unsigned vcpus)
{
    struct mp_table_config config = { .where = WHERE, .vcpus = vcpus, .identity = 0x50654 };

    memset(buf, 0xAA, sizeof(buf));
    size = mp_table_build(&config, buf);
    assert_in_range(size, 1, MP_TABLE_MAX);
    assert_int_equal(buf[MP_TABLE_MAX], 0xAA);
}

static uint32_t get(unsigned offset, unsigned bytes)
{
    uint32_t value = 0;

    memcpy(&value, buf + offset, bytes);
    return value;
}

static uint8_t sum(unsigned offset, unsigned bytes)
{
    uint8_t sum = 0;

    while (bytes--)
        sum += buf[offset++];
    return sum;
}

/* The offset of the n-th entry of a type, or 0. */
static unsigned find(uint8_t type, unsigned n)
{
    unsigned at = 16 + 44;

    for (unsigned i = get(16 + 34, 2); i; i--) {
        if (buf[at] == type && !n--)
            return at;
        at += buf[at] ? 8 : 20;
    }
    assert_int_equal(at, size);
    return 0;
}

static void test_pointer_and_header(void **state)
{
    (void)state;
    for (unsigned vcpus = 1; vcpus <= MAX_VCPUS; vcpus++) {
        build(vcpus);
        assert_memory_equal(buf, "_MP_", 4);
        assert_int_equal(get(4, 4), WHERE + 16);
        assert_int_equal(get(8, 2), 0x0401); /* one paragraph, version 1.4 */
        assert_int_equal(sum(0, 16), 0);
        assert_int_equal(get(11, 4), 0); /* a table is there, and virtual wire mode */
        assert_memory_equal(buf + 16, "PCMP", 4);
        assert_int_equal(get(16 + 4, 2) + 16, size);
        assert_int_equal(sum(16, (unsigned)size - 16), 0);
        assert_int_equal(get(16 + 36, 4), 0xFEE00000);
        assert_int_equal(get(16 + 34, 2), vcpus + 19);
    }
}

static void test_processors(void **state)
{
    (void)state;
    build(MAX_VCPUS);
    for (unsigned i = 0; i < MAX_VCPUS; i++) {
        unsigned at = find(0, i);
        assert_int_equal(buf[at + 1], i);
        assert_int_equal(buf[at + 3], i ? 1 : 3); /* enabled; the first one boots */
        assert_int_equal(get(at + 4, 4), 0x50654);
    }
    assert_int_equal(find(0, MAX_VCPUS), 0);
}

/* Source IRQ and pin of each line, and what is special. */
static void test_routes(void **state)
{
    (void)state;
    build(2);
    assert_memory_equal(buf + find(1, 0) + 2, "ISA   ", 6);
    assert_int_equal(get(find(2, 0) + 4, 4), 0xFEC00000);
    assert_int_equal(buf[find(2, 0) + 1], 0);
    for (unsigned i = 0; i < 15; i++) {
        unsigned at = find(3, i), irq = i < 2 ? i : i + 1; /* but the cascade */
        assert_int_equal(buf[at + 5], irq);
        assert_int_equal(buf[at + 7], irq ? irq : 2);
        assert_int_equal(get(at + 2, 2), irq == 9 ? 0x0D : 0);
    }
    assert_int_equal(find(3, 15), 0);
    assert_int_equal(buf[find(4, 0) + 1], 3); /* ExtINT at LINT0, */
    assert_int_equal(get(find(4, 0) + 6, 2), 0);
    assert_int_equal(buf[find(4, 1) + 1], 1); /* NMI at all LINT1 */
    assert_int_equal(get(find(4, 1) + 6, 2), 0x1FF);
}

static void test_vcpus(void **state)
{
    (void)state;
    struct mp_table_config config = { .where = WHERE, .vcpus = MAX_VCPUS + 1 };
    EXPECT_PANIC((void)!mp_table_build(&config, buf));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pointer_and_header),
        cmocka_unit_test(test_processors),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_vcpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
