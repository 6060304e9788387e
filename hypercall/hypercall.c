/*
 * From the exit to the call's own file, and back. See hypercall/hypercall.h.
 * Source of the register convention: xen/include/public/arch-x86/xen-x86_64.h and xen-x86_32.h.
 */
#include "hypercall/hypercall.h"
#include "control/control.h"
#include "domain/domain.h"
#include "include/public/event_channel.h"
#include "include/public/sched.h"
#include "include/public/version.h"
#include "include/public/xen.h"
#include "lib/nospec.h"
#include "sched/sched.h"
#include "xen/pair.h"

typedef int64_t (*hypercall_fn)(struct vcpu *v, uint64_t *args);

static const hypercall_fn calls[] = {
    [XEN_HYPERCALL_PLATFORM_OP] = control_platform_op,
    [XEN_HYPERCALL_MEMORY_OP] = hypercall_memory_op,
    [XEN_HYPERCALL_MULTICALL] = hypercall_multicall,
    [XEN_HYPERCALL_SET_TIMER_OP] = hypercall_set_timer_op,
    [XEN_HYPERCALL_XEN_VERSION] = hypercall_xen_version,
    [XEN_HYPERCALL_CONSOLE_IO] = hypercall_console_io,
    [XEN_HYPERCALL_GRANT_TABLE_OP] = hypercall_grant_table_op,
    [XEN_HYPERCALL_VM_ASSIST] = hypercall_vm_assist,
    [XEN_HYPERCALL_VCPU_OP] = hypercall_vcpu_op,
    [XEN_HYPERCALL_SCHED_OP] = hypercall_sched_op,
    [XEN_HYPERCALL_EVENT_CHANNEL_OP] = hypercall_event_channel_op,
    [XEN_HYPERCALL_PHYSDEV_OP] = control_physdev_op,
    [XEN_HYPERCALL_HVM_OP] = hypercall_hvm_op,
    [XEN_HYPERCALL_SYSCTL] = control_sysctl,
    [XEN_HYPERCALL_DOMCTL] = control_domctl,
};

static const enum gpr args_64[HYPERCALL_ARGS] = { GPR_RDI, GPR_RSI, GPR_RDX, GPR_R10, GPR_R8 };
static const enum gpr args_32[HYPERCALL_ARGS] = { GPR_RBX, GPR_RCX, GPR_RDX, GPR_RSI, GPR_RDI };

/* NULL: there is none of that number. */
static hypercall_fn find_call(uint64_t nr)
{
    const uint64_t count = sizeof(calls) / sizeof(calls[0]);

    return nr < count ? calls[index_nospec(nr, count)] : NULL;
}

int64_t hypercall_call(struct vcpu *v, uint64_t nr, uint64_t *args)
{
    hypercall_fn call = find_call(nr);

    return call ? call(v, args) : -ENOSYS;
}

int hypercall_may_control(struct vcpu *v, uint16_t domid)
{
    struct xen_domain *d;

    return pair_target(&v->domain->xen, domid, PAIR_CONTROL, &d);
}

static int64_t dispatch(struct vcpu *v, bool is_64bit)
{
    const enum gpr *from = is_64bit ? args_64 : args_32;
    uint64_t mask = is_64bit ? UINT64_MAX : UINT32_MAX;
    uint64_t nr = virt_gpr(&v->virt, GPR_RAX) & mask, args[HYPERCALL_ARGS];

    if (virt_cpl(&v->virt) != 0)
        return -EPERM;
    for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
        args[i] = virt_gpr(&v->virt, from[i]) & mask;
    int64_t result = hypercall_call(v, nr, args);
    if (result == HYPERCALL_CONTINUE)
        for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
            virt_set_gpr(&v->virt, from[i], args[i]);
    return result;
}

bool hypercall_handle(struct vcpu *v)
{
    bool is_64bit = virt_in_64bit_code(&v->virt);
    int64_t result = dispatch(v, is_64bit);

    if (result == HYPERCALL_CONTINUE)
        return false;
    virt_set_gpr(&v->virt, GPR_RAX, is_64bit ? (uint64_t)result : (uint32_t)result);
    return true;
}

/* A grant_table_op that is to be continued has moved its array and its count. */
static bool grant_op(struct vcpu *v)
{
    uint64_t args[] = { virt_gpr(&v->virt, GPR_RDI), virt_gpr(&v->virt, GPR_RSI),
                        virt_gpr(&v->virt, GPR_RDX) };
    int64_t result = hypercall_grant_table_op(v, args);

    if (result != HYPERCALL_CONTINUE) {
        virt_set_gpr(&v->virt, GPR_RAX, (uint64_t)result);
        return true;
    }
    virt_set_gpr(&v->virt, GPR_RSI, args[1]);
    virt_set_gpr(&v->virt, GPR_RDX, args[2]);
    return false;
}

bool hypercall_locked(struct vcpu *v)
{
    if (virt_gpr(&v->virt, GPR_RAX) == XEN_HYPERCALL_GRANT_TABLE_OP)
        return grant_op(v);
    int64_t result = hypercall_event_send(v, virt_gpr(&v->virt, GPR_RSI));
    virt_set_gpr(&v->virt, GPR_RAX, (uint64_t)result);
    return true;
}

static __attribute__((noinline)) int64_t yield(void)
{
    return sched_is_alone() ? 0 : HYPERCALL_GIVES_WAY;
}

/* Of those that only want the lock. */
static bool needs_no_look(uint64_t nr, uint64_t first)
{
    return nr == XEN_HYPERCALL_GRANT_TABLE_OP ||
           (nr == XEN_HYPERCALL_EVENT_CHANNEL_OP && first == EVTCHNOP_SEND);
}

int64_t hypercall_lockless(uint64_t nr, uint64_t first)
{
    switch (nr) {
    case XEN_HYPERCALL_SCHED_OP:
        return first == XEN_SCHED_YIELD ? yield() : HYPERCALL_NEEDS_LOOK;
    case XEN_HYPERCALL_XEN_VERSION:
        return first == XENVER_VERSION ? PV_XEN_VERSION : HYPERCALL_NEEDS_LOOK;
    default:
        if (!find_call(nr))
            return -ENOSYS;
        return needs_no_look(nr, first) ? HYPERCALL_NEEDS_LOCK : HYPERCALL_NEEDS_LOOK;
    }
}
