/* links: lib/bitmap.c */
/*
 * lib/bitmap.c against a plain loop, and lib/list.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "lib/bitmap.h"
#include "lib/list.h"

static void check(const uint64_t *map, const bool *model, uint64_t bits)
{
    for (uint64_t from = 0; from <= bits; from++) {
        uint64_t set = from, clear = from;

        while (set < bits && !model[set])
            set++;
        while (clear < bits && model[clear])
            clear++;
        assert_int_equal(bitmap_next_set(map, bits, from), set);
        assert_int_equal(bitmap_next_clear(map, bits, from), clear);
        if (from < bits)
            assert_int_equal(bitmap_test(map, from), model[from]);
    }
}

static void test_model(void **state)
{
    static const uint64_t sizes[] = { 0, 1, 63, 64, 65, 127, 128, 200 };

    (void)state;
    srand(5);
    for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        uint64_t bits = sizes[s];
        /* Exactly as large as need be, so that the sanitizer sees a step too far. */
        uint64_t *map = calloc(BITMAP_WORDS(bits), sizeof(*map));
        bool model[256] = { 0 };

        check(map, model, bits);
        for (unsigned round = 0; bits && round < 300; round++) {
            uint64_t n = (uint64_t)rand() % bits;

            model[n] = rand() % 2;
            if (model[n])
                bitmap_set(map, n);
            else
                bitmap_clear(map, n);
            if (round % 10 == 0)
                check(map, model, bits);
        }
        for (uint64_t n = 0; n < bits; n++) {
            model[n] = true;
            bitmap_set(map, n);
        }
        check(map, model, bits);
        free(map);
    }
}

/* Bits of the last word beyond the end count for nothing. */
static void test_beyond(void **state)
{
    uint64_t map[2] = { 0, ~0UL << 3 };

    (void)state;
    assert_int_equal(bitmap_next_set(map, 67, 0), 67);
    assert_int_equal(bitmap_next_set(map, 68, 0), 67);
}

struct item {
    int value;
    struct list_node link;
};

static void assert_order(const struct list_node *head, const char *expected)
{
    struct list_node *pos;

    list_for_each (pos, head) {
        assert_int_equal(LIST_ENTRY(pos, struct item, link)->value, *expected);
        assert_ptr_equal(pos->next->prev, pos);
        expected++;
    }
    assert_int_equal(*expected, '\0');
}

static void test_list(void **state)
{
    static struct list_node head = LIST_INIT(head);
    struct item a = { .value = 'a' }, b = { .value = 'b' }, c = { .value = 'c' };
    struct list_node *pos, *next;

    (void)state;
    assert_true(list_empty(&head));
    assert_order(&head, "");
    list_add_tail(&head, &a.link);
    assert_false(list_empty(&head));
    list_add_tail(&head, &c.link);
    list_add_tail(&a.link, &b.link);
    assert_order(&head, "bac");
    list_remove(&a.link);
    assert_order(&head, "bc");
    list_remove(&a.link); /* harmless */
    list_add_tail(&c.link, &a.link);
    assert_order(&head, "bac");
    list_for_each_safe (pos, next, &head) {
        list_remove(pos);
    }
    assert_true(list_empty(&head));
    list_init(&head);
    assert_true(list_empty(&head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_beyond),
        cmocka_unit_test(test_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
