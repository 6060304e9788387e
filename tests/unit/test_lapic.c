/* links: domain/lapic.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/gmem.c arch/x86/moment.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c guestmem/gva.c tests/fakes/bus.c */
/*
 * domain/lapic.c: what the processor is told of the local APIC, its page in the p2m, posting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "arch/x86/percpu.h"
#include "domain/lapic.h"
#include "tests/fakes/guest.h"
#include "tests/fakes/panic.h"

#define SVR 0xF0
#define TPR 0x80

static struct vlapic_page pages[2];
static struct vcpu second;
static unsigned eois;

static void on_eoi(void *ctx, uint8_t vector)
{
    (void)ctx;
    (void)vector;
    eois++;
}

static const struct vlapic_bus bus = { .eoi = on_eoi };

static void wr(struct vcpu *v, uint32_t offset, uint32_t value)
{
    v->lapic.dev.ops->write(&v->lapic.dev, offset, 4, value, 0);
}

static void start(struct vcpu *v, unsigned id)
{
    v->domain = &guest;
    v->id = id;
    vlapic_init(&v->lapic, id, 1000000000, &bus, &pages[id]);
    wr(v, SVR, 0x1FF);
}

static int setup(void **state)
{
    (void)state;
    guest_start();
    guest.type = DOMAIN_HVM;
    virt_caps.tpr_shadow = virt_caps.apic_access = virt_caps.virtual_interrupts = true;
    virt_caps.x2apic = true;
    second = (struct vcpu){ 0 };
    start(&guest_vcpu, 0);
    start(&second, 1);
    guest.vcpus[1] = &second;
    guest.xen.vcpu_count = guest.apic_direct = 2;
    eois = 0;
    assert_int_equal(lapic_create_access(&guest), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lapic_destroy_access(&guest);
    guest_stop();
    return 0;
}

/* ---- What the processor is told ---- */

static void test_mode(void **state)
{
    (void)state;
    lapic_sync(&guest_vcpu);
    assert_int_equal(cpu()->apic_mode, VIRT_APIC_PAGE);
    assert_true(guest_vcpu.virt.delivers);
    assert_int_equal(vlapic_msr_write(&guest_vcpu.lapic, MSR_IA32_APICBASE, 0xFEE00D00, 0), 0);
    assert_true(lapic_out_of_date(&guest_vcpu));
    lapic_sync(&guest_vcpu);
    assert_int_equal(cpu()->apic_mode, VIRT_APIC_MSRS);
    assert_int_equal(vlapic_msr_write(&guest_vcpu.lapic, MSR_IA32_APICBASE, 0xFEE00100, 0), 0);
    lapic_sync(&guest_vcpu);
    assert_int_equal(cpu()->apic_mode, VIRT_APIC_OFF);
    assert_false(guest_vcpu.virt.delivers);
}

/* By its page, but elsewhere. */
static void test_mode_moved(void **state)
{
    (void)state;
    assert_int_equal(vlapic_msr_write(&guest_vcpu.lapic, MSR_IA32_APICBASE, 0xFED00900, 0), 0);
    lapic_sync(&guest_vcpu);
    assert_int_equal(cpu()->apic_mode, VIRT_APIC_MOVED);
    assert_int_equal(vlapic_msr_write(&guest_vcpu.lapic, MSR_IA32_APICBASE, 0xFEE00900, 0), 0);
    lapic_sync(&guest_vcpu);
    assert_int_equal(cpu()->apic_mode, VIRT_APIC_PAGE);
}

/* A processor that delivers in one mode only: what it leaves in the IRR is injected by us. */
static void test_delivery_ends(void **state)
{
    (void)state;
    virt_caps.amd = true;
    lapic_sync(&guest_vcpu);
    vlapic_accept(&guest_vcpu.lapic, 0x45, false);
    lapic_sync(&guest_vcpu);
    assert_false(lapic_wants_in(&guest_vcpu));
    assert_int_equal(vlapic_msr_write(&guest_vcpu.lapic, MSR_IA32_APICBASE, 0xFEE00D00, 0), 0);
    lapic_sync(&guest_vcpu);
    assert_false(guest_vcpu.virt.delivers);
    assert_true(lapic_wants_in(&guest_vcpu));
    vlapic_ack(&guest_vcpu.lapic, 0x45);
    assert_false(lapic_wants_in(&guest_vcpu));
}

static void test_edge_and_level(void **state)
{
    (void)state;
    lapic_sync(&guest_vcpu);
    assert_false(lapic_out_of_date(&guest_vcpu));
    vlapic_accept(&guest_vcpu.lapic, 0x45, false);
    assert_true(lapic_out_of_date(&guest_vcpu));
    lapic_sync(&guest_vcpu);
    assert_int_equal(cpu()->requested, 0x45);
    assert_int_equal(cpu()->eoi_exits[1], 0);
    vlapic_accept(&guest_vcpu.lapic, 0x51, true);
    lapic_sync(&guest_vcpu);
    assert_int_equal(cpu()->requested, 0x51);
    assert_int_equal(cpu()->served, 0);
    assert_int_equal(cpu()->eoi_exits[1], 1ul << 0x11);
    vlapic_accept(&guest_vcpu.lapic, 0x51, false); /* the pin has been made edge-triggered */
    lapic_sync(&guest_vcpu);
    assert_int_equal(cpu()->eoi_exits[1], 0);
}

/* Where it delivers, nothing is injected and no word is lost about the rest. */
static void test_nothing_to_inject(void **state)
{
    (void)state;
    lapic_sync(&guest_vcpu);
    vlapic_accept(&guest_vcpu.lapic, 0x45, false);
    assert_false(lapic_wants_in(&guest_vcpu));
    lapic_sync(&guest_vcpu);
    assert_false(vlapic_requested(&guest_vcpu.lapic));
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x45); /* but it wakes from HLT */
}

/* An EOI that we carried out: the processor has to hear of it. */
static void test_eoi_by_us(void **state)
{
    (void)state;
    vlapic_accept(&guest_vcpu.lapic, 0x45, true);
    vlapic_settle(&guest_vcpu.lapic);
    vlapic_ack(&guest_vcpu.lapic, 0x45);
    lapic_sync(&guest_vcpu);
    assert_int_equal(cpu()->served, 0x45);
    wr(&guest_vcpu, 0xB0, 0);
    assert_int_equal(eois, 1);
    assert_true(lapic_out_of_date(&guest_vcpu));
    lapic_sync(&guest_vcpu);
    assert_int_equal(cpu()->served, 0);
}

/* ---- A TPR shadow alone ---- */

static void test_held_back(void **state)
{
    (void)state;
    virt_caps.virtual_interrupts = false;
    lapic_sync(&guest_vcpu);
    wr(&guest_vcpu, TPR, 0x60);
    assert_false(lapic_may_hold(&guest_vcpu));
    vlapic_accept(&guest_vcpu.lapic, 0x55, false);
    lapic_sync(&guest_vcpu);
    assert_false(lapic_wants_in(&guest_vcpu));
    assert_true(lapic_may_hold(&guest_vcpu));
    lapic_hold(&guest_vcpu);
    assert_int_equal(guest_vcpu.virt.held_class, 5);
    wr(&guest_vcpu, TPR, 0x40);
    assert_true(lapic_wants_in(&guest_vcpu));
    lapic_hold(&guest_vcpu); /* the entry would fail with a threshold above the TPR */
    assert_int_equal(guest_vcpu.virt.held_class, 0);
}

/* What is served keeps it back, not the TPR: EOI is what ends that. */
static void test_not_held_by_isr(void **state)
{
    (void)state;
    virt_caps.virtual_interrupts = false;
    vlapic_accept(&guest_vcpu.lapic, 0x75, false);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x75);
    vlapic_ack(&guest_vcpu.lapic, 0x75);
    vlapic_accept(&guest_vcpu.lapic, 0x55, false);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), -1);
    lapic_hold(&guest_vcpu);
    assert_int_equal(guest_vcpu.virt.held_class, 0);
}

/* ---- The page ---- */

static bool is_mapped(void)
{
    bool lent;
    mfn_t m;

    return p2m_lookup(&guest.p2m, gpa_to_gfn(gpa(VLAPIC_DEFAULT_BASE)), &m, &lent) == 0 && lent;
}

static void test_page_comes_and_goes(void **state)
{
    (void)state;
    assert_false(lapic_map(&guest_vcpu, gpa(VLAPIC_DEFAULT_BASE + PAGE_SIZE)));
    assert_true(lapic_map(&guest_vcpu, gpa(VLAPIC_DEFAULT_BASE + 0x80)));
    assert_true(is_mapped());
    assert_true(
        lapic_map(&second, gpa(VLAPIC_DEFAULT_BASE))); /* it had exited at the same moment */
    assert_true(guest.lapic_mapped);
    assert_int_equal(vlapic_msr_write(&second.lapic, MSR_IA32_APICBASE, 0xFEE00C00, 0), 0);
    assert_true(is_mapped()); /* that vCPU has not entered since */
    lapic_sync(&second);
    assert_false(is_mapped());
    assert_false(lapic_map(&guest_vcpu, gpa(VLAPIC_DEFAULT_BASE)));
}

static void test_page_not_for_one_moved(void **state)
{
    (void)state;
    assert_int_equal(vlapic_msr_write(&guest_vcpu.lapic, MSR_IA32_APICBASE, 0xFED00900, 0), 0);
    assert_false(lapic_map(&guest_vcpu, gpa(0xFED00000)));
    assert_false(lapic_map(&second, gpa(VLAPIC_DEFAULT_BASE)));
    assert_false(is_mapped());
}

/* A guest may take the page away and put its own RAM there: that is not ours to take. */
static void test_page_taken_by_guest(void **state)
{
    const gfn_t page = gpa_to_gfn(gpa(VLAPIC_DEFAULT_BASE));
    mfn_t m;

    (void)state;
    assert_true(lapic_map(&guest_vcpu, gpa(VLAPIC_DEFAULT_BASE)));
    assert_int_equal(p2m_remove(&guest.p2m, page), 0);
    assert_int_equal(p2m_populate(&guest.p2m, gfn(0x200), &m), 0);
    assert_int_equal(p2m_move(&guest.p2m, gfn(0x200), page), 0);
    guest.lapic_mapped = true;
    assert_int_equal(vlapic_msr_write(&second.lapic, MSR_IA32_APICBASE, 0xFEE00C00, 0), 0);
    lapic_sync(&second);
    bool lent = true;
    mfn_t there;
    assert_int_equal(p2m_lookup(&guest.p2m, page, &there, &lent), 0);
    assert_int_equal(there.v, m.v);
    assert_false(guest.lapic_mapped);
}

static void test_no_page(void **state)
{
    struct domain other = { .xen.id = GUEST_ID, .type = DOMAIN_PVH };

    (void)state;
    assert_int_equal(lapic_create_access(&other), 0);
    assert_null(other.lapic_access);
    other.type = DOMAIN_HVM;
    virt_caps.apic_access = false;
    assert_int_equal(lapic_create_access(&other), 0);
    assert_null(other.lapic_access);
}

/* As Bochs would take a port's bit for an access to it. */
static void test_page_is_not_next_to_io_bitmap(void **state)
{
    struct domain other = { .xen.id = GUEST_ID, .type = DOMAIN_HVM };

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(lapic_create_access(&other), 0);
        uint8_t *first = other.lapic_access;
        lapic_destroy_access(&other);
        other.io_bitmap = first - 2 * PAGE_SIZE;
        assert_int_equal(lapic_create_access(&other), 0);
        assert_ptr_not_equal(other.lapic_access, other.io_bitmap + 2 * PAGE_SIZE);
        lapic_destroy_access(&other);
    }
}

/* ---- Posting ---- */

/* A message to it: its pCPU gets notice, and nobody kicks the vCPU. */
static bool posted_to_second(void)
{
    struct apic_message m = { .mode = APIC_FIXED, .vector = 0x40, .dest = 1 };

    fake_virt_notified = 0;
    second.unit.attention = false;
    lapic_message(&guest, &m);
    assert_true(!!fake_virt_notified != second.unit.attention);
    return fake_virt_notified;
}

static void test_posted(void **state)
{
    (void)state;
    lapic_sync(&second);
    second.virt.pcpu = 3;
    guest.p2m.inside[1] = 1;
    assert_true(second.virt.delivers && posted_to_second());
    assert_int_equal(fake_virt_notified, 4);
    guest_running = &second.unit;
    assert_false(posted_to_second());
    guest_running = NULL;
    guest.p2m.inside[1] = 0; /* it halts, or waits for its turn */
    assert_false(posted_to_second());
    guest.p2m.inside[1] = 1;
    second.virt.delivers = false; /* we inject: the loop has to look */
    assert_false(posted_to_second());
}

/* ---- Within a stay ---- */

#define ICR(dest, low) ((uint64_t)(dest) << 32 | (low))
#define TO_SELF        (1u << 18)
#define LOGICAL        (1u << 11)
#define LEVEL_ASSERT   (1u << 14)

static void by_msr(struct vcpu *v)
{
    assert_int_equal(vlapic_msr_write(&v->lapic, MSR_IA32_APICBASE, 0xFEE00D00, 0), 0);
    lapic_sync(v);
}

static void test_icr_to_itself(void **state)
{
    (void)state;
    by_msr(&guest_vcpu);
    assert_int_equal(lapic_icr_written(&guest_vcpu, TO_SELF | 0x51), MSR_WRITTEN);
    assert_int_equal(cpu()->requested, 0x51);
    assert_int_equal(lapic_icr_written(&guest_vcpu, ICR(0, LEVEL_ASSERT | 0x61)), MSR_WRITTEN);
    assert_int_equal(lapic_icr_written(&guest_vcpu, ICR(1, LOGICAL | 0x71)), MSR_WRITTEN);
    assert_int_equal(cpu()->requested, 0x71);
    assert_false(lapic_out_of_date(&guest_vcpu));
    uint64_t icr;
    assert_int_equal(vlapic_msr_read(&guest_vcpu.lapic, MSR_X2APIC_ICR, &icr, 0), 0);
    assert_int_equal(icr, ICR(1, LOGICAL | 0x71));
    for (int vector = 0x71; vector > 0x50; vector -= 0x10) {
        assert_int_equal(vlapic_pending(&guest_vcpu.lapic), vector);
        vlapic_ack(&guest_vcpu.lapic, (uint8_t)vector);
        assert_int_equal(vlapic_msr_write(&guest_vcpu.lapic, 0x80B, 0, 0), 0);
    }
    assert_int_equal(eois, 0);
}

/* A vector that came by level last is edge-triggered now: its EOI is nobody's business. */
static void test_icr_after_level(void **state)
{
    (void)state;
    by_msr(&guest_vcpu);
    vlapic_accept(&guest_vcpu.lapic, 0x51, true);
    lapic_sync(&guest_vcpu);
    assert_int_equal(cpu()->eoi_exits[1], 1ul << 0x11);
    assert_int_equal(lapic_icr_written(&guest_vcpu, TO_SELF | 0x51), MSR_WRITTEN);
    assert_int_equal(cpu()->eoi_exits[1], 0);
}

/* Where ids are no numbers the common way finds whom it is for. */
static void test_icr_by_id(void **state)
{
    (void)state;
    by_msr(&guest_vcpu);
    by_msr(&second);
    guest.apic_direct = 0;
    assert_int_equal(lapic_icr_written(&guest_vcpu, ICR(1, 0x51)), MSR_UNKNOWN);
    assert_int_equal(vlapic_pending(&second.lapic), -1);
}

static void test_icr_to_another(void **state)
{
    (void)state;
    by_msr(&guest_vcpu);
    by_msr(&second);
    second.unit.attention = guest_vcpu.unit.attention = false;
    assert_int_equal(lapic_icr_written(&guest_vcpu, ICR(1, 0x51)), MSR_WRITTEN);
    assert_true(second.unit.attention);
    assert_int_equal(vlapic_pending(&second.lapic), 0x51);
    assert_int_equal(lapic_icr_written(&guest_vcpu, ICR(2, LOGICAL | 0x61)), MSR_WRITTEN);
    assert_int_equal(vlapic_pending(&second.lapic), 0x61);
    guest_vcpu.unit.attention = true; /* as a kick of one that waits for this pCPU leaves it */
    assert_int_equal(lapic_icr_written(&guest_vcpu, ICR(1, 0x62)), MSR_LOOK);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), -1);
}

/* All else takes the common way. */
static void test_icr_not_simple(void **state)
{
    static const uint64_t icrs[] = {
        TO_SELF | 0x0F,           /* an illegal vector */
        TO_SELF | 1 << 13 | 0x51, /* a reserved bit */
        ICR(1, 4 << 8 | 0x51),    /* NMI */
        ICR(1, 5 << 8),           /* INIT */
        2u << 18 | 0x51,          /* all */
        3u << 18 | 0x51,          /* all others */
        ICR(2, 0x51),             /* nobody */
        ICR(3, LOGICAL | 0x51),   /* two */
        ICR(0, LOGICAL | 0x51),   /* none */
        ICR(0x10001, LOGICAL | 0x51),
        ICR(0xFFFFFFFF, 0x51),
        ICR(0xFFFFFFFF, LOGICAL | 0x51),
    };

    (void)state;
    assert_int_equal(lapic_icr_written(&guest_vcpu, TO_SELF | 0x51), MSR_UNKNOWN); /* by memory */
    by_msr(&guest_vcpu);
    assert_int_equal(lapic_icr_written(&guest_vcpu, ICR(1, 0x51)), MSR_UNKNOWN); /* that one is */
    by_msr(&second);
    for (unsigned i = 0; i < sizeof(icrs) / sizeof(icrs[0]); i++)
        assert_int_equal(lapic_icr_written(&guest_vcpu, icrs[i]), MSR_UNKNOWN);
    guest_vcpu.virt.delivers = false;
    assert_int_equal(lapic_icr_written(&guest_vcpu, TO_SELF | 0x51), MSR_UNKNOWN);
    assert_false(vlapic_requested(&guest_vcpu.lapic) || vlapic_requested(&second.lapic));
}

/* The timer's interrupt sets out early, but not too early; who has come late does not wait. */
static void test_timer_is_ahead(void **state)
{
    (void)state;
    virt_caps.irq_way = 900;
    lapic_set_due(&guest_vcpu, 77, 10000);
    assert_int_equal(guest_vcpu.lapic_due.ns, 77);
    assert_int_equal(guest_vcpu.lapic_due.tsc, 10000 - 900);
    fake_tsc = 10000 - 900;
    fake_tsc_step = 10;
    assert_int_equal(lapic_await(guest_vcpu.lapic_due.tsc, fake_tsc, LAPIC_WAY_IN),
                     10000 - LAPIC_WAY_IN);
    assert_int_equal(fake_tsc, 10000 - LAPIC_WAY_IN);
    (void)lapic_await(guest_vcpu.lapic_due.tsc, 10000 - LAPIC_WAY_IN, LAPIC_WAY_IN);
    assert_int_equal(fake_tsc, 10000 - LAPIC_WAY_IN);
    fake_tsc_step = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_mode, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mode_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delivery_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_edge_and_level, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_to_inject, setup, teardown),
        cmocka_unit_test_setup_teardown(test_eoi_by_us, setup, teardown),
        cmocka_unit_test_setup_teardown(test_held_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_held_by_isr, setup, teardown),
        cmocka_unit_test_setup_teardown(test_page_comes_and_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_page_not_for_one_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_page_taken_by_guest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_page, setup, teardown),
        cmocka_unit_test_setup_teardown(test_page_is_not_next_to_io_bitmap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_posted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_icr_to_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(test_icr_after_level, setup, teardown),
        cmocka_unit_test_setup_teardown(test_icr_to_another, setup, teardown),
        cmocka_unit_test_setup_teardown(test_icr_by_id, setup, teardown),
        cmocka_unit_test_setup_teardown(test_icr_not_simple, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timer_is_ahead, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
