/* clang-format off */
/* links: hypercall/hypercall.c control/platform_op.c control/control.c control/domctl.c control/domctl_info.c control/domctl_sched.c control/domctl_create.c control/domctl_save.c control/vcpu_context.c control/policy.c control/context.c virt/msr.c devices/vlapic_save.c context/context_rest.c context/context_cpu.c context/stream.c cpu/cpu_policy.c control/sysctl.c control/sysctl_log.c control/sysctl_machine.c hypercall/console_io.c hypercall/sched_op.c hypercall/xen_version.c hypercall/memory_op.c hypercall/memory_foreign.c hypercall/vcpu_op.c xen/xen_context.c hypercall/hvm_op.c hypercall/vm_assist.c hypercall/multicall.c hypercall/grant_op.c grant/grant.c grant/foreign.c xen/flush.c grant/grant_map.c grant/grant_copy.c hypercall/evtchn_op.c xen/evtchn.c xen/evtchn_2l.c xen/evtchn_fifo.c xen/pair.c xen/pv_vcpu.c xen/pv_time.c xen/pv_console.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_block.c guestmem/p2m_lent.c guestmem/gmem.c arch/x86/moment.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c virt/slat.c arch/x86/tsc.c lib/string.c tests/fakes/bus.c tests/fakes/guest.c tests/fakes/other.c tests/fakes/race.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/control.c tests/fakes/panic.c */
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
#include "include/public/hvm/save.h"
#include "include/public/compat.h"
#include "include/public/memory.h"
#include "include/public/platform.h"
#include "include/public/sched.h"
#include "include/public/vcpu.h"
#include "include/public/version.h"
#include "lib/log.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "tests/fakes/guest.h"
#include "tests/fakes/other.h"
#include "tests/fakes/race.h"
#include "xen/pv_console.h"

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

/* A new operation gets its line here, with the structure's size and what becomes of it;
 * test_each_has_a_row() asks for it. If its structure points to more, it gets one in lists[] too;
 * test_each_has_a_list() asks for that. */
static const struct row rows[] = {
    DOMCTL(CREATEDOMAIN, WRITES),
    DOMCTL(DESTROYDOMAIN, READS),
    DOMCTL(PAUSEDOMAIN, READS),
    DOMCTL(UNPAUSEDOMAIN, READS),
    DOMCTL(GETDOMAININFO, WRITES),
    DOMCTL(SETVCPUAFFINITY, READS),
    DOMCTL(MAX_MEM, READS),
    DOMCTL(GETVCPUINFO, WRITES),
    DOMCTL(SCHEDULER_OP, WRITES),
    DOMCTL(GETVCPUAFFINITY, READS),
    DOMCTL(MAX_VCPUS, READS),
    DOMCTL(RESUMEDOMAIN, READS),
    DOMCTL(SHADOW_OP, WRITES),
    DOMCTL(GETVCPUCONTEXT, READS),
    DOMCTL(SETVCPUCONTEXT, READS),
    DOMCTL(SUBSCRIBE, READS),
    DOMCTL(GETPAGEFRAMEINFO3, READS),
    DOMCTL(GETHVMCONTEXT, WRITES),
    DOMCTL(SETHVMCONTEXT, READS),
    DOMCTL(GETTSCINFO, WRITES),
    DOMCTL(SETTSCINFO, READS),
    DOMCTL(SETNODEAFFINITY, READS),
    DOMCTL(GET_CPU_POLICY, WRITES),
    DOMCTL(SET_CPU_POLICY, READS),
    DOMCTL(SET_PAGING_MEMPOOL_SIZE, READS),
    SYSCTL(PHYSINFO),
    SYSCTL(SCHED_ID),
    SYSCTL(GETDOMAININFOLIST),
    SYSCTL(GETCPUINFO),
    SYSCTL(AVAILHEAP),
    SYSCTL(CPUTOPOINFO),
    SYSCTL(NUMAINFO),
    SYSCTL(READCONSOLE),
    SYSCTL(DEBUG_KEYS),
    SYSCTL(CPU_FEATURESET),
    SYSCTL(CPU_POLICY),
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
    OTHER(MEMORY_OP, XENMEM_GET_POD_TARGET, sizeof(struct xen_pod_target_32), READS),
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
    ROW("console_io write", CONSOLE_IO, XEN_CONSOLE_WRITE, LENGTH, ANY, LENGTH, READS),
    ROW("console_io read", CONSOLE_IO, XEN_CONSOLE_READ, LENGTH, ANY, LENGTH, WRITES),
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Those that take no pointer, or refuse before they look where it leads. */
static const struct {
    uint64_t nr, op;
} without[] = {
    { XEN_HYPERCALL_MEMORY_OP, XENMEM_GET_VNUMAINFO },
    { XEN_HYPERCALL_MEMORY_OP, XENMEM_INCREASE_RESERVATION },
    { XEN_HYPERCALL_MEMORY_OP, XENMEM_MAXIMUM_RAM_PAGE },
    { XEN_HYPERCALL_MEMORY_OP, XENMEM_MACHINE_MEMORY_MAP },
    { XEN_HYPERCALL_VCPU_OP, VCPUOP_UP },
    { XEN_HYPERCALL_VCPU_OP, VCPUOP_DOWN },
    { XEN_HYPERCALL_VCPU_OP, VCPUOP_IS_UP },
    { XEN_HYPERCALL_VCPU_OP, VCPUOP_STOP_PERIODIC_TIMER },
    { XEN_HYPERCALL_VCPU_OP, VCPUOP_STOP_SINGLESHOT_TIMER },
    { XEN_HYPERCALL_VCPU_OP, VCPUOP_SEND_NMI },
    { XEN_HYPERCALL_VCPU_OP, VCPUOP_GET_PHYSID },
    { XEN_HYPERCALL_SCHED_OP, XEN_SCHED_YIELD },
    { XEN_HYPERCALL_SCHED_OP, XEN_SCHED_BLOCK },
    { XEN_HYPERCALL_SCHED_OP, XEN_SCHED_REMOTE_SHUTDOWN },
    { XEN_HYPERCALL_SCHED_OP, XEN_SCHED_PIN_OVERRIDE },
    { XEN_HYPERCALL_HVM_OP, HVMOP_FLUSH_TLBS },
    { XEN_HYPERCALL_XEN_VERSION, XENVER_VERSION },
    { XEN_HYPERCALL_XEN_VERSION, XENVER_PAGESIZE },
    { XEN_HYPERCALL_XEN_VERSION, XENVER_BUILD_ID },
};

/* ---- A domain with two vCPUs, the second of which has not begun; and the other one ---- */

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

static size_t bus_put(struct xen_domain *d, const uint8_t *bytes, size_t n)
{
    (void)d;
    (void)bytes;
    return n;
}

static void bus_room(struct xen_domain *d)
{
    (void)d;
}
static const struct xen_console_bus console_bus = { bus_put, bus_room };

static struct vlapic_page apic_pages[2];
static const struct vlapic_bus apic_bus;

static int setup(void **state)
{
    /* RAM gets its frames when it is first touched; later, that would look like a loss. */
    static const uint64_t touched[] = { 0x6000, 0x9f000, GUEST_END - 2 * PAGE_SIZE,
                                        GUEST_END - PAGE_SIZE };

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
    for (unsigned i = 0; i < 2; i++)
        vlapic_init(&guest.vcpus[i]->lapic, i, 1000000000, &apic_bus, &apic_pages[i]);
    for (unsigned i = 0; i < sizeof(touched) / sizeof(touched[0]); i++)
        guest_write64(touched[i], 0);
    other_start(&config, &account);
    if (evtchn_init(&guest.xen) || pv_console_init(&guest.xen, &console_bus))
        return -1;
    for (unsigned i = 0; i < LENGTH; i++)
        if (!pv_console_give(&guest.xen, 'x'))
            return -1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    other_detach();
    evtchn_destroy(&guest.xen);
    pv_console_destroy(&guest.xen);
    guest_stop();
    other_stop();
    return 0;
}

struct xen_domain *xen_domain_get(uint16_t id)
{
    return id == OTHER_ID ? &other.xen : id == GUEST_ID ? &guest.xen : NULL;
}

struct xen_domain *xen_domain_get_from(uint16_t id)
{
    return id <= GUEST_ID ? &guest.xen : NULL;
}

struct xen_domain *xen_domain_next(const struct xen_domain *after)
{
    return after == &guest.xen ? NULL : after ? &guest.xen : &other.xen;
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

/* What the call is known by, where that stands in its structure. A domctl is about the caller, or
 * about the other domain if that is who stands there. */
static void put_head(const struct row *r, uint64_t at)
{
    const uint16_t self = XEN_DOMID_SELF;
    uint16_t whom;

    if (r->head[0])
        guest_put(at, r->head, sizeof(r->head));
    if (r->nr != XEN_HYPERCALL_DOMCTL || r->head[0] == XEN_DOMCTL_CREATEDOMAIN)
        return;
    at += offsetof(struct xen_domctl, domain);
    guest_get(at, &whom, sizeof(whom));
    if (whom != OTHER_ID)
        guest_put(at, &self, sizeof(self));
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
    static const uint8_t zero[256];

    (void)state;
    for (unsigned i = 0; i < ROWS; i++) {
        if (rows[i].use != WRITES)
            continue;
        guest_write64(0x2000, 0x87);
        guest_put(0x6000, zero, sizeof(zero));
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

/* ---- Is there a row for each? ---- */

/* How the caller says which operation is meant: in its structure's first word, in the first
 * argument, or the call has only one. */
enum names { BY_HEAD, BY_ARGUMENT, BY_NOTHING };

static const struct group {
    uint64_t nr;
    enum names by;
    uint32_t version, ops;
} groups[] = {
    { XEN_HYPERCALL_DOMCTL, BY_HEAD, XEN_DOMCTL_INTERFACE_VERSION, 1024 },
    { XEN_HYPERCALL_SYSCTL, BY_HEAD, XEN_SYSCTL_INTERFACE_VERSION, 1024 },
    { XEN_HYPERCALL_PLATFORM_OP, BY_HEAD, XENPF_INTERFACE_VERSION, 1024 },
    { XEN_HYPERCALL_MEMORY_OP, BY_ARGUMENT, 0, 64 }, /* above that: how far it has come */
    { XEN_HYPERCALL_XEN_VERSION, BY_ARGUMENT, 0, 1024 },
    { XEN_HYPERCALL_GRANT_TABLE_OP, BY_ARGUMENT, 0, 1024 },
    { XEN_HYPERCALL_VCPU_OP, BY_ARGUMENT, 0, 1024 },
    { XEN_HYPERCALL_SCHED_OP, BY_ARGUMENT, 0, 1024 },
    { XEN_HYPERCALL_EVENT_CHANNEL_OP, BY_ARGUMENT, 0, 1024 },
    { XEN_HYPERCALL_HVM_OP, BY_ARGUMENT, 0, 1024 },
    { XEN_HYPERCALL_MULTICALL, BY_NOTHING, 0, 1 },
    { XEN_HYPERCALL_CONSOLE_IO, BY_NOTHING, 0, 1 },
    /* Their arguments are numbers; the last one is refused whatever they are. */
    { XEN_HYPERCALL_SET_TIMER_OP, BY_NOTHING, 0, 0 },
    { XEN_HYPERCALL_VM_ASSIST, BY_NOTHING, 0, 0 },
    { XEN_HYPERCALL_PHYSDEV_OP, BY_NOTHING, 0, 0 },
};
#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static bool has_row(const struct group *g, uint32_t op)
{
    for (unsigned i = 0; i < ROWS; i++) {
        uint64_t named = g->by == BY_HEAD ? rows[i].head[0] : rows[i].args[0];
        if (rows[i].nr == g->nr && (g->by == BY_NOTHING || named == op))
            return true;
    }
    for (unsigned i = 0; i < sizeof(without) / sizeof(without[0]); i++)
        if (without[i].nr == g->nr && without[i].op == op)
            return true;
    return false;
}

/* By a caller whose structure is all zero but for its head. */
static int64_t call_by_number(const struct group *g, uint32_t op)
{
    static const uint8_t zero[256];
    struct row r = { .nr = g->nr, .args = { g->by == BY_ARGUMENT ? op : ANY, ANY, 1 } };

    if (g->nr == XEN_HYPERCALL_VCPU_OP)
        r.args[1] = 1, r.args[2] = ANY;
    guest_put(0x9000, zero, sizeof(zero));
    if (g->by == BY_HEAD)
        guest_put(0x9000, (uint32_t[]){ op, g->version }, 2 * sizeof(uint32_t));
    int64_t result = call(&r, 0x9000);
    guest.end = END_NOT;
    return result;
}

/* Whatever Caisson knows, the tests above and below have tried. */
static void test_each_has_a_row(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GROUPS; i++)
        for (uint32_t op = 0; op < groups[i].ops; op++)
            if (call_by_number(&groups[i], op) != -ENOSYS && !has_row(&groups[i], op))
                fail_msg("hypercall %u has an operation %u, and rows[] none: add its structure "
                         "there (DOMCTL(), SYSCTL(), OTHER() or what is like it), or to without[] "
                         "if it takes no pointer",
                         (unsigned)groups[i].nr, op);
}

static bool has_group(uint64_t nr)
{
    for (unsigned i = 0; i < GROUPS; i++)
        if (groups[i].nr == nr)
            return true;
    return false;
}

static void test_each_has_a_group(void **state)
{
    (void)state;
    for (uint64_t nr = 0; nr < 1024; nr++)
        if (call(&(struct row){ .nr = nr }, 0) != -ENOSYS && !has_group(nr))
            fail_msg("there is a hypercall %u: add it to groups[]", (unsigned)nr);
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

/* ---- What the structures point to ---- */

#define SPARE 0x7000 /* a page that any other list may be in */

/* A structure in which all is set but one pointer, and where that stands. */
#define IN(type, pointer, ...)                                                                     \
    offsetof(struct type, pointer), &(const struct type)                                           \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define IN_DOMCTL(op, pointer, ...)                                                                \
    DOMCTL(op, READS), IN(xen_domctl, u.pointer, .u = { __VA_ARGS__ })
#define OF_OTHER(op, pointer, ...)                                                                 \
    DOMCTL(op, READS), IN(xen_domctl, u.pointer, .domain = OTHER_ID, .u = { __VA_ARGS__ })
#define IN_SYSCTL(op, pointer, ...) SYSCTL(op), IN(xen_sysctl, u.pointer, .u = { __VA_ARGS__ })
#define IN_MEMORY(op, type, use, pointer, ...)                                                     \
    OTHER(MEMORY_OP, XENMEM_##op, sizeof(struct type), use), IN(type, pointer, __VA_ARGS__)
#define AREA(op) VCPU(op, 0, 8, READS), 0, &nothing

#define RESERVATION(op)                                                                            \
    IN_MEMORY(op, xen_memory_reservation, COUNTS, extent_start, .nr_extents = 2,                   \
              .domid = XEN_DOMID_SELF)
#define FOREIGN(pointer)                                                                           \
    IN_MEMORY(ADD_TO_PHYSMAP_BATCH, xen_add_to_physmap_batch, READS, pointer,                      \
              .domid = XEN_DOMID_SELF, .space = XENMAPSPACE_GMFN_FOREIGN, .size = 1,               \
              .foreign_domid = OTHER_ID, .idxs = SPARE, .gpfns = SPARE, .errs = SPARE)
#define AFFINITY(op, flag, mask)                                                                   \
    IN_DOMCTL(op, vcpuaffinity.mask.bitmap,                                                        \
              .vcpuaffinity = { .flags = XEN_VCPUAFFINITY_##flag, .mask.nr_bits = 64 })

static const uint64_t nothing;
static const struct list {
    struct row row;
    size_t pointer; /* where it stands */
    const void *with;
    bool filled; /* by Caisson */
} lists[] = {
    { IN_DOMCTL(GETHVMCONTEXT, hvmcontext.buffer, .hvmcontext.size = 2048), true },
    { IN_DOMCTL(SETHVMCONTEXT, hvmcontext.buffer, .hvmcontext.size = 1100), false },
    { IN_DOMCTL(GETPAGEFRAMEINFO3, getpageframeinfo3.array, .getpageframeinfo3.num = 8), true },
    { IN_DOMCTL(SETNODEAFFINITY, nodeaffinity.nodemap.bitmap, .nodeaffinity.nodemap.nr_bits = 64),
      false },
    { IN_DOMCTL(GET_CPU_POLICY, cpu_policy.leaves, .cpu_policy.nr_leaves = 40), true },
    { IN_DOMCTL(GET_CPU_POLICY, cpu_policy.msrs, .cpu_policy.nr_msrs = 2), true },
    { IN_DOMCTL(SET_CPU_POLICY, cpu_policy.leaves, .cpu_policy.nr_leaves = 2), false },
    { IN_DOMCTL(SET_CPU_POLICY, cpu_policy.msrs, .cpu_policy.nr_msrs = 2), false },
    { AFFINITY(GETVCPUAFFINITY, HARD, hard), true },
    { AFFINITY(GETVCPUAFFINITY, SOFT, soft), true },
    { AFFINITY(SETVCPUAFFINITY, HARD, hard), true }, /* with what there is of them */
    { AFFINITY(SETVCPUAFFINITY, SOFT, soft), true },
    { OF_OTHER(SHADOW_OP, shadow_op.dirty_bitmap,
               .shadow_op = { .op = XEN_SHADOW_OP_PEEK, .pages = 64 }),
      true },
    { OF_OTHER(GETVCPUCONTEXT, vcpucontext.context, .vcpucontext.vcpu = 0), true },
    { OF_OTHER(SETVCPUCONTEXT, vcpucontext.context, .vcpucontext.vcpu = 0), false },
    { IN_SYSCTL(READCONSOLE, readconsole.buffer, .readconsole.count = 1024), true },
    { IN_SYSCTL(GETDOMAININFOLIST, getdomaininfolist.buffer, .getdomaininfolist.max_domains = 2),
      true },
    { IN_SYSCTL(DEBUG_KEYS, debug_keys.keys, .debug_keys.nr_keys = 16), false },
    { IN_SYSCTL(GETCPUINFO, getcpuinfo.info, .getcpuinfo.max_cpus = 2), true },
    { IN_SYSCTL(CPUTOPOINFO, cputopoinfo.cputopo, .cputopoinfo.num_cpus = 2), true },
    { IN_SYSCTL(NUMAINFO, numainfo.meminfo, .numainfo.num_nodes = 1), true },
    { IN_SYSCTL(NUMAINFO, numainfo.distance, .numainfo.num_nodes = 1), true },
    { IN_SYSCTL(CPUPOOL_OP, cpupool_op.cpumap.bitmap,
                .cpupool_op = { .op = XEN_CPUPOOL_OP_INFO, .cpumap.nr_bits = 64 }),
      true },
    { IN_SYSCTL(CPU_FEATURESET, cpu_featureset.features, .cpu_featureset.nr_features = 4), true },
    { IN_SYSCTL(CPU_POLICY, cpu_policy.leaves, .cpu_policy.nr_leaves = 40), true },
    { IN_SYSCTL(CPU_POLICY, cpu_policy.msrs, .cpu_policy.nr_msrs = 2), true },
    { RESERVATION(DECREASE_RESERVATION), false },
    { RESERVATION(POPULATE_PHYSMAP), false },
    { IN_MEMORY(MEMORY_MAP, xen_memory_map, READS, buffer, .nr_entries = 2), true },
    { IN_MEMORY(SET_MEMORY_MAP, xen_foreign_memory_map, READS, map.buffer, .domid = OTHER_ID,
                .map.nr_entries = 2),
      false },
    { FOREIGN(idxs), false },
    { FOREIGN(gpfns), false },
    { FOREIGN(errs), true },
    { IN_MEMORY(ACQUIRE_RESOURCE, xen_acquire_resource, READS, frame_list, .domid = OTHER_ID,
                .type = XENMEM_RESOURCE_GRANT_TABLE, .nr_frames = 1),
      false },
    { ROW("SETUP_TABLE", GRANT_TABLE_OP, GNTTABOP_SETUP_TABLE, ANY, 1,
          sizeof(struct xen_gnttab_setup_table), COUNTS), /* says so in its status */
      IN(xen_gnttab_setup_table, frame_list, .dom = XEN_DOMID_SELF, .nr_frames = 1), true },
    { OTHER(SCHED_OP, XEN_SCHED_POLL, sizeof(struct xen_sched_poll), READS),
      IN(xen_sched_poll, ports, .nr_ports = 2), false },
    { AREA(REGISTER_RUNSTATE_MEMORY_AREA), true },
    { AREA(REGISTER_TIME_MEMORY_AREA), true },
};
#define LISTS (sizeof(lists) / sizeof(lists[0]))

/* The caller has made the domain, which has not run; tables that grow have grown. */
static int64_t call_with_list(const struct list *l, uint64_t list)
{
    uint8_t bytes[sizeof(struct xen_domctl)] = { 0 };

    while (grant_grow(&guest.xen, 1) || grant_grow(&other.xen, 1))
        ;
    guest.bare = l->row.nr == XEN_HYPERCALL_DOMCTL;
    memcpy(bytes, l->with, l->row.bytes);
    memcpy(bytes + l->pointer, &list, sizeof(list));
    guest_put(0x9000, bytes, sizeof(bytes));
    put_head(&l->row, 0x9000);
    guest_vcpu.space.fault = (struct gva_fault){ 0 };
    return call(&l->row, 0x9000);
}

static void list_fails(const struct list *l, uint64_t at)
{
    int64_t result = call_with_list(l, at);
    uint64_t frames = frame_count(GUEST_ID), fault = guest_vcpu.space.fault.address.v;

    if (result != (l->row.use == COUNTS ? 0 : -EFAULT) || fault - at > 2 * PAGE_SIZE)
        fail_msg("%s, a list at %#lx: %ld, and not by %#lx", l->row.name, (unsigned long)at,
                 (long)result, (unsigned long)fault);
    (void)call_with_list(l, at);
    if (frame_count(GUEST_ID) != frames)
        fail_msg("%s, a list at %#lx: frames come or go", l->row.name, (unsigned long)at);
}

/* An area is found by its address; whether that is RAM shows when it is written to. */
static bool is_refused(const struct list *l, uint64_t at)
{
    return l->row.nr != XEN_HYPERCALL_VCPU_OP || at > GUEST_END;
}

static void test_lists_nowhere(void **state)
{
    static const uint64_t bad[] = { 0x100000000, 0xa0000, 0x800000000000, ~0ul - 4095,
                                    GUEST_END - 1 };

    (void)state;
    log_info("one line, that readconsole has something to give");
    for (unsigned i = 0; i < LISTS; i++)
        for (unsigned n = 0; n < sizeof(bad) / sizeof(bad[0]); n++)
            if (is_refused(&lists[i], bad[n]))
                list_fails(&lists[i], bad[n]);
}

/* What is filled, where it may only be read: in the second GiB, which shows the first one. */
static void test_lists_read_only(void **state)
{
    (void)state;
    guest_write64(0x2008, 0x85);
    for (unsigned i = 0; i < LISTS; i++)
        if (lists[i].filled)
            list_fails(&lists[i], 0x40006000);
}

/* ---- Is there a list for each? ---- */

#define NOWHERE(slot) (0x550000000000ul + ((uint64_t)(slot) << 32)) /* told by its place */
#define MOST_SLOTS    32
#define TRIES         600

/* Which of the pointers in the structure was followed, by where that failed. -1: none. */
static int followed(const struct row *r, uint64_t with)
{
    unsigned slots = (unsigned)(r->bytes < MOST_SLOTS * 8 ? r->bytes : MOST_SLOTS * 8) / 8;
    const uint16_t whom = OTHER_ID;

    seed = with;
    put_any(0x9000, r->bytes);
    for (unsigned i = 0; i < slots; i++)
        if (any() % 2)
            guest_write64(0x9000 + i * 8, NOWHERE(i));
    if (r->nr == XEN_HYPERCALL_DOMCTL && with % 4 < 2)
        guest_put(0x9000 + offsetof(struct xen_domctl, domain), &whom, sizeof(whom));
    put_head(r, 0x9000);
    guest_vcpu.space.fault = (struct gva_fault){ 0 };
    call(r, 0x9000);
    uint64_t at = guest_vcpu.space.fault.address.v;
    return at >> 40 == NOWHERE(0) >> 40 ? (int)(at >> 32 & 0xff) : -1;
}

static bool has_list(const struct row *r, size_t pointer)
{
    for (unsigned i = 0; i < LISTS; i++) {
        const struct row *l = &lists[i].row;
        if (l->nr == r->nr && l->head[0] == r->head[0] && l->args[0] == r->args[0] &&
            lists[i].pointer == pointer)
            return true;
    }
    return false;
}

/* A structure that holds anything, some of it pointers to nowhere. (An entry of a multicall is
 * another call, with a row of its own.) */
static void test_each_has_a_list(void **state)
{
    unsigned found = 0;

    (void)state;
    for (unsigned i = 0; i < ROWS; i++) {
        assert_int_equal(setup(NULL), 0);
        for (unsigned n = 0; n < TRIES && rows[i].nr != XEN_HYPERCALL_MULTICALL; n++) {
            guest.bare = n % 2;
            int slot = followed(&rows[i], n + 1);
            found += slot >= 0;
            if (slot >= 0 && !has_list(&rows[i], (size_t)slot * 8))
                fail_msg("%s follows a pointer %u bytes from its structure's begin, and lists[] "
                         "has none there",
                         rows[i].name, (unsigned)slot * 8);
        }
        assert_int_equal(teardown(NULL), 0);
    }
    assert_true(found > TRIES);
}

/* A header, and a vCPU's record after it, or what that is as another list. */
static void put_list(uint64_t at)
{
    static const uint32_t head[] = {
        HVM_SAVE_HEADER,
        sizeof(struct hvm_save_header),
        HVM_FILE_MAGIC,
        HVM_FILE_VERSION,
        0,
        0,
        0,
        0,
        HVM_SAVE_CPU,
        sizeof(struct hvm_hw_cpu),
    };
    static const uint8_t zero[sizeof(struct hvm_hw_cpu)];

    guest_put(at, head, sizeof(head));
    guest_put(at + sizeof(head), zero, sizeof(zero));
}

static void test_lists_are_read_once(void **state)
{
    uint64_t at = GUEST_END - 2 * PAGE_SIZE + 64;

    (void)state;
    for (unsigned i = 0; i < LISTS; i++) {
        assert_int_equal(setup(NULL), 0);
        log_info("one line, that readconsole has something to give");
        put_list(at);
        race_forget();
        watch_gfn(at >> PAGE_SHIFT);
        watch_gfn((at >> PAGE_SHIFT) + 1);
        race_begin(RACE_COUNT, i + 1);
        int64_t result = call_with_list(&lists[i], at);
        race_end();
        if (result == -EFAULT || race_doubled || (lists[i].filled ? race_writes : race_reads) == 0)
            fail_msg("%s: %ld, %u places of its list are read twice, of %lu", lists[i].row.name,
                     (long)result, race_doubled, (unsigned long)race_reads);
        race_forget();
        assert_int_equal(teardown(NULL), 0);
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

static void test_lists_change(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LISTS; i++) {
        for (unsigned n = 0; n < race_rounds(SEEDS); n++) {
            assert_int_equal(setup(NULL), 0);
            seed = race_seed(n + 1);
            if (n % 2)
                put_any(0x6000, PAGE_SIZE / 4);
            else
                put_list(0x6000);
            watch_all();
            race_begin(RACE_CHANGE, n + 1);
            call_with_list(&lists[i], 0x6000);
            race_end();
            assert_int_equal(teardown(NULL), 0);
        }
    }
    race_forget();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lists_nowhere),
        TEST(test_lists_read_only),
        cmocka_unit_test(test_lists_are_read_once),
        cmocka_unit_test(test_each_has_a_list),
        TEST(test_each_has_a_row),
        TEST(test_each_has_a_group),
        TEST(test_nowhere),
        TEST(test_over_the_end),
        TEST(test_read_only),
        TEST(test_good),
        cmocka_unit_test(test_read_once),
        cmocka_unit_test(test_all_changes),
        cmocka_unit_test(test_lists_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
