/*
 * A machine of one register, in the place of machine/pc.c: every port and every address of
 * device memory leads to it. It remembers each access, in order.
 */
#ifndef CAISSON_TESTS_FAKES_BUS_H
#define CAISSON_TESTS_FAKES_BUS_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"

#define BUS_LOG 4096

struct bus_access {
    bool write, port;
    unsigned size;
    uint64_t at; /* port or guest-physical address */
    uint64_t value;
};
extern struct bus_access bus_log[BUS_LOG];
extern unsigned bus_count;    /* accesses so far */
extern uint64_t bus_register; /* what is read, and what was written last (size bytes of it) */
extern uint64_t bus_step;     /* added to it after each read */
extern gpa_t bus_device;      /* where machine_has_mmio() sees one; 0: nowhere */
/* Called after each access, if set: a device that does more. */
extern void (*bus_hook)(const struct bus_access *a);

void bus_reset(void);

#endif
