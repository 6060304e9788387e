/* links: exits/exit.c devices/vpci.c exits/debug.c emulate/breakpoint.c domain/lapic.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/gmem.c arch/x86/moment.c guestmem/gva.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c virt/slat.c arch/x86/tsc.c tests/fakes/bus.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * What each VM exit means. Ports, device memory, MSRs and CPUID have tests of their own: here it
 * is only that they are reached, with stand-ins at the end of this file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "exits/exit.h"
#include "exits/run.h"
#include "arch/x86/cpu.h"
#include "exits/cpuid.h"
#include "exits/device_access.h"
#include "domain/msr.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "tests/fakes/bus.h"
#include "tests/fakes/guest.h"
#include "tests/fakes/log.h"
#include "tests/fakes/panic.h"

#define FEW (1u << P2M_FEW_ORDER)

static unsigned pio_calls, mmio_calls, hypercalls;
static int last_done; /* what device_access_done() was told */
static uint32_t last_msr;
static uint64_t last_value;
static struct vlapic_bus bus;
static struct vlapic_page lapic_page;

static void (*hypercall_does)(void);
static bool deadline_changed;

static bool hypercall(struct vcpu *v)
{
    assert_ptr_equal(v, &guest_vcpu);
    hypercalls++;
    if (hypercall_does)
        hypercall_does();
    return reg(GPR_RDI) != 0;
}
static int64_t hypercall_for_one(uint64_t nr, uint64_t first)
{
    if (nr == 0x98)
        return HYPERCALL_NEEDS_LOCK;
    return nr == 0x99 ? (int64_t)first : HYPERCALL_NEEDS_LOOK;
}

bool sched_deadline_changed(void)
{
    return deadline_changed;
}
static const struct domain_hooks hooks = { .hypercall = hypercall,
                                           .hypercall_lockless = hypercall_for_one,
                                           .hypercall_locked = hypercall };

static int setup(void **state)
{
    (void)state;
    guest_start();
    domain_set_hooks(&hooks);
    vlapic_init(&guest_vcpu.lapic, 0, 1000000000, &bus, &lapic_page);
    pio_calls = mmio_calls = hypercalls = 0;
    guest_vcpu.exit_actions = exit_actions;
    cpu()->rip = 0x1000;
    cpu()->insn_len = 2;
    fake_log_reset();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guest_stop();
    return 0;
}

static enum exit_answer last_answer;

static void handle(const struct virt_exit *e)
{
    guest_vcpu.exit_actions[e->kind].handle(&guest_vcpu.virt, e);
}

/* As the run loop does. */
static void exits_by(const struct virt_exit *e)
{
    enum exit_answer answer = guest_vcpu.exit_actions[e->kind].quick(&guest_vcpu.virt, e);

    last_answer = fake_virt_answered(&guest_vcpu.virt, answer);
    if (last_answer == EXIT_UNHANDLED)
        handle(e);
}

static void exits(enum virt_exit_kind kind)
{
    exits_by(&(struct virt_exit){ .kind = kind });
}

static void assert_skipped(unsigned n)
{
    assert_int_equal(cpu()->skips, n);
    assert_int_equal(cpu()->injected, 0);
    assert_int_equal(guest.end, END_NOT);
}

static void assert_exception(uint8_t vector)
{
    assert_int_equal(cpu()->pending.vector, vector);
    assert_int_equal(cpu()->pending.has_error, vector == VECTOR_GP);
    assert_int_equal(cpu()->pending.error, 0);
    assert_int_equal(cpu()->injected, 1);
    assert_int_equal(cpu()->skips, 0);
    assert_int_equal(guest.end, END_NOT);
    cpu()->injected = 0;
}

static void test_nothing_to_do(void **state)
{
    (void)state;
    exits(VIRT_EXIT_HOST);
    exits(VIRT_EXIT_DEADLINE);
    exits(VIRT_EXIT_IRQ_WINDOW);
    exits(VIRT_EXIT_NMI_WINDOW);
    exits(VIRT_EXIT_INIT);
    assert_skipped(0);
}

/* An interrupt of the machine's that told of requests for the local APIC leaves it in its stay. */
static void test_posted(void **state)
{
    (void)state;
    exits(VIRT_EXIT_HOST);
    assert_int_equal(last_answer, EXIT_UNHANDLED);
    guest_vcpu.lapic.svr = 0x1FF;
    vlapic_accept(&guest_vcpu.lapic, 0x40, false);
    exits(VIRT_EXIT_HOST);
    assert_int_equal(last_answer, EXIT_HERE);
    assert_skipped(0);
}

static void test_stepped_over(void **state)
{
    (void)state;
    exits(VIRT_EXIT_PAUSE);
    exits(VIRT_EXIT_WBINVD);
    assert_skipped(2);
    assert_int_equal(cpu()->rip, 0x1004);
}

static void test_exceptions(void **state)
{
    struct virt_exit e = { .kind = VIRT_EXIT_EXCEPTION,
                           .exception = { .valid = true, .vector = 1, .type = EVENT_EXCEPTION } };

    (void)state;
    exits(VIRT_EXIT_RDPMC);
    assert_exception(VECTOR_GP);
    exits(VIRT_EXIT_MONITOR);
    assert_exception(VECTOR_UD);
    exits(VIRT_EXIT_VIRT_INSN);
    assert_exception(VECTOR_UD);
    handle(&e);
    assert_exception(VECTOR_DB);
}

static void test_hlt(void **state)
{
    (void)state;
    exits(VIRT_EXIT_HLT);
    assert_true(guest_vcpu.halted);
    assert_skipped(1);
}

static void test_cpuid(void **state)
{
    (void)state;
    set_reg(GPR_RAX, 0xffffffff00000007);
    set_reg(GPR_RCX, 0xffffffff00000003);
    exits(VIRT_EXIT_CPUID);
    assert_int_equal(reg(GPR_RAX), 7); /* as the stand-in below answers */
    assert_int_equal(reg(GPR_RBX), 3);
    assert_int_equal(reg(GPR_RCX), 0xcccccccc);
    assert_int_equal(reg(GPR_RDX), 0xdddddddd);
    assert_skipped(1);
}

static void test_rdmsr(void **state)
{
    (void)state;
    set_reg(GPR_RCX, 0xffffffff00000010);
    exits(VIRT_EXIT_RDMSR);
    assert_int_equal(last_msr, 0x10);
    assert_int_equal(reg(GPR_RAX), 0x55667788);
    assert_int_equal(reg(GPR_RDX), 0x11223344);
    assert_skipped(1);
    cpu()->skips = 0;
    set_reg(GPR_RCX, 0xbad);
    set_reg(GPR_RAX, 42);
    set_reg(GPR_RDX, 43);
    exits(VIRT_EXIT_RDMSR);
    assert_int_equal(reg(GPR_RAX), 42);
    assert_int_equal(reg(GPR_RDX), 43);
    assert_exception(VECTOR_GP);
}

/* After a write that may have moved a deadline the loop looks; after an EOI only if one waits. */
static void test_when_to_look(void **state)
{
    (void)state;
    set_reg(GPR_RCX, 0xa1);
    exits(VIRT_EXIT_RDMSR);
    assert_int_equal(last_answer, EXIT_NEXT);
    set_reg(GPR_RCX, MSR_X2APIC_FIRST + 0x39);
    exits(VIRT_EXIT_RDMSR);
    assert_int_equal(last_answer, EXIT_NEXT);
    exits(VIRT_EXIT_WRMSR);
    assert_int_equal(last_answer, EXIT_LOOK);
    set_reg(GPR_RCX, MSR_X2APIC_FIRST + 0x0b);
    exits(VIRT_EXIT_WRMSR);
    assert_int_equal(last_answer, EXIT_NEXT);
    guest_vcpu.lapic.svr = 0x1FF;
    vlapic_accept(&guest_vcpu.lapic, 0x40, false);
    exits(VIRT_EXIT_WRMSR);
    assert_int_equal(last_answer, EXIT_LOOK);
}

static void test_wrmsr(void **state)
{
    (void)state;
    set_reg(GPR_RCX, 0x10);
    set_reg(GPR_RAX, 0xdead000055667788);
    set_reg(GPR_RDX, 0xdead000011223344);
    exits(VIRT_EXIT_WRMSR);
    assert_int_equal(last_value, 0x1122334455667788);
    assert_skipped(1);
    cpu()->skips = 0;
    set_reg(GPR_RCX, 0xbad);
    exits(VIRT_EXIT_WRMSR);
    assert_exception(VECTOR_GP);
}

/* Registers that need no lock are not asked for again with it. */
static void test_msr_lockless(void **state)
{
    (void)state;
    last_msr = 0;
    set_reg(GPR_RCX, 0xa1);
    exits(VIRT_EXIT_RDMSR);
    assert_int_equal(reg(GPR_RAX), 0xb1b2b3b4);
    assert_int_equal(reg(GPR_RDX), 0xa1a2a3a4);
    set_reg(GPR_RAX, 0);
    set_reg(GPR_RDX, 0);
    exits(VIRT_EXIT_WRMSR);
    assert_int_equal(last_msr, 0);
    assert_skipped(2);
    cpu()->skips = 0;
    set_reg(GPR_RAX, 1);
    exits(VIRT_EXIT_WRMSR);
    assert_int_equal(last_msr, 0);
    assert_exception(VECTOR_GP);
    set_reg(GPR_RCX, 0xa2); /* one that moves a deadline */
    exits(VIRT_EXIT_WRMSR);
    assert_int_equal(last_answer, EXIT_DUE);
    assert_int_equal(cpu()->skips, 1);
    assert_int_equal(last_msr, 0);
}

static void test_xsetbv(void **state)
{
    (void)state;
    set_reg(GPR_RAX, 7);
    exits(VIRT_EXIT_XSETBV);
    assert_int_equal(cpu()->xcr0, 7);
    assert_skipped(1);
    cpu()->skips = 0;
    cpu()->refused = 2;
    set_reg(GPR_RAX, 2);
    exits(VIRT_EXIT_XSETBV);
    assert_exception(VECTOR_GP);
    set_reg(GPR_RAX, 3);
    set_reg(GPR_RCX, 1);
    exits(VIRT_EXIT_XSETBV);
    assert_exception(VECTOR_GP);
    set_reg(GPR_RCX, 0);
    guest_cpl(3);
    exits(VIRT_EXIT_XSETBV);
    assert_exception(VECTOR_GP);
    assert_int_equal(cpu()->xcr0, 7);
}

/* ---- Control registers ---- */

static void cr(unsigned number, int op, enum gpr gpr, uint16_t lmsw)
{
    struct virt_exit e = { .kind = VIRT_EXIT_CR };

    e.cr.number = (uint8_t)number;
    e.cr.op = op;
    e.cr.gpr = gpr;
    e.cr.lmsw = lmsw;
    handle(&e);
}

static void test_cr_write(void **state)
{
    (void)state;
    guest_mode(DECODE_64);
    set_reg(GPR_R9, CR0_PE | CR0_PG | CR0_WP);
    cr(0, CR_WRITE, GPR_R9, 0);
    assert_int_equal(cpu()->cr0, CR0_PE | CR0_PG | CR0_WP);
    set_reg(GPR_RSP, 0x123456000);
    cr(3, CR_WRITE, GPR_RSP, 0);
    assert_int_equal(cpu()->cr3, 0x123456000);
    set_reg(GPR_RAX, CR4_PAE | CR4_PGE);
    cr(4, CR_WRITE, GPR_RAX, 0);
    assert_int_equal(cpu()->cr4, CR4_PAE | CR4_PGE);
    set_reg(GPR_RAX, 9);
    cr(8, CR_WRITE, GPR_RAX, 0);
    assert_int_equal(vlapic_cr8(&guest_vcpu.lapic), 9);
    assert_skipped(4);
}

static void test_cr_write_refused(void **state)
{
    (void)state;
    guest_mode(DECODE_64);
    cpu()->refused = 0x77;
    set_reg(GPR_RAX, 0x77);
    for (unsigned n = 0; n < 5; n += n ? 1 : 3) { /* 0, 3, 4 */
        cr(n, CR_WRITE, GPR_RAX, 0);
        assert_exception(VECTOR_GP);
    }
    set_reg(GPR_RAX, 16);
    cr(8, CR_WRITE, GPR_RAX, 0);
    assert_exception(VECTOR_GP);
    set_reg(GPR_RAX, 1ul << 32); /* 64-bit code means all 64 bits */
    cr(8, CR_WRITE, GPR_RAX, 0);
    assert_exception(VECTOR_GP);
    cr(2, CR_WRITE, GPR_RAX, 0);
    assert_exception(VECTOR_GP);
}

/* Outside 64-bit mode a register has 32 bits, whatever long mode left above them. */
static void test_cr_write_32(void **state)
{
    (void)state;
    set_reg(GPR_RAX, 0xdeadbeef00000000 | CR0_PE);
    cr(0, CR_WRITE, GPR_RAX, 0);
    assert_int_equal(cpu()->cr0, CR0_PE);
    set_reg(GPR_RAX, 0xdeadbeef00005000);
    cr(3, CR_WRITE, GPR_RAX, 0);
    assert_int_equal(cpu()->cr3, 0x5000);
    assert_skipped(2);
}

static void test_cr_read(void **state)
{
    (void)state;
    cpu()->cr0 = 0x11;
    cpu()->cr3 = 0x5000;
    cpu()->cr4 = 0x20;
    vlapic_set_cr8(&guest_vcpu.lapic, 5);
    cr(0, CR_READ, GPR_RBX, 0);
    cr(3, CR_READ, GPR_RSP, 0);
    cr(4, CR_READ, GPR_R15, 0);
    cr(8, CR_READ, GPR_RCX, 0);
    assert_int_equal(reg(GPR_RBX), 0x11);
    assert_int_equal(reg(GPR_RSP), 0x5000);
    assert_int_equal(reg(GPR_R15), 0x20);
    assert_int_equal(reg(GPR_RCX), 5);
    assert_skipped(4);
}

static void test_clts_lmsw(void **state)
{
    (void)state;
    cpu()->cr0 = CR0_PE | CR0_TS | CR0_NE;
    cr(0, CR_CLTS, GPR_RAX, 0);
    assert_int_equal(cpu()->cr0, CR0_PE | CR0_NE);
    cr(0, CR_LMSW, GPR_RAX, 0xfffe); /* four bits, and PE stays */
    assert_int_equal(cpu()->cr0, CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE);
    cr(0, CR_LMSW, GPR_RAX, 0);
    assert_int_equal(cpu()->cr0, CR0_PE | CR0_NE);
    cpu()->cr0 = 0;
    cr(0, CR_LMSW, GPR_RAX, 1);
    assert_int_equal(cpu()->cr0, CR0_PE);
    assert_skipped(4);
}

/* ---- Memory ---- */

static void touches(uint64_t at)
{
    exits_by(&(struct virt_exit){ .kind = VIRT_EXIT_MEMORY, .memory = { .gpa = gpa(at) } });
}

static void test_memory(void **state)
{
    (void)state;
    touches(0x5123);
    assert_int_equal(guest.p2m.populated, FEW);
    assert_skipped(0); /* the instruction is executed again */
    assert_int_equal(last_answer, EXIT_HERE);
    touches(0x5fff);
    assert_int_equal(guest.p2m.populated, FEW);
    assert_int_equal(mmio_calls, 0);
    touches(0xa0000);
    touches(0xfee00000);
    touches(GUEST_END);
    assert_int_equal(mmio_calls, 3);
    assert_int_equal(last_answer, EXIT_HERE);
    exits_by(&(struct virt_exit){ .kind = VIRT_EXIT_MEMORY,
                                  .memory = { .gpa = gpa(0xfee00000), .write = true } });
    assert_int_equal(last_answer,
                     EXIT_HERE | EXIT_LOOK); /* a device that is written to may have become due */
    assert_int_equal(mmio_calls--, 4);
    assert_int_equal(guest.p2m.populated, FEW);
    touches(0x200000);
    assert_int_equal(guest.p2m.populated, FEW + 512);
    bus_device = gpa(0x7000); /* a local APIC that the guest has moved over RAM */
    touches(0x7000);
    assert_int_equal(mmio_calls, 4);
    assert_int_equal(guest.p2m.populated, FEW + 512);
    bus_device = gpa(0x5000); /* over RAM that has come; AVIC refuses a write there */
    exits_by(
        &(struct virt_exit){ .kind = VIRT_EXIT_MEMORY,
                             .memory = { .gpa = gpa(0x5000), .write = true, .present = true } });
    assert_int_equal(mmio_calls, 5);
    bus_device = gpa(0);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    frame_fail_nth(1);
    touches(0x5123);
    assert_int_equal(last_answer, EXIT_HERE | EXIT_LOOK);
    assert_int_equal(guest.end, END_KILLED);
    assert_non_null(strstr(guest.end_why, "0x5123"));
}

/* ---- Others ---- */

static void test_vmcall(void **state)
{
    (void)state;
    guest_mode(DECODE_64);
    set_reg(GPR_RAX, 0x99);
    set_reg(GPR_RDI, 0x1234567890);
    exits(VIRT_EXIT_HYPERCALL);
    assert_int_equal(reg(GPR_RAX), 0x1234567890);
    assert_int_equal(hypercalls, 0);
    assert_skipped(1);
    set_reg(GPR_RAX, 0x99);
    set_reg(GPR_RDI, (uint64_t)HYPERCALL_GIVES_WAY);
    exits(VIRT_EXIT_HYPERCALL);
    assert_int_equal(reg(GPR_RAX), 0);
    assert_ptr_equal(fake_gave_way, &guest_vcpu);
    assert_int_equal(hypercalls, 0);
    assert_skipped(2);
    set_reg(GPR_RAX, 0x99);
    exits(VIRT_EXIT_HYPERCALL_OTHER); /* then it is not for it alone to say */
    assert_int_equal(hypercalls, 1);
    assert_skipped(3);
    set_reg(GPR_RDI, 0); /* to be continued */
    exits(VIRT_EXIT_HYPERCALL_OTHER);
    assert_skipped(3);
}

/* ---- Calls that want the lock, and no look ---- */

static void call_is_outside(void)
{
    assert_true(spin_is_locked(&guest.lock));
    assert_int_equal(guest.p2m.inside[0], 0); /* it keeps nobody waiting who waits for TLBs */
}

static void call_unmaps(void)
{
    guest.p2m.epoch++;
}

static void call_kicks(void)
{
    guest_vcpu.unit.attention = true;
}

static void call_makes_an_event(void)
{
    guest_vcpu.xen.upcall = true;
}

static void call_wakes(void)
{
    deadline_changed = true;
}

static void calls(void (*does)(void), bool done, enum exit_answer answer)
{
    guest.p2m.inside[0] = guest.p2m.epoch;
    guest_vcpu.unit.attention = guest_vcpu.xen.upcall = deadline_changed = false;
    hypercall_does = does;
    set_reg(GPR_RAX, 0x98);
    set_reg(GPR_RDI, done);
    exits(VIRT_EXIT_HYPERCALL);
    hypercall_does = NULL;
    assert_int_equal(last_answer, answer);
    assert_false(spin_is_locked(&guest.lock));
    if (!(answer & EXIT_LOOK))
        assert_int_equal(guest.p2m.inside[0], guest.p2m.epoch); /* its TLB too */
}

static void test_call_within_the_stay(void **state)
{
    (void)state;
    calls(call_is_outside, true, EXIT_NEXT);
    calls(call_is_outside, false, EXIT_HERE);
    unsigned flushes = fake_virt_flushes;
    calls(call_unmaps, true, EXIT_NEXT);
    assert_int_equal(fake_virt_flushes, flushes + 1);
    calls(call_kicks, true, EXIT_LOOK);
    calls(call_kicks, false, EXIT_HERE | EXIT_LOOK);
    calls(call_makes_an_event, true, EXIT_LOOK);
    guest_vcpu.xen.upcall_vector = 0x40; /* which its local APIC would have */
    calls(call_makes_an_event, true, EXIT_NEXT);
    guest_vcpu.xen.upcall_vector = 0;
    calls(call_wakes, true, EXIT_LOOK);
    guest_vcpu.unit.attention = guest_vcpu.xen.upcall = deadline_changed = false;
}

static void test_reached(void **state)
{
    (void)state;
    exits(VIRT_EXIT_IO);
    exits(VIRT_EXIT_HYPERCALL);
    assert_int_equal(pio_calls, 1);
    assert_int_equal(hypercalls, 1);
    assert_skipped(0);
}

static void test_task_switch(void **state)
{
    (void)state;
    last_done = 0;
    handle(&(struct virt_exit){ .kind = VIRT_EXIT_TASK_SWITCH, .task = { .selector = 8 } });
    assert_int_equal(last_done, 0);
    handle(&(struct virt_exit){ .kind = VIRT_EXIT_TASK_SWITCH });
    assert_int_equal(last_done, -EFAULT);
    assert_int_equal(guest.end, END_NOT);
}

static void ends(const struct virt_exit *e, enum domain_end end, const char *why)
{
    guest.end = END_NOT;
    guest.end_claimed = false;
    handle(e);
    assert_int_equal(guest.end, end);
    assert_non_null(strstr(guest.end_why, why));
}

static void test_ends(void **state)
{
    (void)state;
    ends(&(struct virt_exit){ .kind = VIRT_EXIT_TRIPLE_FAULT }, END_TRIPLE_FAULT, "0x1000");
    assert_int_equal(guest_vcpu.dump, DUMP_ALL);
    ends(&(struct virt_exit){ .kind = VIRT_EXIT_ENTRY_FAILED, .why = "the rule" }, END_KILLED,
         "the rule");
    assert_int_equal(guest_vcpu.dump, DUMP_CONTROL); /* it goes on in pieces */
    ends(&(struct virt_exit){ .kind = VIRT_EXIT_UNKNOWN, .raw_reason = 0x99 }, END_KILLED, "0x99");
}

/* Whoever makes domains and lets them crash does not fill the log by it. */
static void test_few_post_mortems(void **state)
{
    const struct virt_exit e = { .kind = VIRT_EXIT_TRIPLE_FAULT };

    (void)state;
    fake_tsc += 1000 * tsc_hz;
    guest.bare = true;
    for (unsigned i = 0; i < 3; i++) {
        guest_vcpu.dump = DUMP_NOTHING;
        ends(&e, END_TRIPLE_FAULT, "0x1000");
        assert_int_equal(guest_vcpu.dump, i ? DUMP_NOTHING : DUMP_ALL);
        fake_tsc += tsc_hz;
    }
    fake_tsc += 30 * tsc_hz;
    ends(&(struct virt_exit){ .kind = VIRT_EXIT_ENTRY_FAILED, .why = "a rule" }, END_KILLED,
         "a rule");
    assert_int_equal(guest_vcpu.dump, DUMP_CONTROL);
    guest_vcpu.dump = DUMP_NOTHING;
    guest.bare = false;
    ends(&e, END_TRIPLE_FAULT, "0x1000");
    assert_int_equal(guest_vcpu.dump, DUMP_ALL); /* each of the menu's */
}

/* Memory that has failed in a guest's hands ends that guest, and stays out of use; what is none of
 * a domain's was ours to lose. */
static void test_bad_memory(void **state)
{
    struct virt_exit e = { .kind = VIRT_EXIT_BAD_MEMORY };
    void *page = heap_pages(0, OWNER_CAISSON);
    mfn_t m;

    (void)state;
    assert_int_equal(p2m_populate(&guest.p2m, gfn(0x120), &m), 0);
    e.bad_memory = maddr(mfn_to_maddr(m).v + 0x640);
    ends(&e, END_KILLED, "has failed");
    assert_int_equal(frame_pins(m), 1);
    assert_int_equal(frame_alloc(ORDER_4K, guest.p2m.owner + 1, &m), 0); /* granted, say */
    e.bad_memory = mfn_to_maddr(m);
    ends(&e, END_KILLED, "has failed");
    assert_int_equal(frame_pins(m), 1);
    frame_unpin(m);
    frame_free(m, ORDER_4K, guest.p2m.owner + 1);
    e.bad_memory = maddr(0xFE001008);
    guest.p2m.slat.devices = 1; /* a register of a device of its own answers so */
    ends(&e, END_KILLED, "has failed");
    guest.p2m.slat.devices = 0;
    EXPECT_PANIC(handle(&e));
    e.bad_memory = heap_to_maddr(page);
    EXPECT_PANIC(handle(&e));
    heap_free_pages(page, 0, OWNER_CAISSON);
}

/* After an access that locks the bus it sits out a ten-thousandth of a second. */
static void test_bus_lock(void **state)
{
    struct virt_exit e = { .kind = VIRT_EXIT_BUS_LOCK, .left = 5000 };

    (void)state;
    guest_vcpu.unit.attention = false;
    handle(&e);
    assert_int_equal(guest_vcpu.held_until, 5000 + tsc_hz / 10000);
    assert_true(guest_vcpu.unit.attention);
    assert_skipped(0); /* the instruction has been carried out */
    assert_int_equal(guest.end, END_NOT);
}

static void test_fault_becomes_triple(void **state)
{
    (void)state;
    cpu()->triple = true;
    exits(VIRT_EXIT_RDPMC);
    assert_int_equal(guest.end, END_TRIPLE_FAULT);
}

/* ---- Stand-ins ---- */

uint64_t vcpu_next_due(const struct vcpu *v)
{
    return v->lapic_due.tsc;
}

bool vcpu_tick_lapic(struct vcpu *v)
{
    return v->lapic_due.tsc <= v->virt.exit.left;
}

bool vcpu_take_posted(struct vcpu *v)
{
    return vlapic_has_posted(&v->lapic);
}

enum exit_answer device_access_port(struct virt_vcpu *v, const struct virt_exit *e)
{
    (void)v;
    if (!e->io.size) /* as the string instructions */
        return EXIT_UNHANDLED;
    pio_calls++;
    return EXIT_NEXT;
}

void vcpu_request_dump(struct vcpu *v, enum vcpu_dump what)
{
    v->dump = what;
}

void device_access_string(struct virt_vcpu *v, const struct virt_exit *e)
{
    (void)v;
    (void)e;
    pio_calls++;
}

int task_switch(struct emulator *e, const struct virt_task *task)
{
    (void)e;
    return task->selector ? 0 : -EFAULT;
}

int mmio_emulate(struct emulator *e, gpa_t at)
{
    if (e->breakpoints.armed)
        breakpoints_memory(&e->breakpoints, gva(at.v), 4, true);
    mmio_calls++;
    return 0;
}

void device_access_no_insn(struct vcpu *v, const struct virt_exit *e)
{
    (void)v;
    (void)e;
    mmio_calls++;
}

void device_access_done(struct vcpu *v, int done, gpa_t device)
{
    (void)v;
    (void)device;
    last_done = done;
}

int msr_read(struct vcpu *v, uint32_t msr, uint64_t *value)
{
    (void)v;
    last_msr = msr;
    if (msr == 0xbad)
        return -EINVAL;
    *value = 0x1122334455667788;
    return 0;
}

int msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v;
    last_msr = msr;
    last_value = value;
    return msr == 0xbad ? -EINVAL : 0;
}

struct msr_value msr_read_lockless(struct vcpu *v, uint32_t msr)
{
    (void)v;
    return (struct msr_value){ 0xa1a2a3a4b1b2b3b4, msr == 0xa1 };
}

enum msr_written msr_write_lockless(struct vcpu *v, uint32_t msr, uint64_t value)
{
    (void)v;
    if (msr == 0xa2)
        return MSR_MOVED;
    if (msr != 0xa1)
        return MSR_UNKNOWN;
    return value ? MSR_REFUSED : MSR_WRITTEN;
}

const struct cpuid_regs *cpuid_answer(struct vcpu *v, uint32_t leaf, uint32_t subleaf)
{
    static struct cpuid_regs r;

    (void)v;
    r = (struct cpuid_regs){ leaf, subleaf, 0xcccccccc, 0xdddddddd };
    return &r;
}

/* ---- Breakpoints ---- */

#define WATCHED  0x3f8
#define ON_PORT  (2ul << 16 | 1) /* of DR7: DR0 is enabled, for a port, one byte */
#define TWO_MORE (3ul << 18)

static void accesses_port(uint16_t port, unsigned size)
{
    struct virt_exit e = { .kind = VIRT_EXIT_IO, .io = { .port = port, .size = size & 7 } };

    cpu()->traps = 0;
    exits_by(&e);
}

static void set_breakpoint(uint64_t at, uint64_t dr7)
{
    exits(VIRT_EXIT_DEBUG_REGISTER);
    cpu()->breakpoints = (struct virt_breakpoints){ .at = { at }, .dr7 = dr7 };
}

/* The guest executes it again; and is left alone until its breakpoints are gone. */
static void test_debug_register(void **state)
{
    (void)state;
    exits(VIRT_EXIT_DEBUG_REGISTER);
    assert_int_equal(cpu()->skips, 0);
    assert_true(cpu()->dr7_free && guest_vcpu.exit_actions == exit_actions_armed);
    set_breakpoint(WATCHED, ON_PORT);
    accesses_port(0x80, 1);
    assert_true(cpu()->dr7_free);
    cpu()->breakpoints.dr7 &= ~1ul;
    accesses_port(WATCHED, 1);
    assert_false(cpu()->dr7_free);
    assert_ptr_equal(guest_vcpu.exit_actions, exit_actions);
    assert_int_equal(cpu()->traps, 0);
}

static void test_port_breakpoint(void **state)
{
    (void)state;
    set_breakpoint(WATCHED, ON_PORT);
    accesses_port(WATCHED, 1);
    assert_int_equal(cpu()->traps, 0); /* without CR4.DE there is no such thing */
    cpu()->cr4 |= CR4_DE;
    accesses_port(WATCHED, 1);
    assert_int_equal(cpu()->traps, 1);
    assert_int_equal(cpu()->skips, 2);
    assert_int_equal(pio_calls, 2);
    accesses_port(WATCHED - 1, 2); /* reaches it */
    assert_int_equal(cpu()->traps, 1);
    accesses_port(WATCHED - 1, 1);
    assert_int_equal(cpu()->traps, 0);
    accesses_port(WATCHED + 1, 4);
    assert_int_equal(cpu()->traps, 0);
    cpu()->breakpoints.dr7 |= TWO_MORE;
    accesses_port(WATCHED + 1, 4);
    assert_int_equal(cpu()->traps, 1);
}

/* Armed for as long as the emulator is at it. */
static void test_memory_breakpoint(void **state)
{
    (void)state;
    set_breakpoint(0xfee00080, 1ul << 16 | 1); /* one byte, written */
    touches(0xfee00080);
    assert_int_equal(mmio_calls, 1);
    assert_int_equal(cpu()->traps, 1);
    assert_false(guest_vcpu.emulator.breakpoints.armed);
}

/* A kind without a row would be a call of nothing, which its first exit makes. */
static void test_each_kind_has_a_row(void **state)
{
    (void)state;
    for (unsigned k = 0; k < VIRT_EXIT_KINDS; k++)
        if (!exit_actions[k].quick || !exit_actions[k].handle || !exit_actions_armed[k].quick ||
            !exit_actions_armed[k].handle)
            fail_msg("exit_actions[%u] has no row", k);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_to_do),
        TEST(test_posted),
        TEST(test_stepped_over),
        TEST(test_exceptions),
        TEST(test_hlt),
        TEST(test_cpuid),
        TEST(test_rdmsr),
        TEST(test_wrmsr),
        TEST(test_when_to_look),
        TEST(test_msr_lockless),
        TEST(test_xsetbv),
        TEST(test_cr_write),
        TEST(test_cr_write_32),
        TEST(test_cr_write_refused),
        TEST(test_cr_read),
        TEST(test_clts_lmsw),
        TEST(test_memory),
        TEST(test_memory_runs_out),
        TEST(test_vmcall),
        TEST(test_call_within_the_stay),
        TEST(test_reached),
        TEST(test_task_switch),
        TEST(test_ends),
        TEST(test_few_post_mortems),
        TEST(test_bus_lock),
        TEST(test_bad_memory),
        TEST(test_debug_register),
        TEST(test_port_breakpoint),
        TEST(test_memory_breakpoint),
        TEST(test_each_kind_has_a_row),
        TEST(test_fault_becomes_triple),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
