/*
 * ACPI fixed hardware: the PM timer from absolute time, three 16-bit registers, one interrupt.
 *
 * The registers may be touched in any width: the ACPI specification lets the OS read PM1 status
 * and enable as one 32-bit register, and single bytes too.
 */
#include "devices/clock.h"
#include "devices/vpm.h"

#define ENABLE_BITS  (VPM_TMR | VPM_GBL | VPM_PWRBTN | VPM_RTC)
#define STATUS_BITS  (ENABLE_BITS | VPM_WAK)
#define CONTROL_BITS (7u << 10 | 1u << 1) /* SLP_TYP, BM_RLD; SCI_EN is the SMI command's */

static void update_sci(struct vpm *v)
{
    line_set(&v->bus.sci, v->control & VPM_SCI_EN && v->status & v->enable & ENABLE_BITS);
}

/* ---- The timer ---- */

/* Ticks between two changes of the highest bit. */
static uint64_t half_period(const struct vpm *v)
{
    return v->bus.timer_32bit ? 1UL << 31 : 1UL << 23;
}

static uint64_t ticks_of(uint64_t ns)
{
    return clock_scaled(ns, CLOCK_SCALE(VPM_TIMER_HZ));
}

static uint32_t timer_read(const struct vpm *v, uint64_t now)
{
    return ticks_of(now) & (2 * half_period(v) - 1);
}

/* Each change of the highest bit sets TMR_STS, so that an OS can extend the counter. */
static void timer_run(struct vpm *v, uint64_t now)
{
    uint64_t flips = ticks_of(now) / half_period(v);

    if (flips == v->msb_flips)
        return;
    v->msb_flips = flips;
    v->status |= VPM_TMR;
    update_sci(v);
}

/* Only an interrupt needs to be on time; a status bit is brought up to date when it is read. */
static uint64_t deadline(const struct device *dev)
{
    const struct vpm *v = (const struct vpm *)dev;

    if (!(v->enable & VPM_TMR) || v->status & VPM_TMR)
        return TIME_NEVER;
    return clock_ns((v->msb_flips + 1) * half_period(v), VPM_TIMER_HZ);
}

static void tick(struct device *dev, uint64_t now)
{
    timer_run((struct vpm *)dev, now);
}

/* ---- Registers ---- */

static uint32_t block_read(const struct vpm *v, uint32_t offset, uint64_t now)
{
    switch (offset & ~3u) {
    case VPM_STATUS:
        return v->status | (uint32_t)v->enable << 16;
    case VPM_CONTROL:
        return v->control;
    case VPM_TIMER:
        return timer_read(v, now);
    default:
        return ~0u;
    }
}

static uint32_t vpm_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    struct vpm *v = (struct vpm *)dev;

    (void)size;
    if (offset == VPM_TIMER)
        return timer_read(v, now); /* guests that poll it care for nothing else */
    timer_run(v, now);
    return offset == VPM_SMI_COMMAND ? 0 : block_read(v, offset, now) >> (offset & 3) * 8;
}

static void write_control(struct vpm *v, uint16_t value, uint16_t mask)
{
    uint16_t writable = mask & CONTROL_BITS;

    v->control = (v->control & ~writable) | (value & writable);
    if (value & mask & VPM_SLP_EN) /* write-only: reads as 0 */
        v->bus.sleep(v->bus.ctx, VPM_SLP_TYP(v->control));
}

/* One 16-bit register; mask has ones where the access touches it. */
static void write_half(struct vpm *v, uint32_t reg, uint16_t value, uint16_t mask)
{
    uint16_t writable = mask & ENABLE_BITS;

    switch (reg) {
    case VPM_STATUS:
        v->status &= ~(value & mask & STATUS_BITS);
        break;
    case VPM_ENABLE:
        v->enable = (v->enable & ~writable) | (value & writable);
        break;
    case VPM_CONTROL:
        write_control(v, value, mask);
        break;
    }
}

static void smi_command(struct vpm *v, uint8_t command)
{
    if (command == VPM_ACPI_ENABLE)
        v->control |= VPM_SCI_EN;
    else if (command == VPM_ACPI_DISABLE)
        v->control &= ~VPM_SCI_EN;
}

static void vpm_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                      uint64_t now)
{
    struct vpm *v = (struct vpm *)dev;
    unsigned shift = (offset & 3) * 8;
    uint32_t mask = (size == 4 ? ~0u : (1u << size * 8) - 1) << shift;

    timer_run(v, now);
    if (offset == VPM_SMI_COMMAND) {
        smi_command(v, value);
    } else {
        value <<= shift;
        write_half(v, offset & ~3u, value, mask);
        write_half(v, (offset & ~3u) + 2, value >> 16, mask >> 16);
    }
    update_sci(v);
}

void vpm_power_button(struct vpm *v)
{
    v->status |= VPM_PWRBTN;
    update_sci(v);
}

void vpm_rtc_alarm(struct vpm *v)
{
    v->status |= VPM_RTC;
    update_sci(v);
}

/* The timer is not reset: it counts the domain's time. */
static void reset(struct device *dev, uint64_t now)
{
    struct vpm *v = (struct vpm *)dev;

    timer_run(v, now);
    v->status = v->enable = v->control = 0;
    update_sci(v);
}

static const struct device_ops vpm_ops = {
    .read = vpm_read,
    .write = vpm_write,
    .tick = tick,
    .deadline = deadline,
    .reset = reset,
    .steady = (1u << VPM_BLOCK_SIZE) - 1,
};

void vpm_init(struct vpm *v, const struct vpm_bus *bus)
{
    *v = (struct vpm){ .dev.ops = &vpm_ops, .bus = *bus };
}
