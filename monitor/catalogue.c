/*
 * Modules and recipes. See monitor/catalogue.h.
 */
#include "monitor/catalogue.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "lib/string.h"
#include "lib/word.h"
#include "mm/heap.h"

/* Boot only. */
static const struct module *modules;
static unsigned module_count, menu_count;
static struct domain_config menu_configs[MAX_MODULES];
static struct recipe menu[MAX_MODULES];

_Static_assert(sizeof(struct recipe) <= PAGE_SIZE, "a recipe takes a page");

void catalogue_init(const struct module *list, unsigned n)
{
    modules = list;
    module_count = n;
    menu_count = config_collect(list, n, menu_configs);
    for (unsigned i = 0; i < menu_count; i++)
        menu[i].config = menu_configs[i];
}

struct recipe *catalogue_of_menu(unsigned i)
{
    return i < menu_count ? &menu[i] : NULL;
}

struct recipe *catalogue_recipe_of(const struct domain_config *config)
{
    return (struct recipe *)config;
}

void catalogue_drop(struct recipe *r)
{
    if (r < menu || r >= menu + MAX_MODULES)
        heap_free_pages(r, 0, OWNER_CAISSON);
}

/* The domain of the menu whose kernel, ramdisk or module this is. */
static const char *domain_of(const struct module *m)
{
    for (unsigned i = 0; i < menu_count; i++) {
        const struct domain_config *c = &menu_configs[i];
        bool is = c->kernel == m;

        for (unsigned k = 0; k < c->module_count; k++)
            is |= c->modules[k].data == m->data;
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
    fn(m->index, w, domain_of(m), (m->size + 1023) >> 10);
    return true;
}

/* ---- From a line ---- */

/* What a line asks for besides the words of a menu line. */
struct request {
    struct word kernel, ramdisk; /* length 0: not given */
    size_t used;                 /* bytes of the recipe's line so far */
};

/* With a blank between two, and none behind the last: it would be one of the guest's words. */
static int append(struct recipe *r, struct request *q, struct word w)
{
    if (q->used + w.length + 2 > sizeof(r->line))
        return -EINVAL;
    if (q->used)
        r->line[q->used++] = ' ';
    memcpy(r->line + q->used, w.text, w.length);
    q->used += w.length;
    r->line[q->used] = '\0';
    return 0;
}

/* Copies the line as a menu line of a kernel, less the references. */
static int split(const char *line, struct recipe *r, struct request *q)
{
    struct word w, key, value;
    int err = append(r, q, (struct word){ "kernel", 6 });

    while (!err && word_next(&line, &w)) {
        if (word_is(w, "--")) {
            err = append(r, q, w);
            return err ? err : append(r, q, (struct word){ line, strlen(line) });
        }
        bool pair = word_key_value(w, &key, &value);
        if (pair && word_is(key, "kernel"))
            q->kernel = value;
        else if (pair && word_is(key, "ramdisk"))
            q->ramdisk = value;
        else
            err = append(r, q, w);
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
        if (word_is(name, menu_configs[i].name))
            return &menu_configs[i];
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

static int fill(const char *line, struct recipe *r)
{
    struct request q = { 0 };
    struct config_line d;
    int err = split(line, r, &q);

    if (err) {
        log_error("create: the line is longer than %lu bytes", sizeof(r->line) - 2);
        return err;
    }
    struct module as_module = { .line = r->line };
    err = config_parse(&as_module, &d);
    if (err)
        return err;
    if (!d.name[0] || !q.kernel.length) {
        log_error("create: name= and kernel= are needed");
        return -EINVAL;
    }
    config_from_line(&d, &r->config);
    err = find_kernel(q.kernel, &r->config);
    return err || !q.ramdisk.length ? err : find_ramdisk(q.ramdisk, &r->config);
}

int catalogue_make(const char *line, struct recipe **out)
{
    struct recipe *r = heap_pages(0, OWNER_CAISSON);

    if (!r) {
        log_error("create: out of memory");
        return -ENOMEM;
    }
    int err = fill(line, r);
    if (err)
        catalogue_drop(r);
    else
        *out = r;
    return err;
}
