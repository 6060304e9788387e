/*
 * Accesses to guest-physical addresses behind which there is no RAM: device registers or nothing.
 */
#ifndef CAISSON_EMULATE_MMIO_H
#define CAISSON_EMULATE_MMIO_H

#include "lib/addr.h"
#include "lib/errno.h"

struct emulator;

/* Carries out the instruction at RIP, which has accessed `at`, and steps over it. 0; 1: the same,
 * and it may have accessed more than the exit tells; an error of emulate/emulator.h, then the guest
 * stands where it stood. */
int must_check mmio_emulate(struct emulator *e, gpa_t at);

#endif
