/* links: config/domain_config.c config/share.c config/collect.c lib/word.c lib/fmt.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * config/domain_config*.c: the words of module lines, and the domains that come of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "config/domain_config.h"
#include "lib/log.h"
#include "tests/fakes/log.h"

static enum config_kind kind;
static struct domain_config d;
static struct domain_config configs[MAX_MODULES];

static int reset(void **state)
{
    (void)state;
    fake_log_reset();
    return 0;
}

static int parse(const char *line)
{
    return config_parse(7, line, &kind, &d);
}

/* The line must be refused with one log line that says so. */
static void refused(const char *line, const char *message)
{
    fake_log_reset();
    assert_int_equal(parse(line), -EINVAL);
    if (!fake_log_has(message))
        fail_msg("\"%s\" said: %s", line, fake_log_text);
    assert_true(fake_log_has("module 7"));
    assert_int_equal(fake_log_lines[LOG_ERROR], 1);
}

static void test_defaults(void **state)
{
    (void)state;
    assert_int_equal(parse("kernel"), 0);
    assert_int_equal(kind, CONFIG_KERNEL);
    assert_string_equal(d.name, "");
    assert_int_equal(d.mem, 128 << 20);
    assert_int_equal(d.vcpus, 1);
    assert_int_equal(d.share.weight, 256);
    assert_int_equal(d.share.cap, 0);
    assert_int_equal(d.share.cpus, UINT64_MAX);
    assert_int_equal(d.type, DOMAIN_HVM);
    assert_string_equal(d.cmdline, "");
}

static void test_whole_line(void **state)
{
    (void)state;
    assert_int_equal(parse("/boot/vmlinuz  kernel\tname=al-pha.1 mem=3G vcpus=1 weight=256 cap=0 "
                           "cpus=all type=hvm populate=now --  console=ttyS0 -- mem=1"),
                     0);
    assert_string_equal(d.name, "al-pha.1");
    assert_int_equal(d.mem, 3UL << 30);
    assert_string_equal(d.cmdline, "console=ttyS0 -- mem=1");
    assert_int_equal(parse("(hd0,1)/x ramdisk name=b"), 0);
    assert_int_equal(kind, CONFIG_RAMDISK);
    assert_int_equal(parse("module --"), 0);
    assert_int_equal(kind, CONFIG_MODULE);
    assert_string_equal(d.cmdline, "");
    assert_string_equal(fake_log_text, "");
}

static void test_rights(void **state)
{
    (void)state;
    assert_int_equal(parse("kernel type=pvh"), 0);
    assert_false(d.control);
    assert_int_equal(parse("kernel rights=control type=pvh"), 0);
    assert_true(d.control);
}

static void test_hpet(void **state)
{
    (void)state;
    assert_int_equal(parse("kernel"), 0);
    assert_false(d.no_hpet);
    assert_int_equal(parse("kernel hpet=off"), 0);
    assert_true(d.no_hpet);
    assert_int_equal(parse("kernel hpet=on"), 0);
    assert_false(d.no_hpet);
}

static void test_pci(void **state)
{
    (void)state;
    assert_int_equal(parse("kernel pci=00:04.0"), 0);
    assert_int_equal(d.pci_count, 1);
    assert_int_equal(d.pci[0].bdf, 0x20);
    assert_int_equal(parse("kernel pci=00:1F.7,0102:ff:00.2"), 0);
    assert_int_equal(d.pci_count, 2);
    assert_int_equal(d.pci[0].bdf, 0xFF);
    assert_int_equal(d.pci[1].segment, 0x102);
    assert_int_equal(d.pci[1].bdf, 0xFF02);
    assert_int_equal(parse("kernel pci=class:0108,00:1f.2,class:02fF"), 0);
    assert_int_equal(d.pci_count, 1);
    assert_int_equal(d.pci_class_count, 2);
    assert_true(d.pci_class[0] == 0x0108 && d.pci_class[1] == 0x02FF);
    assert_int_equal(parse("kernel pci=class:0108"), 0);
    assert_int_equal(parse("kernel pci=00:04.0,all"), 0);
    assert_int_equal(d.pci_count, 1);
    assert_int_equal(d.pci_class_count, 1);
    assert_int_equal(d.pci_class[0], CONFIG_ANY_CLASS);
    static const char *const wrong[] = {
        "",
        "all,all",
        "0:4.0",
        "00:04",
        "00:04.",
        "00:04.8",
        "00:20.0",
        "00:04.0,",
        ",00:04.0",
        "00-04.0",
        "00:04.00",
        "000:00:04.0",
        "00:04.0,00:04.0",
        "class:",
        "class:106",
        "class:01060",
        "class:0106,class:0106",
        "class:01,06",
        "class:0101,class:0102,class:0103,class:0104,class:0105",
    };
    char line[512];
    size_t n = (size_t)snprintf(line, sizeof(line), "kernel pci=00:00.0");
    for (unsigned i = 1; i < CONFIG_MOST_PCI; i++)
        n += (size_t)snprintf(line + n, sizeof(line) - n, ",00:%02x.0", i);
    assert_int_equal(parse(line), 0);
    assert_int_equal(d.pci_count, CONFIG_MOST_PCI);
    snprintf(line + n, sizeof(line) - n, ",00:1f.0");
    refused(line, "want up to 28 PCI devices, as 00:04.0,02:00.0, class:0106 or all");
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        snprintf(line, sizeof(line), "kernel pci=%s", wrong[i]);
        refused(line, "want up to 28 PCI devices, as 00:04.0,02:00.0, class:0106 or all");
    }
}

static void test_refusals(void **state)
{
    (void)state;
    refused("", "no words");
    refused("  /boot/vmlinuz ", "no words");
    refused("kernal name=a", "\"kernal\": want kernel");
    refused("kernel quiet", "\"quiet\": want key=value");
    refused("kernel colour=red", "module 7: \"colour=red\": unknown key; there are name mem vcpus "
                                 "weight cap cpus type populate on_crash rights hpet "
                                 "pci\n");
    refused("kernel =5", "unknown key");
    static const char *const wrong[][2] = {
        { "name=", "1 to 31" },
        { "name=01234567890123456789012345678901", "1 to 31" },
        { "name=a/b", "letters" },
        { "name=domain#5", "letters" }, /* as bare domains are called */
        { "name=\x7f", "letters" },
        { "name=caisson", "not caisson" },
        { "name=CaiSSon", "not caisson" },
        { "mem=256", "2M to 1T in pages of 4K" },
        { "mem=M", "2M to" },
        { "mem=-1M", "2M to" },
        { "mem=99999999999999999999M", "2M to" },
        { "mem=18446744073709551615T", "2M to" },
        { "mem=1M", "2M to" },
        { "mem=2T", "2M to" },
        { "mem=2049K", "pages" },
        { "vcpus=65", "1 to 64" },
        { "vcpus=0", "1 to 64" },
        { "vcpus=two", "1 to 64" },
        { "weight=65536", "1 to 65535" },
        { "weight=0", "1 to 65535" },
        { "cap=6401", "0 (none) to 6400 percent" },
        { "cap=x", "percent" },
        { "cpus=5-2", "a list" },
        { "cpus=64", "a list" },
        { "cpus=1,", "a list" },
        { "type=vax", "hvm or pvh" },
        { "populate=x", "lazy or now" },
        { "on_crash=preserve", "destroy or restart" },
        { "type=pvh rights=all", "control, for" },
        { "hpet=", "on or off" },
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char line[64];

        snprintf(line, sizeof(line), "kernel %s", wrong[i][0]);
        refused(line, wrong[i][1]);
        assert_true(fake_log_has("\": want ") && fake_log_has(wrong[i][1]));
    }
    assert_int_equal(parse("kernel name=caisson2 cap=0"), 0);
    assert_int_equal(parse("kernel name=caissom cap=6400"), 0);
    refused("kernel mem=64M mem=64M", "given twice");
    refused("ramdisk mem=64M", "for kernel lines");
    refused("kernel rights=control", "want type=pvh with it");
    refused("kernel rights=control type=hvm", "want type=pvh with it");
}

/* A line of the monitor's is no module. */
static void test_faults_of_create(void **state)
{
    (void)state;
    fake_log_reset();
    assert_int_equal(config_parse(0, "kernel name=x vcpu=2", &kind, &d), -EINVAL);
    assert_true(fake_log_has("create: \"vcpu=2\": unknown key; there are kernel ramdisk firmware "
                             "name mem vcpus "));
}

static char printed[1024];

static __attribute__((format(printf, 1, 2))) void print(const char *fmt, ...)
{
    size_t n = strlen(printed);
    va_list args;

    va_start(args, fmt);
    vsnprintf(printed + n, sizeof(printed) - n, fmt, args);
    va_end(args);
}

static void test_keys_are_explained(void **state)
{
    (void)state;
    config_print_keys(print);
    assert_non_null(strstr(printed, "  mem=      2M to 1T"));
    assert_non_null(strstr(printed, "  populate= lazy or now\n"));
}

static void test_all_faults_are_told(void **state)
{
    (void)state;
    assert_int_equal(parse("kernel mem=x name=ok vcpus=y"), -EINVAL);
    assert_int_equal(fake_log_lines[LOG_ERROR], 2);
    assert_string_equal(d.name, "ok");
}

static void test_cpus_mask(void **state)
{
    (void)state;
    assert_int_equal(parse("kernel cpus=0-2,5,63 weight=512 cap=50"), 0);
    assert_int_equal(d.share.cpus, 0x8000000000000027UL);
    assert_int_equal(d.share.weight, 512);
    assert_int_equal(d.share.cap, 50);
    assert_int_equal(parse("kernel cpus=0-63"), 0);
    assert_int_equal(d.share.cpus, UINT64_MAX);
}

/* As the monitor's `sched` reads them: a value that is there already is changed. */
static void test_share(void **state)
{
    static const struct word weight = { "weight", 6 }, cap = { "cap", 3 }, cpus = { "cpus", 4 },
                             mem = { "mem", 3 };
    struct share s = { .weight = 1, .cap = 50, .cpus = 1 };

    (void)state;
    assert_true(share_read(&s, weight, (struct word){ "65535", 5 }));
    assert_true(share_read(&s, cap, (struct word){ "0", 1 }));
    assert_true(share_read(&s, cpus, (struct word){ "all", 3 }));
    assert_int_equal(s.weight, 65535);
    assert_int_equal(s.cap, 0);
    assert_int_equal(s.cpus, UINT64_MAX);
    assert_false(share_read(&s, mem, (struct word){ "64", 2 }));
    assert_false(share_read(&s, cpus, (struct word){ "", 0 }));
    assert_int_equal(s.cpus, UINT64_MAX);
}

static unsigned empty; /* the module whose file is; 0: none */

static unsigned collect(const char *const *lines)
{
    static struct module mods[MAX_MODULES];
    unsigned n = 0;
    fake_log_reset();
    for (; lines[n]; n++)
        mods[n].size = n + 1 == empty ? 0 : n + 1, strcpy(mods[n].line, lines[n]);
    return config_collect(mods, n, configs);
}

#define COLLECT(...) collect((const char *const[]){ __VA_ARGS__, NULL })

static void test_pairs(void **state)
{
    (void)state;
    assert_int_equal(COLLECT("ramdisk name=beta", "kernel name=alpha mem=64M -- a b", "ramdisk",
                             "kernel name=beta", "kernel", "module -- one", "module -- two"),
                     3);
    assert_string_equal(fake_log_text, "");
    assert_string_equal(configs[0].name, "alpha");
    assert_int_equal(configs[0].mem, 64 << 20);
    assert_string_equal(configs[0].cmdline, "a b");
    assert_int_equal(configs[0].kernel->size, 2);
    assert_int_equal(configs[0].module_count, 1);
    assert_int_equal(configs[0].modules[0].size, 3);
    assert_int_equal(configs[1].modules[0].size, 1);
    assert_string_equal(configs[2].name, "dom3");
    assert_int_equal(configs[2].module_count, 2);
    assert_string_equal(configs[2].modules[0].cmdline, "one");
    assert_string_equal(configs[2].modules[1].cmdline, "two");
}

static void test_roms(void **state)
{
    (void)state;
    assert_int_equal(COLLECT("kernel name=a", "ramdisk", "firmware", "firmware name=b",
                             "kernel name=b", "firmware name=b"),
                     2);
    assert_int_equal(configs[0].rom_count, 1);
    assert_int_equal(configs[0].roms[0].size, 3);
    assert_int_equal(configs[0].module_count, 1);
    assert_int_equal(configs[1].rom_count, 2);
    assert_int_equal(configs[1].roms[0].size, 4);
    assert_int_equal(configs[1].roms[1].size, 6);
    assert_int_equal(COLLECT("kernel name=a", "firmware", "firmware", "firmware"), 0);
    assert_true(fake_log_has("module 4: firmware: domain a has 2 files of it already"));
    empty = 2;
    assert_int_equal(COLLECT("kernel name=a", "firmware", "kernel name=b"), 1);
    assert_true(fake_log_has("module 2: firmware: the file is empty"));
    assert_string_equal(configs[0].name, "b");
    empty = 0;
    assert_int_equal(COLLECT("kernel name=a", "firmware mem=4M"), 0);
    assert_true(fake_log_has("this key is for kernel lines"));
}

/* Each case: beta is sound and comes out alone. */
static void test_others_still_start(void **state)
{
    static const char *const wrong[][2] = {
        { "kernel name=alpha vcpus=99", "domain alpha is not started" },
        { "ramdisk name=gamma", "no kernel of that name" },
        { "ramdisk", "no kernel before it" },
        { "junk", "want kernel" },
        { "kernel colour=red", "unknown key" },
        { "kernel vcpus=99", "module 1: its domain is not started" },
        { "kernel name=a/b", "module 1: its domain is not started" },
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(COLLECT(wrong[i][0], "kernel name=beta"), 1);
        assert_string_equal(configs[0].name, "beta");
        if (!fake_log_has(wrong[i][1]))
            fail_msg("\"%s\" said: %s", wrong[i][0], fake_log_text);
    }
}

static void test_double_names(void **state)
{
    (void)state;
    assert_int_equal(COLLECT("kernel name=a mem=4M", "kernel name=a mem=8M"), 1);
    assert_int_equal(configs[0].mem, 4 << 20);
    assert_true(fake_log_has("module 2: name=a: module 1 has that name already"));
    assert_int_equal(COLLECT("kernel name=dom2", "kernel"), 1);
}

/* What belongs to a domain and is broken keeps it from starting. */
static void test_broken_parts(void **state)
{
    (void)state;
    assert_int_equal(COLLECT("kernel name=a", "ramdisk name=a colour=red", "kernel name=b"), 1);
    assert_string_equal(configs[0].name, "b");
    assert_int_equal(COLLECT("kernel name=a", "ramdsik name=a", "kernel name=b"), 1);
    assert_int_equal(COLLECT("kernel name=a", "ramdisk", "ramdisk name=a"), 0);
    assert_true(fake_log_has("has one already"));
}

static void test_nothing(void **state)
{
    (void)state;
    assert_int_equal(config_collect(NULL, 0, configs), 0);
    assert_true(fake_log_has("nothing to run"));
    assert_int_equal(COLLECT("ramdisk name=a"), 0);
    assert_true(fake_log_has("nothing to run"));
}

/* Lines made of pieces at random: never a crash, and success without a complaint only. */
static void test_random_lines(void **state)
{
    static const char *const pieces[] = { "kernel",  "ramdisk", "module",  "name=a", "name=b",
                                          "mem=4M",  "mem=",    "vcpus=1", "--",     "=",
                                          "weight=", "cpus=-",  "cpus=,",  "/x",     "\t" };
    (void)state;
    srand(3);
    for (unsigned round = 0; round < 20000; round++) {
        char text[4][256];
        for (unsigned i = 0; i < 4; i++) {
            text[i][0] = '\0';
            for (unsigned k = (unsigned)rand() % 6; k; k--) {
                strcat(text[i], pieces[(unsigned)rand() % 15]);
                strcat(text[i], rand() % 8 ? " " : "");
            }
        }
        unsigned n = COLLECT(text[0], text[1], text[2], text[3]);
        assert_true(n <= 4);
        assert_true(n > 0 || fake_log_lines[LOG_ERROR] > 0);
    }
}

#define T(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_defaults),
        T(test_whole_line),
        T(test_rights),
        T(test_hpet),
        T(test_pci),
        T(test_refusals),
        T(test_faults_of_create),
        T(test_keys_are_explained),
        T(test_all_faults_are_told),
        T(test_cpus_mask),
        T(test_share),
        T(test_pairs),
        T(test_roms),
        T(test_others_still_start),
        T(test_double_names),
        T(test_broken_parts),
        T(test_nothing),
        T(test_random_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
