/*
 * The 8254 interval timer: its registers, and OUT0's way to the interrupt line. Source: Intel,
 * "8254 Programmable Interval Timer", "Programming"; port 0x61 is that of the PC/AT.
 */
#include "devices/vpit.h"
#include "devices/clock.h"
#include "lib/likely.h"

#define REFRESH_CLOCKS 18 /* channel 1 of a PC: a DRAM refresh every 15 us */

#define CONTROL_GATE     0x01 /* of channel 2 */
#define CONTROL_WRITABLE 0x0f
#define CONTROL_REFRESH  0x10 /* toggles with each refresh */
#define CONTROL_OUT2     0x20

#define READ_BACK           3 /* in place of a channel's number */
#define READ_BACK_NO_COUNT  0x20
#define READ_BACK_NO_STATUS 0x10

static int64_t clock_of(uint64_t ns)
{
    return (int64_t)clock_scaled(ns, CLOCK_SCALE(VPIT_HZ));
}

static void read_back(struct vpit *pit, uint8_t word, int64_t t)
{
    for (unsigned i = 0; i < VPIT_CHANNELS; i++) {
        if (!(word & 2u << i))
            continue;
        if (!(word & READ_BACK_NO_COUNT))
            vpit_channel_latch_count(&pit->channel[i], t);
        if (!(word & READ_BACK_NO_STATUS))
            vpit_channel_latch_status(&pit->channel[i], t);
    }
}

static void write_control(struct vpit *pit, uint8_t word, int64_t t)
{
    unsigned n = word >> 6;

    if (n == READ_BACK)
        read_back(pit, word, t);
    else if ((word & 0x30) == 0)
        vpit_channel_latch_count(&pit->channel[n], t);
    else
        vpit_channel_set_mode(&pit->channel[n], word);
}

static uint32_t read_system_control(const struct vpit *pit, int64_t t)
{
    bool refresh = t / REFRESH_CLOCKS & 1;
    return pit->control | (refresh ? CONTROL_REFRESH : 0) |
           (vpit_channel_out(&pit->channel[2], t) ? CONTROL_OUT2 : 0);
}

static void set_out0(struct vpit *pit, bool level)
{
    if (level == pit->out0_level)
        return;
    pit->out0_level = level;
    line_set(&pit->out0, level);
}

/* Brings all channels to clock t, and OUT0 to its line: one edge, however many there were. */
static void settle(struct vpit *pit, int64_t t)
{
    bool rose = vpit_channel_advance(&pit->channel[0], t);

    for (unsigned i = 1; i < VPIT_CHANNELS; i++)
        if (t >= pit->channel[i].next_at) /* they have no line, so their edges are nobody's */
            vpit_channel_advance(&pit->channel[i], t);
    if (rose) {
        set_out0(pit, false);
        set_out0(pit, true);
    }
    set_out0(pit, vpit_channel_out(&pit->channel[0], t));
}

/* The same, and until when it will do. */
static __attribute__((noinline)) void settle_for_long(struct vpit *pit, int64_t t)
{
    settle(pit, t);
    pit->settled = vpit_channel_deadline(&pit->channel[0]);
    for (unsigned i = 0; i < VPIT_CHANNELS; i++)
        if (pit->channel[i].next_at < pit->settled)
            pit->settled = pit->channel[i].next_at;
}

static __attribute__((noinline)) uint32_t read_settled(struct vpit *pit, uint32_t offset, int64_t t)
{
    if (likely(offset < VPIT_CHANNELS))
        return vpit_channel_read(&pit->channel[offset], t);
    return offset == 4 ? read_system_control(pit, t) : UINT32_MAX;
}

static cold __attribute__((noinline)) uint32_t settle_and_read(struct vpit *pit, uint32_t offset,
                                                               int64_t t)
{
    settle_for_long(pit, t);
    return read_settled(pit, offset, t);
}

/* A guest that reads mostly does so over and over, and nothing has happened meanwhile. */
static uint32_t vpit_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    struct vpit *pit = container_of(dev, struct vpit, dev);
    int64_t t = clock_of(now);

    (void)size;
    if (unlikely(t >= pit->settled))
        return settle_and_read(pit, offset, t);
    return read_settled(pit, offset, t);
}

static void vpit_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                       uint64_t now)
{
    struct vpit *pit = container_of(dev, struct vpit, dev);
    int64_t t = clock_of(now);

    (void)size;
    if (offset > 4)
        return;
    settle(pit, t);
    if (offset == 4) {
        pit->control = value & CONTROL_WRITABLE;
        vpit_channel_set_gate(&pit->channel[2], value & CONTROL_GATE, t);
    } else if (offset < VPIT_CHANNELS) {
        vpit_channel_write(&pit->channel[offset], (uint8_t)value, t);
    } else {
        write_control(pit, (uint8_t)value, t);
    }
    settle_for_long(pit, t);
}

static void vpit_tick(struct device *dev, uint64_t now)
{
    settle_for_long(container_of(dev, struct vpit, dev), clock_of(now));
}

/* Only a rising OUT0 needs somebody to be there in time: an interrupt controller sees no other. */
static uint64_t vpit_deadline(const struct device *dev)
{
    const struct vpit *pit = container_of(dev, struct vpit, dev);
    int64_t at = vpit_channel_deadline(&pit->channel[0]);

    return at == VPIT_NEVER ? TIME_NEVER : clock_ns((uint64_t)at, VPIT_HZ);
}

static cold void vpit_reset(struct device *dev, uint64_t now)
{
    struct vpit *pit = container_of(dev, struct vpit, dev);

    for (unsigned i = 0; i < VPIT_CHANNELS; i++) {
        pit->channel[i].gate = i != 2;
        vpit_channel_set_mode(&pit->channel[i], 0);
    }
    pit->control = 0;
    settle_for_long(pit, clock_of(now));
}

static const struct device_ops ops = {
    .read = vpit_read,
    .write = vpit_write,
    .tick = vpit_tick,
    .deadline = vpit_deadline,
    .reset = vpit_reset,
    .steady = 0x1f,
};

cold void vpit_init(struct vpit *pit, struct line out0, uint64_t now)
{
    *pit = (struct vpit){ .dev.ops = &ops, .out0 = out0 };
    vpit_reset(&pit->dev, now);
}
