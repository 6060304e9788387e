/*
 * No rule is looked for when VMRUN has refused a VMCB: the choice of a release build. See
 * svm/check.h. The VMCB is written out in any case.
 */
#include "svm/check.h"

#include "virt/check.h"

const char *svm_check(const struct vmcb *vmcb)
{
    (void)vmcb;
    return CHECK_RELEASE;
}
