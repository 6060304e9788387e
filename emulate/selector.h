/*
 * Loading a segment register, as MOV, LLDT and LTR do.
 */
#ifndef CAISSON_EMULATE_SELECTOR_H
#define CAISSON_EMULATE_SELECTOR_H

#include <stdint.h>
#include "lib/errno.h"
#include "virt/virt.h"

struct emulator;

/* s: any but CS. Errors of emulate/emulator.h; nothing has changed then. */
int must_check selector_load(struct emulator *e, enum seg s, uint16_t selector);

#endif
