/*
 * Reads Caisson's command line. A word that is wrong is named and passed over: a machine far
 * away is better booted with one option less than not at all.
 */
#include "boot/options.h"
#include <stddef.h>
#include "lib/fmt.h"
#include "lib/limits.h"
#include "lib/word.h"

#define DEFAULT_SWITCH_KEY 1 /* Ctrl-A */

struct reading {
    struct options *out;
    bool console_seen, exit_seen; /* the defaults have been replaced */
};

static bool read_console_item(struct options *o, struct word item)
{
    uint64_t baud;

    if (word_is(item, "com1"))
        o->com1 = true;
    else if (word_is(item, "com2"))
        o->com2 = true;
    else if (word_is(item, "vga"))
        o->vga = true;
    else if (word_number(item, 115200, &baud) && baud && 115200 % baud == 0)
        o->baud = (uint32_t)baud;
    else
        return word_is(item, "none");
    return true;
}

/* Tried on a copy first, so that a bad value changes nothing. */
static bool read_console(struct reading *r, struct word value)
{
    struct options o = *r->out;
    struct word item;

    if (!r->console_seen)
        o.com1 = o.com2 = o.vga = false;
    while (word_split(&value, &item)) {
        if (!read_console_item(&o, item))
            return false;
    }
    r->console_seen = true;
    *r->out = o;
    return true;
}

/* Which of the NULL-terminated names it is, or -1. */
static int choice(struct word value, const char *const *names)
{
    for (int i = 0; names[i]; i++) {
        if (word_is(value, names[i]))
            return i;
    }
    return -1;
}

static bool read_level(struct reading *r, struct word value)
{
    static const char *const names[] = { "error", "warn", "info", "debug", NULL };
    int n = choice(value, names);
    if (n >= 0)
        r->out->level = (enum log_level)n;
    return n >= 0;
}

static bool read_exit(struct reading *r, struct word value)
{
    static const char *const names[] = { "monitor", "halt", "reboot", "shutdown", NULL };
    int n = choice(value, names);
    if (n >= 0)
        r->out->exit = (enum option_exit)n;
    r->exit_seen |= n > EXIT_MONITOR;
    return n >= 0;
}

static bool read_monitor(struct reading *r, struct word value)
{
    if (!word_is(value, "off"))
        return false;
    r->out->monitor = false;
    return true;
}

/* As Xen's: a letter, and x to keep the keys at the monitor. */
static bool read_conswitch(struct reading *r, struct word value)
{
    bool stay = value.length == 2 && value.text[1] == 'x';

    if ((value.length != 1 && !stay) || value.text[0] < 'a' || value.text[0] > 'z')
        return false;
    r->out->switch_key = (uint8_t)(value.text[0] - 'a' + 1);
    r->out->monitor_first = stay;
    return true;
}

static bool read_apicv(struct reading *r, struct word value)
{
    static const char *const names[] = { "auto", "off", "tpr", "on", NULL };
    int n = choice(value, names);
    if (n >= 0)
        r->out->apicv = (enum virt_apicv)n;
    return n >= 0;
}

static bool read_spec(struct reading *r, struct word value)
{
    return spec_wish_read(value, &r->out->spec);
}

static bool read_smt(struct reading *r, struct word value)
{
    static const char *const names[] = { "off", "on", NULL };
    int n = choice(value, names);
    if (n >= 0)
        r->out->smt = n;
    return n >= 0;
}

/* As Xen's, which has "socket" besides. */
static bool read_sched_gran(struct reading *r, struct word value)
{
    static const char *const names[] = { "cpu", "core", NULL };
    int n = choice(value, names);
    if (n >= 0)
        r->out->by_core = n;
    return n >= 0;
}

static bool read_maxcpus(struct reading *r, struct word value)
{
    uint64_t n;

    if (!word_number(value, MAX_PCPUS, &n) || n == 0)
        return false;
    r->out->max_cpus = n;
    return true;
}

static bool read_fail_alloc(struct reading *r, struct word value)
{
    return word_number(value, UINT64_MAX, &r->out->fail_alloc);
}

static const struct {
    const char *key;
    bool (*read)(struct reading *r, struct word value);
    const char *allowed;
} keys[] = {
    { "console", read_console, "com1, com2, vga, none, a baud rate" },
    { "loglevel", read_level, "error, warn, info or debug" },
    { "exit", read_exit, "monitor, halt, reboot or shutdown" },
    { "monitor", read_monitor, "off" },
    { "conswitch", read_conswitch, "a to z, and x" },
    { "fail-alloc", read_fail_alloc, "a number" },
    { "apicv", read_apicv, "auto, off, tpr or on" },
    { "maxcpus", read_maxcpus, "1 to 64" },
    { "spec", read_spec, "auto, off, or a list" },
    { "smt", read_smt, "on or off" },
    { "sched-gran", read_sched_gran, "cpu or core" },
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static void refuse_unknown(struct word w)
{
    char names[128];
    size_t n = 0;

    for (size_t i = 0; i < KEYS; i++)
        n += fmt_sn(names + n, sizeof(names) - n, " %s", keys[i].key);
    log_warn("unknown option \"%.*s\"; there are%s, selftest", WORD_ARGS(w), names);
}

static void read_word(struct reading *r, struct word w)
{
    struct word key, value;

    if (word_is(w, "selftest")) {
        r->out->selftest = true;
        return;
    }
    if (!word_key_value(w, &key, &value))
        return refuse_unknown(w);
    for (size_t i = 0; i < KEYS; i++) {
        if (!word_is(key, keys[i].key))
            continue;
        if (!keys[i].read(r, value))
            log_warn("option \"%.*s\": want %s", WORD_ARGS(w), keys[i].allowed);
        return;
    }
    refuse_unknown(w);
}

void options_parse(const char *cmdline, struct options *out)
{
    struct reading r = { .out = out };
    struct word w;

    *out = (struct options){ .com1 = true,
                             .vga = true,
                             .baud = 115200,
                             .level = LOG_INFO,
                             .monitor = true,
                             .smt = true,
                             .spec.automatic = true,
                             .switch_key = DEFAULT_SWITCH_KEY,
                             .max_cpus = MAX_PCPUS };
    for (bool first = true; word_next(&cmdline, &w); first = false) {
        /* Some boot loaders put the file's name in front. */
        if (!first || (w.text[0] != '/' && w.text[0] != '('))
            read_word(&r, w);
    }
    if (!out->monitor && !r.exit_seen)
        out->exit = EXIT_HALT;
}
