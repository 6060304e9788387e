/*
 * How a domain comes into being: its memory, its machine, its vCPUs, its image.
 *
 * That takes long, and a guest that reboots has it done at its wish. So it is done in steps, each
 * of which lasts no longer than an exit may (domain_build()). Each may fail; domain_destroy() takes
 * down whatever is there, so there is one way back.
 */
#include "arch/x86/insn.h"
#include "arch/x86/wallclock.h"
#include "machine/acpi_guest.h"
#include "machine/bios_data.h"
#include "machine/bios_vectors.h"
#include "cpu/cpu_model.h"
#include "machine/mp_table.h"
#include "machine/pc.h"
#include "create/create.h"
#include "create/create_vcpu.h"
#include "create/devices.h"
#include "create/list.h"
#include "create/firmware.h"
#include "guestmem/gmem.h"
#include "loader/image.h"
#include "domain/lapic.h"
#include "create/wiring.h"
#include "create/id.h"
#include "create/load.h"
#include "create/memory.h"
#include "create/store.h"
#include "loader/memmap.h"
#include "xen/pv_console.h"
#include "lib/assert.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/promise.h"

#define ACPI_GUEST_ORDER 2 /* of the buffer: ACPI_GUEST_MAX_SIZE */

/* ---- Building it ---- */

/* What is needed until it is built: one page. */
struct domain_build {
    unsigned step; /* of build_steps[] */
    struct memmap map;
    gfn_t populated;                   /* for populate=now: up to here */
    struct passthrough_room registers; /* for the next PCI device */
    struct load load;
};
_Static_assert(sizeof(struct domain_build) <= PAGE_SIZE, "it is a page");

static int build_memory(struct domain *d)
{
    const struct memmap *map = &d->build->map;
    int err = d->config->bare ? 0 : memory_map(d->config, &d->build->map);

    if (!err)
        err = p2m_init(&d->p2m, d->xen.id);
    for (unsigned i = 0; !err && i < map->backed_count; i++)
        err = p2m_add_ram(&d->p2m, gpa_to_gfn(map->backed[i].start),
                          map->backed[i].size >> PAGE_SHIFT);
    return err;
}

static int populate(struct domain *d)
{
    bool now = d->config->populate_now || d->config->pci_count; /* devices do not wait */

    return now ? p2m_populate_some(&d->p2m, &d->build->populated) : 0;
}

static int build_acpi(struct domain *d)
{
    struct acpi_guest_config config = { .where = gpa(MEMMAP_ACPI),
                                        .vcpus = d->config->vcpus,
                                        .address_bits = devices_address_bits(),
                                        .hpet = d->type == DOMAIN_HVM && !d->config->no_hpet,
                                        .pvh = d->type == DOMAIN_PVH,
                                        .pci = d->config->pci_count };
    if (firmware_is(d->config))
        return 0; /* which has them by fw_cfg */
    void *buf = heap_pages(ACPI_GUEST_ORDER, d->xen.id);
    if (!buf)
        return -ENOMEM;
    size_t size = acpi_guest_build(&config, buf, ACPI_GUEST_MAX_SIZE);
    ASSERT(size);
    int err = gmem_write(&d->p2m, config.where, buf, size);
    heap_free_pages(buf, ACPI_GUEST_ORDER, d->xen.id);
    return err;
}

/* The pointer stands in the extended area too, where it is looked for first. */
static int build_mp_table(struct domain *d)
{
    uint8_t buf[MP_TABLE_MAX];
    struct mp_table_config config = { .where = MEMMAP_MP,
                                      .vcpus = d->config->vcpus,
                                      .identity = cpu_model_leaf(1, 0).eax };
    size_t size = mp_table_build(&config, buf);
    int err = gmem_write(&d->p2m, gpa(MEMMAP_MP), buf, size);

    return err ? err : gmem_write(&d->p2m, gpa(MEMMAP_EBDA_MP), buf, MP_POINTER_SIZE);
}

/* What a PC's firmware leaves in memory for those who know no ACPI. The extended area begins with
 * its size. */
static int build_firmware(struct domain *d)
{
    uint8_t area[BIOS_DATA_SIZE];
    const uint8_t ebda_kib = (MEMMAP_LOW_END - MEMMAP_EBDA) >> 10;
    struct p2m *p = &d->p2m;

    if (d->type == DOMAIN_PVH || firmware_is(d->config))
        return 0;
    bios_data_build(area, wallclock_now(), MEMMAP_EBDA);
    int err = gmem_write(p, gpa(0), bios_vectors, sizeof(bios_vectors));
    err = err ? err : gmem_write(p, gpa(BIOS_DATA_START), area, sizeof(area));
    err = err ? err : gmem_write(p, gpa(BIOS_CODE_START), bios_code, sizeof(bios_code));
    err = err ? err : gmem_write(p, gpa(MEMMAP_EBDA), &ebda_kib, sizeof(ebda_kib));
    return err ? err : build_mp_table(d);
}

static int build_ports(struct domain *d)
{
    d->io_bitmap = heap_pages(IO_BITMAP_ORDER, d->xen.id);
    if (!d->io_bitmap)
        return -ENOMEM;
    machine_fill_io_bitmap(d->io_bitmap);
    return lapic_create_access(d);
}

static int build_vcpu(struct domain *d)
{
    int err = vcpu_create(d);

    if (err)
        return err;
    d->apic_direct = d->apic_id_shift ? 0 : d->xen.vcpu_count;
    return d->xen.vcpu_count < d->config->vcpus ? -EAGAIN : 0;
}

static int build_xen(struct domain *d)
{
    return pv_domain_init(&d->xen);
}

/* Nobody has said yet where its first one begins. */
static int build_bare(struct domain *d)
{
    struct machine_config config = { .board = &board_bare,
                                     .owner = &domain_wiring,
                                     .ctx = d,
                                     .name = d->name,
                                     .tsc_zero = d->xen.tsc_zero };

    machine_init(&d->machine, &config);
    d->vcpus[0]->down = true;
    return 0;
}

static struct image image_of(const struct domain *d)
{
    const struct domain_config *c = d->config;

    return (struct image){ .domain = d->name,
                           .data = c->kernel->data,
                           .size = c->kernel->size,
                           .pvh = d->type == DOMAIN_PVH,
                           .control = c->control,
                           .cmdline = c->cmdline,
                           .modules = c->modules,
                           .module_count = c->module_count,
                           .roms = c->roms,
                           .rom_count = c->rom_count };
}

static int build_machine(struct domain *d)
{
    struct image image = image_of(d);
    uint64_t low = d->build->map.low_end;
    struct machine_config config = { .board = d->type == DOMAIN_PVH ? &board_pvh : &board_pc,
                                     .owner = &domain_wiring,
                                     .ctx = d,
                                     .name = d->name,
                                     .tsc_zero = d->xen.tsc_zero,
                                     .ram_low = low,
                                     .ram_above = d->config->mem - low,
                                     .no_hpet = d->config->no_hpet,
                                     .pci = d->config->pci_count };

    int err = firmware_build(d, &image, &config);
    if (err)
        return err;
    machine_init(&d->machine, &config);
    return d->type == DOMAIN_PVH ? pv_console_init(&d->xen, &domain_console_bus) : 0;
}

static int build_devices(struct domain *d)
{
    if (!d->build->registers.low.v)
        d->build->registers = devices_room();
    return devices_build(d, &d->build->registers);
}

static int build_image(struct domain *d)
{
    const struct domain_config *c = d->config;
    const struct memmap *map = &d->build->map;
    struct image image = image_of(d);
    struct image_memory memory;
    struct image_start start = { 0 };
    uint8_t rsdp[IMAGE_RSDP_BYTES];

    load_init(&d->build->load, &d->p2m, c, &memory);
    memory.e820 = map->e820;
    memory.e820_count = map->e820_count;
    memory.acpi_rsdp = gpa(MEMMAP_ACPI);
    memory.rsdp = rsdp;
    int err = gmem_read(&d->p2m, memory.acpi_rsdp, rsdp, sizeof(rsdp));
    if (!err)
        err = image_load(&image, &memory, &start);
    if (err)
        return err;
    vcpu_set_start(d->vcpus[0], &start);
    if (d->type == DOMAIN_HVM && !start.programs_pc)
        pc_start_as_firmware(&d->machine);
    return 0;
}

static int build_load(struct domain *d)
{
    return load_some(&d->build->load);
}

/* Each: 0 for the next step, -EAGAIN for itself once more, or an error. NULL: that was all. */
typedef int (*build_step)(struct domain *d);
static const build_step build_steps[] = {
    build_memory,  populate,      build_acpi,  build_firmware, build_xen,   build_ports, build_vcpu,
    build_machine, build_devices, build_image, build_load,     store_build, NULL,
};
static const build_step bare_steps[] = {
    build_memory, build_xen, build_ports, build_vcpu, build_bare, NULL,
};

/* One step, or a piece of one. -EAGAIN: there are more. */
static int build_some(struct domain *d)
{
    const build_step *steps = d->config->bare ? bare_steps : build_steps;
    int err = steps[d->build->step](d);

    if (err)
        return err;
    return steps[++d->build->step] ? -EAGAIN : 0;
}

void domain_build_end(struct domain *d)
{
    if (d->build)
        heap_free_pages(d->build, 0, d->xen.id);
    d->build = NULL;
}

/* All is in its place: they may come to a pCPU. */
static void let_in(struct domain *d)
{
    for (unsigned i = 0; i < d->xen.vcpu_count; i++)
        __atomic_store_n(&d->vcpus[i]->out, false, __ATOMIC_RELEASE);
}

int domain_build(struct domain *d)
{
    int err = build_some(d);

    if (err == -EAGAIN)
        return err;
    domain_build_end(d);
    if (err) {
        if (err == -ENOMEM) /* all else the step has told of itself */
            log_error("%s: cannot be started: out of memory", d->name);
        return err;
    }
    let_in(d);
    d->state = DOMAIN_PAUSED;
    log_info("%s: domain %u, %luK + %luK, %u vCPU%s", d->name, d->xen.id, d->config->mem >> 10,
             promise_of(d->xen.id).heap << (PAGE_SHIFT - 10), d->xen.vcpu_count,
             d->xen.vcpu_count == 1 ? "" : "s");
    return 0;
}

/* ---- Creating it ---- */

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
    if (!(config->share.cpus & sched_joined())) {
        log_error("%s: cpus= names no pCPU that runs guests (%d to %d do)", config->name,
                  sched_first_joined(), sched_last_joined());
        return -EINVAL;
    }
    if (config->control && !xen_domain_id_fits(XEN_DOMID_CONTROL)) {
        log_error("%s: there is a control domain, or a domain whose id is a multiple of %d",
                  config->name, MAX_DOMAINS);
        return -EEXIST;
    }
    return devices_check(config);
}

static int choose_id(const struct domain_config *config, uint16_t *out)
{
    if (config->control) {
        *out = XEN_DOMID_CONTROL;
        return 0;
    }
    int err = id_fresh(out);

    if (err == -ENOSPC)
        log_error("%s: no domain id is left: ports and grants of other domains name all that were "
                  "used before",
                  config->name);
    else if (err == -ENOMEM)
        log_error("%s: out of memory for an id", config->name);
    return err;
}

/* See domain->restarts. */
static uint8_t restarts(const struct domain_config *config)
{
    if (config->on_crash == ON_CRASH_RESTART)
        return 1u << END_TRIPLE_FAULT | 1u << END_CRASH;
    bool resets = config->type == DOMAIN_HVM && config->on_crash == ON_CRASH_DEFAULT;
    return resets ? 1u << END_TRIPLE_FAULT : 0;
}

int domain_create(const struct domain_config *config, struct sched_group *account, uint16_t before,
                  struct domain **out)
{
    int err = check_config(config);

    if (err) {
        if (before != ID_NONE)
            promise_end(before);
        return err;
    }
    uint16_t id = before;
    if (before == ID_NONE)
        err = choose_id(config, &id);
    if (err)
        return err;
    err = memory_promise(config, id);
    if (err) {
        promise_end(id);
        return err;
    }
    struct domain *d = heap_pages(DOMAIN_ORDER, id);
    if (!d) {
        log_error("%s: out of memory for the domain itself", config->name);
        promise_end(id);
        return -ENOMEM;
    }
    d->config = config;
    d->type = config->type;
    d->bare = config->bare;
    d->apic_id_shift = config->bare; /* the tools write tables that say so */
    d->restarts = restarts(config);
    d->lock = (struct spinlock)SPINLOCK_RANK("domain", LOCK_DOMAIN);
    d->account = account;
    d->xen = (struct xen_domain){
        .id = id, .lock = &d->lock, .p2m = &d->p2m, .tsc_zero = rdtsc(), .control = config->control
    };
    if (config->bare)
        fmt_sn(d->name, sizeof(d->name), BARE_NAME "%u", id);
    else
        str_copy(d->name, config->name, sizeof(d->name));
    domain_list(d);
    if (before == ID_NONE && !config->control)
        id_taken(id);
    d->build = heap_pages(0, id);
    err = d->build ? build_some(d) : -ENOMEM;
    if (err != -EAGAIN) {
        log_error("%s: cannot be started: out of memory", d->name);
        while (!domain_destroy(d))
            ;
        return -ENOMEM;
    }
    *out = d;
    return 0;
}
