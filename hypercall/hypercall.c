/*
 * From VMCALL to the call's own file, and back. See hypercall/hypercall.h.
 * Source of the register convention: xen/include/public/arch-x86/xen-x86_64.h and xen-x86_32.h.
 */
#include "hypercall/hypercall.h"
#include "domain/gva.h"
#include "domain/operand.h"
#include "hypercall/event_channel.h"
#include "hypercall/evtchn.h"
#include "hypercall/grant.h"
#include "hypercall/grant_table.h"
#include "include/public/xen.h"

typedef int64_t (*hypercall_fn)(struct vcpu *v, uint64_t *args);

static const hypercall_fn calls[] = {
    [XEN_HYPERCALL_XEN_VERSION] = hypercall_xen_version,
    [XEN_HYPERCALL_CONSOLE_IO] = hypercall_console_io,
    [XEN_HYPERCALL_GRANT_TABLE_OP] = hypercall_grant_table_op,
    [XEN_HYPERCALL_SCHED_OP] = hypercall_sched_op,
    [XEN_HYPERCALL_EVENT_CHANNEL_OP] = hypercall_event_channel_op,
};

static const enum gpr args_64[HYPERCALL_ARGS] = { GPR_RDI, GPR_RSI, GPR_RDX, GPR_R10, GPR_R8 };
static const enum gpr args_32[HYPERCALL_ARGS] = { GPR_RBX, GPR_RCX, GPR_RDX, GPR_RSI, GPR_RDI };

static int64_t dispatch(struct vcpu *v, bool is_64bit)
{
    const enum gpr *from = is_64bit ? args_64 : args_32;
    unsigned width = is_64bit ? 8 : 4;
    uint64_t nr = operand_truncate(vmx_gpr(&v->vmx, GPR_RAX), width), args[HYPERCALL_ARGS];

    if (vmx_cpl(&v->vmx) != 0)
        return -EPERM;
    if (nr >= sizeof(calls) / sizeof(calls[0]) || !calls[nr])
        return -ENOSYS;
    for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
        args[i] = operand_truncate(vmx_gpr(&v->vmx, from[i]), width);
    int64_t result = calls[nr](v, args);
    if (result == HYPERCALL_CONTINUE)
        for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
            vmx_set_gpr(&v->vmx, from[i], args[i]);
    return result;
}

void hypercall_handle(struct vcpu *v)
{
    bool is_64bit = operand_is_64bit(v);
    int64_t result = dispatch(v, is_64bit);

    if (result == HYPERCALL_CONTINUE)
        return;
    vmx_set_gpr(&v->vmx, GPR_RAX, is_64bit ? (uint64_t)result : (uint32_t)result);
    vmx_skip(&v->vmx);
}

void hypercall_sever(struct domain *d)
{
    evtchn_sever(d);
    grant_sever(d);
}

int hypercall_copy_in(struct vcpu *v, void *to, uint64_t from, size_t n)
{
    struct gva_fault fault;

    return gva_read(v, gva(from), to, n, 0, &fault) ? -EFAULT : 0;
}

int hypercall_copy_out(struct vcpu *v, uint64_t to, const void *from, size_t n)
{
    struct gva_fault fault;

    return gva_write(v, gva(to), from, n, 0, &fault) ? -EFAULT : 0;
}
