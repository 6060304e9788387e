/*
 * Copies into a new domain's memory, in pieces. See create/load.h.
 */
#include "create/load.h"
#include "guestmem/gmem.h"
#include "lib/log.h"

#define LOAD_PIECE 0x10000UL /* bytes, of one step */

/* Is it a part of the kernel's file, or of a module's? */
static bool stays(const struct domain_config *c, const void *from, size_t n)
{
    const uint8_t *p = from, *kernel = c->kernel->data;

    if (p >= kernel && p + n <= kernel + c->kernel->size)
        return true;
    for (unsigned i = 0; i < c->module_count; i++) {
        const uint8_t *file = c->modules[i].data;
        if (p >= file && p + n <= file + c->modules[i].size)
            return true;
    }
    for (unsigned i = 0; i < c->rom_count; i++) {
        const uint8_t *file = c->roms[i].data;
        if (p >= file && p + n <= file + c->roms[i].size)
            return true;
    }
    return false;
}

static int copy(struct load *l, gpa_t to, const void *from, size_t n)
{
    return from ? gmem_write(l->p2m, to, from, n) : gmem_zero(l->p2m, to, n);
}

int load_some(struct load *l)
{
    if (l->first == l->count)
        return 0;
    gpa_t to = l->jobs[l->first].to;
    const uint8_t *from = l->jobs[l->first].from;
    size_t left = l->jobs[l->first].n, n = left < LOAD_PIECE ? left : LOAD_PIECE;
    int err = copy(l, to, from, n);

    if (err)
        return err;
    l->jobs[l->first].to = gpa(to.v + n);
    l->jobs[l->first].from = from ? from + n : NULL;
    l->jobs[l->first].n = left - n;
    if (n == left)
        l->first++;
    return l->first == l->count ? 0 : -EAGAIN;
}

/* The order of writes counts where they overlap. */
static bool meets_jobs(const struct load *l, gpa_t to, size_t n)
{
    for (unsigned i = l->first; i < l->count; i++)
        if (to.v < l->jobs[i].to.v + l->jobs[i].n && l->jobs[i].to.v < to.v + n)
            return true;
    return false;
}

static int too_much(const struct load *l)
{
    log_error("%s: the kernel is in too many pieces", l->config->name);
    return -E2BIG;
}

static int put_off(struct load *l, gpa_t to, const void *from, size_t n)
{
    if (l->count == LOAD_JOBS)
        return too_much(l);
    l->jobs[l->count].to = to;
    l->jobs[l->count].from = from;
    l->jobs[l->count].n = n;
    l->count++;
    return 0;
}

/* Does all that was put off, which is to be no more in sum than a step may copy. */
static int catch_up(struct load *l)
{
    int err;

    for (unsigned i = l->first; i < l->count; i++) {
        if (l->jobs[i].n > LOAD_PIECE - l->caught_up)
            return too_much(l);
        l->caught_up += l->jobs[i].n;
    }
    do
        err = load_some(l);
    while (err == -EAGAIN);
    return err;
}

/* Bytes of the loader's own may come to lie above a kernel's setup code, which is short. */
static int write_ram(void *ctx, gpa_t to, const void *from, size_t n)
{
    struct load *l = ctx;
    bool meets = meets_jobs(l, to, n);

    if ((meets || n > PAGE_SIZE) && stays(l->config, from, n))
        return put_off(l, to, from, n);
    int err = meets ? catch_up(l) : 0;
    return err ? err : copy(l, to, from, n);
}

static int zero_ram(void *ctx, gpa_t to, size_t n)
{
    struct load *l = ctx;

    return n > PAGE_SIZE || meets_jobs(l, to, n) ? put_off(l, to, NULL, n) : copy(l, to, NULL, n);
}

void load_init(struct load *l, struct p2m *p2m, const struct domain_config *config,
               struct image_memory *out)
{
    l->p2m = p2m;
    l->config = config;
    l->first = l->count = 0;
    l->caught_up = 0;
    *out = (struct image_memory){ .write = write_ram, .zero = zero_ram, .ctx = l };
}
