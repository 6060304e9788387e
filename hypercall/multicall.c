/*
 * multicall: several hypercalls by one exit. Source: xen/include/public/xen.h, struct
 * multicall_entry.
 *
 * A few at a time; then the call is continued behind what is done, which lets interrupts in. An
 * entry that is itself to be continued gets its moved-on arguments written back and comes again.
 */
#include "hypercall/hypercall.h"
#include "sched/batch.h"
#include "include/public/compat.h"
#include "include/public/xen.h"

#define BATCH 8

struct entry {
    uint64_t op, args[HYPERCALL_ARGS];
};

static int read_entry(struct vcpu *v, uint64_t at, struct entry *out)
{
    struct xen_multicall_entry wide;
    struct xen_multicall_entry_32 narrow;
    bool is_64bit = virt_in_64bit_code(&v->virt);

    int err = is_64bit ? gva_copy_in(&v->space, &wide, at, sizeof(wide))
                       : gva_copy_in(&v->space, &narrow, at, sizeof(narrow));
    if (err)
        return err;
    out->op = is_64bit ? wide.op : narrow.op;
    for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
        out->args[i] = is_64bit ? wide.args[i] : narrow.args[i];
    return 0;
}

static int write_result(struct vcpu *v, uint64_t at, int64_t result)
{
    if (virt_in_64bit_code(&v->virt))
        return gva_copy_out(&v->space, at + __builtin_offsetof(struct xen_multicall_entry, result),
                            &result, 8);
    return gva_copy_out(&v->space, at + __builtin_offsetof(struct xen_multicall_entry_32, result),
                        &result, 4);
}

static int write_args(struct vcpu *v, uint64_t at, const uint64_t *args)
{
    uint32_t narrow[HYPERCALL_ARGS];

    if (virt_in_64bit_code(&v->virt))
        return gva_copy_out(&v->space, at + __builtin_offsetof(struct xen_multicall_entry, args),
                            args, HYPERCALL_ARGS * sizeof(*args));
    for (unsigned i = 0; i < HYPERCALL_ARGS; i++)
        narrow[i] = (uint32_t)args[i];
    return gva_copy_out(&v->space, at + __builtin_offsetof(struct xen_multicall_entry_32, args),
                        narrow, sizeof(narrow));
}

/* One entry. 0, HYPERCALL_CONTINUE, or -EFAULT. */
static int64_t carry_out(struct vcpu *v, uint64_t at)
{
    struct entry e;

    if (read_entry(v, at, &e))
        return -EFAULT;
    int64_t result = e.op == XEN_HYPERCALL_MULTICALL ? -ENOSYS : hypercall_call(v, e.op, e.args);
    if (result == HYPERCALL_CONTINUE)
        return write_args(v, at, e.args) ? -EFAULT : HYPERCALL_CONTINUE;
    return write_result(v, at, result);
}

/* args: entries, count. */
int64_t hypercall_multicall(struct vcpu *v, uint64_t *args)
{
    uint64_t size = virt_in_64bit_code(&v->virt) ? sizeof(struct xen_multicall_entry)
                                                 : sizeof(struct xen_multicall_entry_32);
    struct batch b = { .most = BATCH, .until = rdtsc() + BATCH_TICKS }; /* the first one counts */

    while (args[1] && batch_more(&b)) {
        int64_t result = carry_out(v, args[0]);
        if (result)
            return result;
        args[0] += size;
        args[1]--;
    }
    return args[1] ? HYPERCALL_CONTINUE : 0;
}
