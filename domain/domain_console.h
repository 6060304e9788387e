/*
 * A domain's console, whichever device it is: COM1 of a PC, or the ring of Xen's console.
 */
#ifndef CAISSON_DOMAIN_DOMAIN_CONSOLE_H
#define CAISSON_DOMAIN_DOMAIN_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

struct domain;

/* With the domain's lock held. Input: false, there is no room; domain_hooks->console_room() when
 * there is. */
bool domain_console_give(struct domain *d, uint8_t byte);
/* The same, behind the last of some bytes: an event costs what the guest makes it cost, and so it
 * is one for all of them. */
void domain_console_given(struct domain *d);
/* The same. There is room again for its output. */
void domain_console_kick(struct domain *d);
/* Has its vCPU 0 do that, on its own pCPU and account: whoever says so waits for none of the
 * domain's locks. On the boot CPU, as long as it has its console. */
void domain_console_wake(struct domain *d);

#endif
