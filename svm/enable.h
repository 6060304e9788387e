/*
 * What each pCPU has set aside once AMD-V is on.
 */
#ifndef CAISSON_SVM_ENABLE_H
#define CAISSON_SVM_ENABLE_H

#include "lib/addr.h"

/* A VMCB of the calling pCPU's own: its save area has Caisson's FS, GS, TR, LDTR and system-call
 * MSRs, which VMRUN neither keeps nor restores. */
maddr_t enable_host_area(void);

#endif
