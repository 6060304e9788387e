/*
 * The trampoline of the other CPUs (boot/trampoline.asm): what it is told, and where it lies.
 *
 * smp.c copies trampoline_start..trampoline_end to a page below 1 MiB, fills the parameters there
 * (at the same offset as trampoline_params in the original), and sends INIT and STARTUP. The CPU
 * arrives at `entry` with `stack`, the final tables and its GS base set; it has to call
 * cpu_init() and desc_init() by itself.
 */
#ifndef CAISSON_ARCH_X86_TRAMPOLINE_H
#define CAISSON_ARCH_X86_TRAMPOLINE_H

#include <stddef.h>
#include <stdint.h>

struct trampoline_params {
    uint64_t efer;     /* the boot CPU's, without LMA: LME, and NXE if it is on */
    uint64_t temp_cr3; /* machine address of the boot CPU's temporary tables, below 4 GiB */
    uint64_t cr3;      /* the final tables */
    uint64_t stack;    /* top, 16-aligned */
    uint64_t percpu;   /* struct percpu of this CPU */
    uint64_t entry;    /* void (*)(void), does not return */
};
_Static_assert(offsetof(struct trampoline_params, cr3) == 16, "boot/entry.asm reads it");
_Static_assert(offsetof(struct trampoline_params, stack) == 24, "boot/entry.asm reads it");
_Static_assert(offsetof(struct trampoline_params, percpu) == 32, "boot/entry.asm reads it");
_Static_assert(offsetof(struct trampoline_params, entry) == 40, "boot/entry.asm reads it");

extern const uint8_t trampoline_start[], trampoline_end[], trampoline_params[];

#endif
