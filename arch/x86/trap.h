/*
 * Exceptions and interrupts that reach Caisson itself: how they come in and who gets them.
 */
#ifndef CAISSON_ARCH_X86_TRAP_H
#define CAISSON_ARCH_X86_TRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRAP_VECTORS    256
#define TRAP_EXCEPTIONS 32 /* vectors below are the CPU's own */
#define TRAP_STUB_BYTES 8

/* What arch/x86/trap.asm leaves on the stack, lowest address first. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint8_t vector;
    uint64_t error; /* 0 where the exception has none */
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(offsetof(struct trap_frame, vector) == 15 * 8, "trap.asm pushes 15 registers");
_Static_assert(offsetof(struct trap_frame, error) == 16 * 8, "the vector has eight bytes there");
_Static_assert(sizeof(struct trap_frame) % 16 == 0, "trap.asm calls with an aligned stack");

extern const uint8_t trap_stubs[];

/* From trap.asm, for every vector. */
void trap_handle(struct trap_frame *frame);

/* Who is asked about an NMI first, on its own stack: false if it is not theirs. Must not log. Boot
 * only. */
void trap_on_nmi(bool (*fn)(const struct trap_frame *frame));

/* The exception's name in words: "page fault". */
const char *trap_name(unsigned vector);

#endif
