/*
 * sched_op: yield, block, shut down. Source: xen/include/public/sched.h.
 */
#include "arch/x86/cpu.h"
#include "domain/domain.h"
#include "hypercall/hypercall.h"
#include "include/public/xen.h"
#include "sched/sched.h"

static void shutdown(struct vcpu *v, uint32_t reason)
{
    switch (reason) {
    case XEN_SHUTDOWN_POWEROFF:
        domain_end(v->domain, END_POWEROFF, "SCHEDOP_shutdown");
        return;
    case XEN_SHUTDOWN_REBOOT:
        domain_end(v->domain, END_REBOOT, "SCHEDOP_shutdown");
        return;
    }
    domain_end(v->domain, END_CRASH, "SCHEDOP_shutdown with reason %u", reason);
}

static int64_t shutdown_decode(struct vcpu *v, uint64_t pointer)
{
    struct xen_sched_shutdown arg;

    if (hypercall_copy_in(v, &arg, pointer, sizeof(arg)))
        return -EFAULT;
    if (arg.reason > XEN_SHUTDOWN_WATCHDOG)
        return -EINVAL;
    shutdown(v, arg.reason);
    return 0;
}

int64_t hypercall_sched_op(struct vcpu *v, uint64_t *args)
{
    switch (args[0]) {
    case XEN_SCHED_YIELD:
        sched_unit_yield(&v->unit);
        return 0;
    case XEN_SCHED_BLOCK: /* until an event; enables their delivery, as STI; HLT does */
        vmx_set_rflags(&v->vmx, vmx_rflags(&v->vmx) | RFLAGS_IF);
        v->halted = true;
        return 0;
    case XEN_SCHED_SHUTDOWN:
        return shutdown_decode(v, args[1]);
    }
    return -ENOSYS;
}
