/*
 * Puts a machine together, and finds who answers at a port. See machine/board.h.
 */
#include "machine/board.h"
#include "arch/x86/insn.h"
#include "lib/log.h"
#include "lib/string.h"
#include "lib/addr.h"

#define IO_BITMAP_BYTES 0x2000
#define POST_CODE_PORT  0x80 /* written as a delay by many drivers: no exit, it harms nobody */

/* Among what has been warned of, sleep types stand behind the last port. */
#define SLEEP_TYPES 0x10000u

/* ---- Ports ---- */

/* What is not plugged in answers nowhere. */
static bool is_in(const struct machine *m, const struct port_range *r, uint16_t port)
{
    bool plugged = r->device >= DEV_COUNT || m->device[r->device];

    return plugged && (uint16_t)(port - r->first) <= r->last - r->first;
}

static const struct port_range *range_of(const struct machine *m, uint16_t number)
{
    const struct port_range *r = m->board->ports;

    while (!is_in(m, r, number))
        r++;
    return r;
}

static bool has_bytes(enum machine_device device)
{
    return device < DEV_COUNT && device != DEV_PM && device != DEV_PCI && device != DEV_FWCFG;
}

/* The sizes of accesses from this port on that reach a device of bytes. A register of 16 or 32 bits
 * takes the whole access that begins in it. */
static uint8_t split_sizes(const struct machine *m, uint16_t number)
{
    enum machine_device first = range_of(m, number)->device;

    if (first < DEV_COUNT)
        return has_bytes(first) ? 2 | 4 : 0;
    for (unsigned i = 1; i < 4; i++)
        if (has_bytes(range_of(m, (uint16_t)(number + i))->device))
            return i == 1 ? 2 | 4 : 4;
    return 0;
}

struct port board_find_port(const struct machine *m, uint16_t number)
{
    const struct port_range *r = range_of(m, number);
    uint8_t split = split_sizes(m, number);

    if (r->device >= DEV_COUNT)
        return (struct port){ .number = number,
                              .offset = r->device == DEV_ZEROS ? 0 : UINT16_MAX,
                              .device = (uint8_t)r->device,
                              .split = split };
    struct device *dev = m->device[r->device];
    uint32_t offset = r->base + (number - r->first);
    uint32_t bit = offset < 32 ? 1u << offset : 0;
    bool timeless = !dev->ops->deadline;
    return (struct port){
        .dev = dev,
        .number = number,
        .offset = (uint16_t)offset,
        .device = (uint8_t)r->device,
        .split = split,
        .reading = timeless || dev->ops->timeless & bit ? PORT_TIMELESS
                   : dev->ops->steady & bit             ? PORT_STEADY
                                                        : PORT_ASK_AFTER,
        .clockless = timeless,
    };
}

void machine_fill_io_bitmap(uint8_t *bitmap)
{
    stosq((uint64_t *)bitmap, UINT64_MAX, IO_BITMAP_BYTES / 8);
    bitmap[POST_CODE_PORT / 8] &= (uint8_t) ~(1u << POST_CODE_PORT % 8);
}

/* ---- Power ---- */

static void reset_pulled(void *ctx, unsigned n, bool level)
{
    struct machine *m = ctx;

    (void)n;
    if (level)
        m->owner->power(m->ctx, MACHINE_RESET);
}

struct line board_reset_line(struct machine *m)
{
    return (struct line){ .set = reset_pulled, .ctx = m };
}

static void sleep_entered(void *ctx, unsigned type)
{
    struct machine *m = ctx;

    if (type == VPM_SLP_TYP_S5)
        m->owner->power(m->ctx, MACHINE_OFF);
    else if (warned_add(&m->unknown, SLEEP_TYPES | type))
        log_warn("%s: ACPI sleep type %u asked for, which this machine does not have", m->name,
                 type);
}

void board_plug_power(struct machine *m, struct line sci)
{
    struct vpm_bus pm = { .ctx = m, .sleep = sleep_entered, .sci = sci, .timer_32bit = true };

    vreset_init(&m->reset, board_reset_line(m));
    vpm_init(&m->pm, &pm);
    m->device[DEV_RESET] = &m->reset.dev;
    m->device[DEV_PM] = &m->pm.dev;
}

/* ---- Building ---- */

/* In each place a port whose place is another. */
static void forget_ports(struct machine *m)
{
    for (unsigned i = 0; i < PORTS_RECENT; i++)
        m->recent[i] = (struct port){ .number = (uint16_t)(i + 1) };
}

void machine_init(struct machine *m, const struct machine_config *config)
{
    m->board = config->board;
    m->owner = config->owner;
    m->ctx = config->ctx;
    m->name = config->name;
    m->tsc_zero = config->tsc_zero;
    forget_ports(m);
    m->board->plug(m, config);
    moment_init(&m->due);
    for (unsigned i = 0; i < DEV_COUNT; i++)
        m->device_due[i] = m->device[i] && m->device[i]->ops->deadline ? 0 : TIME_NEVER;
    machine_tick(m, 0); /* each says when it really is */
}
