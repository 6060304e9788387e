/*
 * The local APIC between device and processor. See domain/lapic.h.
 */
#include "domain/lapic.h"
#include "arch/x86/irq.h"
#include "domain/domain.h"
#include "lib/likely.h"
#include "lib/nospec.h"
#include "mm/heap.h"

#define ACCESS_GFN gpa_to_gfn(gpa(VLAPIC_DEFAULT_BASE))

/* ---- The page of accesses ---- */

/* Bochs reads a byte beyond the I/O bitmaps for the last ports, and takes that for an access of the
 * guest's if this page is what comes there. */
static bool follows_io_bitmap(const struct domain *d, const void *page)
{
    return page == d->io_bitmap + 2 * PAGE_SIZE;
}

/* A pvh guest's local APIC is reached by MSRs from the start. */
cold int lapic_create_access(struct domain *d)
{
    if (!virt_caps.apic_access || d->type == DOMAIN_PVH)
        return 0;
    void *page = heap_pages(0, d->xen.id), *other = page;
    if (page && follows_io_bitmap(d, page)) {
        other = heap_pages(0, d->xen.id);
        heap_free_pages(page, 0, d->xen.id);
    }
    d->lapic_access = other;
    return other ? 0 : -ENOMEM;
}

void lapic_destroy_access(struct domain *d)
{
    if (d->lapic_access)
        heap_free_pages(d->lapic_access, 0, d->xen.id);
}

/* Is it where it was at reset, and reached by its page? */
static bool is_in_place(const struct vcpu *v)
{
    return vlapic_mmio_active(&v->lapic) && vlapic_base(&v->lapic) == VLAPIC_DEFAULT_BASE;
}

/* There is one second-level page table for all vCPUs: to one whose local APIC is elsewhere the page
 * would be memory. */
cold bool lapic_map(struct vcpu *v, gpa_t at)
{
    struct domain *d = v->domain;

    if (!d->lapic_access || gpa_to_gfn(at).v != ACCESS_GFN.v)
        return false;
    for (unsigned i = 0; i < d->xen.vcpu_count; i++)
        if (!is_in_place(d->vcpus[i]))
            return false;
    mfn_t m = maddr_to_mfn(heap_to_maddr(d->lapic_access));
    int err = p2m_lend(&d->p2m, ACCESS_GFN, m, SLAT_R | SLAT_W);
    if (!err)
        d->lapic_mapped = true;
    return !err || err == -EEXIST; /* another vCPU came first */
}

/* If a guest has put something else there, that stays: it is the guest's to wonder about. */
static void unmap(struct domain *d)
{
    bool lent;
    mfn_t m;
    int err = p2m_lookup(&d->p2m, ACCESS_GFN, &m, &lent);

    if (!err && m.v == maddr_to_mfn(heap_to_maddr(d->lapic_access)).v)
        err = p2m_remove(&d->p2m, ACCESS_GFN);
    d->lapic_mapped = err == -EAGAIN; /* apply_mode() tries again */
}

/* ---- What the processor knows ---- */

static enum virt_apic_mode mode_of(const struct vlapic *l)
{
    if (!vlapic_enabled(l))
        return VIRT_APIC_OFF;
    if (vlapic_x2apic(l))
        return VIRT_APIC_MSRS;
    return vlapic_base(l) == VLAPIC_DEFAULT_BASE ? VIRT_APIC_PAGE : VIRT_APIC_MOVED;
}

/* It has another mode, or another place. If that ends the processor's delivery, what its page
 * requests is ours to look for. */
static void apply_mode(struct vcpu *v)
{
    struct vlapic *l = &v->lapic;
    bool delivered = v->virt.delivers;

    l->moved = v->domain->lapic_mapped && !is_in_place(v);
    if (l->moved) {
        unmap(v->domain);
        l->moved = v->domain->lapic_mapped;
    }
    virt_set_apic_mode(&v->virt, mode_of(l));
    l->has_requests |= delivered;
    l->changed = l->levels_changed = true;
}

static void tell_all(struct vcpu *v)
{
    uint8_t requested, served;

    vlapic_take_status(&v->lapic, &requested, &served);
    virt_set_interrupts(&v->virt, requested, served);
}

/* Out of line, as all that is seldom: who calls it pays nothing for its array. */
static __attribute__((noinline)) void tell_levels(struct vcpu *v)
{
    uint64_t levels[4];

    vlapic_levels(&v->lapic, levels);
    virt_set_eoi_exits(&v->virt, levels);
}

/* Mostly it is one more request: all else the processor knows better than we. */
void lapic_sync(struct vcpu *v)
{
    struct vlapic *l = &v->lapic;

    if (unlikely(l->moved))
        apply_mode(v);
    uint8_t highest = vlapic_settle(l);
    if (!v->virt.delivers) {
        l->changed = false;
        return;
    }
    l->has_requests = false;
    if (unlikely(l->changed))
        tell_all(v);
    else
        virt_request_interrupt(&v->virt, highest);
    if (unlikely(l->levels_changed))
        tell_levels(v);
}

bool lapic_delivers_now(struct vcpu *v)
{
    if (lapic_out_of_date(v))
        lapic_sync(v);
    return v->virt.delivers && virt_interrupt_due(&v->virt, vlapic_tpr(&v->lapic));
}

void lapic_hold(struct vcpu *v)
{
    virt_set_held_class(&v->virt, vlapic_held_class(&v->lapic));
}

/* An edge-triggered interrupt has been accepted for v. If v is in the guest elsewhere its processor
 * fetches it; one that cannot comes out for a moment (vcpu_take_posted()). Whoever leaves its stay
 * looks for requests after it has said so in inside[]. False: v is to be kicked. */
static bool posted(const struct vcpu *v)
{
    if (!v->virt.delivers || sched_running() == &v->unit ||
        !__atomic_load_n(&v->domain->p2m.inside[v->id], __ATOMIC_RELAXED))
        return false;
    irq_notify_posted(v->virt.pcpu);
    return true;
}

/* ---- Messages between the APICs ---- */

static void take_edge(struct vcpu *v, uint8_t vector)
{
    vlapic_accept(&v->lapic, vector, false);
    if (!posted(v))
        vcpu_flag_or_kick(v);
}

/* What one vCPU does with a message that reaches it. */
static void take_message(struct vcpu *v, const struct apic_message *message)
{
    switch (message->mode) {
    case APIC_FIXED:
    case APIC_LOWEST:
        if (!message->level) {
            take_edge(v, message->vector);
            return;
        }
        vlapic_accept(&v->lapic, message->vector, true);
        break;
    case APIC_NMI:
        virt_queue_nmi(&v->virt);
        break;
    case APIC_INIT:
        vcpu_init_signal(v);
        break;
    case APIC_STARTUP:
        vcpu_startup_signal(v, message->vector);
        break;
    case APIC_EXTINT: /* the 8259's INTR is looked at before every entry */
    case APIC_SMI:    /* there is no SMM */
        return;
    }
    vcpu_flag_or_kick(v);
}

void lapic_message(void *domain, const struct apic_message *message)
{
    const struct domain *d = domain;

    for (unsigned i = 0; i < d->xen.vcpu_count; i++) {
        struct vcpu *v = d->vcpus[i];
        bool lowest = message->mode == APIC_LOWEST; /* one of those that take any */
        if (!vlapic_addressed(&v->lapic, message) ||
            (lowest && !vlapic_takes_interrupts(&v->lapic)))
            continue;
        take_message(v, message);
        if (lowest)
            return;
    }
}

/* ---- Within a stay ---- */

void lapic_tell_own(struct vcpu *v, uint8_t vector)
{
    virt_request_interrupt(&v->virt, vector);
    if (unlikely(v->lapic.levels_changed))
        tell_levels(v);
}

static __attribute__((noinline)) enum msr_written send_to_self(struct vcpu *v, uint8_t vector)
{
    if (!lapic_is_quick(v) || !vlapic_accept_own(&v->lapic, vector))
        return MSR_UNKNOWN;
    lapic_tell_own(v, vector);
    return MSR_WRITTEN;
}

/* The vCPU that an ICR's destination means, if it is one alone and ids are numbers. In x2APIC mode
 * a logical one is a cluster of 16 with a bit for each (SDM, "Logical Destination Mode in x2APIC
 * Mode"). */
static struct vcpu *addressee(const struct domain *d, uint64_t icr)
{
    uint32_t id = VLAPIC_ICR_DEST(icr), bits = id & 0xFFFF;

    if (VLAPIC_ICR_LOGICAL(icr)) {
        if (!bits || bits & (bits - 1))
            return NULL;
        id = id >> 16 << 4 | (uint32_t)__builtin_ctz(bits);
    }
    if (id >= d->apic_direct)
        return NULL;
    struct vcpu *v = d->vcpus[index_nospec(id, d->apic_direct)];
    return vlapic_x2apic(&v->lapic) ? v : NULL;
}

static __attribute__((noinline)) enum msr_written send_to(struct vcpu *v, uint64_t icr)
{
    struct vcpu *to = addressee(v->domain, icr);

    if (!to)
        return MSR_UNKNOWN;
    if (to == v)
        return send_to_self(v, VLAPIC_ICR_VECTOR(icr));
    take_edge(to, VLAPIC_ICR_VECTOR(icr));
    return vcpu_wants_look(v) ? MSR_LOOK : MSR_WRITTEN;
}

enum msr_written lapic_icr_written(struct vcpu *v, uint64_t icr)
{
    if (!vlapic_icr_simple(&v->lapic, icr))
        return MSR_UNKNOWN;
    if (VLAPIC_ICR_SELF(icr))
        return send_to_self(v, VLAPIC_ICR_VECTOR(icr));
    return send_to(v, icr);
}
