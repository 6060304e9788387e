/*
 * A display controller's registers. See devices/vcrtc.h. Source: IBM, "PS/2 Hardware Interface
 * Technical Reference", "CRT Controller Registers". All of them keep what is written.
 */
#include "devices/vcrtc.h"
#include "lib/string.h"

#define INDEX_BITS 0x1F

static uint32_t vcrtc_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    const struct vcrtc *c = container_of(dev, struct vcrtc, dev);

    (void)now;
    (void)size;
    if (offset == 0)
        return c->index;
    return c->index < VCRTC_REGISTERS ? c->reg[c->index] : UINT32_MAX;
}

static void vcrtc_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                        uint64_t now)
{
    struct vcrtc *c = container_of(dev, struct vcrtc, dev);

    (void)now;
    (void)size;
    if (offset == 0)
        c->index = value & INDEX_BITS;
    else if (c->index < VCRTC_REGISTERS)
        c->reg[c->index] = (uint8_t)value;
}

static void vcrtc_reset(struct device *dev, uint64_t now)
{
    struct vcrtc *c = container_of(dev, struct vcrtc, dev);

    (void)now;
    c->index = 0;
    memset(c->reg, 0, sizeof(c->reg));
}

static const struct device_ops ops = {
    .read = vcrtc_read,
    .write = vcrtc_write,
    .reset = vcrtc_reset,
};

void vcrtc_init(struct vcrtc *c)
{
    *c = (struct vcrtc){ .dev.ops = &ops };
}
