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
    struct domain_config *d; /* what it says; of a kernel, the domain */
    enum config_kind kind;
    bool named;  /* by the line itself */
    bool broken; /* did not parse, or cannot be used */
    int kernel;  /* which line is the kernel of this file; -1: none */
};

/* The first kernel line of that name before line `end`, or -1. */
static int find_kernel(const struct line *lines, unsigned end, const char *name)
{
    for (unsigned i = 0; i < end; i++) {
        if (lines[i].kind == CONFIG_KERNEL && strcmp(lines[i].d->name, name) == 0)
            return (int)i;
    }
    return -1;
}

static int last_kernel(const struct line *lines, unsigned end)
{
    while (end-- > 0) {
        if (lines[end].kind == CONFIG_KERNEL)
            return (int)end;
    }
    return -1;
}

static void parse_lines(const struct module *mods, unsigned n, struct line *lines)
{
    unsigned kernels = 0;
    for (unsigned i = 0; i < n; i++) {
        struct line *l = &lines[i];
        char *name = l->d->name;
        l->broken = config_parse(i + 1, mods[i].line, &l->kind, l->d) != 0;
        l->kernel = -1;
        l->named = name[0] != '\0';
        kernels += l->kind == CONFIG_KERNEL;
        if (l->kind == CONFIG_KERNEL && !l->named)
            fmt_sn(name, MAX_NAME, "dom%u", kernels);
    }
}

static void refuse_double_names(unsigned n, struct line *lines)
{
    for (unsigned i = 0; i < n; i++) {
        if (lines[i].kind != CONFIG_KERNEL)
            continue;
        int first = find_kernel(lines, i, lines[i].d->name);
        if (first < 0)
            continue;
        log_error("module %u: name=%s: module %d has that name already", i + 1, lines[i].d->name,
                  first + 1);
        lines[i].broken = true;
    }
}

/* Finds the kernel of a ramdisk or module line; a broken one breaks its domain. */
static void find_home(unsigned n, struct line *lines, unsigned i)
{
    struct line *l = &lines[i];

    if (l->named)
        l->kernel = find_kernel(lines, n, l->d->name);
    else if (l->kind != CONFIG_NONE)
        l->kernel = last_kernel(lines, i);
    if (l->kernel >= 0) {
        if (l->broken)
            lines[l->kernel].broken = true;
        return;
    }
    if (l->named && l->kind != CONFIG_NONE)
        log_error("module %u: name=%s: there is no kernel of that name", i + 1, l->d->name);
    else if (!l->broken)
        log_error("module %u: no name= and no kernel before it", i + 1);
    l->broken = true;
}

static void give_rom(unsigned i, struct line *kernel, const struct module *file)
{
    struct domain_config *d = kernel->d;

    if (d->rom_count == CONFIG_MOST_ROMS) {
        log_error("module %u: firmware: domain %s has %d files of it already", i + 1, d->name,
                  CONFIG_MOST_ROMS);
    } else if (!file->size) {
        log_error("module %u: firmware: the file is empty", i + 1);
    } else {
        d->roms[d->rom_count++] = (struct image_module){ file->data, file->size, "" };
        return;
    }
    kernel->broken = true;
}

/* Gives all other files to their kernels. */
static void pair_lines(const struct module *mods, unsigned n, struct line *lines)
{
    bool has_ramdisk[MAX_MODULES] = { false };

    for (unsigned i = 0; i < n; i++) {
        const struct line *l = &lines[i];
        if (l->kind == CONFIG_KERNEL)
            continue;
        find_home(n, lines, i);
        if (l->kernel < 0)
            continue;
        struct line *kernel = &lines[l->kernel];
        if (l->kind == CONFIG_FIRMWARE) {
            give_rom(i, kernel, &mods[i]);
            continue;
        }
        kernel->d->modules[kernel->d->module_count++] =
            (struct image_module){ mods[i].data, mods[i].size, l->d->cmdline };
        if (l->kind != CONFIG_RAMDISK)
            continue;
        if (has_ramdisk[l->kernel]) {
            log_error("module %u: ramdisk: domain %s has one already", i + 1, kernel->d->name);
            kernel->broken = true;
        }
        has_ramdisk[l->kernel] = true;
    }
}

unsigned config_collect(const struct module *mods, unsigned n, struct domain_config *out)
{
    struct line lines[MAX_MODULES];
    unsigned count = 0;

    ASSERT(n <= MAX_MODULES);
    for (unsigned i = 0; i < n; i++)
        lines[i].d = &out[i];
    parse_lines(mods, n, lines);
    refuse_double_names(n, lines);
    pair_lines(mods, n, lines);
    if (last_kernel(lines, n) < 0)
        log_error("no module line gives a kernel: there is nothing to run");
    for (unsigned i = 0; i < n; i++) {
        if (lines[i].kind != CONFIG_KERNEL)
            continue;
        if (lines[i].broken) {
            log_error("module %u: %s%s is not started", i + 1,
                      lines[i].named ? "domain " : "its domain",
                      lines[i].named ? lines[i].d->name : "");
            continue;
        }
        lines[i].d->kernel = &mods[i];
        out[count++] = *lines[i].d; /* its own place, or that of a line already dealt with */
    }
    return count;
}
