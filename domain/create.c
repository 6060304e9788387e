/*
 * How a domain comes and goes: its memory, its machine, its vCPUs, its image, and back.
 *
 * Each step may fail; domain_destroy() takes down whatever is there, so there is one way back.
 */
#include "arch/x86/insn.h"
#include "domain/acpi_guest.h"
#include "domain/domain.h"
#include "domain/gmem.h"
#include "domain/image.h"
#include "domain/lapic.h"
#include "domain/machine_hvm.h"
#include "domain/memmap.h"
#include "domain/pv_console.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"

#define IO_BITMAP_ORDER  1
#define ACPI_GUEST_ORDER 2    /* of the buffer: ACPI_GUEST_MAX_SIZE */
#define POST_CODE_PORT   0x80 /* written as a delay by many drivers: no exit, it harms nobody */

static uint16_t next_id = 1; /* boot CPU only; 0 is the privileged domain's on Xen */

/* ---- Its memory ---- */

/* Frames that others have been promised and that have not come yet. */
static uint64_t promised_elsewhere(void)
{
    uint64_t frames = 0;

    for (const struct domain *d = domain_next(NULL); d; d = domain_next(d))
        frames += d->p2m.promised - d->p2m.populated;
    return frames;
}

/* mem= is a promise, kept only if everything can arrive: RAM, its page tables, the rest. What the
 * heap holds free does not count: it never becomes a guest's RAM again. */
static int check_promise(const struct domain_config *config)
{
    uint64_t frames = config->mem >> PAGE_SHIFT;
    uint64_t overhead = frames / 256 + 64 + 16 * config->vcpus;
    uint64_t available = frame_available(), others = promised_elsewhere();

    available = available > others ? available - others : 0;
    if (frames + overhead <= available)
        return 0;
    log_error("%s: mem=%luK does not fit: %luK of the machine's memory are free", config->name,
              config->mem >> 10, available << (PAGE_SHIFT - 10));
    return -ENOMEM;
}

static int build_memmap(const struct domain *d, struct memmap *out)
{
    int err = memmap_build(out, d->config->mem);

    if (!err && d->type == DESCR_PVH)
        memmap_reserve(out, PV_SPECIAL_BASE, PV_SPECIAL_SIZE);
    return err;
}

void domain_memmap(const struct domain *d, struct memmap *out)
{
    int err = build_memmap(d, out);

    ASSERT(!err); /* it was built with this size */
}

static int build_memory(struct domain *d, struct memmap *map)
{
    int err = build_memmap(d, map);

    if (!err)
        err = p2m_init(&d->p2m, d->id);
    for (unsigned i = 0; !err && i < map->backed_count; i++)
        err = p2m_add_ram(&d->p2m, gpa_to_gfn(map->backed[i].start),
                          map->backed[i].size >> PAGE_SHIFT);
    if (!err && d->config->populate_now)
        err = p2m_populate_all(&d->p2m);
    return err;
}

static int write_ram(void *ctx, gpa_t to, const void *from, size_t n)
{
    return gmem_write(ctx, to, from, n);
}

static int zero_ram(void *ctx, gpa_t to, size_t n)
{
    return gmem_zero(ctx, to, n);
}

/* ---- Building it ---- */

static int build_acpi(struct domain *d)
{
    struct acpi_guest_config config = { .where = gpa(HVM_ACPI_BASE),
                                        .vcpus = d->config->vcpus,
                                        .pvh = d->type == DESCR_PVH };
    void *buf = heap_pages(ACPI_GUEST_ORDER, d->id);

    if (!buf)
        return -ENOMEM;
    size_t size = acpi_guest_build(&config, buf, ACPI_GUEST_MAX_SIZE);
    ASSERT(size);
    int err = gmem_write(&d->p2m, config.where, buf, size);
    heap_free_pages(buf, ACPI_GUEST_ORDER, d->id);
    return err;
}

static int build_vcpus(struct domain *d)
{
    d->io_bitmap = heap_pages(IO_BITMAP_ORDER, d->id);
    if (!d->io_bitmap)
        return -ENOMEM;
    memset(d->io_bitmap, 0xff, PAGE_SIZE << IO_BITMAP_ORDER);
    d->io_bitmap[POST_CODE_PORT / 8] &= (uint8_t) ~(1u << POST_CODE_PORT % 8);
    if (lapic_create_access(d))
        return -ENOMEM;
    for (unsigned i = 0; i < d->config->vcpus; i++) {
        int err = vcpu_create(d, i, &d->vcpus[i]);
        if (err)
            return err;
        d->vcpu_count++;
    }
    return 0;
}

static int load_image(struct domain *d, const struct memmap *map)
{
    const struct domain_config *c = d->config;
    struct image image = { .domain = d->name,
                           .data = c->kernel->data,
                           .size = c->kernel->size,
                           .pvh = d->type == DESCR_PVH,
                           .cmdline = c->cmdline,
                           .modules = c->modules,
                           .module_count = c->module_count };
    struct image_memory memory = { .write = write_ram,
                                   .zero = zero_ram,
                                   .ctx = &d->p2m,
                                   .ram_bytes = c->mem,
                                   .e820 = map->e820,
                                   .e820_count = map->e820_count,
                                   .acpi_rsdp = gpa(HVM_ACPI_BASE) };
    struct image_start start = { 0 };
    int err = image_load(&image, &memory, &start);

    if (!err)
        vcpu_set_start(d->vcpus[0], &start);
    return err;
}

static int build(struct domain *d)
{
    struct memmap map;
    int err = build_memory(d, &map);

    if (!err)
        err = build_acpi(d);
    if (!err)
        err = pv_domain_init(d);
    if (!err)
        err = build_vcpus(d);
    if (!err && d->type == DESCR_PVH)
        err = pv_console_init(d);
    if (err)
        return err;
    machine_init(&d->machine, d, &map);
    return load_image(d, &map);
}

#define DOMAIN_ORDER 2
_Static_assert(sizeof(struct domain) <= PAGE_SIZE << DOMAIN_ORDER, "a domain takes four pages");

static unsigned count_domains(void)
{
    unsigned n = 0;

    for (const struct domain *d = domain_next(NULL); d; d = domain_next(d))
        n++;
    return n;
}

/* What must hold before anything is allocated. */
static int check_config(const struct domain_config *config)
{
    if (domain_by_name(config->name)) {
        log_error("%s: a domain of that name exists", config->name);
        return -EEXIST;
    }
    if (count_domains() == MAX_DOMAINS) {
        log_error("%s: there are %d domains already", config->name, MAX_DOMAINS);
        return -ENOSPC;
    }
    if (!(config->cpus & sched_joined())) {
        log_error("%s: cpus= names no pCPU that runs guests", config->name);
        return -EINVAL;
    }
    return check_promise(config);
}

/* Ids are not used again soon; Xen keeps those from 0x7FF0 for itself. Those in use differ modulo
 * MAX_DOMAINS, so that whoever keeps something by id has a table, and nobody looks through it. */
static uint16_t take_id(void)
{
    uint16_t id;

    do {
        id = next_id;
        next_id = (uint16_t)(next_id % 0x7fef + 1);
    } while (!domain_id_fits(id));
    return id;
}

int domain_create(const struct domain_config *config, struct domain **out)
{
    int err = check_config(config);

    if (err)
        return err;
    uint16_t id = take_id();
    struct domain *d = heap_pages(DOMAIN_ORDER, id);
    if (!d) {
        log_error("%s: out of memory for the domain itself", config->name);
        return -ENOMEM;
    }
    d->id = id;
    d->config = config;
    d->type = config->type;
    d->lock = (struct spinlock)SPINLOCK_RANK("domain", LOCK_DOMAIN);
    sched_group_init(&d->sched, config->weight, config->cap);
    d->tsc_zero = rdtsc();
    str_copy(d->name, config->name, sizeof(d->name));
    domain_list(d);
    err = build(d);
    if (err) {
        log_error("%s: cannot be started%s (error %d)", d->name,
                  err == -ENOMEM ? ": out of memory" : "", -err);
        domain_destroy(d);
        return err;
    }
    d->state = DOMAIN_PAUSED;
    log_info("%s: domain %u, %luK, %u vCPU%s", d->name, d->id, config->mem >> 10, d->vcpu_count,
             d->vcpu_count == 1 ? "" : "s");
    *out = d;
    return 0;
}

bool domain_retire(struct domain *d)
{
    bool all = d->vcpus_out == d->vcpu_count;

    for (unsigned i = 0; all && i < d->vcpu_count; i++)
        all = vcpu_retire(d->vcpus[i]);
    return all;
}

/* Nobody finds d from here on, and those who had found it have gone when this returns. */
static void sever(struct domain *d)
{
    domain_unlist(d);
    domain_wait_alone(d);
    if (domain_hooks->severed)
        domain_hooks->severed(d);
    domain_wait_alone(d);
}

void domain_destroy(struct domain *d)
{
    uint16_t id = d->id;

    ASSERT(d->state == DOMAIN_BUILDING || d->vcpus_out == d->vcpu_count);
    sever(d);
    for (unsigned i = 0; i < d->vcpu_count; i++)
        vcpu_destroy(d->vcpus[i]);
    if (d->io_bitmap)
        heap_free_pages(d->io_bitmap, IO_BITMAP_ORDER, id);
    pv_domain_destroy(d);
    p2m_destroy(&d->p2m);
    lapic_destroy_access(d);
    heap_free_pages(d, DOMAIN_ORDER, id);
    ASSERT(frame_count(id) == 0);
}
