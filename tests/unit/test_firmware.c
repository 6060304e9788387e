/* links: create/firmware.c lib/fmt.c lib/string.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * create/firmware.c: whether a kernel is a PC's firmware is found out once, and not again at
 * each of the many places that ask, some of which hold a lock. The loaders are stand-ins that
 * count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "create/firmware.h"
#include "machine/firmware_items.h"

static unsigned looks;
static bool looks_like_one;
static enum image_kind kind;

bool image_is_firmware(const void *data, size_t size)
{
    (void)data;
    (void)size;
    looks++;
    return looks_like_one;
}

enum image_kind image_kind_of(const void *data, size_t size, bool pvh)
{
    (void)data;
    (void)size;
    (void)pvh;
    looks++;
    return kind;
}

void firmware_items_build(struct firmware_items *out, const struct firmware_board *board)
{
    (void)out;
    (void)board;
}

unsigned devices_address_bits(void)
{
    return 40;
}

int image_plan(const struct image *image, uint64_t ram, uint8_t *setup, struct image_plan *out)
{
    (void)image;
    (void)ram;
    (void)setup;
    (void)out;
    return -ENOEXEC;
}

static bool decide(bool looks_so, enum image_kind k)
{
    static const struct module kernel = { .data = "", .size = 1 };
    struct domain_config c = { .kernel = &kernel };

    looks_like_one = looks_so;
    kind = k;
    firmware_decide(&c);
    looks = 0;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(firmware_is(&c), firmware_is(&c));
    assert_int_equal(!!firmware_pages(&c), firmware_is(&c));
    assert_int_equal(looks, 0);
    return firmware_is(&c);
}

static void test_decided_once(void **state)
{
    (void)state;
    assert_false(decide(false, IMAGE_FIRMWARE));
    assert_false(decide(true, IMAGE_ELF)); /* which may look like one, and is none */
    assert_true(decide(true, IMAGE_FIRMWARE));
}

/* Beside a kernel; how much there is, and what is too much. */
static void test_beside(void **state)
{
    static const struct module kernel = { .data = "", .size = 0x2000 };
    struct domain_config c = { .kernel = &kernel, .rom_count = 1, .roms = { { "", 0x3001, "" } } };

    (void)state;
    looks_like_one = false;
    firmware_decide(&c);
    assert_true(firmware_is(&c));
    assert_int_equal(firmware_rom_size(&c), 0x4000);
    assert_int_equal(firmware_pages(&c), 8 + 16); /* with the setup code's copy */
    c.roms[0].size = (17 << 20) + 1;
    assert_int_equal(firmware_rom_size(&c), 16 << 20);
    looks_like_one = true;
    kind = IMAGE_FIRMWARE;
    c.roms[0].size = 0x3000;
    firmware_decide(&c);
    assert_int_equal(firmware_rom_size(&c), 0x5000);
    assert_int_equal(firmware_pages(&c), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decided_once),
        cmocka_unit_test(test_beside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
