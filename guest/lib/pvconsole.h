/*
 * The paravirtual console: what hvc0 is to Linux.
 */
#ifndef GUEST_PVCONSOLE_H
#define GUEST_PVCONSOLE_H

#include <stdbool.h>

/* print() goes there from now on. False: the domain has none, and COM1 stays. */
bool pvconsole_init(void);
/* What was typed next; waits for it. After event_init(). */
char pvconsole_get(void);

#endif
