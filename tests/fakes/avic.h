/*
 * What a CPU does with AVIC, so far as a VMCB, the page of registers and the tables show it: a
 * model from the APM (volume 2, "Advanced Virtual Interrupt Controller"), which svm/apic.c meets in
 * host tests, as no emulator has AVIC. Where the APM leaves something open both ways can be chosen.
 */
#ifndef CAISSON_TESTS_FAKES_AVIC_H
#define CAISSON_TESTS_FAKES_AVIC_H

#include <stdbool.h>
#include <stdint.h>
#include "svm/vmcb.h"

#define AVIC_INSN 3 /* bytes of each instruction here */

struct avic_ways {
    bool ext_lvt;       /* CPUID 8000_000A EDX[27] */
    bool eoi_clears;    /* a level-triggered EOI exits after the ISR's bit is gone */
    bool virq_lost;     /* an exit writes V_IRQ back, which VMRUN has ignored */
    unsigned doorbells; /* that have been rung */
};
extern struct avic_ways avic_ways;

enum avic_first {
    AVIC_RUNS,    /* the guest's next instruction */
    AVIC_INJECTS, /* what EVENTINJ says */
    AVIC_TAKES,   /* the interrupt that *vector tells, from the IRR */
    AVIC_VINTR,   /* an exit at once */
};
/* What comes first after VMRUN. */
enum avic_first avic_enter(struct vmcb *vmcb, uint8_t *vector);

/* The guest's instruction on its local APIC's page, which it has mapped, or on CR8. True: it exits,
 * as the VMCB tells. */
bool avic_read(struct vmcb *vmcb, uint32_t offset, uint32_t *value);
bool avic_write(struct vmcb *vmcb, uint32_t offset, uint32_t value);
bool avic_write_cr8(struct vmcb *vmcb, uint8_t value);
/* The same by RDMSR and WRMSR; what is neither intercepted nor virtualized fails. */
bool avic_rdmsr(struct vmcb *vmcb, uint32_t msr, uint64_t *value);
bool avic_wrmsr(struct vmcb *vmcb, uint32_t msr, uint64_t value);

#endif
