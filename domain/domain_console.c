/*
 * Between a domain's console device and who shows it. See domain/domain_console.h.
 */
#include "domain/domain_console.h"
#include "domain/domain.h"
#include "domain/vcpu.h"
#include "xen/pv_console.h"

bool domain_console_give(struct domain *d, uint8_t byte)
{
    return d->type == DOMAIN_PVH ? pv_console_give(&d->xen, byte)
                                 : machine_console_give(&d->machine, byte);
}

void domain_console_given(struct domain *d)
{
    if (d->type == DOMAIN_PVH)
        pv_console_given(&d->xen); /* COM1 has said so byte by byte, 16 at most */
}

void domain_console_kick(struct domain *d)
{
    if (d->type == DOMAIN_PVH)
        pv_console_kick(&d->xen);
    else
        machine_console_kick(&d->machine);
}

void domain_console_wake(struct domain *d)
{
    __atomic_or_fetch(&d->owed, DOMAIN_OWED_CONSOLE, __ATOMIC_RELEASE);
    vcpu_kick(d->vcpus[0]);
}
