/*
 * x87 instructions with an operand in memory: the FPU carries them out, on the guest's registers,
 * which stay in it while Caisson works for the guest (virt/fpu.h).
 */
#ifndef CAISSON_EMULATE_X87_H
#define CAISSON_EMULATE_X87_H

#include "lib/errno.h"

struct decode;
struct emulator;
struct operation;

/* May the guest execute it now? 0, or an error of emulate/emulator.h. */
int must_check x87_check(struct emulator *e, const struct decode *insn);
/* o->memory is what was read, or becomes what is to be written; o->writes: it is. Registers change:
 * nothing may fail behind it. The same answers. */
int must_check x87_operate(struct emulator *e, const struct decode *insn, struct operation *o);

#endif
