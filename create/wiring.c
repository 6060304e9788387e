/*
 * What a domain's machine is connected to. See create/wiring.h.
 */
#include "create/wiring.h"
#include "domain/domain.h"
#include "domain/lapic.h"
#include "domain/vcpu.h"
#include "guestmem/gmem.h"
#include "lib/list.h"

/* vCPU 0 does what is due, and takes the 8259 pair's interrupts. Not while the machine is built and
 * programmed as firmware leaves it: a kick is what makes a vCPU run, and a new one looks anyway. */
static void look(void *ctx)
{
    struct domain *d = ctx;

    if (d->state != DOMAIN_BUILDING)
        vcpu_flag_or_kick(d->vcpus[0]);
}

static bool console_put(void *ctx, uint8_t byte)
{
    return domain_hooks->console_put(ctx, &byte, 1);
}

static void console_room(void *ctx, uint64_t now)
{
    (void)now;
    domain_hooks->console_room(ctx);
}

static void power(void *ctx, enum machine_power wish)
{
    if (wish == MACHINE_OFF)
        domain_end(ctx, END_POWEROFF, "ACPI S5");
    else
        domain_end(ctx, END_REBOOT, "reset line");
}

/* err: guestmem/gmem.h. */
static bool memory_reached(struct domain *d, int err)
{
    if (err == -ENOMEM)
        domain_end(d, END_KILLED, "no memory left for its RAM");
    return !err;
}

static bool memory_read(void *ctx, uint64_t from, void *to, size_t n)
{
    struct domain *d = ctx;

    return memory_reached(d, gmem_read(&d->p2m, gpa(from), to, n));
}

static bool memory_write(void *ctx, uint64_t to, const void *from, size_t n)
{
    struct domain *d = ctx;
    int err = from ? gmem_write(&d->p2m, gpa(to), from, n) : gmem_zero(&d->p2m, gpa(to), n);

    return memory_reached(d, err);
}

const struct machine_owner domain_wiring = {
    .look = look,
    .apic_message = lapic_message,
    .console_put = console_put,
    .console_room = console_room,
    .power = power,
    .memory_read = memory_read,
    .memory_write = memory_write,
};

/* ---- Xen's console ---- */

static size_t ring_put(struct xen_domain *d, const uint8_t *bytes, size_t n)
{
    return domain_hooks->console_put(LIST_ENTRY(d, struct domain, xen), bytes, n);
}

static void ring_room(struct xen_domain *d)
{
    domain_hooks->console_room(LIST_ENTRY(d, struct domain, xen));
}

const struct xen_console_bus domain_console_bus = { .put = ring_put, .room = ring_room };
