/*
 * A domain's console, whichever device it is: COM1 of a PC, or the ring of Xen's console.
 */
#ifndef CAISSON_DOMAIN_DOMAIN_CONSOLE_H
#define CAISSON_DOMAIN_DOMAIN_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

struct domain;

/* All with the domain's lock held. Input: false, there is no room; domain_hooks->console_room()
 * when there is. */
bool domain_console_give(struct domain *d, uint8_t byte);
/* There is room again for its output. */
void domain_console_kick(struct domain *d);

#endif
