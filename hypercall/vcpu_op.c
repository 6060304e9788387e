/*
 * vcpu_op: a vCPU's areas in guest memory, its timers, whether it is up. And set_timer_op, its
 * older relative. Source: xen/include/public/vcpu.h.
 */
#include "domain/domain.h"
#include "xen/xen.h"
#include "hypercall/hypercall.h"
#include "include/public/compat.h"
#include "include/public/hvm/hvm_vcpu.h"
#include "include/public/vcpu.h"
#include "xen/xen_context.h"

#define LEAST_PERIOD_NS 1000000 /* as in Xen */

static bool is_down(const struct vcpu *v)
{
    return (v->waits_for_startup && !v->begins) || v->down;
}

/* ---- Up and down ---- */

/* Once: until an INIT takes it back. */
static int64_t initialise(struct vcpu *v, struct vcpu *which, uint64_t at)
{
    struct xen_vcpu_hvm_context context;
    struct virt_start start;

    if (!which->waits_for_startup || which->initialised)
        return -EEXIST;
    if (gva_copy_in(&v->space, &context, at, sizeof(context)))
        return -EFAULT;
    int err = xen_context_read(&context, &start);
    if (err)
        return err;
    which->start = start;
    which->whole = false; /* that is all that is said */
    which->initialised = true;
    which->down = true;
    return 0;
}

static int64_t bring_up(struct vcpu *which)
{
    if (which->waits_for_startup && !which->initialised &&
        !which->begins) /* where is it to begin? */
        return -EINVAL;
    which->begins |= which->waits_for_startup; /* one that was restored may not have, either */
    which->down = false;
    vcpu_kick(which);
    return 0;
}

static int64_t take_down(struct vcpu *which)
{
    const struct domain *d = which->domain;
    bool others = false;

    for (unsigned i = 0; i < d->xen.vcpu_count; i++)
        others |= d->vcpus[i] != which && !is_down(d->vcpus[i]);
    if (!others) {
        domain_end(which->domain, END_POWEROFF, "its last vCPU went down");
        return 0;
    }
    which->down = true;
    vcpu_kick(which);
    return 0;
}

/* ---- Areas ---- */

static int64_t get_runstate(struct vcpu *v, const struct vcpu *which, uint64_t at)
{
    struct xen_runstate_info r;

    pv_runstate_now(&which->xen, &r);
    if (virt_in_64bit_code(&v->virt))
        return gva_copy_out(&v->space, at, &r, sizeof(r));
    struct xen_runstate_info_32 narrow = { .state = r.state,
                                           .state_entry_time = r.state_entry_time };
    for (unsigned i = 0; i < XEN_RUNSTATES; i++)
        narrow.time[i] = r.time[i];
    return gva_copy_out(&v->space, at, &narrow, sizeof(narrow));
}

/* Finds an area by its virtual address as v sees it now. 0 or -EFAULT. */
static int find_area(struct vcpu *v, gva_t at, uint32_t bytes, struct pv_area *out)
{
    uint32_t first = PAGE_SIZE - (at.v & ~PAGE_MASK);
    struct pv_area area = { 0 };

    area.bytes[0] = first < bytes ? first : bytes;
    area.bytes[1] = bytes - area.bytes[0];
    if (gva_translate(&v->space, at, GVA_WRITE, &area.at[0]))
        return -EFAULT;
    at.v += area.bytes[0];
    if (area.bytes[1] && gva_translate(&v->space, at, GVA_WRITE, &area.at[1]))
        return -EFAULT;
    *out = area;
    return 0;
}

/* The same by physical address, all within one page. 0; -EINVAL, -EFAULT. */
static int physical_area(struct vcpu *v, gpa_t at, uint32_t bytes, struct pv_area *out)
{
    mfn_t m;

    if ((at.v & ~PAGE_MASK) + bytes > PAGE_SIZE)
        return -EINVAL;
    if (p2m_populate_writable(&v->domain->p2m, gpa_to_gfn(at), &m))
        return -EFAULT;
    *out = (struct pv_area){ .at = { at }, .bytes = { bytes } };
    return 0;
}

/* The address within the argument: a pointer of the caller's width, or a physical address. */
static int read_address(struct vcpu *v, uint64_t at, bool physical, uint64_t *out)
{
    *out = 0;
    return gva_copy_in(&v->space, out, at, physical || virt_in_64bit_code(&v->virt) ? 8 : 4);
}

/* Both kinds of area; address 0 or ~0 takes it back. */
static int64_t register_area(struct vcpu *v, uint64_t at, bool physical, uint32_t bytes,
                             struct pv_area *area)
{
    struct pv_area found = { 0 };
    uint64_t address;
    int err = 0;

    if (read_address(v, at, physical, &address))
        return -EFAULT;
    if (physical && address != ~0ul)
        err = physical_area(v, gpa(address), bytes, &found);
    else if (!physical && address)
        err = find_area(v, gva(address), bytes, &found);
    if (!err)
        *area = found;
    return err;
}

static int64_t register_runstate(struct vcpu *v, struct vcpu *which, uint64_t at, bool physical)
{
    uint32_t bytes = virt_in_64bit_code(&v->virt) ? sizeof(struct xen_runstate_info)
                                                  : sizeof(struct xen_runstate_info_32);
    int64_t err = register_area(v, at, physical, bytes, &which->xen.runstate_area);

    if (!err)
        pv_runstate_write(&which->xen);
    return err;
}

static int64_t register_time(struct vcpu *v, struct vcpu *which, uint64_t at, bool physical)
{
    int64_t err =
        register_area(v, at, physical, sizeof(struct xen_vcpu_time_info), &which->xen.time_area);

    if (!err)
        pv_time_update(&which->xen);
    return err;
}

static int64_t register_info(struct vcpu *v, struct vcpu *which, uint64_t at)
{
    struct xen_register_vcpu_info arg;

    if (gva_copy_in(&v->space, &arg, at, sizeof(arg)))
        return -EFAULT;
    if ((which != v && !is_down(which)) || arg.mfn >> HYPERCALL_GFN_BITS)
        return -EINVAL;
    return pv_info_register(&which->xen, gfn(arg.mfn), arg.offset);
}

/* ---- Timers ---- */

static int64_t set_periodic(struct vcpu *v, struct vcpu *which, uint64_t at)
{
    struct xen_set_periodic_timer arg;

    if (gva_copy_in(&v->space, &arg, at, sizeof(arg)))
        return -EFAULT;
    if (arg.period_ns < LEAST_PERIOD_NS || arg.period_ns >> 62)
        return -EINVAL;
    pv_periodic_set(&which->xen, arg.period_ns);
    vcpu_kick(which);
    return 0;
}

/* The 32-bit form lacks nothing but padding at its end. */
static int64_t set_singleshot(struct vcpu *v, const struct vcpu *which, uint64_t at)
{
    struct xen_set_singleshot_timer_32 arg;

    if (which != v)
        return -EINVAL;
    if (gva_copy_in(&v->space, &arg, at, sizeof(arg)))
        return -EFAULT;
    if ((arg.flags & XEN_SSHOTTMR_FUTURE) && arg.timeout_abs_ns < xen_now(&v->domain->xen))
        return -ETIME;
    pv_timer_set(&v->xen, arg.timeout_abs_ns);
    return 0;
}

static int64_t stop_singleshot(struct vcpu *v, const struct vcpu *which)
{
    if (which != v)
        return -EINVAL;
    pv_timer_set(&v->xen, TIME_NEVER);
    return 0;
}

/* args: the moment; from 32-bit code in two halves. 0 stops the timer. */
int64_t hypercall_set_timer_op(struct vcpu *v, uint64_t *args)
{
    uint64_t at = args[0];

    if (!virt_in_64bit_code(&v->virt))
        at |= args[1] << 32;
    pv_timer_set(&v->xen, at ? at : TIME_NEVER);
    return 0;
}

/* ---- All of them ---- */

static int64_t stop_periodic(struct vcpu *which)
{
    pv_periodic_set(&which->xen, 0);
    return 0;
}

static int64_t send_nmi(struct vcpu *which)
{
    virt_queue_nmi(&which->virt);
    vcpu_kick(which);
    return 0;
}

int64_t hypercall_vcpu_op(struct vcpu *v, uint64_t *args)
{
    uint64_t at = args[2];

    struct vcpu *which = domain_vcpu(v->domain, args[1]);
    if (!which)
        return -ENOENT;
    switch (args[0]) {
    case VCPUOP_INITIALISE:
        return initialise(v, which, at);
    case VCPUOP_UP:
        return bring_up(which);
    case VCPUOP_DOWN:
        return take_down(which);
    case VCPUOP_IS_UP:
        return !is_down(which);
    case VCPUOP_GET_RUNSTATE_INFO:
        return get_runstate(v, which, at);
    case VCPUOP_REGISTER_RUNSTATE_MEMORY_AREA:
        return register_runstate(v, which, at, false);
    case VCPUOP_REGISTER_RUNSTATE_PHYS_AREA:
        return register_runstate(v, which, at, true);
    case VCPUOP_REGISTER_TIME_MEMORY_AREA:
        return register_time(v, which, at, false);
    case VCPUOP_REGISTER_TIME_PHYS_AREA:
        return register_time(v, which, at, true);
    case VCPUOP_REGISTER_VCPU_INFO:
        return register_info(v, which, at);
    case VCPUOP_SET_PERIODIC_TIMER:
        return set_periodic(v, which, at);
    case VCPUOP_STOP_PERIODIC_TIMER:
        return stop_periodic(which);
    case VCPUOP_SET_SINGLESHOT_TIMER:
        return set_singleshot(v, which, at);
    case VCPUOP_STOP_SINGLESHOT_TIMER:
        return stop_singleshot(v, which);
    case VCPUOP_SEND_NMI:
        return send_nmi(which);
    case VCPUOP_GET_PHYSID: /* of a vCPU that is nailed to a CPU, for the privileged domain */
        return -EINVAL;
    }
    return -ENOSYS;
}
