/*
 * INIT and STARTUP as CPUs take them, looked at from the first one.
 */
#ifndef GUEST_BOARD_STARTUP_H
#define GUEST_BOARD_STARTUP_H

/* Prints how many of the cases are right. Wants APIC IDs 1 and 2, which have not been started, and
 * stops them again. */
void startup_try(void);

#endif
