/* clang-format off */
/* links: create/audit_debug.c hypercall/memory_op.c hypercall/memory_foreign.c hypercall/hvm_op.c hypercall/grant_op.c grant/grant.c grant/foreign.c xen/flush.c grant/grant_map.c grant/grant_copy.c hypercall/evtchn_op.c xen/evtchn.c xen/evtchn_2l.c xen/evtchn_fifo.c xen/pair.c xen/pv_console.c control/control.c control/domctl.c control/domctl_info.c control/domctl_sched.c control/domctl_create.c arch/x86/moment.c control/policy.c control/context.c cpu/cpu_policy.c xen/xen_context.c control/sysctl.c control/sysctl_log.c control/sysctl_machine.c tests/fakes/control.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_block.c guestmem/p2m_lent.c virt/slat.c tests/fakes/pair.c tests/fakes/race.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c control/domctl_save.c control/vcpu_context.c virt/msr.c devices/vlapic_timer.c devices/vlapic_msr.c devices/vlapic_regs.c devices/vlapic.c devices/vlapic_save.c context/context_rest.c context/context_cpu.c context/stream.c tests/fakes/lapics.c */
/* clang-format on */
/*
 * A storm: random calls, with random arguments, of the four vCPUs of each of three domains; guests
 * that scribble over what they share with Caisson, in some calls between any two reads, memory that
 * runs out, and domains that end in the middle. The seed is fixed (STORM_SEED sets another,
 * STORM_CALLS how many), so a failure comes again.
 *
 * What must hold: no assertion, nothing the sanitizers see, both ends of a connection agree, and
 * all memory comes back (pair_stop).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "xen/evtchn.h"
#include "control/control.h"
#include "grant/grant.h"
#include "create/audit.h"
#include "hypercall/hypercall.h"
#include "include/public/control.h"
#include "include/public/hvm/hvm_op.h"
#include "include/public/io/console.h"
#include "include/public/memory.h"
#include "create/create.h"
#include "xen/pair.h"
#include "xen/pv_console.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "tests/fakes/lapics.h"
#include "tests/fakes/pair.h"
#include "tests/fakes/race.h"

#define CALLS_PER_LIFE 20000

static uint64_t seed, made, raced;
static unsigned audit_every = 32; /* calls, as it takes longer than they do; else AUDIT_EVERY=n */

static uint32_t any(void)
{
    seed = seed * 6364136223846793005ul + 1442695040888963407ul;
    return (uint32_t)(seed >> 33);
}

/* Its keeper buries it, sooner or later. */
bool xen_domain_exists(uint16_t id)
{
    (void)id;
    return any() % 4;
}

/* Mostly small, so that calls meet; sometimes at an edge, sometimes anything. */
static uint32_t number(void)
{
    static const uint32_t edges[] = { 0,    1,      127,    128,        511,        512,       1023,
                                      4095, 0x7fef, 0x7ff0, 0x7ffffff8, 0x7fffffff, UINT32_MAX };

    switch (any() % 16) {
    case 0:
        return edges[any() % (sizeof(edges) / sizeof(edges[0]))];
    case 1:
        return any();
    }
    return any() % 12;
}

static uint64_t place(void)
{
    uint64_t g = any() % 4 ? 0x100 + any() % 64 : number();

    return g << PAGE_SHIFT | (any() % 8 ? 0 : any() % PAGE_SIZE);
}

static uint16_t domain_id(void)
{
    return any() % 8 ? 1 + any() % PAIR_DOMAINS : any() % 2 ? XEN_DOMID_SELF : (uint16_t)any();
}

static void event_call(unsigned i)
{
    static const uint8_t often[] = { EVTCHNOP_ALLOC_UNBOUND, EVTCHNOP_BIND_INTERDOMAIN,
                                     EVTCHNOP_SEND, EVTCHNOP_CLOSE, EVTCHNOP_UNMASK };
    uint32_t arg[8];
    uint32_t op = any() % 2 ? often[any() % sizeof(often)] : any() % 15;

    for (unsigned n = 0; n < 8; n++)
        arg[n] = number();
    if (op == EVTCHNOP_ALLOC_UNBOUND || op == EVTCHNOP_BIND_INTERDOMAIN || op == EVTCHNOP_STATUS)
        arg[0] = domain_id();
    if (op == EVTCHNOP_ALLOC_UNBOUND)
        arg[0] = (any() % 4 ? XEN_DOMID_SELF : domain_id()) | (uint32_t)domain_id() << 16;
    if (op == EVTCHNOP_RESET && any() % 64)
        return;
    if (op == EVTCHNOP_INIT_CONTROL && any() % 2)
        arg[1] = 0, arg[2] = (number() & ~7u) % PAGE_SIZE, arg[3] = any() % PAIR_VCPUS;
    if (op == EVTCHNOP_EXPAND_ARRAY)
        arg[1] = any() % 8 ? 0 : number();
    pair_call(i, hypercall_event_channel_op, op, arg, 0);
}

static void grant_call(unsigned i)
{
    union {
        struct xen_gnttab_map_grant_ref map[3];
        struct xen_gnttab_unmap_grant_ref unmap[3];
        struct xen_gnttab_copy copy[3];
        struct xen_gnttab_setup_table setup;
        uint8_t bytes[256];
    } arg;
    static uint64_t list[GRANT_FRAMES_MOST];
    uint32_t op = any() % 16 ? any() % 2 : any() % 14;
    unsigned count = any() % 32 ? 1 + any() % 3 : 0;

    for (unsigned n = 0; n < sizeof(arg); n++)
        arg.bytes[n] = (uint8_t)number();
    if (any() % 4 == 0)
        op = GNTTABOP_COPY;
    for (unsigned n = 0; n < 3; n++) {
        if (op == GNTTABOP_MAP_GRANT_REF)
            arg.map[n] = (struct xen_gnttab_map_grant_ref){ .host_addr = place(),
                                                            .flags = any() % 8 ? 2 | any() % 2 * 4
                                                                               : number(),
                                                            .ref = number(),
                                                            .dom = domain_id() };
        if (op == GNTTABOP_UNMAP_GRANT_REF)
            arg.unmap[n] =
                (struct xen_gnttab_unmap_grant_ref){ .host_addr = place(), .handle = number() };
        if (op == GNTTABOP_COPY) {
            arg.copy[n].source.domid = domain_id();
            arg.copy[n].source.ref_or_gmfn = number();
            arg.copy[n].dest.domid = domain_id();
            arg.copy[n].dest.ref_or_gmfn = number();
            arg.copy[n].flags = (uint16_t)(any() % 4);
            arg.copy[n].len = (uint16_t)(any() % 64);
        }
    }
    if (op == GNTTABOP_SETUP_TABLE) { /* its list is the test's own, and has 64 bits here */
        pair_is_32bit = false;
        count = 1;
        arg.setup = (struct xen_gnttab_setup_table){ .dom = domain_id(),
                                                     .nr_frames = number(),
                                                     .frame_list = (uintptr_t)list };
    }
    pair_call(i, hypercall_grant_table_op, op, &arg, count);
}

/* Where things are in memory: RAM, what is lent, tables far apart, and beyond all. */
static uint64_t frame(void)
{
    static const uint64_t far[] = { 0x200, 0x400, 0xfeffc, 1ul << 36 };

    switch (any() % 8) {
    case 0:
        return far[any() % (sizeof(far) / sizeof(far[0]))];
    case 1:
        return number();
    }
    return any() % 2 ? any() % PAIR_RAM : 0x100 + any() % 64;
}

/* Lists are the test's own. */
static void memory_call(unsigned i)
{
    static const uint8_t cmds[] = { 1, 1, 6, 6, 3, 4, 7, 9, 13, 14, 15, 15, 16, 23, 23, 23, 28 };
    static uint64_t list[2][40];
    static uint8_t map[XENMEM_MAP_MOST * sizeof(struct e820_entry)];
    static int errs[40];
    uint32_t cmd = cmds[any() % sizeof(cmds)], few = 1 + any() % (any() % 8 ? 3 : 40);
    union {
        struct xen_memory_reservation extents;
        struct xen_add_to_physmap add;
        struct xen_remove_from_physmap remove;
        struct xen_foreign_memory_map map;
        struct xen_memory_map own_map;
        struct xen_add_to_physmap_batch batch;
        struct xen_acquire_resource acquire;
        struct xen_pod_target pod;
    } arg = { .extents = { 0 } };

    for (unsigned n = 0; n < few; n++) {
        list[0][n] = frame();
        list[1][n] = frame();
    }
    switch (cmd) {
    case XENMEM_DECREASE_RESERVATION:
    case XENMEM_POPULATE_PHYSMAP:
        arg.extents =
            (struct xen_memory_reservation){ (uintptr_t)list[0], few, 0, 0, domain_id(), { 0 } };
        arg.extents.extent_order = any() % 16 ? 0 : any() % 2 ? ORDER_2M : any() % 19;
        break;
    case XENMEM_ADD_TO_PHYSMAP:
        arg.add = (struct xen_add_to_physmap){ domain_id(), 0, 1 + any() % 4, number(), frame() };
        break;
    case XENMEM_REMOVE_FROM_PHYSMAP:
        arg.remove = (struct xen_remove_from_physmap){ .domid = domain_id(), .gpfn = frame() };
        break;
    case XENMEM_MEMORY_MAP:
        arg.own_map = (struct xen_memory_map){ number() % XENMEM_MAP_MOST, 0, (uintptr_t)map };
        break;
    case XENMEM_SET_MEMORY_MAP:
        arg.map = (struct xen_foreign_memory_map){ .domid = domain_id(),
                                                   .map = { number(), 0, (uintptr_t)map } };
        break;
    case XENMEM_ADD_TO_PHYSMAP_BATCH:
        arg.batch = (struct xen_add_to_physmap_batch){
            any() % 16 ? XEN_DOMID_SELF : domain_id(),
            any() % 16 ? XENMAPSPACE_GMFN_FOREIGN : number() % 8,
            (uint16_t)few,
            domain_id(),
            (uintptr_t)list[0],
            (uintptr_t)list[1],
            (uintptr_t)errs,
        };
        break;
    case XENMEM_ACQUIRE_RESOURCE:
        arg.acquire = (struct xen_acquire_resource){
            domain_id(),
            any() % 16 ? XENMEM_RESOURCE_GRANT_TABLE : number() % 4,
            any() % 16 == 0,
            few,
            0,
            number(),
            (uintptr_t)list[1],
        };
        break;
    case XENMEM_SET_POD_TARGET:
        arg.pod.domid = domain_id();
        break;
    default:
        arg.add.domid = domain_id();
    }
    pair_is_32bit = false; /* pointers have 64 bits here */
    pair_call(i, hypercall_memory_op, cmd, &arg, 0);
}

static void param_call(unsigned i)
{
    struct xen_hvm_param p = { .domid = domain_id(), .index = number() % 64, .value = number() };

    pair_call(i, hypercall_hvm_op, any() % 2 ? HVMOP_SET_PARAM : HVMOP_GET_PARAM, &p, 0);
}

/* Of the control domain, which may be hostile, or of one that only tries. Pointers lead to a place
 * that is ours; what is in the structures besides is anything. */
static void control_call(unsigned i)
{
    static const struct domain_config config;
    static uint8_t place[256 * sizeof(struct xen_domctl_getdomaininfo)];
    static const uint8_t cmds[] = { 1,  2,  3,  3,  4,  4,  5,  9,  9,  10, 10, 10,
                                    11, 11, 12, 13, 14, 15, 16, 16, 25, 27, 29, 33,
                                    34, 34, 59, 60, 61, 68, 82, 83, 83, 86 };
    union {
        struct xen_domctl domctl;
        struct xen_sysctl sysctl;
        uint32_t words[36];
    } arg;

    for (unsigned n = 0; n < 36; n++)
        arg.words[n] = number();
    arg.words[1] = any() % 16 ? XEN_DOMCTL_INTERFACE_VERSION : number();
    if (any() % 2) {
        arg.sysctl.cmd = any() % 16 ? any() % 30 : number();
        arg.sysctl.u.getdomaininfolist.buffer = (uintptr_t)place; /* and of other lists */
        arg.sysctl.u.numainfo.distance = (uintptr_t)place;
        if (arg.sysctl.cmd == XEN_SYSCTL_GETDOMAININFOLIST)
            arg.sysctl.u.getdomaininfolist.num_domains = 0;
        arg.sysctl.u.cpupool_op.cpumap.bitmap = (uintptr_t)place;
        if (arg.sysctl.cmd == XEN_SYSCTL_CPUPOOL_OP || arg.sysctl.cmd == XEN_SYSCTL_NUMAINFO)
            arg.sysctl.u.numainfo.meminfo = arg.sysctl.u.numainfo.distance = (uintptr_t)place;
        if (arg.sysctl.cmd == XEN_SYSCTL_CPU_FEATURESET)
            arg.sysctl.u.cpu_featureset.features = (uintptr_t)place;
        if (arg.sysctl.cmd == XEN_SYSCTL_CPU_POLICY)
            arg.sysctl.u.cpu_policy.leaves = arg.sysctl.u.cpu_policy.msrs = (uintptr_t)place;
        pair_call(i, control_sysctl, (uintptr_t)&arg, NULL, 0);
        return;
    }
    arg.domctl.cmd = any() % 16 ? cmds[any() % sizeof(cmds)] : number();
    arg.domctl.domain = domain_id();
    if (arg.domctl.cmd == XEN_DOMCTL_SETVCPUAFFINITY ||
        arg.domctl.cmd == XEN_DOMCTL_GETVCPUAFFINITY)
        arg.domctl.u.vcpuaffinity.hard.bitmap = arg.domctl.u.vcpuaffinity.soft.bitmap =
            (uintptr_t)place;
    if (arg.domctl.cmd == XEN_DOMCTL_SETNODEAFFINITY)
        arg.domctl.u.nodeaffinity.nodemap.bitmap = (uintptr_t)place;
    if (arg.domctl.cmd == XEN_DOMCTL_GETHVMCONTEXT || arg.domctl.cmd == XEN_DOMCTL_SETHVMCONTEXT) {
        arg.domctl.u.hvmcontext.buffer = (uintptr_t)place;
        arg.domctl.u.hvmcontext.size = any() % sizeof(place);
        if (any() % 4 == 0)
            arg.domctl.cmd |= 1u << 31; /* as if it went on */
    }
    if (arg.domctl.cmd == XEN_DOMCTL_SHADOW_OP) {
        static const uint8_t ops[] = { XEN_SHADOW_OP_OFF, XEN_SHADOW_OP_ENABLE_LOGDIRTY,
                                       XEN_SHADOW_OP_CLEAN, XEN_SHADOW_OP_PEEK };
        if (any() % 8)
            arg.domctl.u.shadow_op.op = ops[any() % sizeof(ops)];
        arg.domctl.u.shadow_op.dirty_bitmap = (uintptr_t)place;
        arg.domctl.u.shadow_op.pages = any() % (8 * sizeof(place));
        if (any() % 4 == 0)
            arg.domctl.cmd |= 1u << 31; /* as if it went on */
    }
    if (arg.domctl.cmd == XEN_DOMCTL_GETVCPUCONTEXT || arg.domctl.cmd == XEN_DOMCTL_SETVCPUCONTEXT)
        arg.domctl.u.vcpucontext.context = (uintptr_t)place;
    if (arg.domctl.cmd == XEN_DOMCTL_GETPAGEFRAMEINFO3)
        arg.domctl.u.getpageframeinfo3 =
            (struct xen_domctl_getpageframeinfo3){ .num = any() % (sizeof(place) / 8),
                                                   .array = (uintptr_t)place };
    if (arg.domctl.cmd == XEN_DOMCTL_GET_CPU_POLICY || arg.domctl.cmd == XEN_DOMCTL_SET_CPU_POLICY)
        arg.domctl.u.cpu_policy.leaves = arg.domctl.u.cpu_policy.msrs = (uintptr_t)place;
    for (unsigned n = 0; n < PAIR_DOMAINS; n++) /* made by it, or of the menu */
        pair[n].d.bare = any() % 2 && n, pair[n].d.config = &config;
    pair_call(i, control_domctl, (uintptr_t)&arg, NULL, 0);
}

/* The guest's own hand: entries of its table, bits and words of its events, pages given back. */
static void scribble(unsigned i)
{
    struct grant_domain *g = pair[i].d.xen.grants;
    struct xen_grant_entry e = { .flags = (uint16_t)(any() % 8 ? 1 | any() % 2 * 4 : any()),
                                 .domid = domain_id(),
                                 .frame = any() % 8 ? any() % PAIR_RAM : number() };
    struct xencons_interface *ring = pair[i].d.xen.console;
    mfn_t m;

    *(any() % 2 ? &ring->out_prod : &ring->in_cons) += number();
    if (any() % 64 == 0 && grant_table_frame(&pair[i].d.xen, any() % 3, &m))
        return;
    if (g && g->frames)
        g->entries[0][any() % 12] = e;
    uint8_t *page = pair_ram(i, any() % 12);
    if (page)
        memset(page + any() % 4000, (int)any(), 1 + any() % 64);
    memset((uint8_t *)pair[i].shared.evtchn_pending + any() % 1000, (int)any(), 8);
    if (any() % 16 == 0)
        (void)!p2m_remove(&pair[i].d.p2m, gfn(0x100 + any() % 64));
    uint64_t g_own = 16 + any() % 16;
    bool lent;
    if (p2m_lookup(&pair[i].d.p2m, gfn(g_own), &m, &lent) == 0 && any() % 4 == 0) {
        (void)!p2m_remove(&pair[i].d.p2m, gfn(g_own)); /* pinned or not */
        p2m_reap(&pair[i].d.p2m, 0);
        (void)!p2m_fill(&pair[i].d.p2m, gfn(g_own));
    }
}

static void check_ends_agree(void)
{
    for (unsigned i = 0; i < PAIR_DOMAINS; i++) {
        for (uint32_t port = 0; !pair[i].gone && port < EVTCHN_PORTS_MOST; port++) {
            const struct evtchn *ch = evtchn_port(&pair[i].d.xen, port);
            if (!ch || ch->state != EVTCHN_INTERDOMAIN)
                continue;
            const struct evtchn *far = evtchn_port(ch->peer, ch->peer_port);
            assert_non_null(far);
            assert_int_equal(far->state, EVTCHN_INTERDOMAIN);
            assert_ptr_equal(far->peer, &pair[i].d.xen);
            assert_int_equal(far->peer_port, port);
        }
    }
}

/* Nothing in a domain's memory but its own and what it was lent, and all that it has within what it
 * was promised. Of all of them, as a call of one may concern another. */
static void audit(void)
{
    for (unsigned i = 0; i < PAIR_DOMAINS; i++) {
        struct audit progress = { .ram = 0 };

        while (!pair[i].gone && !audit_domain(&pair[i].d, &progress, true))
            ;
    }
}

static unsigned living(void)
{
    unsigned i;

    do
        i = any() % PAIR_DOMAINS;
    while (pair[i].gone);
    return i;
}

/* The operator's side of its console: some of what it says is taken, and something typed. */
static size_t take_some(struct xen_domain *d, const uint8_t *bytes, size_t n)
{
    (void)d;
    (void)bytes;
    return any() % 4 ? n : any() % (n + 1);
}

static void no_room(struct xen_domain *d)
{
    (void)d;
}

static void operate(unsigned i)
{
    spin_lock(&pair[i].d.lock);
    pv_console_kick(&pair[i].d.xen);
    if (pv_console_give(&pair[i].d.xen, 'x'))
        pv_console_given(&pair[i].d.xen);
    spin_unlock(&pair[i].d.lock);
}

/* What another CPU does while a lock is let go: calls of a domain that is not in the way. */
static void meanwhile(void)
{
    for (unsigned i = 0; i < PAIR_DOMAINS; i++)
        if (!pair[i].gone && !spin_is_locked(&pair[i].d.lock))
            scribble(i);
}

/* Everything that a guest shares with Caisson, in this call alone. */
static void watch_all(void)
{
    mfn_t m;
    bool lent;

    for (unsigned i = 0; i < PAIR_DOMAINS; i++) {
        struct grant_domain *g = pair[i].d.xen.grants;
        if (pair[i].gone)
            continue;
        race_watch(&pair[i].shared);
        race_watch(pair[i].info);
        for (unsigned f = 0; g && f < g->frames && f < 2; f++)
            race_watch(g->entries[f]);
        for (unsigned n = 0; n < 12; n++)
            if (p2m_lookup(&pair[i].d.p2m, gfn(n), &m, &lent) == 0)
                race_watch(heap_from_maddr(mfn_to_maddr(m)));
    }
}

static void call_in_race(unsigned i)
{
    bool races = any() % 24 == 0;

    if (races) {
        watch_all();
        race_begin(RACE_CHANGE, any());
    }
    if (any() % 8 == 0)
        control_call(i);
    else if (any() % 8 == 0)
        memory_call(i);
    else if (any() % 32 == 0)
        param_call(i);
    else if (any() % 3)
        event_call(i);
    else
        grant_call(i);
    if (!races)
        return;
    race_end();
    race_forget();
    raced += race_reads + race_writes;
}

static void one_life(void)
{
    static struct sched_group accounts[PAIR_DOMAINS];
    static const struct domain_config config = { .mem = PAIR_RAM << PAGE_SHIFT };
    static const struct xen_console_bus bus = { take_some, no_room };

    pair_start(NULL);
    lapics_start();
    for (unsigned i = 0; i < PAIR_DOMAINS; i++) {
        pair[i].d.account = &accounts[i];
        pair[i].d.config = &config;
        pair[i].d.state = DOMAIN_RUNNING;
        assert_int_equal(pv_console_init(&pair[i].d.xen, &bus), 0);
    }
    pair[0].d.xen.control = true;
    pair[2].d.p2m.most += 2 << ORDER_2M; /* for the control domain to put somewhere */
    for (unsigned n = 0; n < CALLS_PER_LIFE; n++, made++) {
        unsigned i = living();
        pair_vcpu = any() % PAIR_VCPUS;
        pair_is_32bit = any() % 8 == 0;
        if (any() % 32 == 0)
            frame_fail_nth(1 + any() % 4);
        if (any() % 16 == 0)
            pair_meanwhile = meanwhile;
        if (any() % 16 == 0)
            operate(i);
        else if (any() % 4)
            call_in_race(i);
        else
            scribble(i);
        frame_fail_nth(0);
        pair_meanwhile = NULL;
        if (n % audit_every == 0)
            audit();
        if (n == CALLS_PER_LIFE / 2 || n == CALLS_PER_LIFE * 3 / 4)
            pair_destroy(living());
        if (n % 4096 == 0)
            check_ends_agree();
    }
    check_ends_agree();
    audit();
    pair_stop(NULL);
}

/* ---- What the others would do ---- */

void pv_set_width(struct xen_domain *d, bool is_32bit)
{
    d->is_32bit = is_32bit;
}

void pv_upcall_set_vector(struct xen_vcpu *v, uint8_t vector)
{
    v->upcall_vector = vector;
}

int domain_add_on_demand(struct domain *d, gfn_t g, unsigned order)
{
    return spin_is_locked(&d->lock) ? p2m_add_on_demand(&d->p2m, g, order) : -EINVAL;
}

unsigned domain_e820(const struct domain *d, struct e820_entry out[E820_MOST])
{
    (void)d;
    out[0] = (struct e820_entry){ 0, PAIR_RAM << PAGE_SHIFT, E820_RAM };
    return 1;
}

uint64_t frame_table_size(void)
{
    return 0;
}

int hypercall_may_control(struct vcpu *v, uint16_t domid)
{
    struct xen_domain *d;

    return pair_target(&v->domain->xen, domid, PAIR_CONTROL, &d);
}

static void test_storm(void **state)
{
    const char *s = getenv("STORM_SEED"), *calls = getenv("STORM_CALLS");
    const char *every = getenv("AUDIT_EVERY");
    uint64_t most = calls ? strtoull(calls, NULL, 0) : 1000000;

    (void)state;
    seed = s ? strtoull(s, NULL, 0) : 20240229;
    audit_every = every ? (unsigned)strtoul(every, NULL, 0) : audit_every;
    while (made < most)
        one_life();
    assert_true(raced > made / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_storm) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
