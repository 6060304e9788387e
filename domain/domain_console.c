/*
 * Between a domain's console device and who shows it. See domain/domain_console.h.
 */
#include "domain/domain_console.h"
#include "domain/domain.h"
#include "lib/list.h"
#include "xen/pv_console.h"

bool domain_console_give(struct domain *d, uint8_t byte)
{
    return d->type == DOMAIN_PVH ? pv_console_give(&d->xen, byte)
                                 : machine_console_give(&d->machine, byte);
}

void domain_console_kick(struct domain *d)
{
    if (d->type == DOMAIN_PVH)
        pv_console_kick(&d->xen);
    else
        machine_console_kick(&d->machine);
}

static size_t put(struct xen_domain *d, const uint8_t *bytes, size_t n)
{
    return domain_hooks->console_put(LIST_ENTRY(d, struct domain, xen), bytes, n);
}

static void room(struct xen_domain *d)
{
    domain_hooks->console_room(LIST_ENTRY(d, struct domain, xen));
}

const struct xen_console_bus domain_console_bus = { .put = put, .room = room };
