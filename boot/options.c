/*
 * Reads Caisson's command line. A word that is wrong is named and passed over: a machine far
 * away is better booted with one option less than not at all.
 */
#include "boot/options.h"
#include <stddef.h>
#include "lib/fmt.h"
#include "lib/limits.h"
#include "lib/string.h"
#include "lib/word.h"

#define DEFAULT_SWITCH_KEY 1 /* Ctrl-A */

struct reading {
    struct options *out;
    bool console_seen; /* the defaults have been replaced */
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

static bool read_spec(struct reading *r, struct word value)
{
    return spec_wish_read(value, &r->out->spec);
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

/* The value is one of these names, whose number goes to `where` in the options; or `read` knows. */
static const struct key {
    const char *key;
    const char *allowed;
    bool (*read)(struct reading *r, struct word value);
    const char *names[5];
    size_t where;
} keys[] = {
    { "console", "com1, com2, vga, none, a baud rate", .read = read_console },
    { "loglevel",
      "error, warn, info or debug",
      NULL,
      { "error", "warn", "info", "debug" },
      offsetof(struct options, level) },
    { "exit",
      "monitor, halt, reboot or shutdown",
      NULL,
      { "monitor", "halt", "reboot", "shutdown" },
      offsetof(struct options, exit) },
    { "monitor", "off", .read = read_monitor },
    { "conswitch", "a to z, and x", .read = read_conswitch },
    { "fail-alloc", "a number", .read = read_fail_alloc },
    { "apicv",
      "auto, off, tpr or on",
      NULL,
      { "auto", "off", "tpr", "on" },
      offsetof(struct options, apicv) },
    { "maxcpus", "1 to 64", .read = read_maxcpus },
    { "spec",
      "auto, off, or some of ibrs stibp ssbd ibpb rsb bhi l1d verw ept clear ibpb-entry; no-NAME "
      "leaves one out",
      .read = read_spec },
    { "smt", "on or off", NULL, { "off", "on" }, offsetof(struct options, smt) },
    { "iommu", "on or off", NULL, { "off", "on" }, offsetof(struct options, iommu) },
    { "boot-cpu",
      "auto, guests or own",
      NULL,
      { "auto", "guests", "own" },
      offsetof(struct options, boot_cpu) },
    { "bounds", "auto or strict", NULL, { "auto", "strict" }, offsetof(struct options, strict) },
    /* As Xen's, which has "socket" besides. */
    { "sched-gran", "cpu or core", NULL, { "cpu", "core" }, offsetof(struct options, by_core) },
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static bool read_value(struct reading *r, const struct key *k, struct word value)
{
    if (k->read)
        return k->read(r, value);
    for (unsigned i = 0; k->names[i]; i++)
        if (word_is(value, k->names[i])) {
            memcpy((char *)r->out + k->where, &i, sizeof(i));
            return true;
        }
    return false;
}

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
        if (!read_value(r, &keys[i], value))
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
                             .iommu = true,
                             .spec.automatic = true,
                             .switch_key = DEFAULT_SWITCH_KEY,
                             .max_cpus = MAX_PCPUS };
    for (bool first = true; word_next(&cmdline, &w); first = false) {
        /* Some boot loaders put the file's name in front. */
        if (!first || (w.text[0] != '/' && w.text[0] != '('))
            read_word(&r, w);
    }
    if (!out->monitor && out->exit == EXIT_MONITOR)
        out->exit = EXIT_HALT;
}
