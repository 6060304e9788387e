/*
 * Segment registers by selector: loaded as MOV, LLDT and LTR do, and as a task switch does, whose
 * descriptors are found and marked here too.
 */
#ifndef CAISSON_EMULATE_SELECTOR_H
#define CAISSON_EMULATE_SELECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/errno.h"
#include "virt/virt.h"

struct emulator;

#define SELECTOR_RPL 3u
#define SELECTOR_TI  4u /* in the LDT */

/* Types of a TSS's descriptor, with S as bit 4. */
#define SELECTOR_TSS16 0x01u
#define SELECTOR_TSS32 0x09u
#define SELECTOR_BUSY  0x02u

/* s: any but CS. Errors of emulate/emulator.h; nothing has changed then. */
int must_check selector_load(struct emulator *e, enum seg s, uint16_t selector);
/* The same outside real mode and IA-32e mode, for a task that has been switched to: CS too, #TS in
 * the place of #GP, and no right of the code that runs is asked for. Its CPL is that of SS. */
int must_check selector_load_of_task(struct emulator *e, enum seg s, uint16_t selector);

/* An exception with the selector as its error code, 0 of a null one: -EACCES. */
int must_check selector_refuse(struct emulator *e, uint8_t vector, uint16_t selector);

/* A descriptor of 8 bytes, read once, and where it stands. #GP if its table ends before. */
struct descriptor {
    struct segment segment;
    gva_t at;
};
int must_check selector_find(struct emulator *e, uint16_t selector, struct descriptor *out);
/* Could it be marked as busy or available? And that, of a TSS's. */
int must_check selector_probe(struct emulator *e, const struct descriptor *d);
int must_check selector_set_busy(struct emulator *e, const struct descriptor *d, bool busy);

#endif
