/*
 * How a domain goes: what it had is given back, piece by piece.
 *
 * Whatever a domain has had made, it can have unmade by its end, and a guest ends when it likes. So
 * no piece takes longer than an exit may, and they are done on the domain's own account
 * (lifecycle/keeper.c).
 */
#include "arch/x86/insn.h"
#include "create/audit.h"
#include "create/firmware.h"
#include "create/create.h"
#include "create/create_vcpu.h"
#include "create/devices.h"
#include "create/list.h"
#include "create/memory.h"
#include "domain/lapic.h"
#include "xen/evtchn.h"
#include "grant/foreign.h"
#include "grant/grant.h"
#include "lib/assert.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/promise.h"

/* ---- The pieces. Each: true when all of its kind is done ---- */

/* Nobody finds d from here on. */
static bool hide(struct domain *d)
{
    xen_domain_set_findable(&d->xen, false);
    domain_build_end(d);
    return true;
}

/* Those who had found it go soon: they wait for its lock, or have it. */
static bool is_let_go(struct domain *d)
{
    return !xen_domain_is_held(&d->xen);
}

/* No vCPU is picked any more; false: some pCPU has yet to let go of one, which is a matter of
 * moments. */
static bool remove_units(struct domain *d)
{
    bool all = true;

    for (unsigned i = 0; all && i < d->xen.vcpu_count; i++)
        all = sched_unit_remove(&d->vcpus[i]->unit) == 0;
    if (!all)
        cpu_relax(); /* others run meanwhile, also where an emulator has one thread for all */
    return all;
}

/* Nobody changes anything in its memory now. */
static bool audit(struct domain *d)
{
    return audit_domain(d, &d->audit, true);
}

static bool detach_foreign(struct domain *d)
{
    return foreign_detach(&d->xen);
}

static bool detach(struct domain *d)
{
    return evtchn_detach(&d->xen) && grant_detach(&d->xen);
}

/* Of one that never ran too. Nothing wakes its vCPUs afterwards. */
static bool stop_devices(struct domain *d)
{
    devices_stop(d);
    return true;
}

static bool give_back_devices(struct domain *d)
{
    return devices_give_back(d);
}

static bool destroy_vcpu(struct domain *d)
{
    if (!d->xen.vcpu_count)
        return true;
    vcpu_destroy(d->vcpus[--d->xen.vcpu_count]);
    return false;
}

static bool destroy_machine(struct domain *d)
{
    if (d->io_bitmap)
        heap_free_pages(d->io_bitmap, IO_BITMAP_ORDER, d->xen.id);
    d->io_bitmap = NULL;
    firmware_end(d);
    pv_domain_destroy(&d->xen);
    return true;
}

static bool destroy_memory(struct domain *d)
{
    return p2m_destroy(&d->p2m);
}

static bool (*const steps[])(struct domain *d) = {
    hide,   is_let_go, stop_devices,      remove_units, audit,           detach_foreign,
    detach, is_let_go, give_back_devices, destroy_vcpu, destroy_machine, destroy_memory,
};

static void destroy_rest(struct domain *d)
{
    uint16_t id = d->xen.id;
    bool comes_back = domain_comes_back(d);

    lapic_destroy_access(d);
    memory_forget_most(d);
    domain_unlist(d);
    heap_free_pages(d, DOMAIN_ORDER, id);
    ASSERT(frame_count(id) == heap_kept(id));
    if (!comes_back)
        promise_end(id);
    domain_tell_control(XEN_VIRQ_DOM_EXC);
}

bool domain_destroy(struct domain *d)
{
    ASSERT(d->state == DOMAIN_BUILDING || d->destroyed || d->vcpus_out == d->xen.vcpu_count);
    if (steps[d->destroyed](d))
        d->destroyed++;
    if (d->destroyed < sizeof(steps) / sizeof(steps[0]))
        return false;
    destroy_rest(d);
    return true;
}
