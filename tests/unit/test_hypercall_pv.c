/* links: hypercall/hypercall.c control/platform_op.c control/control.c control/domctl.c control/domctl_info.c control/domctl_sched.c control/domctl_create.c control/domctl_save.c control/vcpu_context.c xen/flush.c control/policy.c control/context.c virt/msr.c devices/vlapic_save.c context/context_rest.c context/context_cpu.c context/stream.c cpu/cpu_policy.c control/sysctl.c control/sysctl_log.c control/sysctl_machine.c xen/pair.c hypercall/console_io.c hypercall/sched_op.c hypercall/xen_version.c hypercall/memory_op.c hypercall/memory_foreign.c hypercall/vcpu_op.c xen/xen_context.c hypercall/hvm_op.c hypercall/vm_assist.c hypercall/multicall.c xen/pv_vcpu.c tests/fakes/evtchn.c xen/pv_time.c xen/pv_console.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_block.c guestmem/gmem.c arch/x86/moment.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c virt/slat.c arch/x86/tsc.c lib/string.c tests/fakes/bus.c tests/fakes/ties.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/control.c tests/fakes/panic.c */
/*
 * The calls of a PVH domain: memory, vCPUs and their time, parameters; right and wrong arguments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "sched/batch.h"
#include "hypercall/hypercall.h"
#include "include/public/hvm/hvm_op.h"
#include "include/public/hvm/hvm_vcpu.h"
#include "include/public/memory.h"
#include "include/public/sched.h"
#include "include/public/vcpu.h"
#include "include/public/version.h"
#include "tests/fakes/evtchn.h"
#include "tests/fakes/guest.h"

#define BUFFER   0x5f00ul
#define UNMAPPED 0x200000000ul /* beyond the page tables */
#define NOBODY   99

static struct domain_config config = { .mem = GUEST_END };
static const struct domain_hooks hooks;

static int setup(void **state)
{
    (void)state;
    guest_start();
    guest_mode(DECODE_64);
    guest.config = &config;
    domain_set_hooks(&hooks);
    guest.xen.vcpu_count = 0;
    pv_vcpu_init(&guest_vcpu.xen, &guest.xen, &guest_vcpu.unit);
    fake_virqs = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guest_stop();
    return 0;
}

static int64_t call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t args[HYPERCALL_ARGS] = { a, b, c };

    spin_lock(&guest.lock);
    int64_t result = hypercall_call(&guest_vcpu, nr, args);
    spin_unlock(&guest.lock);
    return result;
}

static int64_t memory_op(unsigned cmd, const void *arg, size_t n)
{
    guest_put(BUFFER, arg, n);
    return call(XEN_HYPERCALL_MEMORY_OP, cmd, BUFFER, 0);
}

/* ---- A second vCPU, and where it begins ---- */

static struct vcpu second;

static void make_second(void)
{
    guest_init_vcpu(&second, 1);
    second.waits_for_startup = true;
    guest.xen.vcpu_count = 1;
    pv_vcpu_init(&second.xen, &guest.xen, &second.unit);
    guest.vcpus[1] = &second;
}

/* As the Xen Test Framework starts one: flat, protected, unpaged. */
static struct xen_vcpu_hvm_context flat_context(void)
{
    return (struct xen_vcpu_hvm_context){
        .mode = XEN_VCPU_HVM_MODE_32B,
        .cpu_regs.x86_32 = {
            .eax = 0xa, .edi = 0xd, .esp = 0x8000, .eip = 0x100000,
            .cr0 = 0x11,
            .cs_limit = ~0u, .ds_limit = ~0u, .ss_limit = ~0u, .es_limit = ~0u, .tr_limit = 0x67,
            .cs_ar = 0xc9b, .ds_ar = 0xc93, .ss_ar = 0xc93, .es_ar = 0xc93, .tr_ar = 0x8b,
        },
    };
}

static struct xen_vcpu_hvm_context long_context(void)
{
    return (struct xen_vcpu_hvm_context){
        .mode = XEN_VCPU_HVM_MODE_64B,
        .cpu_regs.x86_64 = {
            .rip = 0xffffffff81000000, .rsp = 0xffff800000001000, .rflags = 2,
            .cr0 = CR0_PE | CR0_PG, .cr3 = 0x5000, .cr4 = CR4_PAE, .efer = EFER_LME | EFER_LMA,
        },
    };
}

static int64_t initialise(struct xen_vcpu_hvm_context c)
{
    guest_put(BUFFER, &c, sizeof(c));
    return call(XEN_HYPERCALL_VCPU_OP, VCPUOP_INITIALISE, 1, BUFFER);
}

static int64_t vcpu_op(unsigned cmd, unsigned which)
{
    return call(XEN_HYPERCALL_VCPU_OP, cmd, which, BUFFER);
}

static void test_begins_where_told(void **state)
{
    (void)state;
    make_second();
    assert_int_equal(vcpu_op(VCPUOP_INITIALISE, 0), -EEXIST); /* it runs */
    assert_int_equal(vcpu_op(VCPUOP_INITIALISE, 2), -ENOENT);
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_INITIALISE, 1, UNMAPPED), -EFAULT);
    assert_int_equal(vcpu_op(VCPUOP_UP, 1), -EINVAL);
    second.whole = true; /* restored, and put back by an INIT before it could run */
    assert_int_equal(initialise(flat_context()), 0);
    assert_false(second.whole);
    assert_int_equal(initialise(flat_context()), -EEXIST);
    assert_int_equal(vcpu_op(VCPUOP_IS_UP, 1), 0);
    assert_false(second.begins);
    assert_int_equal(vcpu_op(VCPUOP_UP, 1), 0);
    assert_int_equal(vcpu_op(VCPUOP_IS_UP, 1), 1);
    assert_true(second.begins);
    const struct virt_start *s = &second.start;
    assert_int_equal(s->rip, 0x100000);
    assert_int_equal(s->gpr[GPR_RAX], 0xa);
    assert_int_equal(s->gpr[GPR_RSP], 0x8000);
    assert_int_equal(s->gpr[GPR_RDI], 0xd);
    assert_int_equal(s->rflags, 2);
    assert_int_equal(s->segment[SEG_CS].ar, 0xc09b);
    assert_int_equal(s->segment[SEG_SS].ar, 0xc093);
    assert_int_equal(s->segment[SEG_TR].ar, 0x8b);
}

/* Linux takes its other vCPUs down and brings them up again when it has been restored: also those
 * that have not come to run by then, which keep the state that they were restored with. */
static void test_restored_goes_down_and_up(void **state)
{
    (void)state;
    make_second();
    for (unsigned i = 0; i < 2; i++) {
        second.waits_for_startup = !i; /* the first vCPU of a domain never does */
        second.begins = second.whole = true;
        second.down = second.initialised = false;
        assert_int_equal(vcpu_op(VCPUOP_IS_UP, 1), 1);
        assert_int_equal(vcpu_op(VCPUOP_DOWN, 1), 0);
        assert_int_equal(vcpu_op(VCPUOP_IS_UP, 1), 0);
        assert_int_equal(vcpu_op(VCPUOP_UP, 1), 0);
        assert_true(second.begins && second.whole && !second.down);
    }
}

static void test_begins_in_long_mode(void **state)
{
    struct xen_vcpu_hvm_context c = long_context();

    (void)state;
    make_second();
    c.cpu_regs.x86_64.rip = 0x800000000000;
    assert_int_equal(initialise(c), -EINVAL);
    c = long_context();
    c.cpu_regs.x86_64.efer = EFER_LME;
    assert_int_equal(initialise(c), -EINVAL);
    c = long_context();
    c.cpu_regs.x86_64.cr4 = 0;
    assert_int_equal(initialise(c), -EINVAL);
    c = long_context();
    c.cpu_regs.x86_64.cr3 = 1ul << 60;
    assert_int_equal(initialise(c), -EINVAL);
    assert_int_equal(initialise(long_context()), 0);
    assert_int_equal(second.start.segment[SEG_CS].ar, 0xa09b);
    assert_int_equal(second.start.rip, 0xffffffff81000000);
}

#define WRONG(field, value)                                                                        \
    {                                                                                              \
        __builtin_offsetof(struct xen_vcpu_hvm_context, field), value                              \
    }

/* Each makes a good context bad. 16 bits suffice for a bad half of any field. */
static void test_begins_nowhere(void **state)
{
    static const struct {
        size_t at;
        uint16_t value;
    } wrong[] = {
        WRONG(mode, 2),
        WRONG(pad, 1),
        WRONG(cpu_regs.x86_32.pad1, 1),
        WRONG(cpu_regs.x86_32.pad2[2], 1),
        WRONG(cpu_regs.x86_32.eflags, 8),     /* reserved */
        WRONG(cpu_regs.x86_32.efer, 1 << 12), /* SVME */
        WRONG(cpu_regs.x86_32.efer, 1 << 10), /* LMA alone */
        WRONG(cpu_regs.x86_32.cr4, 1 << 13),  /* VMXE */
        WRONG(cpu_regs.x86_32.cs_ar, 0),
        WRONG(cpu_regs.x86_32.ss_ar, 0),
        WRONG(cpu_regs.x86_32.tr_ar, 0),
        WRONG(cpu_regs.x86_32.cs_ar, 0xc93),     /* data */
        WRONG(cpu_regs.x86_32.ss_ar, 0xc91),     /* read-only */
        WRONG(cpu_regs.x86_32.ds_ar, 0xc99),     /* code that cannot be read */
        WRONG(cpu_regs.x86_32.ds_ar, 0xc13),     /* not present */
        WRONG(cpu_regs.x86_32.ds_ar, 0x493),     /* limit without G */
        WRONG(cpu_regs.x86_32.ds_ar, 0x1c93),    /* reserved */
        WRONG(cpu_regs.x86_32.ss_ar, 0xcf3),     /* DPL 3 under a CS of DPL 0 */
        WRONG(cpu_regs.x86_32.tr_ar, 0x89),      /* not busy */
        WRONG(cpu_regs.x86_32.cs_limit, 0xff00), /* with G */
    };

    (void)state;
    make_second();
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct xen_vcpu_hvm_context c = flat_context();
        memcpy((char *)&c + wrong[i].at, &wrong[i].value, 2);
        assert_int_equal(initialise(c), -EINVAL);
    }
    assert_false(second.initialised);
}

static void test_pagetable_dying(void **state)
{
    struct xen_hvm_pagetable_dying arg = { .domid = XEN_DOMID_SELF };

    (void)state;
    guest_put(BUFFER, &arg, sizeof(arg));
    assert_int_equal(call(XEN_HYPERCALL_HVM_OP, HVMOP_PAGETABLE_DYING, BUFFER, 0), -EINVAL);
    assert_int_equal(call(XEN_HYPERCALL_HVM_OP, HVMOP_PAGETABLE_DYING, UNMAPPED, 0), -EFAULT);
    arg.domid = NOBODY;
    guest_put(BUFFER, &arg, sizeof(arg));
    assert_int_equal(call(XEN_HYPERCALL_HVM_OP, HVMOP_PAGETABLE_DYING, BUFFER, 0), -ESRCH);
}

/* ---- memory_op ---- */

static int64_t add(uint16_t domid, uint32_t space, uint64_t idx, uint64_t gpfn)
{
    struct xen_add_to_physmap a = { .domid = domid, .space = space, .idx = idx, .gpfn = gpfn };

    return memory_op(XENMEM_ADD_TO_PHYSMAP, &a, sizeof(a));
}

static void test_add_to_physmap(void **state)
{
    uint64_t promised = guest.p2m.promised;
    mfn_t m;
    bool lent;

    (void)state;
    assert_int_equal(add(NOBODY, XENMAPSPACE_SHARED_INFO, 0, 0x200), -ESRCH);
    assert_int_equal(add(XEN_DOMID_SELF, XENMAPSPACE_SHARED_INFO, 1, 0x200), -EINVAL);
    assert_int_equal(add(XEN_DOMID_SELF, 77, 0, 0x200), -EINVAL);
    assert_int_equal(add(XEN_DOMID_SELF, XENMAPSPACE_GMFN_FOREIGN, 0, 0x200), -EPERM);
    assert_int_equal(add(XEN_DOMID_SELF, XENMAPSPACE_SHARED_INFO, 0, 1ul << 36), -EINVAL);
    assert_int_equal(add(XEN_DOMID_SELF, XENMAPSPACE_GMFN, 1ul << 35, 0x200), -EINVAL);
    assert_int_equal(call(XEN_HYPERCALL_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, UNMAPPED, 0), -EFAULT);
    assert_int_equal(guest.p2m.promised, promised);
    /* RAM moves to a place beyond the RAM, and leaves a hole. */
    guest_write64(0x300000, 0x1122334455667788);
    assert_int_equal(add(GUEST_ID, XENMAPSPACE_GMFN, 0x300, 0x50000), 0);
    assert_int_equal(p2m_lookup(&guest.p2m, gfn(0x300), &m, &lent), -ENOENT);
    assert_int_equal(guest_read64(0x50000000), 0x1122334455667788);
    assert_int_equal(p2m_populate(&guest.p2m, gfn(0x300), &m), -EFAULT);
}

static int64_t reserve(unsigned cmd, uint64_t list, uint64_t n, uint32_t order)
{
    struct xen_memory_reservation r = {
        .extent_start = list, .nr_extents = n, .extent_order = order, .domid = XEN_DOMID_SELF
    };

    return memory_op(cmd, &r, sizeof(r));
}

static void test_balloon(void **state)
{
    uint64_t all = guest.p2m.promised;
    static const uint64_t list[] = { 0x400, 0x401, 0x402, 0x400, 0x403 };
    mfn_t m;

    (void)state;
    config.mem = all << PAGE_SHIFT;
    guest_put(0x6000, list, sizeof(list));
    guest_write64(0x401000, 1); /* all have arrived, as one piece of 2 MiB */
    assert_int_equal(reserve(XENMEM_DECREASE_RESERVATION, 0x6000, 5, 0), 3); /* twice the same */
    assert_int_equal(guest.p2m.promised, all - 3);
    assert_int_equal(guest.p2m.limbo_count, 3);
    assert_int_equal(p2m_populate(&guest.p2m, gfn(0x401), &m), -EFAULT);
    assert_int_equal(reserve(XENMEM_DECREASE_RESERVATION, UNMAPPED, 1, 0), 0);
    assert_int_equal(reserve(XENMEM_DECREASE_RESERVATION, 0x6000, 1, 1), 0);
    assert_int_equal(reserve(XENMEM_POPULATE_PHYSMAP, 0x6000, 4, 0), 4); /* one is there by then */
    assert_int_equal(guest.p2m.promised, all);
    assert_int_equal(guest_read64(0x401000), 0); /* fresh */
    /* What would be more than mem= is refused. */
    guest_write64(0x6000, 0x90000);
    assert_int_equal(reserve(XENMEM_POPULATE_PHYSMAP, 0x6000, 1, 0), 0);
    p2m_reap(&guest.p2m, 0);
    assert_int_equal(guest.p2m.limbo_count, 0);
    config.mem = GUEST_END;
}

static void test_limbo_is_bounded(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < P2M_LIMBO; i++) {
        guest_write64(0x800000 + i * PAGE_SIZE, 1);
        assert_int_equal(p2m_remove(&guest.p2m, gfn(0x800 + i)), 0);
    }
    guest_write64(0x700000, 1);
    guest_write64(0x6000, 0x700);
    assert_true(reserve(XENMEM_DECREASE_RESERVATION, 0x6000, 1, 0) == HYPERCALL_CONTINUE);
    assert_true(guest_kicks > 0);
    p2m_reap(&guest.p2m, 0);
    assert_int_equal(reserve(XENMEM_DECREASE_RESERVATION, 0x6000, 1, 0), 1);
}

static void test_entry_flushes_once(void **state)
{
    unsigned before = fake_virt_flushes;

    (void)state;
    p2m_enter(&guest.p2m, 0);
    p2m_enter(&guest.p2m, 0);
    assert_int_equal(guest.p2m.inside[0], guest.p2m.epoch);
    assert_int_equal(fake_virt_flushes, before + 1);
    assert_int_equal(p2m_remove(&guest.p2m, gfn(0x300)), 0);
    p2m_enter(&guest.p2m, 0);
    assert_int_equal(fake_virt_flushes, before + 2);
}

/* ---- vcpu_op ---- */

static int64_t register_info(uint64_t frame, uint32_t offset)
{
    struct xen_register_vcpu_info arg = { .mfn = frame, .offset = offset };

    guest_put(BUFFER, &arg, sizeof(arg));
    return call(XEN_HYPERCALL_VCPU_OP, VCPUOP_REGISTER_VCPU_INFO, 0, BUFFER);
}

static void test_vcpu_info(void **state)
{
    struct xen_vcpu_info info;

    (void)state;
    assert_int_equal(register_info(0x300, PAGE_SIZE - 56), -EINVAL);
    assert_int_equal(register_info(0x300, 4), -EINVAL);
    assert_int_equal(register_info(1ul << 36, 0), -EINVAL);
    assert_int_equal(register_info(0x80000, 0), -EFAULT);
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_REGISTER_VCPU_INFO, 1, BUFFER), -ENOENT);
    assert_false(guest_vcpu.xen.registered);
    assert_int_equal(register_info(0x300, 64), 0);
    guest_get(0x300040, &info, sizeof(info));
    assert_int_equal(info.evtchn_upcall_pending, 1);
    assert_true(info.evtchn_pending_sel == ~0ul);
    assert_int_equal(info.time.version & 1, 0);
    assert_int_not_equal(info.time.tsc_to_system_mul, 0);
    assert_int_equal(register_info(0x300, 0), -EINVAL); /* once */
    /* The guest takes the page away: nothing happens to Caisson. */
    assert_int_equal(p2m_remove(&guest.p2m, gfn(0x300)), 0);
    pv_vcpu_mark_pending(&guest_vcpu.xen);
    pv_time_update(&guest_vcpu.xen);
}

/* (ticks << shift) * mul >> 32 is what the domain's clock says. */
static void test_clock(void **state)
{
    static const uint64_t rates[] = { 100000000, 999999999, 1000000001, 2400000000, 5000000000 };

    (void)state;
    for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        tsc_hz = rates[i];
        pv_time_update(&guest_vcpu.xen);
        const struct xen_vcpu_time_info *t = &guest.xen.shared->vcpu_info[0].time;
        uint64_t ticks = rates[i]; /* a second */
        ticks = t->tsc_shift < 0 ? ticks >> -t->tsc_shift : ticks << t->tsc_shift;
        uint64_t ns = (uint64_t)((unsigned __int128)ticks * t->tsc_to_system_mul >> 32);
        assert_in_range(ns, 999999997, 1000000000);
    }
}

static void test_timers(void **state)
{
    struct xen_set_singleshot_timer shot = { .timeout_abs_ns = 0, .flags = XEN_SSHOTTMR_FUTURE };
    struct xen_set_periodic_timer period = { .period_ns = 999999 };

    (void)state;
    fake_tsc += 1000;
    guest_put(BUFFER, &shot, sizeof(shot));
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_SET_SINGLESHOT_TIMER, 0, BUFFER), -ETIME);
    shot.flags = 0;
    guest_put(BUFFER, &shot, sizeof(shot));
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_SET_SINGLESHOT_TIMER, 0, BUFFER), 0);
    (void)!pv_tick(&guest_vcpu.xen, xen_now(&guest.xen)); /* in the past: at once, and once */
    (void)!pv_tick(&guest_vcpu.xen, xen_now(&guest.xen));
    assert_int_equal(fake_virqs, 1);
    guest_put(BUFFER, &period, sizeof(period));
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_SET_PERIODIC_TIMER, 0, BUFFER), -EINVAL);
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_SET_PERIODIC_TIMER, 0, UNMAPPED), -EFAULT);
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_STOP_PERIODIC_TIMER, 0, 0), 0);
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, VCPUOP_STOP_SINGLESHOT_TIMER, 0, 0), 0);
    assert_int_equal(call(XEN_HYPERCALL_VCPU_OP, 77, 0, 0), -ENOSYS);
}

/* ---- The others ---- */

static int64_t param(unsigned op, uint32_t index, uint64_t value)
{
    struct xen_hvm_param p = { .domid = XEN_DOMID_SELF, .index = index, .value = value };

    guest_put(BUFFER, &p, sizeof(p));
    return call(XEN_HYPERCALL_HVM_OP, op, BUFFER, 0);
}

static void test_params(void **state)
{
    (void)state;
    assert_int_equal(param(HVMOP_SET_PARAM, HVM_PARAMS, 0), -EINVAL);
    assert_int_equal(param(HVMOP_GET_PARAM, ~0u, 0), -EINVAL);
    assert_int_equal(param(HVMOP_SET_PARAM, HVM_PARAM_CONSOLE_PFN, 1), -EPERM);
    assert_int_equal(param(HVMOP_GET_PARAM, HVM_PARAM_DM_DOMAIN, 0), -EPERM);
    assert_int_equal(call(XEN_HYPERCALL_HVM_OP, HVMOP_GET_PARAM, UNMAPPED, 0), -EFAULT);
    assert_int_equal(param(HVMOP_SET_PARAM, HVM_PARAM_CALLBACK_IRQ, 2ul << 56 | 0xf3), 0);
    assert_int_equal(guest.xen.callback, 0xf3);
    assert_int_equal(param(HVMOP_SET_PARAM, HVM_PARAM_CALLBACK_IRQ, 2ul << 56 | 3), 0);
    assert_int_equal(guest.xen.callback, 0); /* an exception's vector is none */
    assert_int_equal(param(HVMOP_GET_PARAM, HVM_PARAM_STORE_PFN, 1), 0);
    assert_int_equal(guest_read64(BUFFER + 8), 0);
}

static void test_poll(void **state)
{
    struct xen_sched_poll poll = { .ports = 0x6000, .nr_ports = 129 };
    static const uint32_t ports[] = { 3, 5, 9 };

    (void)state;
    guest_put(0x6000, ports, sizeof(ports));
    for (unsigned n = 0; n < 2; n++) {
        guest_put(BUFFER, &poll, sizeof(poll));
        assert_int_equal(call(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_POLL, BUFFER, 0),
                         n == 0 ? -EINVAL : 0);
        assert_false(guest_vcpu.halted); /* one was pending */
        poll.nr_ports = 2;
    }
    poll.nr_ports = 1;
    guest_put(BUFFER, &poll, sizeof(poll));
    assert_int_equal(call(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_POLL, BUFFER, 0), 0);
    assert_true(guest_vcpu.halted);
    pv_poll_wake(&guest.xen, 4);
    assert_int_equal(guest_vcpu.xen.poll, 3);
    pv_poll_wake(&guest.xen, 3);
    assert_int_equal(guest_vcpu.xen.poll, PV_POLL_OVER);
    poll.ports = 0x6008; /* no valid port */
    guest_put(BUFFER, &poll, sizeof(poll));
    assert_int_equal(call(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_POLL, BUFFER, 0), -EINVAL);
}

static void test_multicall(void **state)
{
    struct xen_multicall_entry e[2] = {
        { .op = XEN_HYPERCALL_XEN_VERSION, .args = { XENVER_VERSION } },
        { .op = XEN_HYPERCALL_MULTICALL, .args = { 0x6000, 2 } },
    };

    (void)state;
    guest_put(0x6000, e, sizeof(e));
    assert_int_equal(call(XEN_HYPERCALL_MULTICALL, 0x6000, 2, 0), 0);
    guest_get(0x6000, e, sizeof(e));
    assert_int_equal(e[0].result, PV_XEN_VERSION);
    assert_true((int64_t)e[1].result == -ENOSYS); /* not within itself */
    assert_int_equal(call(XEN_HYPERCALL_MULTICALL, UNMAPPED, 1, 0), -EFAULT);
    assert_true(call(XEN_HYPERCALL_MULTICALL, 0x6000, ~0ul, 0) == -EFAULT ||
                call(XEN_HYPERCALL_MULTICALL, 0x6000, ~0ul, 0) == HYPERCALL_CONTINUE);
}

/* Calls that take their time: each exit carries out what has begun in time. */
static void test_multicall_takes_no_longer(void **state)
{
    struct xen_multicall_entry e[8];
    uint64_t args[HYPERCALL_ARGS] = { 0x6000, 8 };

    (void)state;
    for (unsigned i = 0; i < 8; i++)
        e[i] = (struct xen_multicall_entry){ .op = XEN_HYPERCALL_XEN_VERSION,
                                             .args = { XENVER_VERSION } };
    guest_put(0x6000, e, sizeof(e));
    fake_tsc_step = BATCH_TICKS / 2;
    assert_true(hypercall_multicall(&guest_vcpu, args) == HYPERCALL_CONTINUE);
    fake_tsc_step = 0;
    assert_in_range(args[1], 5, 7);
    assert_int_equal(hypercall_multicall(&guest_vcpu, args), 0);
    args[0] = 0x6000;
    args[1] = 8;
    fake_tsc_step = BATCH_TICKS; /* the first takes all of the time: there is none for a second */
    assert_true(hypercall_multicall(&guest_vcpu, args) == HYPERCALL_CONTINUE);
    fake_tsc_step = 0;
    assert_int_equal(args[1], 7);
}

static void test_hypercall_page(void **state)
{
    static const uint8_t version[] = { 0xB8, 17, 0, 0, 0, 0x0F, 0x01, 0xC1, 0xC3 };
    uint8_t stub[sizeof(version)];

    (void)state;
    assert_int_equal(pv_hypercall_page(&guest.xen, 0x300001, false), -EINVAL);
    assert_int_equal(pv_hypercall_page(&guest.xen, 0xC0000000, false), -EINVAL);
    assert_int_equal(pv_hypercall_page(&guest.xen, 0x300000, false), 0);
    guest_get(0x300000 + 17 * 32, stub, sizeof(stub));
    assert_memory_equal(stub, version, sizeof(version));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_add_to_physmap),
        TEST(test_balloon),
        TEST(test_limbo_is_bounded),
        TEST(test_entry_flushes_once),
        TEST(test_vcpu_info),
        TEST(test_clock),
        TEST(test_begins_where_told),
        TEST(test_restored_goes_down_and_up),
        TEST(test_begins_in_long_mode),
        TEST(test_begins_nowhere),
        TEST(test_timers),
        TEST(test_pagetable_dying),
        TEST(test_params),
        TEST(test_poll),
        TEST(test_multicall),
        TEST(test_multicall_takes_no_longer),
        TEST(test_hypercall_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
