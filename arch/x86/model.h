/*
 * Which CPU this is, and what is known to be wrong with it.
 */
#ifndef CAISSON_ARCH_X86_MODEL_H
#define CAISSON_ARCH_X86_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct cpu_model {
    bool intel, amd; /* neither: another maker's */
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
    ERRATUM_PAGE_TABLES,        /* changing one of a guest's may raise a deadly machine check */
    ERRATUM_ZENBLEED,           /* vector registers may show what others had in them */
    ERRATA
};
bool model_has(enum erratum e);

/* Sets what of an AMD CPU software has to set, on the calling CPU: LFENCE waits for what is before
 * it, and ERRATUM_ZENBLEED is mended. Not below another hypervisor, whose affair it is. */
void model_mend(void);

#endif
