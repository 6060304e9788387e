/*
 * The list of all domains. It belongs to the boot CPU, and changes only from units of the
 * scheduler there. Other domains' hypercalls find a domain by xen/xen_domain.c instead.
 */
#ifndef CAISSON_CREATE_LIST_H
#define CAISSON_CREATE_LIST_H

#include "domain/domain.h"

/* The domains that exist, in order of creation, also those that are being built or destroyed: they
 * may have no vCPUs. After NULL comes the first. Boot CPU. */
struct domain *domain_next(const struct domain *after);
struct domain *domain_by_id(uint16_t id);
struct domain *domain_by_name(const char *name);

/* For create.c and destroy.c: d is among them from now on, or no more. */
void domain_list(struct domain *d);
void domain_unlist(struct domain *d);

#endif
