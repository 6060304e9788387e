/*
 * The far end of a device's interrupt line: remembers its level and counts its edges; and short
 * hands for a device's registers.
 */
#ifndef CAISSON_TESTS_FAKES_LINE_H
#define CAISSON_TESTS_FAKES_LINE_H

#include <stdbool.h>
#include "devices/device.h"

struct fake_line {
    bool level;
    unsigned rises, falls;
};

static inline void fake_line_set(void *ctx, unsigned n, bool level)
{
    struct fake_line *f = ctx;

    (void)n;
    f->rises += level && !f->level;
    f->falls += !level && f->level;
    f->level = level;
}

static inline struct line fake_line(struct fake_line *f)
{
    *f = (struct fake_line){ 0 };
    return (struct line){ .set = fake_line_set, .ctx = f };
}

static inline uint8_t reg_read(struct device *dev, uint32_t offset, uint64_t now)
{
    return (uint8_t)dev->ops->read(dev, offset, 1, now);
}

static inline void reg_write(struct device *dev, uint32_t offset, uint8_t value, uint64_t now)
{
    dev->ops->write(dev, offset, 1, value | 0xa5a5a500, now); /* as OUT finds it in EAX */
}

#endif
