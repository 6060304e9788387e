/*
 * The console ring of a pvh domain: hvc0 in Linux. It stands to the operator's console as COM1
 * does in a PC; console/ chooses between the two.
 */
#ifndef CAISSON_XEN_PV_CONSOLE_H
#define CAISSON_XEN_PV_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/errno.h"

struct xen_domain;

/* Where the ring's page and the other special frames are in guest memory; reserved in the map. */
#define PV_SPECIAL_BASE 0xFEFF8000u
#define PV_SPECIAL_SIZE 0x8000u
#define PV_CONSOLE_GPA  0xFEFFF000u
#define PV_STORE_GPA    0xFEFFC000u /* RAM of its own: create/store.h */

/* The way to the operator's console; filled by who owns the domain. */
struct xen_console_bus {
    /* Output; how many bytes it took: pv_console_kick() when there is room again. */
    size_t (*put)(struct xen_domain *d, const uint8_t *bytes, size_t n);
    /* There is room again for input: hand over more (pv_console_give). */
    void (*room)(struct xen_domain *d);
};

/* Makes the ring, its port, and the parameters that tell the guest, once there are vCPUs.
 * 0, -ENOMEM, -ENOSPC. */
int must_check pv_console_init(struct xen_domain *d, const struct xen_console_bus *bus);
void pv_console_destroy(struct xen_domain *d);
/* A byte from the operator; false: no room, the bus's room() is called when there is. Then, once
 * for all of them: the guest is told. */
bool pv_console_give(struct xen_domain *d, uint8_t byte);
void pv_console_given(struct xen_domain *d);
/* For a guest that asks for input by a call: copies up to n bytes out of what pv_console_give() put
 * in, and returns how many. They are still there, until pv_console_take() is given what *next is
 * then: the guest may have moved the ring's own index meanwhile. */
size_t pv_console_peek(const struct xen_domain *d, uint8_t *out, size_t n, uint32_t *next);
void pv_console_take(struct xen_domain *d, uint32_t next);
/* The operator's console takes output again. */
void pv_console_kick(struct xen_domain *d);

#endif
