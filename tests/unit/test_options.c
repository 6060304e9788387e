/* links: boot/options.c arch/x86/spec_wish.c lib/word.c lib/fmt.c tests/fakes/log.c */
/*
 * boot/options.c: Caisson's command line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "boot/options.h"
#include "lib/limits.h"
#include "tests/fakes/log.h"

static struct options o;

static void parse(const char *cmdline)
{
    fake_log_reset();
    options_parse(cmdline, &o);
}

static void test_defaults(void **state)
{
    (void)state;
    parse("");
    assert_true(o.com1 && o.vga && !o.com2 && o.monitor);
    assert_int_equal(o.baud, 115200);
    assert_int_equal(o.level, LOG_INFO);
    assert_int_equal(o.exit, EXIT_MONITOR);
    parse("monitor=off");
    assert_int_equal(o.exit, EXIT_HALT);
    parse("exit=monitor monitor=off"); /* there is none */
    assert_int_equal(o.exit, EXIT_HALT);
    parse("exit=halt");
    assert_int_equal(o.exit, EXIT_HALT);
    parse("exit=reboot monitor=off");
    assert_int_equal(o.exit, EXIT_REBOOT);
    parse("");
    assert_int_equal(o.fail_alloc, 0);
    assert_int_equal(o.max_cpus, MAX_PCPUS);
    parse("/boot/caisson.elf exit=reboot");
    assert_int_equal(o.exit, EXIT_REBOOT);
    assert_string_equal(fake_log_text, "");
}

static void test_words(void **state)
{
    (void)state;
    parse("console=com2,9600 loglevel=debug exit=shutdown monitor=off fail-alloc=12 maxcpus=1");
    assert_true(!o.com1 && !o.vga && o.com2 && !o.monitor);
    assert_int_equal(o.baud, 9600);
    assert_int_equal(o.level, LOG_DEBUG);
    assert_int_equal(o.exit, EXIT_SHUTDOWN);
    assert_int_equal(o.fail_alloc, 12);
    assert_int_equal(o.max_cpus, 1);
    assert_int_equal(o.boot_cpu, BOOT_CPU_AUTO);
    parse("boot-cpu=own");
    assert_int_equal(o.boot_cpu, BOOT_CPU_OWN);
    parse("boot-cpu=guests");
    assert_int_equal(o.boot_cpu, BOOT_CPU_GUESTS);
    parse("console=com1 console=vga loglevel=error");
    assert_true(o.com1 && o.vga && !o.com2);
    assert_int_equal(o.level, LOG_ERROR);
    parse("console=none");
    assert_true(!o.com1 && !o.vga && !o.com2);
    assert_string_equal(fake_log_text, "");
}

/* Each bad word is named, changes nothing, and the ones behind it still count. */
static void test_bad_words(void **state)
{
    static const char *const bad[] = {
        "console=com3",   "console=com2,9601", "console=com2,0",
        "console=com2,,", "console=",          "loglevel=loud",
        "exit=never",     "monitor=on",        "maxcpus=0",
        "maxcpus=65",     "fail-alloc=x",      "fail-alloc=-1",
        "quiet",          "colour=red",        "fail-alloc=18446744073709551616"
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char line[128];
        strcpy(line, bad[i]);
        strcat(line, " exit=reboot");
        parse(line);
        assert_true(fake_log_has(bad[i]));
        assert_int_equal(fake_log_lines[LOG_WARN], 1);
        assert_true(fake_log_has(
            strchr(bad[i], '=') && strcmp(bad[i], "colour=red") ? "\": want " : "\"; there are "));
        assert_true(o.com1 && o.vga && !o.com2 && o.monitor);
        assert_int_equal(o.baud, 115200);
        assert_int_equal(o.fail_alloc, 0);
        assert_int_equal(o.exit, EXIT_REBOOT);
    }
}

static void test_conswitch(void **state)
{
    static const char *const bad[] = { "conswitch=", "conswitch=A", "conswitch=ab", "conswitch=axx",
                                       "conswitch=`" };

    (void)state;
    parse("");
    assert_true(o.switch_key == 1 && !o.monitor_first);
    parse("conswitch=b");
    assert_true(o.switch_key == 2 && !o.monitor_first);
    parse("conswitch=zx");
    assert_true(o.switch_key == 26 && o.monitor_first);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        parse(bad[i]);
        assert_true(o.switch_key == 1 && !o.monitor_first);
        assert_true(fake_log_has(bad[i]));
    }
}

static void test_selftest(void **state)
{
    (void)state;
    parse("console=com1");
    assert_false(o.selftest);
    parse("/boot/caisson.elf selftest console=com1");
    assert_true(o.selftest && o.com1 && !o.vga);
    assert_int_equal(fake_log_lines[LOG_WARN], 0);
    parse("selftest=1");
    assert_false(o.selftest);
}

static void test_speculation(void **state)
{
    static const char *const bad[] = {
        "spec=on", "spec=ibrs,",        "spec=no-auto", "smt=",
        "smt=1",   "sched-gran=socket", "bounds=",      "bounds=off"
    };

    (void)state;
    fake_log_reset();
    parse("spec=on");
    for (unsigned w = 0; w < SPEC_WORDS; w++) /* the refusal has them all */
        assert_true(fake_log_has(spec_names[w]));
    parse("");
    assert_true(o.spec.automatic && !o.spec.with && !o.spec.without && o.smt);
    parse("spec=off smt=off");
    assert_false(o.spec.automatic || o.spec.with || o.smt);
    parse("spec=auto,ssbd,no-l1d smt=on");
    assert_true(o.spec.automatic && o.smt && !o.by_core);
    parse("sched-gran=core");
    assert_true(o.by_core && !o.strict);
    parse("bounds=strict");
    assert_true(o.strict);
    parse("sched-gran=core sched-gran=cpu spec=auto,ssbd,no-l1d");
    assert_false(o.by_core);
    assert_int_equal(o.spec.with, 1u << SPEC_SSBD);
    assert_int_equal(o.spec.without, 1u << SPEC_L1D);
    assert_int_equal(fake_log_lines[LOG_WARN], 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        parse(bad[i]);
        assert_true(o.spec.automatic && !o.spec.with && o.smt);
        assert_true(fake_log_has(bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),  cmocka_unit_test(test_words),
        cmocka_unit_test(test_bad_words), cmocka_unit_test(test_conswitch),
        cmocka_unit_test(test_selftest),  cmocka_unit_test(test_speculation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
