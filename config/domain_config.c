/*
 * Parses one module line: a role, keys with values, then "--" and the guest's own words.
 *
 * Every word at fault gets its line in the log, with the number of the module; the parse goes on
 * to the end, so that all of them are told at once.
 */
#include "config/domain_config.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/string.h"
#include "lib/word.h"

#define ROLES "kernel, ramdisk, module or firmware"

struct reading {
    struct domain_config *out;
    enum config_kind kind;
    unsigned module; /* 0: a line of `create` */
    uint32_t seen;   /* keys, by their place in keys[] */
    bool failed;
};

static void fault(struct reading *r, struct word w, const char *why)
{
    if (r->module)
        log_error("module %u: \"%.*s\": %s", r->module, WORD_ARGS(w), why);
    else
        log_error("create: \"%.*s\": %s", WORD_ARGS(w), why);
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

static bool read_name(struct domain_config *d, struct word value)
{
    if (value.length == 0 || value.length >= MAX_NAME ||
        (value.length == 7 && is_caisson(value.text)))
        return false;
    for (size_t i = 0; i < value.length; i++) {
        if (!name_char(value.text[i]))
            return false;
    }
    memcpy(d->name, value.text, value.length);
    d->name[value.length] = '\0';
    return true;
}

static bool read_mem(struct domain_config *d, struct word value)
{
    uint64_t bytes;

    if (!word_bytes(value, MEMMAP_MAX_BYTES, &bytes) || bytes < MEMMAP_MIN_BYTES ||
        bytes % PAGE_SIZE)
        return false;
    d->mem = bytes;
    return true;
}

static bool read_vcpus(struct domain_config *d, struct word value)
{
    uint64_t n;

    if (!word_number(value, MAX_VCPUS, &n) || n == 0)
        return false;
    d->vcpus = (unsigned)n;
    return true;
}

static bool read_type(struct domain_config *d, struct word value)
{
    d->type = word_is(value, "pvh") ? DOMAIN_PVH : DOMAIN_HVM;
    return d->type == DOMAIN_PVH || word_is(value, "hvm");
}

static bool read_populate(struct domain_config *d, struct word value)
{
    d->populate_now = word_is(value, "now");
    return d->populate_now || word_is(value, "lazy");
}

static bool read_on_crash(struct domain_config *d, struct word value)
{
    d->on_crash = word_is(value, "restart") ? ON_CRASH_RESTART : ON_CRASH_DESTROY;
    return d->on_crash == ON_CRASH_RESTART || word_is(value, "destroy");
}

static bool read_rights(struct domain_config *d, struct word value)
{
    d->control = word_is(value, "control");
    return d->control;
}

static bool read_hpet(struct domain_config *d, struct word value)
{
    d->no_hpet = word_is(value, "off");
    return d->no_hpet || word_is(value, "on");
}

/* Takes a number of so many hexadecimal digits, and the character behind it (NUL: none), off w. */
static bool take_hex(struct word *w, unsigned digits, char behind, unsigned *out)
{
    *out = 0;
    if (w->length < digits + (behind != 0))
        return false;
    for (unsigned i = 0; i < digits; i++) {
        char c = w->text[i] | 0x20;
        unsigned digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
        if (digit == 16)
            return false;
        *out = *out << 4 | digit;
    }
    if (behind && w->text[digits] != behind)
        return false;
    w->text += digits + (behind != 0);
    w->length -= digits + (behind != 0);
    return true;
}

/* 00:1f.2, or 0001:00:1f.2 of another segment. */
static bool read_address(struct word w, struct config_pci *out)
{
    unsigned segment = 0, bus, slot, function;

    if (w.length > 7 && !take_hex(&w, 4, ':', &segment))
        return false;
    if (!take_hex(&w, 2, ':', &bus) || !take_hex(&w, 2, '.', &slot) ||
        !take_hex(&w, 1, 0, &function) || w.length || slot > 31 || function > 7)
        return false;
    *out = (struct config_pci){ (uint16_t)segment, (uint16_t)(bus << 8 | slot << 3 | function) };
    return true;
}

static bool read_one_address(struct domain_config *d, struct word one)
{
    struct config_pci *p = &d->pci[d->pci_count];

    if (d->pci_count == CONFIG_MOST_PCI || !read_address(one, p))
        return false;
    for (const struct config_pci *q = d->pci; q < p; q++)
        if (q->segment == p->segment && q->bdf == p->bdf)
            return false;
    d->pci_count++;
    return true;
}

static bool add_class(struct domain_config *d, unsigned class)
{
    if (d->pci_class_count == CONFIG_MOST_CLASSES)
        return false;
    for (unsigned i = 0; i < d->pci_class_count; i++)
        if (d->pci_class[i] == class)
            return false;
    d->pci_class[d->pci_class_count++] = class;
    return true;
}

/* 0106: what it is (storage), and of which kind. */
static bool read_class(struct domain_config *d, struct word one)
{
    unsigned class;

    return take_hex(&one, 4, 0, &class) && !one.length && add_class(d, class);
}

static bool read_pci(struct domain_config *d, struct word value)
{
    static const char class[] = "class:";
    const size_t n = sizeof(class) - 1;
    struct word one;
    bool good = true;

    while (good && word_split(&value, &one)) {
        if (one.length > n && !memcmp(one.text, class, n))
            good = read_class(d, (struct word){ one.text + n, one.length - n });
        else if (word_is(one, "all"))
            good = add_class(d, CONFIG_ANY_CLASS);
        else
            good = read_one_address(d, one);
    }
    return good && (d->pci_count || d->pci_class_count);
}

static const struct {
    const char *key;
    bool kernel_only;
    bool (*read)(struct domain_config *d, struct word value); /* NULL: share_read() does */
    const char *allowed;
} keys[] = {
    { "name", false, read_name, "1 to 31 letters, digits, - _ . and not caisson" },
    { "mem", true, read_mem, "2M to 1T in pages of 4K, as 512M" },
    { "vcpus", true, read_vcpus, "1 to 64" },
    { "weight", true, NULL, "1 to 65535" },
    { "cap", true, NULL, "0 (none) to 6400 percent of a pCPU" },
    { "cpus", true, NULL, "a list of pCPUs, as 0-2,5, or all" },
    { "type", true, read_type, "hvm or pvh" },
    { "populate", true, read_populate, "lazy or now" },
    { "on_crash", true, read_on_crash, "destroy or restart" },
    { "rights", true, read_rights, "control, for a domain of type=pvh" },
    { "hpet", true, read_hpet, "on or off" },
    { "pci", true, read_pci, "up to 28 PCI devices, as 00:04.0,02:00.0, class:0106 or all" },
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

void config_print_keys(void (*print)(const char *fmt, ...))
{
    for (size_t i = 0; i < KEYS; i++)
        print("  %s=%*s%s\n", keys[i].key, (int)(9 - strlen(keys[i].key)), "", keys[i].allowed);
}

static void refuse(struct reading *r, struct word w, const char *before, const char *allowed)
{
    char why[160];

    fmt_sn(why, sizeof(why), "%s%s", before, allowed);
    fault(r, w, why);
}

static void refuse_unknown(struct reading *r, struct word w)
{
    char names[128];
    size_t n = r->module ? 0 : fmt_sn(names, sizeof(names), " kernel ramdisk firmware");

    for (size_t i = 0; i < KEYS; i++)
        n += fmt_sn(names + n, sizeof(names) - n, " %s", keys[i].key);
    refuse(r, w, "unknown key; there are", names);
}

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
        if (keys[i].kernel_only && r->kind > CONFIG_KERNEL)
            return fault(r, w, "this key is for kernel lines");
        r->seen |= 1u << i;
        if (!(keys[i].read ? keys[i].read(r->out, value) : share_read(&r->out->share, key, value)))
            refuse(r, w, "want ", keys[i].allowed);
        return;
    }
    refuse_unknown(r, w);
}

static bool read_role(struct reading *r, struct word w)
{
    if (word_is(w, "kernel"))
        r->kind = CONFIG_KERNEL;
    else if (word_is(w, "ramdisk"))
        r->kind = CONFIG_RAMDISK;
    else if (word_is(w, "module"))
        r->kind = CONFIG_MODULE;
    else if (word_is(w, "firmware"))
        r->kind = CONFIG_FIRMWARE;
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
        log_error("module %u: no words: want " ROLES, r->module);
        r->failed = true;
        return;
    }
    if (!read_role(r, w)) /* go on: the name tells whose domain lacks something */
        fault(r, w, "want " ROLES " as the first word");
    while (word_next(&line, &w)) {
        if (word_is(w, "--")) {
            r->out->cmdline = skip_blanks(line);
            return;
        }
        read_key(r, w);
    }
}

/* What its words mean together: the tools of a control domain know of no PC. */
static void check_rights(struct reading *r)
{
    static const struct word rights = { "rights=control", sizeof("rights=control") - 1 };

    if (r->out->control && r->out->type != DOMAIN_PVH)
        fault(r, rights, "want type=pvh with it");
}

int config_parse(unsigned module, const char *line, enum config_kind *kind,
                 struct domain_config *out)
{
    struct reading r = { .out = out, .module = module };

    memset(out, 0, sizeof(*out));
    out->mem = CONFIG_DEFAULT_MEM;
    out->vcpus = 1;
    out->share = (struct share){ .weight = CONFIG_DEFAULT_WEIGHT, .cpus = UINT64_MAX };
    out->cmdline = "";
    read_words(&r, line);
    check_rights(&r);
    *kind = r.kind;
    return r.failed ? -EINVAL : 0;
}
