/*
 * The list of all domains. See create/list.h.
 */
#include "create/list.h"
#include "lib/string.h"

/* Boot CPU only. */
static struct domain *domains;

struct domain *domain_next(const struct domain *after)
{
    return after ? after->next : domains;
}

struct domain *domain_by_id(uint16_t id)
{
    struct xen_domain *d = xen_domain_by_id(id);

    return d ? domain_of(d) : NULL;
}

struct domain *domain_by_name(const char *name)
{
    for (struct domain *d = domains; d; d = d->next)
        if (strcmp(d->name, name) == 0)
            return d;
    return NULL;
}

void domain_list(struct domain *d)
{
    struct domain **end = &domains;

    while (*end)
        end = &(*end)->next;
    *end = d;
    xen_domain_list(&d->xen);
}

void domain_unlist(struct domain *d)
{
    struct domain **link = &domains;

    while (*link != d)
        link = &(*link)->next;
    *link = d->next;
    xen_domain_unlist(&d->xen);
}
