/*
 * Which CPU this is, and what is known to be wrong with it.
 */
#ifndef CAISSON_ARCH_X86_MODEL_H
#define CAISSON_ARCH_X86_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct cpu_model {
    bool intel;
    char vendor[13], brand[49];
    unsigned family, model, stepping;
    uint32_t microcode; /* revision; 0: none loaded, or an emulator */
};
extern struct cpu_model cpu_model; /* of the boot CPU; boot only, then read */

/* Reads it, finds its errata, and says both. Boot CPU. */
void model_read(void);
/* Of the calling CPU. */
uint32_t model_microcode(void);

/* Errata that change what Caisson does. */
enum erratum {
    ERRATUM_PREEMPTION_TIMER,   /* the VMX preemption timer counts at a wrong rate */
    ERRATUM_TSC_DEADLINE,       /* the local APIC's TSC deadline may pass unnoticed */
    ERRATUM_VIRTUAL_INTERRUPTS, /* the processor delivers them to a guest that has IF=0 */
    ERRATA
};
bool model_has(enum erratum e);

#endif
