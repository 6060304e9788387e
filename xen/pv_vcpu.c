/*
 * A domain's shared page, its vCPUs' vcpu_info, upcalls. See xen/pv_vcpu.h.
 *
 * Sources: xen/include/public/xen.h, struct shared_info and struct vcpu_info, and what Xen does
 * for guests that are not paravirtualized in their page tables.
 */
#include "xen/pv_vcpu.h"
#include "arch/x86/insn.h"
#include "domain/domain.h"
#include "guestmem/gmem.h"
#include "guestmem/gva.h"
#include "xen/pv_console.h"
#include "include/public/compat.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "mm/window.h"

/* The first two bytes of vcpu_info and the place of its time are the same for 32 and 64 bits. */
_Static_assert(sizeof(struct xen_vcpu_info) == sizeof(struct xen_vcpu_info_32), "one size");
_Static_assert(__builtin_offsetof(struct xen_vcpu_info_32, time) ==
                   __builtin_offsetof(struct xen_vcpu_info, time),
               "one place");

const struct pv_events *pv_events;

void pv_set_events(const struct pv_events *events)
{
    pv_events = events;
}

/* ---- Life ---- */

int pv_domain_init(struct domain *d)
{
    d->pv.shared = heap_pages(0, d->id);
    if (!d->pv.shared)
        return -ENOMEM;
    pv_wall_clock_update(d);
    return pv_events ? pv_events->init(d) : 0;
}

void pv_domain_destroy(struct domain *d)
{
    if (pv_events)
        pv_events->destroy(d);
    pv_console_destroy(d);
    if (d->pv.shared)
        heap_free_pages(d->pv.shared, 0, d->id);
    d->pv.shared = NULL;
}

void pv_vcpu_init(struct vcpu *v)
{
    uint64_t now = rdtsc();

    v->pv = (struct pv_vcpu){ .runstate.state = XEN_RUNSTATE_OFFLINE,
                              .runstate.since = now,
                              .time_written = now };
    moment_init(&v->pv.singleshot);
    moment_init(&v->pv.periodic);
    moment_init(&v->pv.poll_end);
    moment_init(&v->pv.due);
    pv_time_update(v);
}

void pv_set_width(struct domain *d, bool is_32bit)
{
    if (d->pv.is_32bit == is_32bit)
        return;
    d->pv.is_32bit = is_32bit;
    pv_wall_clock_update(d);
}

/* MOV EAX, nr; VMCALL; RET. */
static void make_stub(uint8_t *to, uint32_t nr)
{
    static const uint8_t call[] = { 0x0F, 0x01, 0xC1, 0xC3 }, ud2[] = { 0x0F, 0x0B };

    memset(to, 0xCC, XEN_HYPERCALL_STUB_BYTES);
    to[0] = 0xB8;
    memcpy(to + 1, &nr, sizeof(nr));
    memcpy(to + 5, call, sizeof(call));
    if (nr == XEN_HYPERCALL_IRET)
        memcpy(to, ud2, sizeof(ud2));
}

int pv_hypercall_page(struct vcpu *v, uint64_t value)
{
    uint8_t stub[XEN_HYPERCALL_STUB_BYTES];

    if (value & ~PAGE_MASK) /* there is one page, number 0 */
        return -EINVAL;
    for (uint32_t nr = 0; nr < XEN_HYPERCALL_STUBS; nr++) {
        make_stub(stub, nr);
        if (gmem_write(&v->domain->p2m, gpa(value + nr * sizeof(stub)), stub, sizeof(stub)))
            return -EINVAL;
    }
    pv_set_width(v->domain, !virt_in_64bit_code(&v->virt));
    return 0;
}

/* ---- vcpu_info ---- */

void *pv_info_open(struct vcpu *v)
{
    mfn_t m;

    if (!v->pv.registered)
        return v->id < XEN_LEGACY_MAX_VCPUS ? &v->domain->pv.shared->vcpu_info[v->id] : NULL;
    if (p2m_populate_writable(&v->domain->p2m, gpa_to_gfn(v->pv.info), &m))
        return NULL;
    return (char *)window_open(m) + (v->pv.info.v & ~PAGE_MASK);
}

void pv_info_close(struct vcpu *v, void *info)
{
    if (v->pv.registered)
        window_close((void *)((uintptr_t)info & PAGE_MASK));
}

/* Everything may have become pending meanwhile: the guest shall look everywhere. */
static void point_everywhere(struct vcpu *v, void *info)
{
    struct xen_vcpu_info *wide = info;
    struct xen_vcpu_info_32 *narrow = info;

    if (v->domain->pv.is_32bit)
        __atomic_store_n(&narrow->evtchn_pending_sel, ~0u, __ATOMIC_SEQ_CST);
    else
        __atomic_store_n(&wide->evtchn_pending_sel, ~0ul, __ATOMIC_SEQ_CST);
}

int pv_info_register(struct vcpu *v, gfn_t g, uint32_t offset)
{
    struct xen_vcpu_info old = { 0 };

    if (v->pv.registered || offset % 8 || offset > PAGE_SIZE - sizeof(old))
        return -EINVAL;
    void *info = pv_info_open(v);
    if (info) {
        memcpy(&old, info, sizeof(old));
        pv_info_close(v, info);
    }
    v->pv.registered = true;
    v->pv.info = gpa(gfn_to_gpa(g).v + offset);
    info = g.v >> 40 ? NULL : pv_info_open(v);
    if (!info) {
        v->pv.registered = false;
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

void pv_vcpu_mark_pending(struct vcpu *v)
{
    uint8_t *info = pv_info_open(v); /* evtchn_upcall_pending comes first */

    if (!info)
        return;
    uint8_t before = __atomic_exchange_n(info, 1, __ATOMIC_SEQ_CST);
    pv_info_close(v, info);
    v->pv.upcall = true;
    if (before)
        return;
    if (v->pv.upcall_vector)
        vlapic_accept(&v->lapic, v->pv.upcall_vector, false);
    vcpu_kick(v);
}

bool pv_upcall_due(struct vcpu *v)
{
    if (!v->pv.upcall || !v->domain->pv.callback || v->pv.upcall_vector)
        return false;
    uint8_t *info = pv_info_open(v);
    if (!info)
        return false;
    v->pv.upcall = __atomic_load_n(info, __ATOMIC_SEQ_CST);
    pv_info_close(v, info);
    return v->pv.upcall;
}

void pv_upcall_taken(struct vcpu *v)
{
    v->pv.upcall = false;
}

void pv_poll_wake(struct domain *d, uint32_t port)
{
    for (unsigned i = 0; i < d->vcpu_count; i++) {
        struct vcpu *v = d->vcpus[i];
        if (v->pv.poll == PV_POLL_NOTHING || (v->pv.poll != port && v->pv.poll != PV_POLL_SEVERAL))
            continue;
        v->halted = false;
        pv_poll_until(v, DEVICE_NEVER);
        v->pv.poll = PV_POLL_NOTHING;
        vcpu_kick(v);
    }
}

/* ---- Areas ---- */

int pv_area_find(struct vcpu *v, gva_t at, uint32_t bytes, struct pv_area *out)
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

int pv_area_at(struct vcpu *v, gpa_t at, uint32_t bytes, struct pv_area *out)
{
    mfn_t m;

    if ((at.v & ~PAGE_MASK) + bytes > PAGE_SIZE)
        return -EINVAL;
    if (p2m_populate_writable(&v->domain->p2m, gpa_to_gfn(at), &m))
        return -EFAULT;
    *out = (struct pv_area){ .at = { at }, .bytes = { bytes } };
    return 0;
}
