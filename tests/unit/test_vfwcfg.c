/* links: devices/vfwcfg.c */
/*
 * fw_cfg: selecting items, and reading them by bytes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "devices/vfwcfg.h"

static const struct vfwcfg_item items[] = { { 0x00, "QEMU", 4 }, { 0x20, "ab", 2 }, { 5, "", 0 } };
static struct vfwcfg fw;

static int setup(void **state)
{
    (void)state;
    vfwcfg_init(&fw, items, 3);
    return 0;
}

static uint32_t in(uint32_t offset, unsigned size)
{
    return fw.dev.ops->read(&fw.dev, offset, size, 0);
}

static void choose(uint16_t key)
{
    fw.dev.ops->write(&fw.dev, 0, 2, key | 0xa5a50000, 0);
}

static void reads(const char *what)
{
    for (; *what; what++)
        assert_int_equal(in(1, 1), (uint8_t)*what);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(in(1, 1), 0); /* behind the end */
}

static void test_items(void **state)
{
    (void)state;
    reads("QEMU"); /* the first is selected at the start */
    choose(0x20);
    reads("ab");
    choose(0x20); /* from its beginning again */
    reads("ab");
    choose(5);
    reads("");
    choose(0x21);
    reads("");
}

static void test_writes_reach_nothing(void **state)
{
    (void)state;
    choose(0x4020); /* to be written: read all the same */
    fw.dev.ops->write(&fw.dev, 1, 1, 'x', 0);
    reads("ab");
}

static void test_other_sizes(void **state)
{
    (void)state;
    choose(0x20);
    fw.dev.ops->write(&fw.dev, 0, 1, 0, 0);
    fw.dev.ops->write(&fw.dev, 0, 4, 0, 0);
    assert_int_equal(in(1, 2), UINT32_MAX);
    assert_int_equal(in(0, 2), UINT32_MAX);
    reads("ab");
}

static void test_reset(void **state)
{
    (void)state;
    choose(0x20);
    in(1, 1);
    fw.dev.ops->reset(&fw.dev, 0);
    reads("QEMU");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_items, setup),
        cmocka_unit_test_setup(test_writes_reach_nothing, setup),
        cmocka_unit_test_setup(test_other_sizes, setup),
        cmocka_unit_test_setup(test_reset, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
