/* links: hypercall/hypercall.c control/platform_op.c control/control.c control/domctl.c control/domctl_info.c control/domctl_sched.c control/domctl_create.c control/domctl_save.c control/vcpu_context.c xen/flush.c control/policy.c control/context.c virt/msr.c devices/vlapic_save.c context/context_rest.c context/context_cpu.c context/stream.c cpu/cpu_policy.c control/sysctl.c control/sysctl_log.c control/sysctl_machine.c xen/pair.c hypercall/console_io.c hypercall/sched_op.c hypercall/xen_version.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/gmem.c arch/x86/moment.c virt/slat.c arch/x86/tsc.c lib/string.c tests/fakes/bus.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/control.c tests/fakes/panic.c xen/pv_vcpu.c tests/fakes/evtchn.c xen/pv_time.c xen/pv_console.c guestmem/p2m_change.c guestmem/p2m_block.c loader/memmap.c hypercall/memory_op.c hypercall/memory_foreign.c hypercall/vcpu_op.c xen/xen_context.c hypercall/hvm_op.c hypercall/vm_assist.c hypercall/multicall.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c tests/fakes/ties.c */
/*
 * Hypercalls as a guest makes them: registers of both widths, privilege, pointers, continuation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "xen/pv_console.h"
#include "hypercall/hypercall.h"
#include "include/public/event_channel.h"
#include "include/public/io/console.h"
#include "include/public/platform.h"
#include "include/public/sched.h"
#include "include/public/version.h"
#include "include/public/xen.h"
#include "tests/fakes/evtchn.h"
#include "tests/fakes/guest.h"

#define BUFFER 0x5f00ul /* a copy from here crosses a page */

static char console[2048];
static unsigned console_used, console_room;

static size_t put(struct domain *d, const uint8_t *bytes, size_t n)
{
    size_t taken = n < console_room ? n : console_room;

    assert_ptr_equal(d, &guest);
    memcpy(console + console_used, bytes, taken);
    console_used += (unsigned)taken;
    console_room -= (unsigned)taken;
    return taken;
}

static unsigned rooms; /* how often it was told that there is room for input */

static void room(struct domain *d)
{
    (void)d;
    rooms++;
}

static const struct domain_hooks hooks = { .console_put = put, .console_room = room };

static size_t bus_put(struct xen_domain *d, const uint8_t *bytes, size_t n)
{
    return put(LIST_ENTRY(d, struct domain, xen), bytes, n);
}

static void bus_room(struct xen_domain *d)
{
    room(LIST_ENTRY(d, struct domain, xen));
}

static const struct xen_console_bus console_bus = { .put = bus_put, .room = bus_room };

static int setup(void **state)
{
    (void)state;
    guest_start();
    guest_mode(DECODE_64);
    domain_set_hooks(&hooks);
    cpu()->insn_len = 3;
    console_used = 0;
    console_room = sizeof(console);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guest_stop();
    return 0;
}

static void set_args(uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    set_reg(GPR_RAX, nr);
    set_reg(GPR_RDI, a);
    set_reg(GPR_RSI, b);
    set_reg(GPR_RDX, c);
}

/* A call from 64-bit code that ends. */
static int64_t call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    set_args(nr, a, b, c);
    assert_true(hypercall_handle(&guest_vcpu));
    assert_int_equal(cpu()->injected, 0);
    return (int64_t)reg(GPR_RAX);
}

/* ---- The door ---- */

static void test_unknown_numbers(void **state)
{
    static const uint64_t absent[] = { 0,           1,       16,
                                       19,          30,      0x80000000,
                                       0x100000011, 1 << 20, 0xffffffffffffffff };

    (void)state;
    for (unsigned i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        assert_int_equal(call(absent[i], 0, 0, 0), -ENOSYS);
    for (uint64_t nr = 37; nr < 200; nr++)
        assert_int_equal(call(nr, 0, 0, 0), -ENOSYS);
}

/* What concerns nothing but the vCPU, answered without the lock. */
static void test_alone(void **state)
{
    (void)state;
    assert_int_equal(hypercall_lockless(99, 0), -ENOSYS);
    assert_int_equal(hypercall_lockless(0x100000011, 0), -ENOSYS);
    assert_int_equal(hypercall_lockless(XEN_HYPERCALL_XEN_VERSION, XENVER_VERSION), 4 << 16 | 17);
    assert_int_equal(hypercall_lockless(XEN_HYPERCALL_XEN_VERSION, XENVER_EXTRAVERSION),
                     HYPERCALL_NEEDS_LOOK);
    assert_int_equal(hypercall_lockless(XEN_HYPERCALL_PHYSDEV_OP, 0), HYPERCALL_NEEDS_LOOK);
    assert_int_equal(hypercall_lockless(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_BLOCK),
                     HYPERCALL_NEEDS_LOOK);
    assert_int_equal(hypercall_lockless(XEN_HYPERCALL_EVENT_CHANNEL_OP, EVTCHNOP_SEND),
                     HYPERCALL_NEEDS_LOCK);
    assert_int_equal(hypercall_lockless(XEN_HYPERCALL_EVENT_CHANNEL_OP, EVTCHNOP_UNMASK),
                     HYPERCALL_NEEDS_LOOK);
    assert_int_equal(hypercall_lockless(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_YIELD),
                     HYPERCALL_GIVES_WAY); /* the stand-in says that somebody waits */
}

/* Those that want no look afterwards: as by the way of all. */
static void test_locked(void **state)
{
    (void)state;
    set_args(XEN_HYPERCALL_EVENT_CHANNEL_OP, EVTCHNOP_SEND, 0x1234, 7);
    assert_true(hypercall_locked(&guest_vcpu));
    assert_int_equal(reg(GPR_RAX), 0);
    set_args(XEN_HYPERCALL_EVENT_CHANNEL_OP, EVTCHNOP_SEND, 0x4321, 7);
    assert_true(hypercall_locked(&guest_vcpu));
    assert_int_equal((int64_t)reg(GPR_RAX), -ENOSYS);
    for (unsigned i = 0; i < 2; i++) {
        set_args(XEN_HYPERCALL_GRANT_TABLE_OP, 5, 0x1234, 3);
        assert_false(i ? hypercall_locked(&guest_vcpu) : hypercall_handle(&guest_vcpu));
        assert_int_equal(reg(GPR_RAX), XEN_HYPERCALL_GRANT_TABLE_OP);
        assert_int_equal(reg(GPR_RDI), 5);
        assert_int_equal(reg(GPR_RSI), 0x1234 + 24);
        assert_int_equal(reg(GPR_RDX), 2);
        assert_true(i ? hypercall_locked(&guest_vcpu) : hypercall_handle(&guest_vcpu));
        assert_int_equal((int64_t)reg(GPR_RAX), -ENOSYS);
    }
}

/* What only the control domain may do: before anything is read. */
static void test_refused(void **state)
{
    static const uint64_t numbers[] = { XEN_HYPERCALL_PLATFORM_OP, XEN_HYPERCALL_PHYSDEV_OP,
                                        XEN_HYPERCALL_SYSCTL, XEN_HYPERCALL_DOMCTL };

    (void)state;
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        assert_int_equal(call(numbers[i], 0, 0, 0), -EPERM);
}

/* The clock may be set, which Linux does at each tick until it is let. */
static void test_platform(void **state)
{
    struct xen_platform_op op = { .cmd = XENPF_SETTIME64,
                                  .interface_version = XENPF_INTERFACE_VERSION };

    (void)state;
    guest.xen.control = true;
    guest_put(BUFFER, &op, sizeof(op));
    assert_int_equal(call(XEN_HYPERCALL_PLATFORM_OP, BUFFER, 0, 0), 0);
    assert_int_equal(call(XEN_HYPERCALL_PLATFORM_OP, 1ul << 40, 0, 0), -EFAULT);
    op.u.settime64.mbz = 1;
    guest_put(BUFFER, &op, sizeof(op));
    assert_int_equal(call(XEN_HYPERCALL_PLATFORM_OP, BUFFER, 0, 0), -EINVAL);
    op.cmd = 1;
    guest_put(BUFFER, &op, sizeof(op));
    assert_int_equal(call(XEN_HYPERCALL_PLATFORM_OP, BUFFER, 0, 0), -ENOSYS);
    op.interface_version++;
    guest_put(BUFFER, &op, sizeof(op));
    assert_int_equal(call(XEN_HYPERCALL_PLATFORM_OP, BUFFER, 0, 0), -EACCES);
    assert_int_equal(call(XEN_HYPERCALL_PHYSDEV_OP, PHYSDEVOP_PCI_DEVICE_ADD, BUFFER, 0), 0);
    assert_int_equal(call(XEN_HYPERCALL_PHYSDEV_OP, 0, BUFFER, 0), -ENOSYS);
}

static void test_privilege(void **state)
{
    (void)state;
    for (unsigned cpl = 1; cpl < 4; cpl++) {
        guest_cpl(cpl);
        assert_int_equal(call(XEN_HYPERCALL_XEN_VERSION, XENVER_VERSION, 0, 0), -EPERM);
        assert_int_equal(call(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_SHUTDOWN, BUFFER, 0), -EPERM);
        assert_int_equal(call(99, 0, 0, 0), -EPERM);
    }
    assert_int_equal(guest.end, END_NOT);
}

static void test_32bit_registers(void **state)
{
    char text[] = "from 32 bits";

    (void)state;
    guest_mode(DECODE_32);
    guest_put(BUFFER, text, sizeof(text));
    set_reg(GPR_RAX, 0xffffffff00000000 | XEN_HYPERCALL_CONSOLE_IO);
    set_reg(GPR_RBX, 0xffffffff00000000 | XEN_CONSOLE_WRITE);
    set_reg(GPR_RCX, 0xffffffff00000000 | 12);
    set_reg(GPR_RDX, 0xffffffff00000000 | BUFFER);
    assert_true(hypercall_handle(&guest_vcpu));
    assert_int_equal(reg(GPR_RAX), 0);
    assert_int_equal(console_used, 12);
    assert_memory_equal(console, text, 12);
    set_reg(GPR_RAX, 99);
    assert_true(hypercall_handle(&guest_vcpu));
    assert_int_equal(reg(GPR_RAX), 0xffffffda); /* -ENOSYS in EAX */
}

/* ---- xen_version ---- */

static void test_version(void **state)
{
    char extra[XENVER_EXTRAVERSION_LEN];

    (void)state;
    assert_int_equal(call(XEN_HYPERCALL_XEN_VERSION, XENVER_VERSION, 0, 0), 0x40011);
    assert_int_equal(call(XEN_HYPERCALL_XEN_VERSION, XENVER_PAGESIZE, 0, 0), 4096);
    assert_int_equal(call(XEN_HYPERCALL_XEN_VERSION, XENVER_EXTRAVERSION, 0x5ffc, 0), 0);
    guest_get(0x5ffc, extra, sizeof(extra));
    assert_string_equal(extra, "-caisson");
    assert_int_equal(call(XEN_HYPERCALL_XEN_VERSION, 99, 0, 0), -ENOSYS);
}

static void test_bad_pointers(void **state)
{
    static const uint64_t bad[] = { 0xa0000,     GUEST_END - 3,  0xfee00000,
                                    0x100000000, 0x800000000000, ~0ul };

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(call(XEN_HYPERCALL_XEN_VERSION, XENVER_EXTRAVERSION, bad[i], 0), -EFAULT);
        assert_int_equal(call(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_SHUTDOWN, bad[i], 0), -EFAULT);
        assert_int_equal(call(XEN_HYPERCALL_CONSOLE_IO, XEN_CONSOLE_WRITE, 8, bad[i]), -EFAULT);
    }
    assert_int_equal(guest.end, END_NOT);
    assert_int_equal(console_used, 0);
}

static void test_read_only_pointer(void **state)
{
    (void)state;
    cpu()->cr0 |= CR0_WP;
    guest_write64(0x2000, 0x85); /* the first GiB */
    assert_int_equal(call(XEN_HYPERCALL_XEN_VERSION, XENVER_EXTRAVERSION, BUFFER, 0), -EFAULT);
}

/* ---- console_io ---- */

static void fill(unsigned n)
{
    char text[2048];

    for (unsigned i = 0; i < n; i++)
        text[i] = (char)('!' + i % 90);
    guest_put(BUFFER, text, n);
}

static void assert_written(unsigned n)
{
    assert_int_equal(console_used, n);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(console[i], '!' + i % 90);
}

static void test_console_write(void **state)
{
    (void)state;
    fill(256);
    assert_int_equal(call(XEN_HYPERCALL_CONSOLE_IO, XEN_CONSOLE_WRITE, 0, ~0ul), 0);
    assert_int_equal(call(XEN_HYPERCALL_CONSOLE_IO, XEN_CONSOLE_WRITE, 256, BUFFER), 0);
    assert_written(256);
    assert_int_equal(call(XEN_HYPERCALL_CONSOLE_IO, 7, 0, 0), -ENOSYS);
}

static int64_t console_read(uint64_t n, uint64_t at)
{
    return call(XEN_HYPERCALL_CONSOLE_IO, XEN_CONSOLE_READ, n, at);
}

static void test_console_read(void **state)
{
    struct xencons_interface ring = { .in_cons = 1022, .in_prod = 1022 };
    char text[8] = { 0 };

    (void)state;
    assert_int_equal(console_read(256, BUFFER), 0); /* no ring */
    guest.xen.console = &ring;
    guest.xen.console_bus = &console_bus;
    assert_int_equal(console_read(256, ~0ul), 0); /* nothing typed, nowhere to put it */
    for (const char *c = "typed"; *c; c++)
        assert_true(pv_console_give(&guest.xen, (uint8_t)*c));
    rooms = 0;
    assert_int_equal(console_read(256, 0x800000000000), -EFAULT);
    assert_int_equal(console_read(1ul << 31, BUFFER), -E2BIG);
    assert_int_equal(rooms, 0);
    assert_int_equal(console_read(3, BUFFER), 3); /* over the ring's end */
    assert_int_equal(console_read(256, BUFFER + 3), 2);
    assert_int_equal(rooms, 2);
    guest_get(BUFFER, text, 5);
    assert_string_equal(text, "typed");
    assert_int_equal(console_read(256, BUFFER), 0);
    ring.in_cons += 1; /* past what was produced */
    assert_int_equal(console_read(256, BUFFER), 0);
}

/* Runs the call as the guest would, over and over; returns how often it was continued. */
static unsigned until_done(uint64_t count, unsigned room_each)
{
    unsigned continued = 0;

    set_args(XEN_HYPERCALL_CONSOLE_IO, XEN_CONSOLE_WRITE, count, BUFFER);
    for (; continued < 10000; continued++) {
        if (hypercall_handle(&guest_vcpu))
            break;
        assert_int_equal(reg(GPR_RAX), XEN_HYPERCALL_CONSOLE_IO);
        console_room += room_each;
    }
    return continued;
}

static void test_continuation(void **state)
{
    (void)state;
    fill(1000);
    assert_int_equal(until_done(1000, 0), 3); /* 256 at a time */
    assert_int_equal(reg(GPR_RAX), 0);
    assert_written(1000);
}

static void test_full_console(void **state)
{
    (void)state;
    fill(1000);
    console_room = 0;
    assert_in_range(until_done(1000, 7), 100, 200);
    assert_int_equal(reg(GPR_RAX), 0);
    assert_written(1000);
}

static void test_continuation_32(void **state)
{
    (void)state;
    guest_mode(DECODE_32);
    fill(300);
    set_reg(GPR_RAX, XEN_HYPERCALL_CONSOLE_IO);
    set_reg(GPR_RBX, XEN_CONSOLE_WRITE);
    set_reg(GPR_RCX, 300);
    set_reg(GPR_RDX, BUFFER);
    assert_false(hypercall_handle(&guest_vcpu));
    assert_int_equal(reg(GPR_RCX), 300 - 256);
    assert_int_equal(reg(GPR_RDX), BUFFER + 256);
    assert_true(hypercall_handle(&guest_vcpu));
    assert_written(300);
}

/* A count that nobody can have: ends with an error at the first page that is none. */
static void test_huge_count(void **state)
{
    (void)state;
    console_room = 100;
    set_args(XEN_HYPERCALL_CONSOLE_IO, XEN_CONSOLE_WRITE, ~0ul, GUEST_END - 100);
    assert_true(hypercall_handle(&guest_vcpu));
    assert_int_equal(reg(GPR_RAX), -EFAULT);
    assert_int_equal(console_used, 0);
}

/* ---- sched_op ---- */

static void test_yield_block(void **state)
{
    (void)state;
    fake_gave_way = NULL;
    assert_int_equal(call(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_YIELD, 0, 0), 0);
    assert_ptr_equal(fake_gave_way, &guest_vcpu);
    assert_false(guest_vcpu.halted);
    assert_false(cpu()->rflags & RFLAGS_IF);
    assert_int_equal(call(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_BLOCK, 0, 0), 0);
    assert_true(guest_vcpu.halted);
    assert_true(cpu()->rflags & RFLAGS_IF);
    assert_int_equal(call(XEN_HYPERCALL_SCHED_OP, 42, 0, 0), -ENOSYS);
}

static void test_shutdown(void **state)
{
    static const enum domain_end ends[] = {
        [XEN_SHUTDOWN_POWEROFF] = END_POWEROFF, [XEN_SHUTDOWN_REBOOT] = END_REBOOT,
        [XEN_SHUTDOWN_SUSPEND] = END_POWEROFF,  [XEN_SHUTDOWN_CRASH] = END_CRASH,
        [XEN_SHUTDOWN_WATCHDOG] = END_CRASH,    [XEN_SHUTDOWN_SOFT_RESET] = END_REBOOT
    };

    (void)state;
    for (uint32_t reason = 0; reason <= XEN_SHUTDOWN_SOFT_RESET; reason++) {
        guest.end = END_NOT;
        guest_put(BUFFER, &reason, sizeof(reason));
        assert_int_equal(call(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_SHUTDOWN, BUFFER, 0), 0);
        assert_int_equal(guest.end, ends[reason]);
    }
    guest.end = END_NOT;
    uint32_t reason = XEN_SHUTDOWN_SOFT_RESET + 1;
    guest_put(BUFFER, &reason, sizeof(reason));
    assert_int_equal(call(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_SHUTDOWN, BUFFER, 0), -EINVAL);
    assert_int_equal(guest.end, END_NOT);
}

/* Who was made by the control domain can be resumed by it. */
static void test_suspend(void **state)
{
    uint32_t reason = XEN_SHUTDOWN_SUSPEND;

    (void)state;
    guest.bare = true;
    guest_put(BUFFER, &reason, sizeof(reason));
    assert_int_equal(call(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_SHUTDOWN, BUFFER, 0), 0);
    assert_true(guest.suspended);
    assert_int_equal(guest.end, END_NOT);
    assert_int_equal(fake_evtchn_sent, 0);
    guest.xen.suspend_port = 7; /* somebody wants to know */
    assert_int_equal(call(XEN_HYPERCALL_SCHED_OP, XEN_SCHED_SHUTDOWN, BUFFER, 0), 0);
    assert_int_equal(fake_evtchn_sent, 7);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_locked),        TEST(test_suspend),         TEST(test_unknown_numbers),
        TEST(test_alone),         TEST(test_refused),         TEST(test_privilege),
        TEST(test_platform),      TEST(test_privilege),       TEST(test_32bit_registers),
        TEST(test_version),       TEST(test_bad_pointers),    TEST(test_read_only_pointer),
        TEST(test_console_write), TEST(test_console_read),    TEST(test_continuation),
        TEST(test_full_console),  TEST(test_continuation_32), TEST(test_huge_count),
        TEST(test_yield_block),   TEST(test_shutdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
