/* clang-format off */
/* links: hypercall/hypercall.c control/platform_op.c control/control.c control/domctl.c control/domctl_info.c control/domctl_sched.c control/domctl_create.c control/domctl_save.c control/vcpu_context.c control/policy.c control/context.c virt/msr.c devices/vlapic_save.c context/context_rest.c context/context_cpu.c context/stream.c cpu/cpu_policy.c control/sysctl.c control/sysctl_log.c control/sysctl_machine.c hypercall/console_io.c hypercall/sched_op.c hypercall/xen_version.c hypercall/memory_op.c hypercall/memory_foreign.c hypercall/vcpu_op.c xen/xen_context.c hypercall/hvm_op.c hypercall/vm_assist.c hypercall/multicall.c hypercall/grant_op.c grant/grant.c grant/foreign.c xen/flush.c grant/grant_map.c grant/grant_copy.c hypercall/evtchn_op.c xen/evtchn.c xen/evtchn_2l.c xen/evtchn_fifo.c xen/pair.c xen/pv_vcpu.c xen/pv_time.c xen/pv_console.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_block.c guestmem/p2m_lent.c guestmem/gmem.c arch/x86/moment.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c virt/slat.c arch/x86/tsc.c lib/string.c tests/fakes/bus.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/control.c tests/fakes/panic.c */
/* clang-format on */
/*
 * Calls as 32-bit code makes them, whose structures are narrower; the console's ring; and what is
 * left of the groups: timers and watchdogs, vCPUs that go down, vectors for upcalls, TLBs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "cpu/cpu_model.h"
#include "xen/pv_console.h"
#include "xen/evtchn.h"
#include "grant/grant.h"
#include "hypercall/hypercall.h"
#include "include/public/compat.h"
#include "include/public/event_channel.h"
#include "include/public/hvm/hvm_op.h"
#include "include/public/io/console.h"
#include "include/public/memory.h"
#include "include/public/sched.h"
#include "include/public/vcpu.h"
#include "include/public/version.h"
#include "tests/fakes/guest.h"

#define BUFFER 0x5f00ul
#define ARRAY  0x6800ul
#define S      1000000000ul

static struct domain_config config = { .mem = GUEST_END };
static struct vcpu second;
static struct vlapic_page pages[2];
static struct vlapic_bus bus;
static char said[64];
static unsigned said_count, said_room, rooms;

static size_t put(struct domain *d, const uint8_t *bytes, size_t n)
{
    size_t taken = n < said_room ? n : said_room;

    assert_ptr_equal(d, &guest);
    memcpy(said + said_count, bytes, taken);
    said_count += (unsigned)taken;
    said_room -= (unsigned)taken;
    return taken;
}

static void has_room(struct domain *d)
{
    assert_ptr_equal(d, &guest);
    rooms++;
}

static const struct domain_hooks hooks = { .console_put = put, .console_room = has_room };

static size_t bus_put(struct xen_domain *d, const uint8_t *bytes, size_t n)
{
    return put(LIST_ENTRY(d, struct domain, xen), bytes, n);
}

static void bus_room(struct xen_domain *d)
{
    has_room(LIST_ENTRY(d, struct domain, xen));
}

static const struct xen_console_bus console_bus = { .put = bus_put, .room = bus_room };

static int setup(void **state)
{
    (void)state;
    fake_tsc = 0;
    guest_start();
    guest_mode(DECODE_32);
    guest.config = &config;
    guest.type = DOMAIN_PVH;
    domain_set_hooks(&hooks);
    memset(said, 0, sizeof(said));
    said_count = rooms = 0;
    said_room = sizeof(said);
    assert_int_equal(pv_domain_init(&guest.xen), 0);
    guest_init_vcpu(&second, 1);
    guest.vcpus[1] = &second;
    memset(pages, 0, sizeof(pages));
    guest.xen.vcpu_count = 0;
    for (unsigned i = 0; i < 2; i++) {
        vlapic_init(&guest.vcpus[i]->lapic, i, S, &bus, &pages[i]);
        guest.vcpus[i]->lapic.dev.ops->write(&guest.vcpus[i]->lapic.dev, 0xf0, 4, 0x1ff, 0);
        pv_vcpu_init(&guest.vcpus[i]->xen, &guest.xen, &guest.vcpus[i]->unit);
    }
    return pv_console_init(&guest.xen, &console_bus);
}

static int teardown(void **state)
{
    (void)state;
    while (!evtchn_detach(&guest.xen) || !grant_detach(&guest.xen))
        ;
    pv_domain_destroy(&guest.xen);
    guest_stop();
    return 0;
}

struct xen_domain *xen_domain_get(uint16_t id)
{
    if (id != GUEST_ID)
        return NULL;
    guest.xen.holders++;
    return &guest.xen;
}

struct xen_domain *xen_domain_next(const struct xen_domain *after)
{
    return after ? NULL : &guest.xen;
}

void xen_domain_hold(struct xen_domain *d)
{
    d->holders++;
}

void xen_domain_put(struct xen_domain *d)
{
    d->holders--;
}

unsigned domain_e820(const struct domain *d, struct e820_entry out[E820_MOST])
{
    (void)d;
    out[0] = (struct e820_entry){ 0, 0xa0000, E820_RAM };
    out[1] = (struct e820_entry){ 0x100000, 0xf00000, E820_RAM };
    return 2;
}

uint64_t frame_table_size(void)
{
    return 0x10000;
}

uint64_t cpu_model_cr4_mask(void)
{
    return CR4_PAE;
}

uint8_t cpu_model_address_bits(void)
{
    return 40;
}

/* A call from code of this moment's width. */
static int64_t call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t args[HYPERCALL_ARGS] = { a, b, c };

    spin_lock(&guest.lock);
    int64_t result = hypercall_call(&guest_vcpu, nr, args);
    spin_unlock(&guest.lock);
    return result;
}

static int64_t call_with(uint64_t nr, uint64_t op, const void *arg, size_t n)
{
    guest_put(BUFFER, arg, n);
    return call(nr, op, BUFFER, 0);
}
#define CALL_WITH(group, op, arg) call_with(XEN_HYPERCALL_##group, op, &(arg), sizeof(arg))

/* ---- Memory ---- */

static void test_reservation_32(void **state)
{
    const uint32_t gfns[] = { 0x300, 0x301 };
    const struct xen_memory_reservation_32 r = { .extent_start = ARRAY,
                                                 .nr_extents = 2,
                                                 .domid = XEN_DOMID_SELF };
    mfn_t m;
    bool lent;

    (void)state;
    guest_put(ARRAY, gfns, sizeof(gfns));
    guest_write64(0x300000, 1);
    guest_write64(0x301000, 2);
    assert_int_equal(CALL_WITH(MEMORY_OP, XENMEM_DECREASE_RESERVATION, r), 2);
    assert_int_not_equal(p2m_lookup(&guest.p2m, gfn(0x300), &m, &lent), 0);
    assert_int_not_equal(p2m_lookup(&guest.p2m, gfn(0x301), &m, &lent), 0);
    p2m_reap(&guest.p2m, 0);
    assert_int_equal(CALL_WITH(MEMORY_OP, XENMEM_POPULATE_PHYSMAP, r), 2);
    assert_int_equal(guest_read64(0x300000), 0); /* another frame */
}

static void test_physmap_32(void **state)
{
    struct xen_add_to_physmap_32 a = { .domid = XEN_DOMID_SELF,
                                       .space = XENMAPSPACE_SHARED_INFO,
                                       .gpfn = 0x400 };
    struct xen_remove_from_physmap_32 r = { .domid = XEN_DOMID_SELF, .gpfn = 0x400 };

    (void)state;
    assert_int_equal(CALL_WITH(MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, a), 0);
    guest.xen.shared->max_pfn = 0x1234;
    assert_int_equal(guest_read64(0x400000 + offsetof(struct xen_shared_info, max_pfn)), 0x1234);
    assert_int_equal(CALL_WITH(MEMORY_OP, XENMEM_REMOVE_FROM_PHYSMAP, r), 0);
    a.space = XENMAPSPACE_GRANT_TABLE;
    assert_int_equal(CALL_WITH(MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, a), 0);
    a.space = 99;
    assert_int_equal(CALL_WITH(MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, a), -EINVAL);
    a.domid = r.domid = 3;
    assert_int_equal(CALL_WITH(MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, a), -ESRCH);
    assert_int_equal(CALL_WITH(MEMORY_OP, XENMEM_REMOVE_FROM_PHYSMAP, r), -ESRCH);
}

static void test_gfn_beyond_all(void **state)
{
    struct xen_remove_from_physmap r = { .domid = XEN_DOMID_SELF,
                                         .gpfn = 1ul << HYPERCALL_GFN_BITS };

    (void)state;
    guest_mode(DECODE_64);
    assert_int_equal(CALL_WITH(MEMORY_OP, XENMEM_REMOVE_FROM_PHYSMAP, r), -EINVAL);
}

static void test_memory_map_32(void **state)
{
    struct xen_memory_map_32 m = { .nr_entries = 8, .buffer = ARRAY };
    uint64_t start;

    (void)state;
    assert_int_equal(CALL_WITH(MEMORY_OP, XENMEM_MEMORY_MAP, m), 0);
    guest_get(BUFFER, &m, sizeof(m));
    assert_int_equal(m.nr_entries, 2);
    guest_get(ARRAY + 20, &start, sizeof(start)); /* entries of 20 bytes, as in e820 */
    assert_int_equal(start, 0x100000);
}

static void test_sizes(void **state)
{
    const uint16_t self = XEN_DOMID_SELF;

    (void)state;
    assert_int_equal(CALL_WITH(MEMORY_OP, XENMEM_CURRENT_RESERVATION, self), guest.p2m.promised);
    assert_int_equal(CALL_WITH(MEMORY_OP, XENMEM_MAXIMUM_RESERVATION, self),
                     GUEST_END >> PAGE_SHIFT);
    assert_int_equal(CALL_WITH(MEMORY_OP, XENMEM_MAXIMUM_GPFN, self), 0xfff);
    assert_int_equal(call(XEN_HYPERCALL_MEMORY_OP, XENMEM_MAXIMUM_RAM_PAGE, 0, 0), 0xffff);
    assert_int_equal(call(XEN_HYPERCALL_MEMORY_OP, XENMEM_MACHINE_MEMORY_MAP, 0, 0), -EPERM);
    assert_int_equal(call(XEN_HYPERCALL_MEMORY_OP, 63, 0, 0), -ENOSYS);
}

/* ---- Many at once ---- */

static void test_multicall_32(void **state)
{
    struct xen_multicall_entry_32 e[3] = {
        { .op = XEN_HYPERCALL_XEN_VERSION, .args = { XENVER_VERSION } },
        { .op = XEN_HYPERCALL_CONSOLE_IO, .args = { XEN_CONSOLE_WRITE, 4, 0x6000 } },
        { .op = XEN_HYPERCALL_MULTICALL },
    };
    uint64_t args[HYPERCALL_ARGS] = { ARRAY, 3 };

    (void)state;
    guest_put(0x6000, "abcd", 4);
    guest_put(ARRAY, e, sizeof(e));
    said_room = 3; /* its second call goes on where the console stopped */
    assert_true(hypercall_multicall(&guest_vcpu, args) == HYPERCALL_CONTINUE);
    guest_get(ARRAY, e, sizeof(e));
    assert_int_equal(e[0].result, PV_XEN_VERSION);
    assert_int_equal(e[1].args[1], 1);
    assert_int_equal(e[1].args[2], 0x6003);
    said_room = 3;
    assert_int_equal(hypercall_multicall(&guest_vcpu, args), 0);
    guest_get(ARRAY, e, sizeof(e));
    assert_int_equal(e[1].result, 0);
    assert_int_equal((int32_t)e[2].result, -ENOSYS);
    assert_string_equal(said, "abcd");
}

static void test_multicall_goes_on(void **state)
{
    struct xen_multicall_entry e = { .op = XEN_HYPERCALL_CONSOLE_IO,
                                     .args = { XEN_CONSOLE_WRITE, 4, 0x6000 } };
    uint64_t args[HYPERCALL_ARGS] = { ARRAY, 1 };

    (void)state;
    guest_mode(DECODE_64);
    guest_put(ARRAY, &e, sizeof(e));
    said_room = 1;
    assert_true(hypercall_multicall(&guest_vcpu, args) == HYPERCALL_CONTINUE);
    guest_get(ARRAY, &e, sizeof(e));
    assert_int_equal(e.args[1], 3);
    assert_int_equal(e.args[2], 0x6001);
}

/* ---- Waiting, and time ---- */

static void test_poll_32(void **state)
{
    struct xen_sched_poll_32 poll = { .ports = ARRAY, .nr_ports = 1, .timeout = 5 * S };
    const uint32_t port = (uint32_t)guest.xen.param[HVM_PARAM_CONSOLE_EVTCHN];

    (void)state;
    guest_put(ARRAY, &port, sizeof(port));
    assert_int_equal(CALL_WITH(SCHED_OP, XEN_SCHED_POLL, poll), 0);
    assert_true(guest_vcpu.halted);
    assert_true(pv_tick(&guest_vcpu.xen, 5 * S - 1));
    assert_int_equal(guest_vcpu.xen.poll, port);
    assert_true(pv_tick(&guest_vcpu.xen, 5 * S));
    assert_int_equal(guest_vcpu.xen.poll, PV_POLL_OVER);
    const uint32_t none = 4096;
    guest_put(ARRAY, &none, sizeof(none));
    assert_int_equal(CALL_WITH(SCHED_OP, XEN_SCHED_POLL, poll), -EINVAL);
}

static void test_watchdog(void **state)
{
    struct xen_sched_watchdog w = { .id = 0, .timeout = 3 };

    (void)state;
    assert_int_equal(CALL_WITH(SCHED_OP, XEN_SCHED_WATCHDOG, w), 1);
    assert_int_equal(CALL_WITH(SCHED_OP, XEN_SCHED_WATCHDOG, w), 2);
    assert_int_equal(CALL_WITH(SCHED_OP, XEN_SCHED_WATCHDOG, w), -ENOSPC);
    w.id = 3;
    assert_int_equal(CALL_WITH(SCHED_OP, XEN_SCHED_WATCHDOG, w), -EINVAL);
    w = (struct xen_sched_watchdog){ .id = 1, .timeout = 0 }; /* off */
    assert_int_equal(CALL_WITH(SCHED_OP, XEN_SCHED_WATCHDOG, w), 0);
    assert_int_equal(CALL_WITH(SCHED_OP, XEN_SCHED_WATCHDOG, w), -EINVAL);
    w.id = 0;
    assert_int_equal(CALL_WITH(SCHED_OP, XEN_SCHED_WATCHDOG, w), -EINVAL);
    assert_true(pv_tick(&guest_vcpu.xen, 3 * S - 1));
    assert_false(pv_tick(&guest_vcpu.xen, 3 * S)); /* the domain is to end */
}

static void test_timer_32(void **state)
{
    (void)state;
    assert_int_equal(call(XEN_HYPERCALL_SET_TIMER_OP, 7, 1, 0), 0);
    assert_int_equal(guest_vcpu.xen.singleshot.ns, 1ul << 32 | 7);
    assert_int_equal(call(XEN_HYPERCALL_SET_TIMER_OP, 0, 0, 0), 0);
    assert_true(guest_vcpu.xen.singleshot.ns == TIME_NEVER);
}

static void test_periodic(void **state)
{
    struct xen_set_periodic_timer p = { .period_ns = S };

    (void)state;
    guest_put(BUFFER, &p, sizeof(p));
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_SET_PERIODIC_TIMER, 0, BUFFER), 0);
    (void)!pv_tick(&guest_vcpu.xen, 3 * S + 1); /* what was slept over is not made up for */
    assert_int_equal(guest_vcpu.xen.periodic.ns, 4 * S);
    p.period_ns = 1;
    guest_put(BUFFER, &p, sizeof(p));
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_SET_PERIODIC_TIMER, 0, BUFFER), -EINVAL);
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_STOP_PERIODIC_TIMER, 0, 0), 0);
    assert_true(guest_vcpu.xen.periodic.ns == TIME_NEVER);
}

/* ---- vCPUs ---- */

static void test_runstate_32(void **state)
{
    struct xen_runstate_info_32 r;

    (void)state;
    pv_runstate(&guest_vcpu.xen, XEN_RUNSTATE_RUNNING);
    fake_tsc += 5000;
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_GET_RUNSTATE_INFO, 0, BUFFER), 0);
    guest_get(BUFFER, &r, sizeof(r));
    assert_int_equal(r.state, XEN_RUNSTATE_RUNNING);
    assert_int_equal(r.time[XEN_RUNSTATE_RUNNING], 5000);
}

static void test_down(void **state)
{
    (void)state;
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_DOWN, 1, 0), 0);
    assert_true(second.down);
    assert_int_equal(guest.end, END_NOT);
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_DOWN, 0, 0), 0);
    assert_int_equal(guest.end, END_POWEROFF); /* it was the last */
}

static void test_nmi(void **state)
{
    unsigned before = guest_kicks;

    (void)state;
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_SEND_NMI, 1, 0), 0);
    assert_int_equal(fake_virt(&second.virt)->nmis, 1);
    assert_int_equal(guest_kicks, before + 1);
}

/* ---- Parameters ---- */

static void test_upcall_vector(void **state)
{
    struct xen_hvm_evtchn_upcall_vector arg = { .vcpu = 1, .vector = 0x55 };

    (void)state;
    second.xen.upcall = true; /* one has come before there was a vector for it */
    assert_int_equal(CALL_WITH(HVM_OP, HVMOP_SET_EVTCHN_UPCALL_VECTOR, arg), 0);
    assert_int_equal(second.xen.upcall_vector, 0x55);
    assert_true(second.xen.vector_owed);
    assert_int_equal(pv_upcall_take_vector(&second.xen), 0x55);
    assert_false(second.xen.vector_owed); /* once */
    arg.vcpu = 2;
    assert_int_equal(CALL_WITH(HVM_OP, HVMOP_SET_EVTCHN_UPCALL_VECTOR, arg), -ENOENT);
    arg = (struct xen_hvm_evtchn_upcall_vector){ .vcpu = 0, .vector = 15 };
    assert_int_equal(CALL_WITH(HVM_OP, HVMOP_SET_EVTCHN_UPCALL_VECTOR, arg), -EINVAL);
}

static void test_flush_tlbs(void **state)
{
    unsigned before = guest_kicks;

    (void)state;
    assert_int_equal(call(XEN_HYPERCALL_HVM_OP, HVMOP_FLUSH_TLBS, 0, 0), 0);
    assert_int_equal(guest_kicks, before + 2);
    assert_int_equal(call(XEN_HYPERCALL_HVM_OP, HVMOP_FLUSH_TLBS, BUFFER, 0), -EINVAL);
    assert_int_equal(guest_kicks, before + 2);
}

static void test_assist(void **state)
{
    const uint64_t nr = XEN_HYPERCALL_VM_ASSIST, flag = XEN_VMASST_RUNSTATE_UPDATE_FLAG;

    (void)state;
    assert_int_equal(call(nr, XEN_VMASST_ENABLE, flag, 0), 0);
    assert_true(guest.xen.runstate_flag);
    assert_int_equal(call(nr, XEN_VMASST_DISABLE, flag, 0), 0);
    assert_false(guest.xen.runstate_flag);
    assert_int_equal(call(nr, 2, flag, 0), -ENOSYS);
    assert_int_equal(call(nr, XEN_VMASST_ENABLE, 0, 0), -EINVAL);
}

/* ---- The console's ring ---- */

static void test_ring_out(void **state)
{
    struct xencons_interface *ring = guest.xen.console;
    struct xen_evtchn_send send = { (uint32_t)guest.xen.param[HVM_PARAM_CONSOLE_EVTCHN] };

    (void)state;
    assert_int_equal(guest.xen.param[HVM_PARAM_CONSOLE_PFN], PV_CONSOLE_GPA >> PAGE_SHIFT);
    memcpy(ring->out, "hello", 5);
    ring->out_prod = 5;
    said_room = 3;
    assert_int_equal(CALL_WITH(EVENT_CHANNEL_OP, EVTCHNOP_SEND, send), 0);
    assert_string_equal(said, "hel");
    assert_int_equal(ring->out_cons, 3);
    assert_int_equal(rooms, 1);
    said_room = 9;
    pv_console_kick(&guest.xen);
    assert_string_equal(said, "hello");
    assert_int_equal(ring->out_cons, 5);
}

/* Indices that no ring can have: the guest's loss. */
static void test_ring_out_of_bounds(void **state)
{
    struct xencons_interface *ring = guest.xen.console;
    uint8_t bytes[8];
    uint32_t next;

    (void)state;
    ring->out_prod = 1 << 20;
    pv_console_kick(&guest.xen);
    assert_int_equal(said_count, 0);
    ring->in_prod = 1 << 20;
    assert_int_equal(pv_console_peek(&guest.xen, bytes, sizeof(bytes), &next), 0);
    assert_false(pv_console_give(&guest.xen, 'x'));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reservation_32),
        TEST(test_physmap_32),
        TEST(test_gfn_beyond_all),
        TEST(test_memory_map_32),
        TEST(test_sizes),
        TEST(test_multicall_32),
        TEST(test_multicall_goes_on),
        TEST(test_poll_32),
        TEST(test_watchdog),
        TEST(test_timer_32),
        TEST(test_periodic),
        TEST(test_runstate_32),
        TEST(test_down),
        TEST(test_nmi),
        TEST(test_upcall_vector),
        TEST(test_flush_tlbs),
        TEST(test_assist),
        TEST(test_ring_out),
        TEST(test_ring_out_of_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
