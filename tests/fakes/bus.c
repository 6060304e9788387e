/*
 * A machine of one register. See tests/fakes/bus.h.
 */
#include "tests/fakes/bus.h"

#include <stdlib.h>
#include <string.h>
#include "machine/machine.h"

struct bus_access bus_log[BUS_LOG];
unsigned bus_count;
uint64_t bus_register, bus_step;
gpa_t bus_device;
void (*bus_hook)(const struct bus_access *a);

void bus_reset(void)
{
    bus_count = 0;
    bus_register = bus_step = 0;
    bus_device = gpa(0);
    bus_hook = NULL;
}

static uint64_t mask(unsigned size)
{
    if (size != 1 && size != 2 && size != 4 && size != 8)
        abort();
    return size == 8 ? ~0ul : (1ul << 8 * size) - 1;
}

static void note(bool write, bool port, uint64_t at, unsigned size, uint64_t value)
{
    if (bus_count == BUS_LOG)
        abort();
    bus_log[bus_count] = (struct bus_access){ write, port, size, at, value };
    bus_count++;
    if (bus_hook)
        bus_hook(&bus_log[bus_count - 1]);
}

static uint64_t read(bool port, uint64_t at, unsigned size)
{
    uint64_t value = bus_register & mask(size);

    bus_register += bus_step;
    note(false, port, at, size, value);
    return value;
}

static void write(bool port, uint64_t at, unsigned size, uint64_t value)
{
    bus_register = (bus_register & ~mask(size)) | (value & mask(size));
    note(true, port, at, size, value & mask(size));
}

uint32_t machine_port_read(struct machine *m, uint16_t port, unsigned size)
{
    (void)m;
    return (uint32_t)(read(true, port, size) | ~mask(size)); /* what is above means nothing */
}

void machine_port_write(struct machine *m, uint16_t port, unsigned size, uint32_t value)
{
    (void)m;
    write(true, port, size, value);
}

bool machine_has_mmio(const struct machine *m, const struct vlapic *l, gpa_t at)
{
    (void)m;
    (void)l;
    return bus_device.v && at.v == bus_device.v;
}

uint64_t machine_mmio_read(struct machine *m, struct vlapic *l, gpa_t at, unsigned size)
{
    (void)m;
    (void)l;
    return read(false, at.v, size);
}

void machine_mmio_write(struct machine *m, struct vlapic *l, gpa_t at, unsigned size,
                        uint64_t value)
{
    (void)m;
    (void)l;
    write(false, at.v, size, value);
}
