/*
 * fw_cfg. Source: QEMU, docs/specs/fw_cfg, "Register Locations". Bit 14 of the selector asks to
 * write an item, which is not taken: it is no part of the key.
 */
#include "devices/vfwcfg.h"
#include "lib/likely.h"

#define SELECTOR 0
#define DATA     1

#define KEY_WRITE 0x4000u

static void vfwcfg_select(struct vfwcfg *f, uint16_t key)
{
    f->selected = NULL;
    f->next = 0;
    for (unsigned i = 0; i < f->count; i++)
        if (f->items[i].key == (key & ~KEY_WRITE))
            f->selected = &f->items[i];
}

static uint32_t vfwcfg_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    struct vfwcfg *f = container_of(dev, struct vfwcfg, dev);

    (void)now;
    if (offset != DATA || size != 1)
        return UINT32_MAX;
    if (!f->selected || f->next >= f->selected->size)
        return 0;
    return ((const uint8_t *)f->selected->data)[f->next++];
}

static void vfwcfg_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                         uint64_t now)
{
    (void)now;
    if (offset == SELECTOR && size == 2)
        vfwcfg_select(container_of(dev, struct vfwcfg, dev), (uint16_t)value);
}

static void vfwcfg_reset(struct device *dev, uint64_t now)
{
    (void)now;
    vfwcfg_select(container_of(dev, struct vfwcfg, dev), 0);
}

static const struct device_ops ops = {
    .read = vfwcfg_read,
    .write = vfwcfg_write,
    .reset = vfwcfg_reset,
};

cold void vfwcfg_init(struct vfwcfg *f, const struct vfwcfg_item *items, unsigned count)
{
    *f = (struct vfwcfg){ .dev.ops = &ops, .items = items, .count = count };
    vfwcfg_reset(&f->dev, 0);
}
