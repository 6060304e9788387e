/*
 * See lifecycle/firmware.h.
 */
#include "lifecycle/firmware.h"
#include "domain/domain.h"
#include "loader/image.h"
#include "machine/firmware_items.h"
#include "lib/log.h"
#include "mm/heap.h"

#define FIRMWARE_ORDER 3 /* of struct firmware_items, in pages */
_Static_assert(sizeof(struct firmware_items) <= PAGE_SIZE << FIRMWARE_ORDER, "it suffices");

void firmware_decide(struct domain_config *c)
{
    const struct module *k = c->kernel;

    if (c->bare)
        return;
    c->firmware = image_is_firmware(k->data, k->size) && /* of nearly all others quickly known */
                  image_kind_of(k->data, k->size, c->type == DOMAIN_PVH) == IMAGE_FIRMWARE;
}

bool firmware_is(const struct domain_config *c)
{
    return c->firmware;
}

unsigned firmware_pages(const struct domain_config *c)
{
    return firmware_is(c) ? 1u << FIRMWARE_ORDER : 0;
}

int firmware_build(struct domain *d, struct machine_config *machine)
{
    const struct domain_config *c = d->config;
    struct firmware_board board = { .vcpus = c->vcpus,
                                    .hpet = !c->no_hpet,
                                    .ram_low = machine->ram_low,
                                    .ram_above = machine->ram_above };

    if (!firmware_is(c))
        return 0;
    if (c->module_count > 1) {
        log_error("%s: firmware: takes one ramdisk, the image of a floppy, and no modules",
                  d->name);
        return -EINVAL;
    }
    if (c->module_count) {
        board.floppy = c->modules[0].data;
        board.floppy_size = c->modules[0].size;
    }
    d->firmware = heap_pages(FIRMWARE_ORDER, d->id);
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
        heap_free_pages(d->firmware, FIRMWARE_ORDER, d->id);
    d->firmware = NULL;
}
