/*
 * Parses one module line: a role, keys with values, then "--" and the guest's own words.
 *
 * Every word at fault gets its line in the log, with the number of the module; the parse goes on
 * to the end, so that all of them are told at once.
 */
#include "domain/descr.h"
#include "lib/log.h"
#include "lib/string.h"
#include "lib/word.h"

#define MAX_WEIGHT 65535
#define MAX_CAP    (MAX_PCPUS * 100)

struct reading {
    struct descr *out;
    unsigned module;
    const char *wrong; /* what is wrong with the word in hand */
    uint32_t seen;     /* keys, by their place in keys[] */
    bool failed;
};

static void fault(struct reading *r, struct word w, const char *why)
{
    log_error("module %u: \"%.*s\": %s", r->module, WORD_ARGS(w), why);
    r->failed = true;
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
}

/* In letters of any size; a domain behind has its name before each of its lines. */
static bool is_caisson(const char *seven)
{
    for (unsigned i = 0; i < 7; i++) {
        if ((seven[i] | 0x20) != "caisson"[i])
            return false;
    }
    return true;
}

static void read_name(struct reading *r, struct word value)
{
    if (value.length == 0 || value.length >= MAX_NAME) {
        r->wrong = "a name has 1 to 31 characters";
        return;
    }
    for (size_t i = 0; i < value.length; i++) {
        if (!name_char(value.text[i])) {
            r->wrong = "a name is made of letters, digits, '-', '_' and '.'";
            return;
        }
    }
    if (value.length == 7 && is_caisson(value.text)) {
        r->wrong = "this name is Caisson's own";
        return;
    }
    memcpy(r->out->name, value.text, value.length);
    r->out->name[value.length] = '\0';
}

static void read_mem(struct reading *r, struct word value)
{
    uint64_t bytes;
    if (!word_bytes(value, UINT64_MAX, &bytes))
        r->wrong = "want a size like 512M or 2G";
    else if (bytes < MEMMAP_MIN_BYTES)
        r->wrong = "the least is 2M";
    else if (bytes > MEMMAP_MAX_BYTES)
        r->wrong = "the most is 1T";
    else if (bytes % PAGE_SIZE)
        r->wrong = "want whole pages of 4K";
    else
        r->out->mem = bytes;
}

static void read_vcpus(struct reading *r, struct word value)
{
    uint64_t n;
    if (!word_number(value, MAX_VCPUS, &n) || n == 0)
        r->wrong = "want a number from 1 to 64";
    else
        r->out->vcpus = (unsigned)n;
}

static void read_weight(struct reading *r, struct word value)
{
    uint64_t n;
    if (!word_number(value, MAX_WEIGHT, &n) || n == 0)
        r->wrong = "want a number from 1 to 65535";
    else
        r->out->weight = (unsigned)n;
}

static void read_cap(struct reading *r, struct word value)
{
    uint64_t n;
    if (!word_number(value, MAX_CAP, &n))
        r->wrong = "want percents of a CPU, 0 for no cap";
    else
        r->out->cap = (unsigned)n;
}

/* "3" or "1-4": adds to the mask. */
static bool read_range(struct word piece, uint64_t *mask)
{
    struct word first = piece;
    uint64_t from, to;

    first.length = 0;
    while (first.length < piece.length && piece.text[first.length] != '-')
        first.length++;
    if (!word_number(first, MAX_PCPUS - 1, &from))
        return false;
    to = from;
    if (first.length < piece.length) {
        struct word last = { piece.text + first.length + 1, piece.length - first.length - 1 };
        if (!word_number(last, MAX_PCPUS - 1, &to) || to < from)
            return false;
    }
    *mask |= (UINT64_MAX >> (63 - to)) & (UINT64_MAX << from);
    return true;
}

static void read_cpus(struct reading *r, struct word value)
{
    struct word piece;
    uint64_t mask = 0;

    if (word_is(value, "all"))
        return;
    while (word_split(&value, &piece)) {
        if (!read_range(piece, &mask)) {
            r->wrong = "want a list like 0-2,5, of numbers below 64, or all";
            return;
        }
    }
    r->out->cpus = mask;
}

static void read_type(struct reading *r, struct word value)
{
    if (word_is(value, "pvh"))
        r->out->type = DESCR_PVH;
    else if (!word_is(value, "hvm"))
        r->wrong = "want hvm or pvh";
}

static void read_populate(struct reading *r, struct word value)
{
    r->out->populate_now = word_is(value, "now");
    if (!r->out->populate_now && !word_is(value, "lazy"))
        r->wrong = "want now or lazy";
}

static const struct {
    const char *key;
    bool kernel_only;
    void (*read)(struct reading *r, struct word value);
} keys[] = {
    { "name", false, read_name },  { "mem", true, read_mem },
    { "vcpus", true, read_vcpus }, { "weight", true, read_weight },
    { "cap", true, read_cap },     { "cpus", true, read_cpus },
    { "type", true, read_type },   { "populate", true, read_populate },
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static void read_key(struct reading *r, struct word w)
{
    struct word key, value;

    if (!word_key_value(w, &key, &value))
        return fault(r, w, "want key=value; the guest's words go behind --");
    for (size_t i = 0; i < KEYS; i++) {
        if (!word_is(key, keys[i].key))
            continue;
        if (r->seen & 1u << i)
            return fault(r, w, "this key is given twice");
        if (keys[i].kernel_only && r->out->kind > DESCR_KERNEL)
            return fault(r, w, "this key is for kernel lines");
        r->seen |= 1u << i;
        r->wrong = NULL;
        keys[i].read(r, value);
        if (r->wrong)
            fault(r, w, r->wrong);
        return;
    }
    fault(r, w, "unknown key");
}

static bool read_role(struct reading *r, struct word w)
{
    if (word_is(w, "kernel"))
        r->out->kind = DESCR_KERNEL;
    else if (word_is(w, "ramdisk"))
        r->out->kind = DESCR_RAMDISK;
    else if (word_is(w, "module"))
        r->out->kind = DESCR_MODULE;
    else
        return false;
    return true;
}

static const char *skip_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

static void read_words(struct reading *r, const char *line)
{
    struct word w;

    if (!word_next(&line, &w) ||
        ((w.text[0] == '/' || w.text[0] == '(') && !word_next(&line, &w))) {
        log_error("module %u: no words: want kernel, ramdisk or module", r->module);
        r->failed = true;
        return;
    }
    if (!read_role(r, w)) /* go on: the name tells whose domain lacks something */
        fault(r, w, "want kernel, ramdisk or module as the first word");
    while (word_next(&line, &w)) {
        if (word_is(w, "--")) {
            r->out->cmdline = skip_blanks(line);
            return;
        }
        read_key(r, w);
    }
}

int descr_parse(const struct module *mod, struct descr *out)
{
    struct reading r = { .out = out, .module = mod->index };

    *out = (struct descr){
        .mem = DESCR_DEFAULT_MEM,
        .vcpus = 1,
        .weight = DESCR_DEFAULT_WEIGHT,
        .cpus = UINT64_MAX,
        .cmdline = "",
    };
    read_words(&r, mod->line);
    return r.failed ? -EINVAL : 0;
}
