/*
 * Modules and descriptions. See config/catalogue.h.
 */
#include "config/catalogue.h"
#include "lib/log.h"
#include "lib/string.h"

/* Boot only. */
static const struct module *modules;
static unsigned module_count, menu_count;
static struct domain_config menu[MAX_MODULES];

void catalogue_init(const struct module *list, unsigned n)
{
    modules = list;
    module_count = n;
    menu_count = config_collect(list, n, menu);
}

const struct domain_config *catalogue_of_menu(unsigned i)
{
    return i < menu_count ? &menu[i] : NULL;
}

/* The domain of the menu whose kernel, ramdisk or module this is. */
static const char *domain_of(const struct module *m)
{
    for (unsigned i = 0; i < menu_count; i++) {
        const struct domain_config *c = &menu[i];
        bool is = c->kernel == m;

        for (unsigned k = 0; k < c->module_count; k++)
            is |= c->modules[k].data == m->data;
        for (unsigned k = 0; k < c->rom_count; k++)
            is |= c->roms[k].data == m->data;
        if (is)
            return c->name;
    }
    return "-";
}

bool catalogue_module(unsigned i,
                      void (*fn)(unsigned n, struct word role, const char *domain, uint64_t kib))
{
    const struct module *m = &modules[i];
    struct word w;

    if (i >= module_count)
        return false;
    const char *line = m->line;
    if (word_next(&line, &w) && w.text[0] == '/')
        word_next(&line, &w);
    fn(i + 1, w, domain_of(m), (m->size + 1023) >> 10);
    return true;
}

/* ---- From a line ---- */

/* What a line asks for besides the words of a menu line. */
struct request {
    struct word kernel, ramdisk, firmware; /* length 0: not given */
    char *words;                           /* the line without them */
    size_t used;                           /* bytes of it so far */
};

/* With a blank between two, and none behind the last: it would be one of the guest's words. */
static int append(struct request *q, struct word w)
{
    if (q->used + w.length + 2 > CATALOGUE_LINE)
        return -EINVAL;
    if (q->used)
        q->words[q->used++] = ' ';
    memcpy(q->words + q->used, w.text, w.length);
    q->used += w.length;
    q->words[q->used] = '\0';
    return 0;
}

/* Copies the line as a menu line of a kernel, less the references. */
static int split(const char *line, struct request *q)
{
    struct word w, key, value;
    int err = append(q, (struct word){ "kernel", 6 });

    while (!err && word_next(&line, &w)) {
        if (word_is(w, "--")) {
            err = append(q, w);
            return err ? err : append(q, (struct word){ line, strlen(line) });
        }
        bool pair = word_key_value(w, &key, &value);
        if (pair && word_is(key, "kernel"))
            q->kernel = value;
        else if (pair && word_is(key, "ramdisk"))
            q->ramdisk = value;
        else if (pair && word_is(key, "firmware"))
            q->firmware = value;
        else
            err = append(q, w);
    }
    return err;
}

/* A module by its number, or by the path that its line begins with. */
static const struct module *find_module(struct word ref)
{
    uint64_t number;

    if (word_number(ref, module_count, &number) && number)
        return &modules[number - 1];
    for (unsigned i = 0; i < module_count; i++) {
        const char *line = modules[i].line;
        struct word first;
        if (word_next(&line, &first) && first.length == ref.length &&
            memcmp(first.text, ref.text, ref.length) == 0)
            return &modules[i];
    }
    return NULL;
}

static const struct domain_config *find_menu_domain(struct word name)
{
    for (unsigned i = 0; i < menu_count; i++)
        if (word_is(name, menu[i].name))
            return &menu[i];
    return NULL;
}

static void refuse(const char *key, struct word ref)
{
    log_error("create: \"%s=%.*s\": want a module's number or path, or a domain of the menu; see "
              "`modules`",
              key, WORD_ARGS(ref));
}

static int find_kernel(struct word ref, struct domain_config *c)
{
    const struct domain_config *other = find_menu_domain(ref);

    c->kernel = other ? other->kernel : find_module(ref);
    if (c->kernel)
        return 0;
    refuse("kernel", ref);
    return -ENOENT;
}

static int find_ramdisk(struct word ref, struct domain_config *c)
{
    const struct domain_config *other = find_menu_domain(ref);
    const struct module *m = other ? NULL : find_module(ref);

    c->module_count = 1;
    if (m)
        c->modules[0] = (struct image_module){ m->data, m->size, "" };
    else if (other && other->module_count)
        c->modules[0] = other->modules[0];
    else
        c->module_count = 0;
    if (c->module_count)
        return 0;
    refuse("ramdisk", ref);
    return -ENOENT;
}

/* The same of a domain of the menu: all that it has. */
static int find_firmware(struct word ref, struct domain_config *c)
{
    const struct domain_config *other = find_menu_domain(ref);
    const struct module *m = other ? NULL : find_module(ref);

    if (m && !m->size) {
        log_error("create: \"firmware=%.*s\": the file is empty", WORD_ARGS(ref));
        return -EINVAL;
    }
    c->rom_count = other ? other->rom_count : m != NULL;
    if (other)
        memcpy(c->roms, other->roms, sizeof(c->roms));
    else if (m)
        c->roms[0] = (struct image_module){ m->data, m->size, "" };
    if (c->rom_count)
        return 0;
    refuse("firmware", ref);
    return -ENOENT;
}

int catalogue_read(const char *line, char *words, struct domain_config *out)
{
    struct request q = { .words = words };
    enum config_kind kind;
    int err = split(line, &q);

    if (err) {
        log_error("create: the line is longer than %d bytes", CATALOGUE_LINE - 2);
        return err;
    }
    err = config_parse(0, words, &kind, out);
    if (err)
        return err;
    if (!out->name[0] || !q.kernel.length) {
        log_error("create: name= and kernel= are needed");
        return -EINVAL;
    }
    err = find_kernel(q.kernel, out);
    if (!err && q.ramdisk.length)
        err = find_ramdisk(q.ramdisk, out);
    return err || !q.firmware.length ? err : find_firmware(q.firmware, out);
}
