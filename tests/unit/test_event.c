/* links: vmx/event.c virt/event.c vmx/vmcs.c tests/fakes/panic.c */
/*
 * vmx/event.c: the double-fault table, what reaches the VMCS, and what comes back from it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "tests/fakes/panic.h"
#include "vmx/controls.h"
#include "vmx/event.h"
#include "vmx/exit.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"

static struct virt_vcpu v;

static int setup(void **state)
{
    (void)state;
    memset(fake_vmcs, 0, sizeof(fake_vmcs));
    fake_vmcs_broken_field = 0;
    v = (struct virt_vcpu){ 0 };
    vmcs_write(VMCS_G_CR0, CR0_PE);
    vmcs_write(VMCS_G_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
    vmcs_write(VMCS_EXIT_REASON, 10);
    return 0;
}

static struct event exception(uint8_t vector)
{
    return (struct event){ .valid = true, .vector = vector, .type = EVENT_EXCEPTION };
}

/* What becomes of `second` when `first` is pending: 'S' it alone, 'D' #DF, 'T' triple fault. */
static char outcome(uint8_t first, uint8_t second)
{
    struct event a = exception(first), b = exception(second);
    v.pending.valid = false;
    assert_true(virt_inject(&v, &a));
    if (!virt_inject(&v, &b))
        return 'T';
    assert_true(v.pending.valid);
    if (v.pending.vector == second)
        return 'S';
    assert_int_equal(v.pending.vector, VECTOR_DF);
    assert_true(v.pending.has_error);
    assert_int_equal(v.pending.error, 0);
    return 'D';
}

static void test_double_faults(void **state)
{
    (void)state;
    static const struct {
        uint8_t first, second;
        char outcome;
    } rows[] = {
        { VECTOR_UD, VECTOR_GP, 'S' }, { VECTOR_GP, VECTOR_UD, 'S' }, { VECTOR_GP, VECTOR_GP, 'D' },
        { VECTOR_DE, VECTOR_NP, 'D' }, { VECTOR_TS, VECTOR_SS, 'D' }, { VECTOR_GP, VECTOR_PF, 'S' },
        { VECTOR_PF, VECTOR_PF, 'D' }, { VECTOR_PF, VECTOR_GP, 'D' }, { VECTOR_PF, VECTOR_AC, 'S' },
        { VECTOR_DF, VECTOR_GP, 'T' }, { VECTOR_DF, VECTOR_PF, 'T' }, { VECTOR_DF, VECTOR_DB, 'S' },
        { VECTOR_AC, VECTOR_PF, 'S' }, { VECTOR_CP, VECTOR_GP, 'D' }, { VECTOR_DB, VECTOR_DB, 'S' },
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(outcome(rows[i].first, rows[i].second), rows[i].outcome);
}

/* Interrupts and software events are benign whatever their vector. */
static void test_interrupt_is_benign(void **state)
{
    (void)state;
    static const enum event_type types[] = { EVENT_EXTINT, EVENT_NMI, EVENT_SOFT_INT };
    for (unsigned i = 0; i < 3; i++) {
        struct event first = { .valid = true, .vector = VECTOR_GP, .type = types[i] };
        v.pending = first;
        assert_true(virt_inject_exception(&v, VECTOR_GP));
        assert_int_equal(v.pending.vector, VECTOR_GP);
        assert_int_equal(v.pending.type, EVENT_EXCEPTION);
    }
    struct event irq = { .valid = true, .vector = 0x30, .type = EVENT_EXTINT };
    EXPECT_PANIC((void)!virt_inject(&v, &irq));
}

static void test_into_vmcs(void **state)
{
    (void)state;
    assert_true(virt_inject_pf(&v, gva(0x1234), 5));
    event_prepare(&v);
    assert_int_equal(vmcs_read(VMCS_ENTRY_EVENT), 0x80000B0E);
    assert_int_equal(vmcs_read(VMCS_ENTRY_EVENT_ERROR), 5);
    assert_int_equal(read_cr2(), 0x1234);
    assert_true(vmcs_read(VMCS_G_RFLAGS) & RFLAGS_RF);

    v.pending =
        (struct event){ .valid = true, .vector = 0x80, .type = EVENT_SOFT_INT, .insn_len = 2 };
    event_prepare(&v);
    assert_int_equal(vmcs_read(VMCS_ENTRY_EVENT), 0x80000480);
    assert_int_equal(vmcs_read(VMCS_ENTRY_INSN_LEN), 2);
}

static void test_real_mode_has_no_error_codes(void **state)
{
    (void)state;
    vmcs_write(VMCS_G_CR0, 0);
    assert_true(virt_inject_exception(&v, VECTOR_GP));
    event_prepare(&v);
    assert_int_equal(vmcs_read(VMCS_ENTRY_EVENT), 0x8000030D);
}

static void test_cut_short(void **state)
{
    (void)state;
    v.pending = exception(VECTOR_UD);
    event_prepare(&v);
    event_collect(&v, REASON_EPT_VIOLATION); /* delivered */
    assert_false(virt_event_pending(&v));

    vmcs_write(VMCS_IDT_EVENT, 0x80000480); /* INT 0x80 */
    vmcs_write(VMCS_EXIT_INSN_LEN, 2);
    event_collect(&v, REASON_EPT_VIOLATION);
    assert_true(virt_event_pending(&v));
    assert_int_equal(v.pending.type, EVENT_SOFT_INT);
    assert_int_equal(v.pending.insn_len, 2);

    vmcs_write(VMCS_IDT_EVENT, 0x80000B0E); /* #PF */
    vmcs_write(VMCS_IDT_EVENT_ERROR, 7);
    event_collect(&v, REASON_EPT_VIOLATION);
    assert_int_equal(v.pending.vector, VECTOR_PF);
    assert_int_equal(v.pending.error, 7);
    assert_true(virt_inject_exception(&v, VECTOR_GP)); /* its delivery faults */
    assert_int_equal(v.pending.vector, VECTOR_DF);
}

static void test_nmi(void **state)
{
    (void)state;
    vmcs_write(VMCS_G_INTERRUPTIBILITY, BLOCKED_NMI);
    virt_queue_nmi(&v);
    event_prepare(&v);
    assert_false(virt_event_pending(&v));
    assert_true(vmcs_read(VMCS_PROC_CTLS) & PROC_NMI_WINDOW);

    vmcs_write(VMCS_G_INTERRUPTIBILITY, 0);
    event_prepare(&v);
    assert_int_equal(vmcs_read(VMCS_ENTRY_EVENT), 0x80000202);
    assert_false(vmcs_read(VMCS_PROC_CTLS) & PROC_NMI_WINDOW);
    event_prepare(&v);

    /* its delivery is cut short: blocking is undone until it is delivered again */
    vmcs_write(VMCS_IDT_EVENT, 0x80000202);
    vmcs_write(VMCS_G_INTERRUPTIBILITY, BLOCKED_NMI);
    event_collect(&v, REASON_EPT_VIOLATION);
    assert_int_equal(vmcs_read(VMCS_G_INTERRUPTIBILITY), 0);
    assert_int_equal(v.pending.type, EVENT_NMI);
}

/* One is handled and one kept; a third is lost, and so is a second while one is handled. */
static void test_two_nmis(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        virt_queue_nmi(&v);
    event_prepare(&v);
    assert_int_equal(vmcs_read(VMCS_ENTRY_EVENT), 0x80000202);
    assert_true(vmcs_read(VMCS_PROC_CTLS) & PROC_NMI_WINDOW);
    vmcs_write(VMCS_G_INTERRUPTIBILITY, BLOCKED_NMI);
    virt_queue_nmi(&v);
    event_prepare(&v);
    vmcs_write(VMCS_G_INTERRUPTIBILITY, 0);
    event_prepare(&v);
    assert_false(virt_nmi_waiting(&v));
    assert_false(vmcs_read(VMCS_PROC_CTLS) & PROC_NMI_WINDOW);
}

/* An IRET that faults has ended NMI blocking too early. */
static void test_iret_restores_blocking(void **state)
{
    (void)state;
    vmcs_write(VMCS_EXIT_QUALIFICATION, 1);
    event_collect(&v, REASON_EPT_VIOLATION);
    assert_int_equal(vmcs_read(VMCS_G_INTERRUPTIBILITY), 0);
    vmcs_write(VMCS_EXIT_QUALIFICATION, 1 | EVENT_NMI_UNBLOCKING);
    event_collect(&v, REASON_EPT_VIOLATION);
    assert_int_equal(vmcs_read(VMCS_G_INTERRUPTIBILITY), BLOCKED_NMI);

    vmcs_write(VMCS_G_INTERRUPTIBILITY, 0);
    vmcs_write(VMCS_EXIT_EVENT, EVENT_VALID | EVENT_NMI_UNBLOCKING | 3 << 8 | VECTOR_DF);
    event_collect(&v, REASON_EXCEPTION);
    assert_int_equal(vmcs_read(VMCS_G_INTERRUPTIBILITY), 0);
    vmcs_write(VMCS_EXIT_EVENT, EVENT_VALID | EVENT_NMI_UNBLOCKING | 3 << 8 | VECTOR_AC);
    event_collect(&v, REASON_EXCEPTION);
    assert_int_equal(vmcs_read(VMCS_G_INTERRUPTIBILITY), BLOCKED_NMI);
}

static void test_irq_open(void **state)
{
    (void)state;
    assert_true(virt_irq_open(&v));
    vmcs_write(VMCS_G_INTERRUPTIBILITY, SHADOW_STI);
    assert_false(virt_irq_open(&v));
    vmcs_write(VMCS_G_INTERRUPTIBILITY, SHADOW_MOV_SS);
    assert_false(virt_irq_open(&v));
    vmcs_write(VMCS_G_INTERRUPTIBILITY, BLOCKED_NMI);
    assert_true(virt_irq_open(&v));
    vmcs_write(VMCS_G_RFLAGS, RFLAGS_FIXED);
    assert_false(virt_irq_open(&v));
    vmcs_write(VMCS_G_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
    v.pending = exception(VECTOR_UD);
    assert_false(virt_irq_open(&v));
}

/* An event that is injected makes the CPU forget the step: so interrupts and NMIs wait for it, and
 * HLT does not begin. */
static void test_step_comes_first(void **state)
{
    (void)state;
    vmcs_write(VMCS_G_RFLAGS, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF);
    assert_true(virt_irq_open(&v));
    vmcs_write(VMCS_G_PENDING_DEBUG, PENDING_DEBUG_BS);
    assert_true(virt_event_pending(&v));
    assert_false(virt_irq_open(&v));

    virt_queue_nmi(&v);
    event_prepare(&v);
    assert_int_equal(vmcs_read(VMCS_ENTRY_EVENT), 0);
    assert_true(vmcs_read(VMCS_PROC_CTLS) & PROC_NMI_WINDOW);

    vmcs_write(VMCS_G_PENDING_DEBUG, 0);
    assert_false(virt_event_pending(&v));
    event_prepare(&v);
    assert_int_equal(vmcs_read(VMCS_ENTRY_EVENT), 0x80000202);
}

static void test_window(void **state)
{
    (void)state;
    virt_want_irq_window(&v, true);
    assert_int_equal(vmcs_read(VMCS_PROC_CTLS), PROC_IRQ_WINDOW);
    fake_vmcs_broken_field = VMCS_PROC_CTLS;
    virt_want_irq_window(&v, true); /* no change: no access */
    EXPECT_PANIC(virt_want_irq_window(&v, false));
    assert_non_null(strstr(fake_panic_text, "primary processor-based controls"));
}

/* Local breakpoints, shadows and a step end with the old task; NMI blocking begins with an NMI's
 * task and ends with IRET. */
static void test_task_switch(void **state)
{
    struct virt_task t = { .by = TASK_GATE,
                           .event = { .valid = true, .type = EVENT_NMI, .vector = VECTOR_NMI } };
    (void)state;
    vmcs_write(VMCS_G_DR7, DR7_FIXED | 0xFF);
    vmcs_write(VMCS_G_INTERRUPTIBILITY, SHADOW_STI);
    vmcs_write(VMCS_G_PENDING_DEBUG, PENDING_DEBUG_BS);
    v.pending = t.event;
    virt_task_switched(&v, &t);
    assert_int_equal(vmcs_read(VMCS_G_DR7), DR7_FIXED | 0xAA);
    assert_int_equal(vmcs_read(VMCS_G_INTERRUPTIBILITY), BLOCKED_NMI);
    assert_int_equal(vmcs_read(VMCS_G_PENDING_DEBUG), 0);
    assert_true(v.pending.valid);
    virt_event_taken(&v);
    assert_false(virt_event_pending(&v));
    t = (struct virt_task){ .by = TASK_CALL };
    virt_task_switched(&v, &t);
    assert_int_equal(vmcs_read(VMCS_G_INTERRUPTIBILITY), BLOCKED_NMI);
    t.by = TASK_IRET;
    virt_task_switched(&v, &t);
    assert_int_equal(vmcs_read(VMCS_G_INTERRUPTIBILITY), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_double_faults, setup),
        cmocka_unit_test_setup(test_interrupt_is_benign, setup),
        cmocka_unit_test_setup(test_into_vmcs, setup),
        cmocka_unit_test_setup(test_real_mode_has_no_error_codes, setup),
        cmocka_unit_test_setup(test_cut_short, setup),
        cmocka_unit_test_setup(test_nmi, setup),
        cmocka_unit_test_setup(test_two_nmis, setup),
        cmocka_unit_test_setup(test_iret_restores_blocking, setup),
        cmocka_unit_test_setup(test_irq_open, setup),
        cmocka_unit_test_setup(test_step_comes_first, setup),
        cmocka_unit_test_setup(test_window, setup),
        cmocka_unit_test_setup(test_task_switch, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
