/*
 * A domain's life: created from its description, started, ended, destroyed. See domain/domain.h.
 */
#include "domain/domain.h"
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "domain/acpi_guest.h"
#include "domain/gmem.h"
#include "domain/image.h"
#include "domain/machine_hvm.h"
#include "domain/memmap.h"
#include "lib/assert.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"

#define IO_BITMAP_ORDER  1
#define ACPI_GUEST_ORDER 2    /* of the buffer: ACPI_GUEST_MAX_SIZE */
#define POST_CODE_PORT   0x80 /* written as a delay by many drivers: no exit, it harms nobody */

const struct domain_hooks *domain_hooks;

static struct domain *domains[MAX_DOMAINS]; /* boot CPU only */
static uint16_t next_id = 1;                /* 0 is the first domain's on Xen, the privileged one */

void domain_set_hooks(const struct domain_hooks *hooks)
{
    domain_hooks = hooks;
}

/* ---- Its clock --------------------------------------------------------------------------------
 */

uint64_t domain_now(const struct domain *d)
{
    return tsc_to_ns(rdtsc() - d->tsc_zero);
}

uint64_t domain_ns_to_tsc(const struct domain *d, uint64_t ns)
{
    return d->tsc_zero + tsc_from_ns(ns);
}

/* ---- Its end ----------------------------------------------------------------------------------
 */

const char *domain_end_name(enum domain_end end)
{
    static const char *const name[] = {
        [END_NOT] = "running",     [END_POWEROFF] = "powered off",
        [END_REBOOT] = "rebooted", [END_TRIPLE_FAULT] = "triple fault",
        [END_CRASH] = "crashed",   [END_KILLED] = "killed",
    };
    return name[end];
}

void domain_end(struct domain *d, enum domain_end end, const char *why, ...)
{
    va_list args;

    if (d->end)
        return;
    va_start(args, why);
    fmt_vsn(d->end_why, sizeof(d->end_why), why, args);
    va_end(args);
    d->end = end;
    if (end == END_POWEROFF || end == END_REBOOT)
        log_info("%s: %s (%s)", d->name, domain_end_name(end), d->end_why);
    else
        log_error("%s: %s: %s", d->name, domain_end_name(end), d->end_why);
}

bool domain_mention(struct mentioned *m, uint32_t key)
{
    for (unsigned i = 0; i < m->count; i++)
        if (m->key[i] == key)
            return false;
    if (m->count == MENTIONED_MOST)
        return false;
    m->key[m->count++] = key;
    return true;
}

static void reap(struct timer *t)
{
    domain_hooks->ended(container_of(t, struct domain, reaper));
}

/* ---- Its memory -------------------------------------------------------------------------------
 */

/* Frames that others have been promised and that have not come yet. */
static uint64_t promised_elsewhere(void)
{
    uint64_t frames = 0;

    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        if (domains[i])
            frames += domains[i]->p2m.promised - domains[i]->p2m.populated;
    return frames;
}

/* mem= is a promise, kept only if everything can arrive: RAM, its page tables, the rest. */
static int check_promise(const struct domain_config *config)
{
    uint64_t frames = config->mem >> PAGE_SHIFT;
    uint64_t overhead = frames / 256 + 64 + 16 * config->vcpus;
    uint64_t available = frame_count(OWNER_FREE), others = promised_elsewhere();

    available = available > others ? available - others : 0;
    if (frames + overhead <= available)
        return 0;
    log_error("%s: mem=%luK does not fit: %luK of the machine's memory are free", config->name,
              config->mem >> 10, available << (PAGE_SHIFT - 10));
    return -ENOMEM;
}

static int build_memory(struct domain *d, struct memmap *map)
{
    int err = memmap_build(map, d->config->mem);

    if (!err)
        err = p2m_init(&d->p2m, d->id);
    for (unsigned i = 0; !err && i < map->backed_count; i++)
        err = p2m_add_ram(&d->p2m, gpa_to_gfn(map->backed[i].start),
                          map->backed[i].size >> PAGE_SHIFT);
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

/* ---- Building it ------------------------------------------------------------------------------
 */

static int build_acpi(struct domain *d)
{
    struct acpi_guest_config config = { .where = gpa(HVM_ACPI_BASE), .vcpus = d->config->vcpus };
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
        err = build_vcpus(d);
    if (err)
        return err;
    machine_init(&d->machine, d, &map);
    return load_image(d, &map);
}

static int free_slot(void)
{
    for (int i = 0; i < MAX_DOMAINS; i++)
        if (!domains[i])
            return i;
    return -ENOSPC;
}

#define DOMAIN_ORDER 2
_Static_assert(sizeof(struct domain) <= PAGE_SIZE << DOMAIN_ORDER, "a domain takes four pages");

int domain_create(const struct domain_config *config, struct domain **out)
{
    int slot = free_slot(), err = check_promise(config);
    uint16_t id = next_id;

    if (slot < 0) {
        log_error("%s: there are %d domains already", config->name, MAX_DOMAINS);
        return slot;
    }
    if (err)
        return err;
    struct domain *d = heap_pages(DOMAIN_ORDER, id);
    if (!d) {
        log_error("%s: out of memory for the domain itself", config->name);
        return -ENOMEM;
    }
    d->id = id;
    d->config = config;
    d->tsc_zero = rdtsc();
    str_copy(d->name, config->name, sizeof(d->name));
    timer_init(&d->reaper, reap);
    domains[slot] = d;
    next_id = (uint16_t)(next_id % 0x7fef + 1); /* Xen keeps ids from 0x7FF0 for itself */
    err = build(d);
    if (err) {
        log_error("%s: cannot be started (error %d)", d->name, -err);
        domain_destroy(d);
        return err;
    }
    log_info("%s: domain %u, %luK, %u vCPU%s", d->name, d->id, config->mem >> 10, d->vcpu_count,
             d->vcpu_count == 1 ? "" : "s");
    *out = d;
    return 0;
}

void domain_start(struct domain *d)
{
    vcpu_kick(d->vcpus[0]); /* the others wait for a start-up message of the guest's */
}

void domain_destroy(struct domain *d)
{
    uint16_t id = d->id;

    timer_cancel(&d->reaper);
    for (unsigned i = 0; i < d->vcpu_count; i++)
        vcpu_destroy(d->vcpus[i]);
    if (d->io_bitmap)
        heap_free_pages(d->io_bitmap, IO_BITMAP_ORDER, id);
    p2m_destroy(&d->p2m);
    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        if (domains[i] == d)
            domains[i] = NULL;
    heap_free_pages(d, DOMAIN_ORDER, id);
    ASSERT(frame_count(id) == 0);
}
