/*
 * vm_assist: a domain's wishes for how it is served; one that means anything here.
 * Source: xen/include/public/xen.h, VMASST_*.
 */
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "include/public/xen.h"

int64_t hypercall_vm_assist(struct vcpu *v, uint64_t *args)
{
    if (args[1] != XEN_VMASST_RUNSTATE_UPDATE_FLAG)
        return -EINVAL;
    if (args[0] > XEN_VMASST_DISABLE)
        return -ENOSYS;
    v->domain->xen.runstate_flag = args[0] == XEN_VMASST_ENABLE;
    return 0;
}
