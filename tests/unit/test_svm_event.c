/* links: svm/event.c virt/event.c tests/fakes/panic.c */
/*
 * svm/event.c: what reaches EVENTINJ, what comes back from EXITINTINFO, and the windows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/lapic.h"
#include "arch/x86/tsc.h"
#include "svm/apic.h"
#include "svm/caps.h"
#include "svm/event.h"
#include "svm/vcpu.h"
#include "svm/vmcb.h"
#include "virt/virt.h"

uint64_t tsc_hz = 1000000;
struct svm_caps svm_caps;

static struct virt_vcpu v;
static struct vmcb vmcb;
static struct svm_vcpu *s;
static unsigned timers;

void lapic_timer_set(uint64_t deadline)
{
    (void)deadline;
    timers++;
}

/* AVIC has a test of its own. */
void svm_apic_prepare(struct virt_vcpu *of)
{
    (void)of;
    abort();
}

static bool intercepted(enum intercept what)
{
    return vmcb.intercepts[what / 32] >> what % 32 & 1;
}

static int setup(void **state)
{
    (void)state;
    v = (struct virt_vcpu){ 0 };
    memset(&vmcb, 0, sizeof(vmcb));
    s = svm_of(&v);
    s->vmcb = &vmcb;
    vmcb.cr0 = CR0_PE;
    vmcb.rflags = RFLAGS_FIXED | RFLAGS_IF;
    vmcb.vintr = VINT_MASKING;
    vmcb.clean = CLEAN_ALL;
    svm_caps.features = FEATURE_NEXT_RIP;
    timers = 0;
    return 0;
}

/* As run_once() does before an entry. */
static uint64_t entered_with(void)
{
    if (event_waits(&v, s))
        svm_event_prepare(&v);
    uint64_t info = vmcb.event_inj;
    vmcb.event_inj = 0;
    return info;
}

static void test_injection(void **state)
{
    const struct event irq = { .valid = true, .type = EVENT_EXTINT, .vector = 0x31 };

    (void)state;
    assert_true(virt_inject(&v, &irq));
    assert_int_equal(entered_with(), EVENT_VALID | 0x31);
    assert_int_equal(entered_with(), 0);
    assert_true(virt_inject_exception(&v, VECTOR_GP));
    assert_int_equal(entered_with(), EVENT_VALID | EVENT_HAS_ERROR | 3 << 8 | VECTOR_GP);
    assert_true(vmcb.rflags & RFLAGS_RF);
    assert_true(virt_inject_pf(&v, gva(0x1234), 7));
    assert_int_equal(entered_with(),
                     7UL << 32 | EVENT_VALID | EVENT_HAS_ERROR | 3 << 8 | VECTOR_PF);
    assert_int_equal(vmcb.cr2, 0x1234);
    assert_false(vmcb.clean & CLEAN_CR2);
    vmcb.cr0 = 0; /* real mode pushes no error code */
    assert_true(virt_inject_exception(&v, VECTOR_GP));
    assert_int_equal(entered_with(), EVENT_VALID | 3 << 8 | VECTOR_GP);
}

/* A delivery that was cut short is made again, but for INT n, INT3 and INTO: those are executed
 * again. What QEMU leaves without V counts for nothing. */
static void test_cut_short(void **state)
{
    static const struct {
        uint64_t info, again;
    } rows[] = {
        { EVENT_VALID | 0x31, EVENT_VALID | 0x31 },
        { 5UL << 32 | EVENT_VALID | EVENT_HAS_ERROR | 3 << 8 | VECTOR_PF,
          5UL << 32 | EVENT_VALID | EVENT_HAS_ERROR | 3 << 8 | VECTOR_PF },
        { EVENT_VALID | 4 << 8 | 0x80, 0 },
        { EVENT_VALID | 3 << 8 | VECTOR_BP, 0 },
        { EVENT_VALID | 3 << 8 | VECTOR_OF, 0 },
        { 0x31, 0 },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        vmcb.exit_int_info = rows[i].info;
        event_collect(&v, &vmcb);
        assert_int_equal(entered_with(), rows[i].again);
    }
}

/* QEMU may deliver an interrupt twice that came by EVENTINJ: there it comes by V_IRQ, and is asked
 * for again if the guest has not taken it. */
static void test_by_virq(void **state)
{
    const struct event irq = { .valid = true, .type = EVENT_EXTINT, .vector = 0x31 };

    (void)state;
    svm_caps.features = 0;
    assert_true(virt_inject(&v, &irq));
    assert_int_equal(entered_with(), 0);
    assert_int_equal(vmcb.vintr >> VINT_VECTOR_SHIFT, 0x31);
    assert_true(vmcb.vintr & VINT_IRQ && vmcb.vintr & VINT_IGNORE_TPR && !intercepted(ICPT_VINTR));
    assert_false(vmcb.clean & CLEAN_TPR);
    vmcb.vintr &= ~VINT_IRQ; /* taken */
    event_take_back(&v);
    assert_false(virt_event_pending(&v));

    for (unsigned cut_short = 0; cut_short < 2; cut_short++) {
        assert_true(virt_inject(&v, &irq));
        assert_int_equal(entered_with(), 0);
        vmcb.exit_int_info = cut_short ? EVENT_VALID | 3 << 8 | 0x31 : 0;
        event_collect(&v, &vmcb);
        if (!cut_short)
            event_take_back(&v);
        assert_false(vmcb.vintr & VINT_IRQ);
        assert_false(virt_irq_open(&v));
        vmcb.exit_int_info = 0;
        assert_int_equal(entered_with(), 0);
        assert_true(vmcb.vintr & VINT_IRQ);
        vmcb.vintr &= ~VINT_IRQ;
    }

    assert_true(virt_inject(&v, &irq)); /* V_IRQ is taken by a window */
    virt_want_irq_window(&v, true);
    assert_int_equal(entered_with(), EVENT_VALID | 0x31);
    event_take_back(&v);
    assert_false(virt_event_pending(&v));
    assert_true(virt_inject_exception(&v, VECTOR_GP));
    virt_want_irq_window(&v, false);
    assert_int_equal(entered_with(), EVENT_VALID | EVENT_HAS_ERROR | 3 << 8 | VECTOR_GP);
}

static void test_irq_window(void **state)
{
    (void)state;
    assert_true(virt_irq_open(&v));
    vmcb.int_state = SHADOW_ACTIVE;
    assert_false(virt_irq_open(&v));
    virt_want_irq_window(&v, true);
    assert_true(vmcb.vintr & VINT_IRQ && vmcb.vintr & VINT_IGNORE_TPR);
    assert_true(vmcb.vintr & VINT_MASKING && intercepted(ICPT_VINTR));
    assert_false(vmcb.clean & (CLEAN_TPR | CLEAN_INTERCEPTS));
    virt_want_irq_window(&v, false);
    assert_int_equal(vmcb.vintr, VINT_MASKING);
    assert_false(intercepted(ICPT_VINTR));
    vmcb.int_state = 0;
    vmcb.rflags = RFLAGS_FIXED;
    assert_false(virt_irq_open(&v));
}

/* The second NMI waits until the IRET of the first one has been executed, not only begun. */
static void test_nmis(void **state)
{
    const uint64_t nmi = EVENT_VALID | 2 << 8 | VECTOR_NMI;

    (void)state;
    virt_queue_nmi(&v);
    assert_int_equal(entered_with(), nmi);
    assert_true(intercepted(ICPT_IRET));
    virt_queue_nmi(&v);
    virt_queue_nmi(&v);
    assert_int_equal(entered_with(), 0);
    vmcb.rip = 0x1000;
    event_iret(s);
    assert_false(intercepted(ICPT_IRET));
    assert_int_equal(timers, 0);
    assert_int_equal(entered_with(), 0); /* it stands there still: somebody has to look again */
    assert_int_equal(timers, 1);
    vmcb.rip = 0x2000;
    assert_int_equal(entered_with(), nmi);
    assert_true(intercepted(ICPT_IRET));
    event_iret(s);
    vmcb.rip = 0x3000;
    assert_int_equal(entered_with(), 0); /* as many as can be told: one had waited */
}

/* Interrupts wait for an NMI whose predecessor's IRET is over, not for one that is kept out by a
 * handler which has let them in: also when that stands at its IRET, before which V_IRQ would exit.
 */
static void test_nmi_before_interrupt(void **state)
{
    (void)state;
    vmcb.rflags = RFLAGS_FIXED | RFLAGS_IF;
    assert_true(virt_irq_open(&v));
    virt_queue_nmi(&v);
    assert_false(virt_irq_open(&v));
    (void)entered_with();
    assert_true(virt_irq_open(&v));
    virt_queue_nmi(&v);
    (void)entered_with();
    assert_true(virt_irq_open(&v));
    event_iret(s);
    assert_true(virt_irq_open(&v));
    vmcb.rip += 2;
    assert_false(virt_irq_open(&v));
    (void)entered_with();
    assert_true(virt_irq_open(&v));
}

/* A step over an instruction that was carried out is a #DB with DR6.BS, before any interrupt. */
static void test_step(void **state)
{
    (void)state;
    s->step_due = true;
    assert_true(virt_event_pending(&v));
    assert_false(virt_irq_open(&v));
    assert_int_equal(entered_with(), EVENT_VALID | 3 << 8 | VECTOR_DB);
    assert_true(vmcb.dr6 & DR6_BS);
    assert_false(vmcb.clean & CLEAN_DRX);
    assert_true(virt_irq_open(&v));
}

/* What breakpoints of an instruction say, and what its step does, is one exception. */
static void test_debug_trap(void **state)
{
    (void)state;
    vmcb.dr6 = DR6_FIXED | 4;
    vmcb.dr7 = DR7_FIXED | DR7_GD;
    virt_debug_trap(&v, 3);
    assert_int_equal(entered_with(), EVENT_VALID | 3 << 8 | VECTOR_DB);
    assert_int_equal(vmcb.dr6, DR6_FIXED | 3);
    assert_int_equal(vmcb.dr7, DR7_FIXED);
    assert_false(vmcb.clean & CLEAN_DRX);
    s->step_due = true;
    virt_debug_trap(&v, 8);
    assert_int_equal(entered_with(), EVENT_VALID | 3 << 8 | VECTOR_DB);
    assert_int_equal(vmcb.dr6, DR6_FIXED | DR6_BS | 8);
    assert_false(virt_event_pending(&v));
}

static void test_watching(void **state)
{
    (void)state;
    virt_watch_dr7(&v, true);
    assert_true(intercepted(ICPT_DR_WRITE + 7));
    virt_watch_dr7(&v, false);
    assert_false(intercepted(ICPT_DR_WRITE + 7));
}

/* Into another task by an NMI, and back by IRET, which ends the blocking. */
static void test_task_switch(void **state)
{
    struct virt_task t = { .by = TASK_GATE,
                           .event = { .valid = true, .type = EVENT_NMI, .vector = VECTOR_NMI } };

    (void)state;
    vmcb.dr7 = DR7_FIXED | 0xFF;
    vmcb.int_state = SHADOW_ACTIVE;
    s->step_due = true;
    v.pending = t.event;
    virt_task_switched(&v, &t);
    assert_int_equal(vmcb.dr7, DR7_FIXED | 0xAA);
    assert_false(vmcb.clean & CLEAN_DRX);
    assert_true(!vmcb.int_state && !s->step_due);
    assert_true(intercepted(ICPT_IRET));
    assert_true(v.pending.valid);
    virt_event_taken(&v);
    assert_false(virt_event_pending(&v));
    virt_queue_nmi(&v);
    assert_int_equal(entered_with(), 0);
    t = (struct virt_task){ .by = TASK_IRET };
    virt_task_switched(&v, &t);
    assert_false(intercepted(ICPT_IRET));
    assert_int_equal(entered_with(), EVENT_VALID | 2 << 8 | VECTOR_NMI);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_injection),   TEST(test_cut_short),
        TEST(test_by_virq),     TEST(test_irq_window),
        TEST(test_nmis),        TEST(test_step),
        TEST(test_debug_trap),  TEST(test_watching),
        TEST(test_task_switch), TEST(test_nmi_before_interrupt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
