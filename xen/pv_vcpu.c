/*
 * A domain's shared page, its vCPUs' vcpu_info, upcalls. See xen/xen.h.
 *
 * Sources: xen/include/public/xen.h, struct shared_info and struct vcpu_info, and what Xen does
 * for guests that are not paravirtualized in their page tables.
 */
#include "xen/xen.h"
#include "arch/x86/insn.h"
#include "guestmem/gmem.h"
#include "xen/evtchn.h"
#include "xen/pv_console.h"
#include "include/public/compat.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/window.h"
#include "virt/virt.h"

/* The first two bytes of vcpu_info and the place of its time are the same for 32 and 64 bits. */
_Static_assert(sizeof(struct xen_vcpu_info) == sizeof(struct xen_vcpu_info_32), "one size");
_Static_assert(__builtin_offsetof(struct xen_vcpu_info_32, time) ==
                   __builtin_offsetof(struct xen_vcpu_info, time),
               "one place");

/* ---- Life ---- */

int pv_domain_init(struct xen_domain *d)
{
    d->shared = heap_pages(0, d->id);
    if (!d->shared)
        return -ENOMEM;
    pv_wall_clock_update(d);
    return evtchn_init(d);
}

void pv_domain_destroy(struct xen_domain *d)
{
    evtchn_destroy(d);
    pv_console_destroy(d);
    if (d->shared)
        heap_free_pages(d->shared, 0, d->id);
    if (d->memory_map)
        heap_free_pages(d->memory_map, 0, d->id);
    d->shared = NULL;
    d->memory_map = NULL;
}

void pv_vcpu_init(struct xen_vcpu *v, struct xen_domain *d, struct sched_unit *unit)
{
    uint64_t now = rdtsc();

    *v = (struct xen_vcpu){ .domain = d,
                            .unit = unit,
                            .id = d->vcpu_count,
                            .tsc_offset = -d->tsc_zero,
                            .runstate.state = XEN_RUNSTATE_OFFLINE,
                            .runstate.since = now,
                            .time_written = now };
    d->vcpu[d->vcpu_count++] = v;
    moment_init(&v->singleshot);
    moment_init(&v->periodic);
    moment_init(&v->poll_end);
    moment_init(&v->due);
    pv_time_update(v);
}

void pv_set_width(struct xen_domain *d, bool is_32bit)
{
    if (d->is_32bit == is_32bit)
        return;
    d->is_32bit = is_32bit;
    pv_wall_clock_update(d);
}

/* MOV EAX, nr; VMCALL or VMMCALL; RET. */
static void make_stub(uint8_t *to, uint32_t nr)
{
    const uint8_t call[] = { 0x0F, 0x01, virt_caps.amd ? 0xD9 : 0xC1, 0xC3 };
    static const uint8_t ud2[] = { 0x0F, 0x0B };

    memset(to, 0xCC, XEN_HYPERCALL_STUB_BYTES);
    to[0] = 0xB8;
    memcpy(to + 1, &nr, sizeof(nr));
    memcpy(to + 5, call, sizeof(call));
    if (nr == XEN_HYPERCALL_IRET)
        memcpy(to, ud2, sizeof(ud2));
}

int pv_hypercall_page(struct xen_domain *d, uint64_t value, bool is_32bit)
{
    uint8_t stub[XEN_HYPERCALL_STUB_BYTES];

    if (value & ~PAGE_MASK) /* there is one page, number 0 */
        return -EINVAL;
    for (uint32_t nr = 0; nr < XEN_HYPERCALL_STUBS; nr++) {
        make_stub(stub, nr);
        if (gmem_write(d->p2m, gpa(value + nr * sizeof(stub)), stub, sizeof(stub)))
            return -EINVAL;
    }
    pv_set_width(d, is_32bit);
    return 0;
}

/* ---- vcpu_info ---- */

void *pv_info_open(struct xen_vcpu *v)
{
    mfn_t m;

    if (!v->registered)
        return v->id < XEN_LEGACY_MAX_VCPUS ? &v->domain->shared->vcpu_info[v->id] : NULL;
    if (p2m_populate_writable(v->domain->p2m, gpa_to_gfn(v->info), &m))
        return NULL;
    return (char *)window_open(m) + (v->info.v & ~PAGE_MASK);
}

void pv_info_close(struct xen_vcpu *v, void *info)
{
    if (v->registered)
        window_close(info);
}

/* Everything may have become pending meanwhile: the guest shall look everywhere. */
static void point_everywhere(struct xen_vcpu *v, void *info)
{
    struct xen_vcpu_info *wide = info;
    struct xen_vcpu_info_32 *narrow = info;

    if (v->domain->is_32bit)
        __atomic_store_n(&narrow->evtchn_pending_sel, ~0u, __ATOMIC_SEQ_CST);
    else
        __atomic_store_n(&wide->evtchn_pending_sel, ~0ul, __ATOMIC_SEQ_CST);
}

int pv_info_register(struct xen_vcpu *v, gfn_t g, uint32_t offset)
{
    struct xen_vcpu_info old = { 0 };

    if (v->registered || offset % 8 || offset > PAGE_SIZE - sizeof(old))
        return -EINVAL;
    void *info = pv_info_open(v);
    if (info) {
        memcpy(&old, info, sizeof(old));
        pv_info_close(v, info);
    }
    v->registered = true;
    v->info = gpa(gfn_to_gpa(g).v + offset);
    info = g.v >> 40 ? NULL : pv_info_open(v);
    if (!info) {
        v->registered = false;
        return -EFAULT;
    }
    memcpy(info, &old, sizeof(old));
    point_everywhere(v, info);
    pv_info_close(v, info);
    pv_time_update(v);
    pv_vcpu_mark_pending(v);
    return 0;
}

/* ---- Upcalls ---- */

void pv_vcpu_mark_pending(struct xen_vcpu *v)
{
    uint8_t *info = pv_info_open(v); /* evtchn_upcall_pending comes first */

    if (!info)
        return;
    uint8_t before = __atomic_exchange_n(info, 1, __ATOMIC_SEQ_CST);
    pv_info_close(v, info);
    v->upcall = true;
    if (before)
        return;
    v->vector_owed = v->upcall_vector;
    sched_kick(v->unit);
}

void pv_upcall_set_vector(struct xen_vcpu *v, uint8_t vector)
{
    v->upcall_vector = vector;
    v->vector_owed = v->upcall; /* one has waited for a vector */
    sched_kick(v->unit);
}

uint8_t pv_upcall_take_vector(struct xen_vcpu *v)
{
    v->vector_owed = false;
    return v->upcall_vector;
}

bool pv_upcall_due(struct xen_vcpu *v)
{
    if (!v->upcall || !v->domain->callback || v->upcall_vector)
        return false;
    uint8_t *info = pv_info_open(v);
    if (!info)
        return false;
    v->upcall = __atomic_load_n(info, __ATOMIC_SEQ_CST);
    pv_info_close(v, info);
    return v->upcall;
}

uint8_t pv_upcall_take(struct xen_vcpu *v)
{
    v->upcall = false;
    return v->domain->callback;
}

void pv_poll_wake(struct xen_domain *d, uint32_t port)
{
    for (unsigned i = 0; i < d->vcpu_count; i++) {
        struct xen_vcpu *v = d->vcpu[i];
        if (v->poll == PV_POLL_NOTHING || (v->poll != port && v->poll != PV_POLL_SEVERAL))
            continue;
        v->poll = PV_POLL_OVER;
        sched_kick(v->unit);
    }
}
