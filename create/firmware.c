/*
 * See create/firmware.h.
 */
#include "create/firmware.h"
#include "create/devices.h"
#include "domain/domain.h"
#include "loader/image.h"
#include "machine/firmware_items.h"
#include "lib/log.h"
#include "mm/heap.h"

#define FIRMWARE_ORDER 3 /* of struct firmware_items, in pages */
#define SETUP_ORDER    4 /* of a kernel's setup code */
_Static_assert(sizeof(struct firmware_items) <= PAGE_SIZE << FIRMWARE_ORDER, "it suffices");
_Static_assert(IMAGE_SETUP_MOST <= PAGE_SIZE << SETUP_ORDER, "it suffices");
_Static_assert((int)IMAGE_PARTS == FIRMWARE_PARTS, "a plan's parts are what firmware is told of");

void firmware_decide(struct domain_config *c)
{
    const struct module *k = c->kernel;

    if (c->bare)
        return;
    c->kernel_is_rom =
        image_is_firmware(k->data, k->size) && /* of nearly all others quickly known */
        image_kind_of(k->data, k->size, c->type == DOMAIN_PVH) == IMAGE_FIRMWARE;
}

bool firmware_is(const struct domain_config *c)
{
    return c->kernel_is_rom || c->rom_count;
}

uint64_t firmware_rom_size(const struct domain_config *c)
{
    uint64_t size = c->kernel_is_rom ? c->kernel->size : 0;

    for (unsigned i = 0; i < c->rom_count; i++)
        size += c->roms[i].size;
    size = (size + PAGE_SIZE - 1) & PAGE_MASK;
    return size < IMAGE_ROM_MOST ? size : IMAGE_ROM_MOST; /* more is refused when it is loaded */
}

static bool has_kernel(const struct domain_config *c)
{
    return firmware_is(c) && !c->kernel_is_rom;
}

unsigned firmware_pages(const struct domain_config *c)
{
    return (firmware_is(c) ? 1u << FIRMWARE_ORDER : 0) + (has_kernel(c) ? 1u << SETUP_ORDER : 0);
}

/* A medium for firmware alone: the image of a floppy. */
static int add_floppy(const struct domain_config *c, struct firmware_board *board)
{
    if (c->module_count > 1) {
        log_error("%s: firmware: takes one ramdisk, the image of a floppy, and no modules",
                  c->name);
        return -EINVAL;
    }
    if (c->module_count) {
        board->floppy = c->modules[0].data;
        board->floppy_size = c->modules[0].size;
    }
    return 0;
}

static int add_kernel(struct domain *d, const struct image *image, struct firmware_board *board,
                      struct firmware_part parts[FIRMWARE_PARTS])
{
    struct image_plan plan;

    d->firmware_setup = heap_pages(SETUP_ORDER, d->xen.id);
    if (!d->firmware_setup)
        return -ENOMEM;
    int err = image_plan(image, board->ram_low, d->firmware_setup, &plan);
    for (unsigned i = 0; !err && i < FIRMWARE_PARTS; i++)
        parts[i] = (struct firmware_part){ plan.part[i].at, plan.part[i].size, plan.part[i].data };
    board->kernel = parts;
    board->kernel_stack = plan.stack;
    return err;
}

int firmware_build(struct domain *d, const struct image *image, struct machine_config *machine)
{
    const struct domain_config *c = d->config;
    struct firmware_part parts[FIRMWARE_PARTS];
    struct firmware_board board = { .vcpus = c->vcpus,
                                    .address_bits = devices_address_bits(),
                                    .hpet = !c->no_hpet,
                                    .ram_low = machine->ram_low,
                                    .ram_above = machine->ram_above };

    if (!firmware_is(c))
        return 0;
    int err = has_kernel(c) ? add_kernel(d, image, &board, parts) : add_floppy(c, &board);
    if (err)
        return err;
    d->firmware = heap_pages(FIRMWARE_ORDER, d->xen.id);
    if (!d->firmware)
        return -ENOMEM;
    firmware_items_build(d->firmware, &board);
    machine->firmware = d->firmware->items;
    machine->firmware_items = d->firmware->count;
    return 0;
}

void firmware_end(struct domain *d)
{
    if (d->firmware)
        heap_free_pages(d->firmware, FIRMWARE_ORDER, d->xen.id);
    if (d->firmware_setup)
        heap_free_pages(d->firmware_setup, SETUP_ORDER, d->xen.id);
    d->firmware = NULL;
    d->firmware_setup = NULL;
}
