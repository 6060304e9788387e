/* clang-format off */
/* links: hypercall/hypercall.c control/platform_op.c control/control.c control/domctl.c control/domctl_info.c control/domctl_sched.c control/domctl_create.c control/policy.c control/context.c cpu/cpu_policy.c control/sysctl.c control/sysctl_log.c control/sysctl_machine.c hypercall/console_io.c hypercall/sched_op.c hypercall/xen_version.c hypercall/memory_op.c hypercall/memory_foreign.c hypercall/vcpu_op.c xen/xen_context.c hypercall/hvm_op.c hypercall/vm_assist.c hypercall/multicall.c hypercall/grant_op.c grant/grant.c grant/foreign.c grant/grant_map.c grant/grant_copy.c hypercall/evtchn_op.c xen/evtchn.c xen/evtchn_2l.c xen/evtchn_fifo.c xen/pair.c xen/pv_vcpu.c xen/pv_time.c xen/pv_console.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_change.c guestmem/p2m_block.c guestmem/p2m_lent.c guestmem/gmem.c arch/x86/moment.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c virt/slat.c arch/x86/tsc.c lib/string.c tests/fakes/bus.c tests/fakes/guest.c tests/fakes/race.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/control.c tests/fakes/panic.c */
/* clang-format on */
/*
 * Every call that takes a pointer, with each kind of bad one: to nowhere, to no address at all,
 * into a hole, over the end of RAM by every number of bytes, to memory that may only be read. Each
 * is answered with -EFAULT and changes nothing. And with the last place that is good, which shows
 * that the sizes of this table are the calls' own.
 *
 * And arguments that another vCPU changes under the call: nothing of them is read twice, and where
 * all of the guest's memory changes with each read no call goes astray.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "cpu/cpu_model.h"
#include "xen/evtchn.h"
#include "grant/grant.h"
#include "hypercall/hypercall.h"
#include "include/public/control.h"
#include "include/public/event_channel.h"
#include "include/public/hvm/hvm_op.h"
#include "include/public/hvm/hvm_vcpu.h"
#include "include/public/compat.h"
#include "include/public/memory.h"
#include "include/public/platform.h"
#include "include/public/sched.h"
#include "include/public/vcpu.h"
#include "include/public/version.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "tests/fakes/guest.h"
#include "tests/fakes/race.h"

#define ANY    UINT64_MAX /* of the arguments: here goes the pointer */
#define LENGTH 32

enum use {
    READS,
    WRITES, /* back into it */
    COUNTS, /* reads; tells how many it has done, which is none then: as Xen */
};

struct row {
    const char *name;
    uint64_t nr, args[3];
    size_t bytes;
    enum use use;
    uint32_t head[2]; /* of the structure, if it begins with the operation and its version */
};

#define ROW(title, number, arg_0, arg_1, arg_2, size, how)                                         \
    {                                                                                              \
        .name = title, .nr = XEN_HYPERCALL_##number, .args = { arg_0, arg_1, arg_2 },              \
        .bytes = size, .use = how                                                                  \
    }
#define EVTCHN(op, type, how)                                                                      \
    ROW(#op, EVENT_CHANNEL_OP, EVTCHNOP_##op, ANY, 0, sizeof(struct type), how)
#define GRANT(op, type)              ROW(#op, GRANT_TABLE_OP, GNTTABOP_##op, ANY, 1, sizeof(struct type), WRITES)
#define VCPU(op, which, size, how)   ROW(#op, VCPU_OP, VCPUOP_##op, which, ANY, size, how)
#define OTHER(number, op, size, how) ROW(#op, number, op, ANY, 0, size, how)

#define HEADED(number, type, op, version, how)                                                     \
    {                                                                                              \
        .name = #op, .nr = XEN_HYPERCALL_##number, .args = { ANY }, .bytes = sizeof(struct type),  \
        .use = how, .head = {                                                                      \
            op,                                                                                    \
            version                                                                                \
        }                                                                                          \
    }
#define DOMCTL(op, how)                                                                            \
    HEADED(DOMCTL, xen_domctl, XEN_DOMCTL_##op, XEN_DOMCTL_INTERFACE_VERSION, how)
#define SYSCTL(op) HEADED(SYSCTL, xen_sysctl, XEN_SYSCTL_##op, XEN_SYSCTL_INTERFACE_VERSION, WRITES)

static const struct row rows[] = {
    DOMCTL(DESTROYDOMAIN, READS),
    DOMCTL(PAUSEDOMAIN, READS),
    DOMCTL(UNPAUSEDOMAIN, READS),
    DOMCTL(GETDOMAININFO, WRITES),
    DOMCTL(SETVCPUAFFINITY, READS),
    DOMCTL(MAX_MEM, READS),
    DOMCTL(GETVCPUINFO, WRITES),
    DOMCTL(SCHEDULER_OP, WRITES),
    DOMCTL(GETVCPUAFFINITY, READS),
    SYSCTL(PHYSINFO),
    SYSCTL(SCHED_ID),
    SYSCTL(GETDOMAININFOLIST),
    SYSCTL(AVAILHEAP),
    SYSCTL(CPUTOPOINFO),
    SYSCTL(NUMAINFO),
    HEADED(SYSCTL, xen_sysctl, XEN_SYSCTL_CPUPOOL_OP, XEN_SYSCTL_INTERFACE_VERSION, READS),
    HEADED(SYSCTL, xen_sysctl, XEN_SYSCTL_SCHEDULER_OP, XEN_SYSCTL_INTERFACE_VERSION, READS),
    HEADED(PLATFORM_OP, xen_platform_op, XENPF_SETTIME64, XENPF_INTERFACE_VERSION, READS),
    EVTCHN(BIND_INTERDOMAIN, xen_evtchn_bind_interdomain, WRITES),
    EVTCHN(BIND_VIRQ, xen_evtchn_bind_virq, WRITES),
    EVTCHN(CLOSE, xen_evtchn_close, READS),
    EVTCHN(SEND, xen_evtchn_send, READS),
    EVTCHN(STATUS, xen_evtchn_status, WRITES),
    EVTCHN(ALLOC_UNBOUND, xen_evtchn_alloc_unbound, WRITES),
    EVTCHN(BIND_IPI, xen_evtchn_bind_ipi, WRITES),
    EVTCHN(BIND_VCPU, xen_evtchn_bind_vcpu, READS),
    EVTCHN(UNMASK, xen_evtchn_unmask, READS),
    EVTCHN(RESET, xen_evtchn_reset, READS),
    EVTCHN(INIT_CONTROL, xen_evtchn_init_control, WRITES),
    EVTCHN(EXPAND_ARRAY, xen_evtchn_expand_array, READS),
    EVTCHN(SET_PRIORITY, xen_evtchn_set_priority, READS),
    GRANT(MAP_GRANT_REF, xen_gnttab_map_grant_ref),
    GRANT(UNMAP_GRANT_REF, xen_gnttab_unmap_grant_ref),
    GRANT(SETUP_TABLE, xen_gnttab_setup_table),
    GRANT(TRANSFER, xen_gnttab_transfer),
    GRANT(COPY, xen_gnttab_copy),
    GRANT(QUERY_SIZE, xen_gnttab_query_size),
    GRANT(UNMAP_AND_REPLACE, xen_gnttab_unmap_and_replace),
    GRANT(SET_VERSION, xen_gnttab_set_version),
    GRANT(GET_VERSION, xen_gnttab_get_version),
    VCPU(INITIALISE, 1, sizeof(struct xen_vcpu_hvm_context), READS),
    VCPU(GET_RUNSTATE_INFO, 0, sizeof(struct xen_runstate_info), WRITES),
    VCPU(REGISTER_RUNSTATE_MEMORY_AREA, 0, 8, READS),
    VCPU(REGISTER_RUNSTATE_PHYS_AREA, 0, 8, READS),
    VCPU(REGISTER_TIME_MEMORY_AREA, 0, 8, READS),
    VCPU(REGISTER_TIME_PHYS_AREA, 0, 8, READS),
    VCPU(REGISTER_VCPU_INFO, 0, sizeof(struct xen_register_vcpu_info), READS),
    VCPU(SET_PERIODIC_TIMER, 0, sizeof(struct xen_set_periodic_timer), READS),
    VCPU(SET_SINGLESHOT_TIMER, 0, 12, READS),
    OTHER(MEMORY_OP, XENMEM_DECREASE_RESERVATION, sizeof(struct xen_memory_reservation), COUNTS),
    OTHER(MEMORY_OP, XENMEM_POPULATE_PHYSMAP, sizeof(struct xen_memory_reservation), COUNTS),
    OTHER(MEMORY_OP, XENMEM_CURRENT_RESERVATION, 2, READS),
    OTHER(MEMORY_OP, XENMEM_MAXIMUM_RESERVATION, 2, READS),
    OTHER(MEMORY_OP, XENMEM_MAXIMUM_GPFN, 2, READS),
    OTHER(MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, sizeof(struct xen_add_to_physmap), READS),
    OTHER(MEMORY_OP, XENMEM_REMOVE_FROM_PHYSMAP, sizeof(struct xen_remove_from_physmap), READS),
    OTHER(MEMORY_OP, XENMEM_MEMORY_MAP, sizeof(struct xen_memory_map), WRITES),
    OTHER(MEMORY_OP, XENMEM_SET_MEMORY_MAP, sizeof(struct xen_foreign_memory_map), READS),
    OTHER(MEMORY_OP, XENMEM_ADD_TO_PHYSMAP_BATCH, sizeof(struct xen_add_to_physmap_batch), READS),
    OTHER(MEMORY_OP, XENMEM_ACQUIRE_RESOURCE, sizeof(struct xen_acquire_resource), READS),
    OTHER(MEMORY_OP, XENMEM_SET_POD_TARGET, sizeof(struct xen_pod_target_32), READS),
    OTHER(SCHED_OP, XEN_SCHED_SHUTDOWN, sizeof(struct xen_sched_shutdown), READS),
    OTHER(SCHED_OP, XEN_SCHED_POLL, sizeof(struct xen_sched_poll), READS),
    OTHER(SCHED_OP, XEN_SCHED_SHUTDOWN_CODE, sizeof(struct xen_sched_shutdown), READS),
    OTHER(SCHED_OP, XEN_SCHED_WATCHDOG, sizeof(struct xen_sched_watchdog), READS),
    OTHER(HVM_OP, HVMOP_SET_PARAM, sizeof(struct xen_hvm_param), READS),
    OTHER(HVM_OP, HVMOP_GET_PARAM, sizeof(struct xen_hvm_param), READS),
    OTHER(HVM_OP, HVMOP_PAGETABLE_DYING, sizeof(struct xen_hvm_pagetable_dying), READS),
    OTHER(HVM_OP, HVMOP_GET_TIME, sizeof(struct xen_hvm_get_time), WRITES),
    OTHER(HVM_OP, HVMOP_SET_EVTCHN_UPCALL_VECTOR, sizeof(struct xen_hvm_evtchn_upcall_vector),
          READS),
    OTHER(XEN_VERSION, XENVER_EXTRAVERSION, XENVER_EXTRAVERSION_LEN, WRITES),
    OTHER(XEN_VERSION, XENVER_COMPILE_INFO, sizeof(struct xen_compile_info), WRITES),
    OTHER(XEN_VERSION, XENVER_CAPABILITIES, XENVER_CAPABILITIES_LEN, WRITES),
    OTHER(XEN_VERSION, XENVER_CHANGESET, XENVER_CHANGESET_LEN, WRITES),
    OTHER(XEN_VERSION, XENVER_PLATFORM_PARAMETERS, 8, WRITES),
    OTHER(XEN_VERSION, XENVER_GET_FEATURES, sizeof(struct xen_feature_info), WRITES),
    OTHER(XEN_VERSION, XENVER_GUEST_HANDLE, XENVER_HANDLE_LEN, WRITES),
    OTHER(XEN_VERSION, XENVER_COMMANDLINE, XENVER_COMMANDLINE_LEN, WRITES),
    ROW("multicall", MULTICALL, ANY, 1, 0, sizeof(struct xen_multicall_entry), WRITES),
    ROW("console_io", CONSOLE_IO, XEN_CONSOLE_WRITE, LENGTH, ANY, LENGTH, READS),
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* ---- A domain with two vCPUs, the second of which has not begun ---- */

static struct domain_config config = { .mem = GUEST_END };
static struct vcpu second;
static struct sched_group account;

static size_t put(struct domain *d, const uint8_t *bytes, size_t n)
{
    (void)d;
    (void)bytes;
    return n;
}
static const struct domain_hooks hooks = { .console_put = put };

static int setup(void **state)
{
    /* RAM gets its frames when it is first touched; later, that would look like a loss. */
    static const uint64_t touched[] = { 0x6000, 0x9f000, GUEST_END - PAGE_SIZE };

    (void)state;
    guest_start();
    guest_mode(DECODE_64);
    cpu()->cr0 |= CR0_WP;
    guest.config = &config;
    guest.account = &account;
    guest.xen.control = true;
    domain_set_hooks(&hooks);
    guest_init_vcpu(&second, 1);
    second.waits_for_startup = true;
    guest.xen.vcpu_count = 0;
    pv_vcpu_init(&guest_vcpu.xen, &guest.xen, &guest_vcpu.unit);
    pv_vcpu_init(&second.xen, &guest.xen, &second.unit);
    guest.vcpus[1] = &second;
    for (unsigned i = 0; i < sizeof(touched) / sizeof(touched[0]); i++)
        guest_write64(touched[i], 0);
    return evtchn_init(&guest.xen);
}

static int teardown(void **state)
{
    (void)state;
    while (!grant_detach(&guest.xen))
        ;
    evtchn_destroy(&guest.xen);
    guest_stop();
    return 0;
}

struct xen_domain *xen_domain_get(uint16_t id)
{
    (void)id;
    return NULL;
}

struct xen_domain *xen_domain_next(const struct xen_domain *after)
{
    return after ? NULL : &guest.xen;
}

void xen_domain_hold(struct xen_domain *d)
{
    (void)d;
}

void xen_domain_put(struct xen_domain *d)
{
    (void)d;
}

unsigned domain_e820(const struct domain *d, struct e820_entry out[E820_MOST])
{
    (void)d;
    out[0] = (struct e820_entry){ 0, 0xa0000, E820_RAM };
    return 1;
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

/* ---- The tests ---- */

/* What the call is known by, where that stands in its structure. */
static void put_head(const struct row *r, uint64_t at)
{
    if (r->head[0])
        guest_put(at, r->head, sizeof(r->head));
}

static int64_t call(const struct row *r, uint64_t at)
{
    uint64_t args[HYPERCALL_ARGS] = { 0 };

    for (unsigned i = 0; i < 3; i++)
        args[i] = r->args[i] == ANY ? at : r->args[i];
    spin_lock(&guest.lock);
    int64_t result = hypercall_call(&guest_vcpu, r->nr, args);
    spin_unlock(&guest.lock);
    return result;
}

static void fails(const struct row *r, uint64_t at)
{
    uint64_t frames = frame_count(GUEST_ID);
    int64_t result = call(r, at);

    if (result != (r->use == COUNTS ? 0 : -EFAULT))
        fail_msg("%s at %#lx: %ld", r->name, (unsigned long)at, (long)result);
    if (frame_count(GUEST_ID) != frames || guest.end || second.initialised)
        fail_msg("%s at %#lx has changed something", r->name, (unsigned long)at);
}

/* Beyond the page tables, a device, the hole below 1 MiB, no canonical address, the very last. */
static void test_nowhere(void **state)
{
    static const uint64_t bad[] = {
        0x100000000, 0xfee00000, 0xa0000, 0x800000000000, 0xffff7fffffffffff, ~0ul - 4095, ~0ul,
    };

    (void)state;
    for (unsigned i = 0; i < ROWS; i++)
        for (unsigned n = 0; n < sizeof(bad) / sizeof(bad[0]); n++)
            fails(&rows[i], bad[n]);
}

/* RAM ends, with its page, within the argument; or the addresses do. */
static void test_over_the_end(void **state)
{
    static const uint64_t ends[] = { 0xa0000, GUEST_END, 0x100000000, 0x800000000000, 0 };

    (void)state;
    for (unsigned i = 0; i < ROWS; i++)
        for (unsigned n = 0; n < sizeof(ends) / sizeof(ends[0]); n++)
            for (size_t in = 1; in < rows[i].bytes; in++)
                fails(&rows[i], ends[n] - in);
}

/* What is written back, where it may only be read. */
static void test_read_only(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROWS; i++) {
        if (rows[i].use != WRITES)
            continue;
        guest_write64(0x2000, 0x87);
        guest_write64(0x6000, 0);
        put_head(&rows[i], 0x6000);
        guest_write64(0x2000, 0x85); /* the first GiB */
        fails(&rows[i], 0x6000);
    }
}

/* Over two pages, and up to the end of RAM. */
static void test_good(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROWS; i++) {
        static const uint8_t zero[sizeof(struct xen_compile_info) + XENVER_CAPABILITIES_LEN];
        uint64_t at[] = { 0x9000 - rows[i].bytes / 2, GUEST_END - rows[i].bytes };
        for (unsigned n = 0; n < 2; n++) {
            guest_put(at[n], zero, rows[i].bytes);
            put_head(&rows[i], at[n]);
            if (call(&rows[i], at[n]) == -EFAULT)
                fail_msg("%s at %#lx: -EFAULT", rows[i].name, (unsigned long)at[n]);
            guest.end = END_NOT;
        }
    }
}

/* ---- Arguments that change ---- */

#define SEEDS 12 /* of each call */

static uint64_t seed;

static uint32_t any(void)
{
    seed = seed * 6364136223846793005ul + 1442695040888963407ul;
    return (uint32_t)(seed >> 33);
}

/* What gets through the first checks as often as not. */
static uint32_t number(void)
{
    static const uint32_t others[] = { 0x7ff0, 255, 511, 4095, 0x6000, 0x7fffffff, UINT32_MAX };

    return any() % 4 ? any() % 8 : others[any() % (sizeof(others) / sizeof(others[0]))];
}

static void put_any(uint64_t at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += sizeof(uint32_t)) {
        uint32_t value = any() % 4 ? number() : 0;
        guest_put(at + i, &value, bytes - i < sizeof(value) ? bytes - i : sizeof(value));
    }
}

static void watch_gfn(uint64_t g)
{
    mfn_t m;
    bool lent;

    if (p2m_lookup(&guest.p2m, gfn(g), &m, &lent) == 0)
        race_watch(heap_from_maddr(mfn_to_maddr(m)));
}

static void one_call(const struct row *r, uint64_t at, enum race_how how, uint64_t with)
{
    seed = race_seed(with);
    put_any(at, r->bytes);
    put_head(r, at);
    race_begin(how, with);
    call(r, at);
    race_end();
}

/* Nowhere twice in a row, as far as it is an argument's. */
static void test_read_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROWS; i++) {
        uint64_t reads = 0;
        for (unsigned n = 0; n < race_rounds(SEEDS); n++) {
            assert_int_equal(setup(NULL), 0);
            race_forget();
            watch_gfn((GUEST_END - 1) >> PAGE_SHIFT);
            one_call(&rows[i], GUEST_END - PAGE_SIZE + 64, RACE_COUNT, n + 1);
            reads += race_reads;
            if (race_doubled)
                fail_msg("%s: %u places are read twice, one by %p", rows[i].name, race_doubled,
                         race_doubled_by);
            assert_int_equal(teardown(NULL), 0);
        }
        assert_true(reads > 0 || rows[i].use == WRITES);
    }
}

/* All that there is, the tables of pages among it. */
static void watch_all(void)
{
    race_forget();
    for (unsigned g = 0; g < 0xa0; g++)
        watch_gfn(g);
    watch_gfn((GUEST_END - 1) >> PAGE_SHIFT);
    race_watch(guest.xen.shared);
}

/* What it may do to itself is the guest's affair; Caisson keeps its counts (teardown looks). */
static void test_all_changes(void **state)
{
    uint64_t reads = 0;

    (void)state;
    for (unsigned i = 0; i < ROWS; i++) {
        for (unsigned n = 0; n < race_rounds(SEEDS); n++) {
            assert_int_equal(setup(NULL), 0);
            watch_all();
            one_call(&rows[i], any() % 2 ? 0x6000 : GUEST_END - rows[i].bytes, RACE_CHANGE, n + 1);
            reads += race_reads;
            assert_int_equal(teardown(NULL), 0);
        }
    }
    assert_true(reads > ROWS * SEEDS);
    race_forget();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nowhere), TEST(test_over_the_end),          TEST(test_read_only),
        TEST(test_good),    cmocka_unit_test(test_read_once), cmocka_unit_test(test_all_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
