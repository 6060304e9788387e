/*
 * What a domain's machine is connected to: its vCPUs, its console, its end. The machine (machine/)
 * knows no domain; it calls these, with the domain's lock held.
 */
#ifndef CAISSON_CREATE_WIRING_H
#define CAISSON_CREATE_WIRING_H

#include "machine/machine.h"
#include "xen/pv_console.h"

/* ctx: the struct domain. */
extern const struct machine_owner domain_wiring;
/* The same of the ring of Xen's console. */
extern const struct xen_console_bus domain_console_bus;

#endif
