/*
 * Attacks by hypercalls: upon the victim, permitted or not, and long ones of one's own.
 */
#include "guest/attacker/attack.h"
#include "guest/lib/cpu.h"
#include "guest/lib/event.h"
#include "guest/lib/grant.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "include/public/event_channel.h"
#include "include/public/grant_table.h"
#include "include/public/hvm/hvm_op.h"
#include "include/public/hvm/params.h"
#include "include/public/memory.h"
#include "include/public/vcpu.h"

#define PORTS    4096
#define BATCH    64
#define PATIENCE 4096 /* calls: longer than a slice */
#define GRANTERS 8

static int64_t event_op(uint64_t op, void *arg)
{
    return hypercall(XEN_HYPERCALL_EVENT_CHANNEL_OP, op, (uint64_t)arg, 0);
}

static int64_t grant_op(uint64_t op, void *arg, uint64_t n)
{
    return hypercall(XEN_HYPERCALL_GRANT_TABLE_OP, op, (uint64_t)arg, n);
}

/* ---- What the victim does not permit ---- */

void attack_bind(void)
{
    static uint32_t port;

    port = (port + 1) % (PORTS + 2);
    if (port != attack_own)
        event_connect(attack_victim, port);
    grant_map(attack_victim, port, GUEST_GRANT_MAPS);
}

/* ---- What it does ---- */

static volatile uint32_t to_victim;

/* Each vCPU comes here. There is one port: whoever has it may still be about to write it down, for
 * as long as a slice if both have one pCPU. */
void attack_send_begin(void)
{
    int64_t port = 0;

    for (unsigned i = 0; i < PATIENCE; i++) {
        port = event_connect(attack_victim, attack_own);
        if (port > 0)
            to_victim = (uint32_t)port;
        if (to_victim)
            return;
    }
    print("attacker: harmless: no port, %ld\n", port);
}

void attack_send(void)
{
    static unsigned n;

    for (unsigned i = 0; i < BATCH; i++)
        event_send(to_victim);
    if (++n % BATCH)
        return;
    event_close(to_victim);
    attack_send_begin();
}

/* Each vCPU its own: a handle that another one has overwritten could never be unmapped, nor could
 * what it is about to write be copied. */
static struct xen_gnttab_copy copies[GRANTERS][BATCH];
static struct xen_gnttab_map_grant_ref maps[GRANTERS][BATCH];
static struct xen_gnttab_unmap_grant_ref unmaps[GRANTERS][BATCH];

static unsigned granter(void)
{
    uint32_t r[4];

    cpuid(1, 0, r);
    return (r[1] >> 24) % GRANTERS; /* the local APIC's id */
}

void attack_grant_begin(void)
{
    unsigned me = granter();

    for (unsigned i = 0; i < BATCH; i++)
        copies[me][i] = (struct xen_gnttab_copy){
            .source = { .ref_or_gmfn = GRANT_FIRST_REF + attack_own, .domid = attack_victim },
            .dest = { .ref_or_gmfn = (SPARE >> 12) + i, .domid = XEN_DOMID_SELF },
            .len = PAGE,
            .flags = GNTCOPY_SOURCE_GREF
        };
}

/* Many mappings of the one page, and copies of it. */
void attack_grant(void)
{
    unsigned me = granter();
    uint64_t at = GUEST_GRANT_MAPS + me * BATCH * PAGE;

    grant_op(GNTTABOP_COPY, copies[me], BATCH);
    for (unsigned i = 0; i < BATCH; i++)
        maps[me][i] = (struct xen_gnttab_map_grant_ref){ .host_addr = at + i * PAGE,
                                                         .flags = GNTMAP_HOST_MAP,
                                                         .ref = GRANT_FIRST_REF + attack_own,
                                                         .dom = attack_victim };
    grant_op(GNTTABOP_MAP_GRANT_REF, maps[me], BATCH);
    if (maps[me][0].status || copies[me][0].status)
        print("attacker: harmless: map %d, copy %d\n", maps[me][0].status, copies[me][0].status);
    for (unsigned i = 0; i < BATCH; i++)
        unmaps[me][i] = (struct xen_gnttab_unmap_grant_ref){ .host_addr = maps[me][i].host_addr,
                                                             .handle = maps[me][i].handle };
    grant_op(GNTTABOP_UNMAP_GRANT_REF, unmaps[me], BATCH);
}

/* ---- Long ones ---- */

static uint32_t ports[128];
static struct xen_multicall_entry entries[BATCH];
static uint64_t frames[64];

/* Its grant table as large as it may be. */
void attack_calls_begin(void)
{
    struct xen_gnttab_setup_table arg = { .dom = XEN_DOMID_SELF,
                                          .nr_frames = 32,
                                          .frame_list = (uint64_t)frames };

    grant_op(GNTTABOP_SETUP_TABLE, &arg, 1);
}

/* All ports in use, all of them asked for at once, then none. */
static void all_ports(void)
{
    struct xen_evtchn_reset reset = { .dom = XEN_DOMID_SELF };

    while (event_alloc(attack_victim) > 0)
        ;
    for (unsigned i = 0; i < BATCH; i++)
        event_alloc(attack_victim);
    event_op(EVTCHNOP_RESET, &reset);
}

/* A queue whose ports look as if they were in it still: none of them can be given out. */
static void busy_ports(void)
{
    struct xen_evtchn_init_control control = { .control_gfn = SPARE >> 12 };
    struct xen_evtchn_reset reset = { .dom = XEN_DOMID_SELF };

    for (uint64_t i = 0; i < 4 * PAGE / 4; i++)
        ((volatile uint32_t *)(SPARE + PAGE))[i] = 1u << EVTCHN_FIFO_LINKED;
    event_op(EVTCHNOP_INIT_CONTROL, &control);
    for (uint64_t i = 1; i < 5; i++) {
        struct xen_evtchn_expand_array array = { .array_gfn = (SPARE >> 12) + i };
        event_op(EVTCHNOP_EXPAND_ARRAY, &array);
    }
    event_alloc(attack_victim);
    event_op(EVTCHNOP_RESET, &reset);
}

static void poll_many(void)
{
    struct xen_sched_poll arg = { .ports = (uint64_t)ports, .nr_ports = 128, .timeout = 1 };

    for (unsigned i = 0; i < 128; i++)
        ports[i] = 1;
    hypercall(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_POLL, (uint64_t)&arg, 0);
}

/* One VMCALL for many, each of them a page of text to the console. */
static void many_calls(void)
{
    for (unsigned i = 0; i < BATCH; i++) {
        entries[i] = (struct xen_multicall_entry){ .op = XEN_HYPERCALL_HVM_OP,
                                                   .args = { HVMOP_FLUSH_TLBS, 0, 0 } };
        if (i % 2)
            entries[i].op = XEN_HYPERCALL_XEN_VERSION;
    }
    hypercall(XEN_HYPERCALL_MULTICALL, (uint64_t)entries, BATCH, 0);
}

static void areas(void)
{
    uint64_t at = SPARE + 4090; /* across a page's end */

    hypercall(XEN_HYPERCALL_VCPU_OP, VCPUOP_REGISTER_RUNSTATE_MEMORY_AREA, 0, (uint64_t)&at);
    hypercall(XEN_HYPERCALL_VCPU_OP, VCPUOP_REGISTER_TIME_MEMORY_AREA, 0, (uint64_t)&at);
    at = 0;
    hypercall(XEN_HYPERCALL_VCPU_OP, VCPUOP_REGISTER_RUNSTATE_MEMORY_AREA, 0, (uint64_t)&at);
    hypercall(XEN_HYPERCALL_VCPU_OP, VCPUOP_REGISTER_TIME_MEMORY_AREA, 0, (uint64_t)&at);
}

/* Each parameter is asked for and set. The callback has no vector then. */
static void parameters(void)
{
    for (uint32_t i = 0; i <= HVM_PARAMS; i++) {
        struct xen_hvm_param arg = { .domid = XEN_DOMID_SELF, .index = i };
        hypercall(XEN_HYPERCALL_HVM_OP, HVMOP_GET_PARAM, (uint64_t)&arg, 0);
        hypercall(XEN_HYPERCALL_HVM_OP, HVMOP_SET_PARAM, (uint64_t)&arg, 0);
    }
}

/* As many frames as a list can name, where none of them may be. */
static void foreign_pages(void)
{
    struct xen_add_to_physmap_batch arg = { .domid = XEN_DOMID_SELF,
                                            .space = XENMAPSPACE_GMFN_FOREIGN,
                                            .size = UINT16_MAX,
                                            .foreign_domid = attack_victim,
                                            .idxs = SPARE,
                                            .gpfns = SPARE + BIG_PAGE,
                                            .errs = SPARE + 2 * BIG_PAGE };

    hypercall(XEN_HYPERCALL_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP_BATCH, (uint64_t)&arg, 0);
}

void attack_calls(void)
{
    all_ports();
    busy_ports();
    poll_many();
    many_calls();
    areas();
    parameters();
    foreign_pages();
}

/* ---- Console, and the end ---- */

void attack_console(void)
{
    static char text[PAGE];

    for (unsigned i = 0; i < PAGE; i++)
        text[i] = i < PAGE / 2 || i % 64 == 0 ? '\n' : 'x';
    xen_console_write(text, PAGE);
}

void attack_reboot(void)
{
    xen_shutdown(XEN_SHUTDOWN_REBOOT);
}
