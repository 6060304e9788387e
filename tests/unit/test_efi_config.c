/* links: boot/efi/config.c lib/fmt.c lib/string.c */
/*
 * boot/efi/config.c: caisson.cfg as people write it, on any system, right and wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "boot/efi/config.h"

static struct config c;
static struct config_line line;

static int first(const char *text)
{
    config_open(&c, text, strlen(text));
    return config_next(&c, &line);
}

static void check_module(const char *file, const char *words)
{
    assert_true(line.is_module);
    assert_string_equal(line.file, file);
    assert_string_equal(line.words, words);
}

static void test_entry(void **state)
{
    (void)state;
    assert_int_equal(first("# two domains\n"
                           "\n"
                           "multiboot2 /boot/caisson.elf  console=com1\tloglevel=info\n"
                           "   module2 /boot/vmlinuz kernel name=a -- console=ttyS0  # the first\n"
                           "\t\n"
                           "module2 initrd.img ramdisk name=a"),
                     1);
    assert_false(line.is_module);
    assert_string_equal(line.words, "/boot/caisson.elf console=com1 loglevel=info");
    assert_int_equal(c.line, 3);
    assert_int_equal(config_next(&c, &line), 1);
    check_module("/boot/vmlinuz", "kernel name=a -- console=ttyS0");
    assert_int_equal(c.line, 4);
    assert_int_equal(config_next(&c, &line), 1);
    check_module("initrd.img", "ramdisk name=a");
    assert_int_equal(c.line, 6);
    assert_int_equal(config_next(&c, &line), 0);
    assert_int_equal(config_next(&c, &line), 0);
}

static void test_empty(void **state)
{
    (void)state;
    assert_int_equal(first(""), 0);
    assert_int_equal(first("\n\n  # nothing\n \t"), 0);
    config_open(&c, NULL, 0);
    assert_int_equal(config_next(&c, &line), 0);
}

static void test_quotes(void **state)
{
    (void)state;
    assert_int_equal(
        first("module2 '/my kernels/a' kernel name=a -- init='a \"b\"' \"it's\" x'#'y"), 1);
    check_module("/my kernels/a", "kernel name=a -- init=a \"b\" it's x#y");
    assert_int_equal(first("module2 \\boot\\k.elf a#b \"\" c"), 1);
    check_module("\\boot\\k.elf", "a#b  c");
    /* The same lines and results as with GRUB, see test_multiboot2.c. */
    assert_int_equal(first("module2 k dyndbg=\"file a +p\" 'dyndbg=\"file a\"' \"it's a\" 'b c'"),
                     1);
    check_module("k", "\"dyndbg=file a +p\" dyndbg=\"file a\" \"it's a\" \"b c\"");
    assert_int_equal(first("module2 k 'a\"'\"'\"'b\\' '' $c \\n"), 1);
    check_module("k", "a\"'b\\  $c \\n");
}

/* What editors on Windows do to a file. */
static void test_windows(void **state)
{
    (void)state;
    assert_int_equal(first("\xEF\xBB\xBFmultiboot2 console=vga\r\nmodule2 a kernel\r\n\r\n"), 1);
    assert_string_equal(line.words, "console=vga");
    assert_int_equal(config_next(&c, &line), 1);
    check_module("a", "kernel");
    assert_int_equal(config_next(&c, &line), 0);
    config_open(&c, "\xFF\xFEm\0u\0l\0\n\0", 10);
    assert_int_equal(config_next(&c, &line), -EINVAL);
    assert_non_null(strstr(c.error, "UTF-16"));
}

static void check_error(const char *text, unsigned at, const char *words)
{
    int err;

    config_open(&c, text, strlen(text));
    while ((err = config_next(&c, &line)) > 0)
        ;
    assert_int_equal(err, -EINVAL);
    assert_int_equal(c.line, at);
    assert_non_null(strstr(c.error, words));
}

static void test_errors(void **state)
{
    static char lengthy[2 * MAX_CMDLINE];

    (void)state;
    check_error("multiboot2\nmodul2 a kernel\n", 2, "\"modul2\" is neither");
    check_error("menuentry 'x' {", 1, "\"menuentry\" is neither");
    check_error("module2", 1, "wants the name");
    check_error("module2 # a", 1, "wants the name");
    check_error("\n\nmodule2 a 'kernel name=a\nmultiboot2", 3, "not closed: 'kernel");
    memset(lengthy, 'x', sizeof(lengthy) - 1);
    check_error(lengthy, 1, "first word is too long");
    memcpy(lengthy, "module2 ", 8);
    check_error(lengthy, 1, "file's name is too long");
    lengthy[9] = ' ';
    check_error(lengthy, 1, "line is too long");
}

/* The longest line that fits, and one byte more; of one word or of many. */
static void test_longest(void **state)
{
    static char text[MAX_CMDLINE + 16] = "multiboot2 ";
    char *words = text + strlen(text);

    (void)state;
    memset(words, 'x', MAX_CMDLINE - 1);
    assert_int_equal(first(text), 1);
    assert_int_equal(strlen(line.words), MAX_CMDLINE - 1);
    for (unsigned i = 1; i < MAX_CMDLINE - 1; i += 2)
        words[i] = ' ';
    assert_int_equal(first(text), 1);
    assert_int_equal(strlen(line.words), MAX_CMDLINE - 1);
    strcat(words, "x");
    assert_int_equal(first(text), -EINVAL);
    memset(words, 'x', MAX_CMDLINE);
    assert_int_equal(first(text), -EINVAL);
}

/* An error is that of one line: who likes may read on behind it. */
static void test_on_after_an_error(void **state)
{
    (void)state;
    assert_int_equal(first("what\nmodule2 a b"), -EINVAL);
    assert_int_equal(config_next(&c, &line), 1);
    check_module("a", "b");
}

/* Any bytes, in a buffer of exactly that size: the sanitizer watches, and the end is reached. */
static void test_random_bytes(void **state)
{
    static const char *const pieces[] = { "module2 ", "multiboot2 ", "'",    "\"",   "#",  "\n",
                                          " ",        "\t\r",        "/a/b", "\xFF", "x=y" };
    (void)state;
    srand(5);
    for (unsigned round = 0; round < 20000; round++) {
        char text[256] = "";
        for (unsigned i = (unsigned)rand() % 20; i; i--)
            strcat(text, pieces[(unsigned)rand() % (sizeof(pieces) / sizeof(pieces[0]))]);
        size_t n = strlen(text);
        char *own = malloc(n ? n : 1);
        memcpy(own, text, n);
        config_open(&c, own, n);
        unsigned lines = 0;
        while (config_next(&c, &line) != 0)
            assert_true(++lines < 100);
        free(own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entry),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_on_after_an_error),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
