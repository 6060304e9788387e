/* links: tests/fakes/log.c vmx/run.c vmx/exit.c virt/exit.c vmx/event.c virt/event.c vmx/debug.c vmx/regs.c vmx/vmcs.c tests/fakes/panic.c tests/fakes/spec.c */
/*
 * vmx/run.c: exits that are settled below the run loop, and those that are none of the plain kinds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/mce.h"
#include "arch/x86/msr.h"
#include "arch/x86/tsc.h"
#include "tests/fakes/spec.h"
#include "vmx/check.h"
#include "vmx/controls.h"
#include "vmx/cr.h"
#include "vmx/exit.h"
#include "vmx/run.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"

static struct virt_vcpu v;
static struct virt_exit x;
static uint64_t failed_at; /* what mce_handle_guests() finds; 0: nothing */
static unsigned mces;

uint64_t tsc_hz = 1000000;
struct virt_caps virt_caps;

bool mce_handle_guests(maddr_t *where)
{
    mces++;
    *where = maddr(failed_at);
    return failed_at;
}

void irq_dispatch(unsigned vector)
{
    (void)vector;
}

bool cr_in_64bit_code(void)
{
    return true;
}

const char *check_controls(void)
{
    return NULL;
}

const char *check_host(void)
{
    return NULL;
}

const char *check_guest(void)
{
    return "the rule";
}

static const uint8_t *code; /* what stands at RIP; NULL: nothing can be read */

unsigned virt_fetch(struct virt_vcpu *vcpu, uint8_t bytes[15])
{
    (void)vcpu;
    if (code)
        memcpy(bytes, code, 4);
    return code ? 4 : 0;
}

static int setup(void **state)
{
    (void)state;
    memset(fake_vmcs, 0, sizeof(fake_vmcs));
    v = (struct virt_vcpu){ 0 };
    x = (struct virt_exit){ 0 };
    failed_at = mces = 0;
    fake_tsc = 1000;
    return 0;
}

/* As run_once() goes on after an exit. */
static void came_out(uint32_t reason)
{
    vmcs_write(VMCS_EXIT_REASON, reason);
    enum exit_decoded how = exit_decode(&v, reason, &x);
    if (how == EXIT_ODD)
        how = run_odd_exit(&v, reason, &x);
    if (how == EXIT_UNSETTLED)
        run_settle_other(&v, &x, UINT64_MAX);
}

/* A machine check that a guest ran into is its end, where data are lost, and else nobody's. */
static void test_machine_check(void **state)
{
    (void)state;
    vmcs_write(VMCS_EXIT_EVENT, EVENT_VALID | EVENT_EXCEPTION << 8 | VECTOR_MC);
    came_out(REASON_EXCEPTION);
    assert_int_equal(x.kind, VIRT_EXIT_HOST);
    failed_at = 0x12345640;
    came_out(REASON_EXCEPTION);
    assert_int_equal(x.kind, VIRT_EXIT_BAD_MEMORY);
    assert_int_equal(x.bad_memory.v, 0x12345640);
    came_out(REASON_EXCEPTION | REASON_WITH_BUS_LOCK);
    assert_int_equal(x.kind, VIRT_EXIT_BAD_MEMORY);
    assert_int_equal(mces, 3);
}

/* However slow the machine is, a guest with IF=0 gets further than the way back to it takes. */
static void test_slow_machine(void **state)
{
    (void)state;
    virt_irqs_served(&v);
    assert_int_equal(vmx_of(&v)->irqs_unserved_until - fake_tsc, 5000);
    tsc_hz = 2000000000;
    virt_irqs_served(&v);
    assert_int_equal(vmx_of(&v)->irqs_unserved_until - fake_tsc, 400000);
    tsc_hz = 1000000;
}

/* The timer's exit is the deadline's, with no look for interrupts, only where IF=1. */
static void test_timer(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        vmcs_write(VMCS_EXIT_REASON, REASON_TIMER);
        vmcs_write(VMCS_G_RFLAGS, i & 1 ? RFLAGS_IF : 0);
        v.exit = (struct virt_exit){ .kind = VIRT_EXIT_HOST, .left = fake_tsc };
        vmx_of(&v)->irqs_unserved_until = 0;
        run_settle(&v, REASON_TIMER, i & 2 ? fake_tsc : fake_tsc + 1);
        assert_int_equal(v.exit.kind, i & 2 ? VIRT_EXIT_DEADLINE : VIRT_EXIT_HOST);
        assert_int_equal(vmx_of(&v)->irqs_unserved_until != 0, i != 3);
    }
}

/* VMMCALL is carried out as a hypercall, with its length; any other #UD is the guest's. */
static void test_vmmcall(void **state)
{
    static const uint8_t vmmcall[] = { 0x0F, 0x01, 0xD9, 0x90, 0x90 },
                         clgi[] = { 0x0F, 0x01, 0xDD, 0x90 };
    static const uint8_t *const others[] = { clgi, vmmcall + 1, NULL };

    (void)state;
    vmcs_write(VMCS_EXIT_EVENT, EVENT_VALID | EVENT_EXCEPTION << 8 | VECTOR_UD);
    code = vmmcall;
    came_out(REASON_EXCEPTION);
    assert_int_equal(x.kind, VIRT_EXIT_HYPERCALL_OTHER);
    assert_false(v.pending.valid);
    v.exit = x;
    vmcs_write(VMCS_G_RIP, 0x1000);
    vmcs_write(VMCS_EXIT_INSN_LEN, 7); /* undefined of #UD */
    virt_skip(&v);
    assert_int_equal(vmcs_read(VMCS_G_RIP), 0x1003);
    for (unsigned i = 0; i < 3; i++) {
        code = others[i];
        v.pending.valid = false;
        came_out(REASON_EXCEPTION);
        assert_int_equal(x.kind, VIRT_EXIT_HOST);
        assert_true(v.pending.valid && v.pending.vector == VECTOR_UD);
    }
    code = NULL;
}

/* By itself, and beside another exit, which is then told of as always. */
static void test_bus_lock(void **state)
{
    (void)state;
    came_out(REASON_BUS_LOCK);
    assert_int_equal(x.kind, VIRT_EXIT_BUS_LOCK);
    came_out(10 | REASON_WITH_BUS_LOCK);
    assert_int_equal(x.kind, VIRT_EXIT_CPUID);
    came_out(REASON_EXTINT | REASON_WITH_BUS_LOCK);
    assert_int_equal(x.kind, VIRT_EXIT_HOST);
    came_out(REASON_BUS_LOCK | REASON_WITH_BUS_LOCK);
    assert_int_equal(x.kind, VIRT_EXIT_BUS_LOCK);
    came_out(75 | REASON_WITH_BUS_LOCK);
    assert_int_equal(x.kind, VIRT_EXIT_UNKNOWN);
}

static void test_odd(void **state)
{
    (void)state;
    spec_switch.ctrl = 1;
    wrmsr(MSR_IA32_SPEC_CTRL, 4);
    run_not_entered(&x);
    assert_int_equal(x.kind, VIRT_EXIT_ENTRY_FAILED);
    assert_int_equal(rdmsr(MSR_IA32_SPEC_CTRL), 1);
    spec_switch.ctrl = 0;
    came_out(90);
    assert_int_equal(x.kind, VIRT_EXIT_UNKNOWN);
    assert_int_equal(x.raw_reason, 90);
    came_out(REASON_ENTRY_FAILED | 33);
    assert_int_equal(x.kind, VIRT_EXIT_ENTRY_FAILED);
    assert_string_equal(x.why, "the rule");
    came_out(REASON_ENTRY_FAILED | 34);
    assert_string_equal(x.why, "loading MSRs at VM entry");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_machine_check, setup),
        cmocka_unit_test_setup(test_slow_machine, setup),
        cmocka_unit_test_setup(test_timer, setup),
        cmocka_unit_test_setup(test_vmmcall, setup),
        cmocka_unit_test_setup(test_bus_lock, setup),
        cmocka_unit_test_setup(test_odd, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
