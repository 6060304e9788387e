/*
 * String instructions, with their repetitions: INS and OUTS; MOVS, STOS, LODS, CMPS and SCAS where
 * one of their operands lies in device memory.
 */
#ifndef CAISSON_EMULATE_STRING_INSN_H
#define CAISSON_EMULATE_STRING_INSN_H

#include "lib/errno.h"

struct decode;
struct emulator;

/* Carries out some repetitions. 1: those were the last; 0: the guest is to execute it again for the
 * others; an error of emulate/emulator.h, with the registers as they are before the repetition that
 * failed. It does not step over the instruction. */
int must_check string_insn_emulate(struct emulator *e, const struct decode *insn);
/* After a 0: a single step or a breakpoint traps between two repetitions as behind an instruction.
 */
void string_insn_pause(struct emulator *e);

#endif
