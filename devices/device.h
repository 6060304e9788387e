/*
 * What every emulated device is: registers, time, and interrupt lines. No more.
 *
 * A device embeds struct device as its first member and fills in its operations. It knows neither
 * domain nor vCPU nor bus address: a machine (machine/) places it, hands it accesses
 * with an offset, tells it the time, and connects its lines. The same object file is linked into
 * the host tests.
 *
 * Time is nanoseconds of the domain's clock, from 0 at its creation, never running backwards.
 * A device never looks at a clock: `now` comes with every call. What happens by itself (a timer
 * that expires) happens in tick(), and deadline() says when the next such thing is due; the
 * machine asks again after every tick and every access that may have brought it nearer.
 */
#ifndef CAISSON_DEVICES_DEVICE_H
#define CAISSON_DEVICES_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/time.h"

/* A wire from a device to whatever listens: an interrupt controller's input, or a reset switch. */
struct line {
    void (*set)(void *ctx, unsigned n, bool level); /* may be NULL: connected to nothing */
    void *ctx;
    unsigned n; /* which input */
};

static inline void line_set(const struct line *l, bool level)
{
    if (l->set)
        l->set(l->ctx, l->n, level);
}

struct device;
struct device_ops {
    /* offset: within the device, as its header numbers the registers; size: 1, 2 or 4 bytes, and
     * always 1 for a device whose registers are bytes at ports, since the bus splits what is wider.
     * What is above the size in an answer or in a value means nothing. */
    uint32_t (*read)(struct device *dev, uint32_t offset, unsigned size, uint64_t now);
    void (*write)(struct device *dev, uint32_t offset, unsigned size, uint32_t value, uint64_t now);
    void (*tick)(struct device *dev, uint64_t now);  /* NULL: has no clockwork */
    uint64_t (*deadline)(const struct device *dev);  /* NULL: never */
    void (*reset)(struct device *dev, uint64_t now); /* to power-on state, lines stay connected */
    /* Registers, a bit for each offset below 32, whose reading has nothing to do with time: it is
     * given 0 for now, and moves no deadline. */
    uint32_t timeless;
    /* Those whose reading moves no deadline, or only away from now. The machine does not ask then,
     * and the next tick may come too early. */
    uint32_t steady;
};

struct device {
    const struct device_ops *ops;
};

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#endif
