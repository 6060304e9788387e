/*
 * Makes domains of the module lines: each kernel with the ramdisk and modules of its name.
 *
 * A domain with a fault anywhere is left out whole: a kernel without the ramdisk that was meant for
 * it would only fail later and less clearly. The others come out.
 */
#include "config/domain_config.h"
#include "lib/assert.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/string.h"

struct line {
    struct config_line d;
    bool named;  /* by the line itself */
    bool broken; /* did not parse, or cannot be used */
    int kernel;  /* which line is the kernel of this ramdisk or module; -1: none */
};

/* The first kernel line of that name before line `end`, or -1. */
static int find_kernel(const struct line *lines, unsigned end, const char *name)
{
    for (unsigned i = 0; i < end; i++) {
        if (lines[i].d.kind == CONFIG_KERNEL && strcmp(lines[i].d.name, name) == 0)
            return (int)i;
    }
    return -1;
}

static int last_kernel(const struct line *lines, unsigned end)
{
    while (end-- > 0) {
        if (lines[end].d.kind == CONFIG_KERNEL)
            return (int)end;
    }
    return -1;
}

static void parse_lines(const struct module *mods, unsigned n, struct line *lines)
{
    unsigned kernels = 0;
    for (unsigned i = 0; i < n; i++) {
        struct line *l = &lines[i];
        l->broken = config_parse(&mods[i], &l->d) != 0;
        l->kernel = -1;
        l->named = l->d.name[0] != '\0';
        kernels += l->d.kind == CONFIG_KERNEL;
        if (l->d.kind == CONFIG_KERNEL && !l->d.name[0])
            fmt_sn(l->d.name, sizeof(l->d.name), "dom%u", kernels);
    }
}

static void refuse_double_names(const struct module *mods, unsigned n, struct line *lines)
{
    for (unsigned i = 0; i < n; i++) {
        if (lines[i].d.kind != CONFIG_KERNEL)
            continue;
        int first = find_kernel(lines, i, lines[i].d.name);
        if (first < 0)
            continue;
        log_error("module %u: name=%s: module %u has that name already", mods[i].index,
                  lines[i].d.name, mods[first].index);
        lines[i].broken = true;
    }
}

/* Finds the kernel of a ramdisk or module line; a broken one breaks its domain. */
static void find_home(const struct module *mod, unsigned n, struct line *lines, unsigned i)
{
    struct line *l = &lines[i];

    if (l->d.name[0])
        l->kernel = find_kernel(lines, n, l->d.name);
    else if (l->d.kind != CONFIG_NONE)
        l->kernel = last_kernel(lines, i);
    if (l->kernel >= 0) {
        if (l->broken)
            lines[l->kernel].broken = true;
        return;
    }
    if (l->d.name[0] && l->d.kind != CONFIG_NONE)
        log_error("module %u: name=%s: there is no kernel of that name", mod->index, l->d.name);
    else if (!l->broken)
        log_error("module %u: no name= and no kernel before it", mod->index);
    l->broken = true;
}

static unsigned count_ramdisks(const struct line *lines, unsigned end, int kernel)
{
    unsigned count = 0;
    for (unsigned i = 0; i < end; i++)
        count += lines[i].d.kind == CONFIG_RAMDISK && lines[i].kernel == kernel;
    return count;
}

static void pair_lines(const struct module *mods, unsigned n, struct line *lines)
{
    for (unsigned i = 0; i < n; i++) {
        struct line *l = &lines[i];
        if (l->d.kind == CONFIG_KERNEL)
            continue;
        find_home(&mods[i], n, lines, i);
        if (l->kernel < 0 || l->d.kind != CONFIG_RAMDISK || !count_ramdisks(lines, i, l->kernel))
            continue;
        log_error("module %u: ramdisk: domain %s has one already", mods[i].index,
                  lines[l->kernel].d.name);
        lines[l->kernel].broken = true;
    }
}

void config_from_line(const struct config_line *d, struct domain_config *out)
{
    memset(out, 0, sizeof(*out));
    memcpy(out->name, d->name, sizeof(out->name));
    out->mem = d->mem;
    out->vcpus = d->vcpus;
    out->weight = d->weight;
    out->cap = d->cap;
    out->cpus = d->cpus;
    out->type = d->type;
    out->populate_now = d->populate_now;
    out->cmdline = d->cmdline;
}

static void fill(const struct module *mods, unsigned n, const struct line *lines, unsigned kernel,
                 struct domain_config *out)
{
    config_from_line(&lines[kernel].d, out);
    out->kernel = &mods[kernel];
    for (unsigned i = 0; i < n; i++) {
        if (lines[i].kernel == (int)kernel)
            out->modules[out->module_count++] =
                (struct image_module){ mods[i].data, mods[i].size, lines[i].d.cmdline };
    }
}

unsigned config_collect(const struct module *mods, unsigned n, struct domain_config *out)
{
    struct line lines[MAX_MODULES];
    unsigned count = 0;

    ASSERT(n <= MAX_MODULES);
    parse_lines(mods, n, lines);
    refuse_double_names(mods, n, lines);
    pair_lines(mods, n, lines);
    if (last_kernel(lines, n) < 0)
        log_error("no module line gives a kernel: there is nothing to run");
    for (unsigned i = 0; i < n; i++) {
        if (lines[i].d.kind != CONFIG_KERNEL)
            continue;
        if (!lines[i].broken)
            fill(mods, n, lines, i, &out[count++]);
        else
            log_error("module %u: %s%s is not started", mods[i].index,
                      lines[i].named ? "domain " : "its domain",
                      lines[i].named ? lines[i].d.name : "");
    }
    return count;
}
