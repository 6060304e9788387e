/*
 * Exceptions and interrupts of a guest.
 */
#ifndef GUEST_TRAP_H
#define GUEST_TRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As start.asm pushes it. */
struct trap {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

typedef void (*trap_fn)(struct trap *t);

/* Loads the IDT. Exceptions without a handler print themselves and end the guest. The first call
 * stops the PC's timer: firmware leaves it running, at the vector of #DF. */
void trap_init(void);
void trap_set(uint8_t vector, trap_fn fn);
/* The vector leads to entry() without a detour: it saves what it uses and ends with IRETQ. */
void trap_gate(uint8_t vector, void (*entry)(void));

/*
 * Runs fn(arg) and comes back with -1, or with the vector of the first exception that it met; what
 * it had done until then stays done.
 */
int trap_try(void (*fn)(void *arg), void *arg);

#endif
