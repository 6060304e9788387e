/*
 * The SVM instructions, one inline function each. VMRUN and its companions are in switch.asm.
 * Host tests get the twin in tests/fakes/svm/insn.h.
 */
#ifndef CAISSON_SVM_INSN_H
#define CAISSON_SVM_INSN_H

#include "lib/addr.h"

/* FS, GS, TR, LDTR and the system-call MSRs of this pCPU, into a VMCB's save area. */
static inline void vmsave(maddr_t vmcb)
{
    asm volatile("vmsave %0" : : "a"(vmcb.v) : "memory");
}

/* The machine's own #MC handler, for an #MC that came as a #VMEXIT. */
static inline void raise_mc(void)
{
    asm volatile("int $18" : : : "memory");
}

#endif
