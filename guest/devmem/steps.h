/*
 * Single steps over instructions that exit.
 */
#ifndef GUEST_DEVMEM_STEPS_H
#define GUEST_DEVMEM_STEPS_H

#include <stdbool.h>

/* Takes the vector of #DB. False if one of them traps late, or not at all; prints which. */
bool steps_over_each(void);

#endif
