/*
 * Host tests' twin of the SVM instructions.
 */
#ifndef CAISSON_SVM_INSN_H
#define CAISSON_SVM_INSN_H

#include "lib/addr.h"

__attribute__((weak)) maddr_t fake_vmsaved; /* where the last VMSAVE went */

static inline void vmsave(maddr_t vmcb)
{
    fake_vmsaved = vmcb;
}

#endif
