/*
 * The chipset's two reset switches. Source: the ICH data sheets, "RST_CNT - Reset Control
 * Register" and "PORT92 - Fast A20 and Init Register".
 */
#include "devices/vreset.h"

#define CONTROL_BITS 0x0e /* full reset, reset CPU, system reset */
#define CONTROL_CPU  0x04 /* its rising edge resets */
#define PORT_A_INIT  0x01 /* its rising edge resets */
#define PORT_A_A20   0x02

static uint32_t vreset_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    const struct vreset *r = container_of(dev, struct vreset, dev);

    (void)now;
    (void)size;
    if (offset > 1)
        return UINT32_MAX;
    return offset ? r->port_a : r->control;
}

/* The listener may reset this very device from within: nothing is done after it. */
static void pulse(const struct line *reset)
{
    line_set(reset, true);
    line_set(reset, false);
}

static void vreset_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                         uint64_t now)
{
    struct vreset *r = container_of(dev, struct vreset, dev);

    (void)now;
    (void)size;
    if (offset > 1)
        return;
    uint8_t *reg = offset ? &r->port_a : &r->control;
    uint8_t writable = offset ? PORT_A_INIT | PORT_A_A20 : CONTROL_BITS;
    uint8_t trigger = offset ? PORT_A_INIT : CONTROL_CPU;
    bool rises = value & ~*reg & trigger;

    *reg = value & writable;
    if (rises)
        pulse(&r->reset);
}

static void vreset_reset(struct device *dev, uint64_t now)
{
    struct vreset *r = container_of(dev, struct vreset, dev);

    (void)now;
    r->control = 0;
    r->port_a = PORT_A_A20;
}

static const struct device_ops ops = {
    .read = vreset_read,
    .write = vreset_write,
    .reset = vreset_reset,
};

void vreset_init(struct vreset *r, struct line reset)
{
    *r = (struct vreset){ .dev.ops = &ops, .reset = reset };
    vreset_reset(&r->dev, 0);
}
