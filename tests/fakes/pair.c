/*
 * Two domains, and a third, for host tests. See tests/fakes/pair.h.
 */
#include "create/create.h"
#include "tests/fakes/pair.h"
#include "passthrough/passthrough.h"

#include <stdlib.h>
#include <string.h>
#include "arch/x86/cpu.h"
#include "arch/x86/mtrr.h"
#include "xen/pair.h"
#include "xen/evtchn.h"
#include "grant/foreign.h"
#include "grant/grant.h"
#include "hypercall/hypercall.h"
#include "lib/assert.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/promise.h"
#include "tests/fakes/heap.h"
#include "tests/fakes/virt.h"

/* No domain has a device of the machine's, unless the test says so. */
__attribute__((weak)) bool passthrough_has(uint16_t id, mfn_t m)
{
    (void)id;
    (void)m;
    return false;
}

/* As domain_create() counts. */
#define PAIR_HEAP (p2m_tables_most(1 + p2m_tables(PAIR_RAM)) + PV_EVENT_PAGES + PV_GRANT_PAGES)

struct pair_domain pair[PAIR_DOMAINS];
uint64_t pair_unreadable, pair_unwritable;
unsigned pair_writes;
bool pair_is_32bit;
unsigned pair_vcpu, pair_rounds;
void (*pair_meanwhile)(void);
static unsigned depth; /* of calls within calls: what another CPU does */

static struct pair_domain *of(const struct xen_domain *d)
{
    for (unsigned i = 0; i < PAIR_DOMAINS; i++)
        if (&pair[i].d.xen == d)
            return &pair[i];
    abort();
}

static void start_one(unsigned i)
{
    struct domain *d = &pair[i].d;

    d->xen = (struct xen_domain){
        .id = (uint16_t)(i + 1), .lock = &d->lock, .p2m = &d->p2m, .vcpu_count = PAIR_VCPUS
    };
    for (unsigned n = 0; n < PAIR_VCPUS; n++) {
        d->vcpus[n] = &pair[i].v[n];
        pair[i].v[n].domain = d;
        pair[i].v[n].id = n;
        pair[i].v[n].xen =
            (struct xen_vcpu){ .domain = &d->xen, .unit = &pair[i].v[n].unit, .id = n };
        d->xen.vcpu[n] = &pair[i].v[n].xen;
    }
    d->xen.shared = &pair[i].shared;
    if (promise_make(d->xen.id, (struct promise){ PAIR_RAM, PAIR_HEAP }))
        abort();
    if (p2m_init(&d->p2m, d->xen.id) || p2m_add_ram(&d->p2m, gfn(0), PAIR_RAM) ||
        evtchn_init(&d->xen))
        abort();
}

int pair_start(void **state)
{
    (void)state;
    memset(pair, 0, sizeof(pair));
    fake_virt_reset();
    frame_fail_nth(0);
    pair_unreadable = pair_unwritable = UINT64_MAX;
    pair_is_32bit = false;
    pair_vcpu = 0;
    pair_meanwhile = NULL;
    for (unsigned i = 0; i < PAIR_DOMAINS; i++)
        start_one(i);
    fake_heap_shreds = true; /* what a guest can make Caisson ask for is there all the same */
    return 0;
}

void pair_destroy(unsigned i)
{
    struct domain *d = &pair[i].d;

    ASSERT(d->xen.holders == 0);
    pair[i].gone = true;
    while (!foreign_detach(&d->xen))
        ;
    while (!evtchn_detach(&d->xen) || !grant_detach(&d->xen))
        ;
    ASSERT(d->xen.holders == 0 && !spin_is_locked(&d->lock));
    evtchn_destroy(&d->xen);
    if (d->xen.memory_map)
        heap_free_pages(d->xen.memory_map, 0, d->xen.id);
    if (d->xen.console)
        heap_free_pages(d->xen.console, 0, d->xen.id);
    while (!p2m_destroy(&d->p2m))
        ;
    ASSERT(frame_count(d->xen.id) == 0);
    promise_end(d->xen.id);
}

int pair_stop(void **state)
{
    (void)state;
    frame_fail_nth(0);
    pair_meanwhile = NULL;
    for (unsigned i = 0; i < PAIR_DOMAINS; i++)
        if (!pair[i].gone)
            pair_destroy(i);
    ASSERT(frame_count(OWNER_PINNED) == 0);
    ASSERT(fake_heap_in_use() == 0);
    return 0;
}

static void set_width(const struct vcpu *v)
{
    struct fake_virt *f = fake_virt(&v->virt);

    f->efer = EFER_LMA;
    f->seg[SEG_CS].ar = pair_is_32bit ? 0 : SEG_AR_L;
}

int64_t pair_call(unsigned i, int64_t (*fn)(struct vcpu *v, uint64_t *args), uint64_t op, void *arg,
                  uint64_t count)
{
    uint64_t args[HYPERCALL_ARGS] = { op, (uintptr_t)arg, count };
    struct vcpu *caller = &pair[i].v[pair_vcpu];
    int64_t result;
    unsigned rounds = 0;

    set_width(caller);
    spin_lock(&pair[i].d.lock);
    depth++;
    do {
        result = fn(caller, args);
        rounds++;
    } while (result == HYPERCALL_CONTINUE);
    pair_rounds = rounds;
    ASSERT(spin_is_locked(&pair[i].d.lock));
    spin_unlock(&pair[i].d.lock);
    for (unsigned n = --depth ? PAIR_DOMAINS : 0; n < PAIR_DOMAINS; n++)
        ASSERT(!spin_is_locked(&pair[n].d.lock) && pair[n].d.xen.holders == 0);
    return result;
}

uint32_t pair_locked(unsigned i)
{
    return pair[i].d.lock.next;
}

uint8_t *pair_ram(unsigned i, uint64_t g)
{
    mfn_t m;

    return p2m_populate(&pair[i].d.p2m, gfn(g), &m) ? NULL : (uint8_t *)(m.v << PAGE_SHIFT);
}

/* ---- What domain/ would do ---- */

struct xen_domain *xen_domain_next(const struct xen_domain *after)
{
    unsigned i = after ? (unsigned)(of(after) - pair) + 1 : 0;

    while (i < PAIR_DOMAINS && pair[i].gone)
        i++;
    return i < PAIR_DOMAINS ? &pair[i].d.xen : NULL;
}

/* That one, and the control domain by the id that it has outside of these tests. */
struct xen_domain *xen_domain_by_id(uint16_t id)
{
    for (unsigned i = 0; i < PAIR_DOMAINS; i++)
        if (!pair[i].gone && (id == XEN_DOMID_CONTROL ? pair[i].d.xen.control : id == i + 1))
            return &pair[i].d.xen;
    return NULL;
}

/* A moment at which other CPUs may act: where they really could. */
struct xen_domain *xen_domain_get(uint16_t id)
{
    if (id < 1 || id > PAIR_DOMAINS || pair[id - 1].gone)
        return NULL;
    xen_domain_hold(&pair[id - 1].d.xen);
    return &pair[id - 1].d.xen;
}

void xen_domain_hold(struct xen_domain *d)
{
    void (*act)(void) = pair_meanwhile;

    d->holders++;
    pair_meanwhile = NULL;
    if (act)
        act();
}

void xen_domain_put(struct xen_domain *d)
{
    ASSERT(d->holders > 0);
    d->holders--;
}

void *pv_info_open(struct xen_vcpu *v)
{
    return &of(v->domain)->info[v->id];
}

void pv_info_close(struct xen_vcpu *v, void *info)
{
    ASSERT(info == &of(v->domain)->info[v->id]);
}

void pv_vcpu_mark_pending(struct xen_vcpu *v)
{
    ASSERT(spin_is_locked(v->domain->lock));
    of(v->domain)->upcalls[v->id]++;
}

void pv_poll_wake(struct xen_domain *d, uint32_t port)
{
    (void)port;
    of(d)->polls++;
}

void sched_kick(struct sched_unit *u)
{
    const struct vcpu *v = LIST_ENTRY(u, struct vcpu, unit);

    v->domain->p2m.inside[v->id] = 0; /* it leaves at once */
}

uint8_t mtrr_type(maddr_t start, uint64_t size)
{
    (void)start;
    (void)size;
    return 6;
}

int gva_copy_in(struct gva_space *s, void *to, uint64_t from, size_t n)
{
    (void)s;
    if (from + n > pair_unreadable || from + n < from || from < PAGE_SIZE)
        return -EFAULT;
    memcpy(to, (void *)from, n);
    return 0;
}

int gva_copy_out(struct gva_space *s, uint64_t to, const void *from, size_t n)
{
    (void)s;
    pair_writes++;
    if (to + n > pair_unwritable || to + n < to || to < PAGE_SIZE)
        return -EFAULT;
    memcpy((void *)to, from, n);
    return 0;
}

int gva_take(struct gva_space *s, void *to, uint64_t from, size_t n, struct gva_place *place)
{
    (void)place;
    if (from + n > pair_unwritable)
        return -EFAULT;
    return gva_copy_in(s, to, from, n);
}

int gva_answer(struct gva_space *s, uint64_t to, const void *from, size_t n,
               const struct gva_place *place)
{
    (void)place;
    return gva_copy_out(s, to, from, n);
}

__attribute__((weak)) void virt_flush_slat(const struct slat *ept)
{
    (void)ept;
}
