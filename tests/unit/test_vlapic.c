/* links: devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c tests/fakes/panic.c */
/*
 * The local APIC as a page of registers: each register, acceptance and priority, EOI, IPIs, pins,
 * addressing. Its timer and its MSRs have tests of their own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "devices/vlapic.h"
#include "tests/fakes/panic.h"

#define HZ 1000000000UL

static struct vlapic l;
static struct vlapic_page page;
static struct apic_message sent;
static unsigned sends, eois;
static uint8_t eoi_vector;

static void on_send(void *ctx, const struct apic_message *m)
{
    assert_ptr_equal(ctx, &sent);
    sent = *m;
    sends++;
}

static void on_eoi(void *ctx, uint8_t vector)
{
    assert_ptr_equal(ctx, &sent);
    eoi_vector = vector;
    eois++;
}

static const struct vlapic_bus bus = { .ctx = &sent, .send_ipi = on_send, .eoi = on_eoi };

static uint32_t rd(uint32_t offset)
{
    return l.dev.ops->read(&l.dev, offset, 4, 0);
}

static void wr(uint32_t offset, uint32_t value)
{
    l.dev.ops->write(&l.dev, offset, 4, value, 0);
}

static int setup(void **state)
{
    (void)state;
    sends = eois = 0;
    vlapic_init(&l, 3, HZ, &bus, &page);
    wr(0xF0, 0x1FF);
    return 0;
}

/* ---- Registers ---- */

static void test_power_on(void **state)
{
    (void)state;
    vlapic_init(&l, 3, HZ, &bus, &page);
    assert_int_equal(rd(0x20), 3u << 24);
    assert_int_equal(rd(0x30), 0x50014);
    assert_int_equal(rd(0x80), 0);
    assert_int_equal(rd(0xA0), 0);
    assert_int_equal(rd(0xD0), 0);
    assert_int_equal(rd(0xE0), 0xFFFFFFFF);
    assert_int_equal(rd(0xF0), 0xFF);
    for (uint32_t r = 0x100; r < 0x280; r += 0x10)
        assert_int_equal(rd(r), 0);
    for (uint32_t r = 0x320; r <= 0x370; r += 0x10)
        assert_int_equal(rd(r), 0x10000);
    assert_int_equal(rd(0x300), 0);
    assert_int_equal(rd(0x310), 0);
    assert_int_equal(rd(0x380), 0);
    assert_int_equal(rd(0x390), 0);
    assert_int_equal(rd(0x3E0), 0);
    assert_true(vlapic_enabled(&l) && vlapic_mmio_active(&l) && !vlapic_x2apic(&l));
    assert_int_equal(vlapic_base(&l), 0xFEE00000);
    assert_int_equal(l.base & APICBASE_BSP, 0);
    vlapic_init(&l, 0, HZ, &bus, &page);
    assert_int_equal(l.base & APICBASE_BSP, APICBASE_BSP);
}

/* What sticks when all bits are written. */
static void test_writable_bits(void **state)
{
    static const struct {
        uint16_t offset;
        uint32_t ones, zeros;
    } rows[] = {
        { 0x020, 3u << 24, 3u << 24 },
        { 0x030, 0x50014, 0x50014 },
        { 0x080, 0xFF, 0 },
        { 0x0D0, 0xFF000000, 0 },
        { 0x0E0, 0xFFFFFFFF, 0x0FFFFFFF },
        { 0x310, 0xFF000000, 0 },
        { 0x320, 0x700FF, 0 },
        { 0x330, 0x107FF, 0 },
        { 0x340, 0x107FF, 0 },
        { 0x350, 0x1A7FF, 0 },
        { 0x360, 0x1A7FF, 0 },
        { 0x370, 0x100FF, 0 },
        { 0x390, 0, 0 },
        { 0x3E0, 0xB, 0 },
        { 0x0F0, 0x1FF, 0 },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        wr(rows[i].offset, 0xFFFFFFFF);
        assert_int_equal(rd(rows[i].offset), rows[i].ones);
        wr(rows[i].offset, 0);
        assert_int_equal(rd(rows[i].offset), rows[i].zeros);
    }
}

static void test_initial_count_sticks(void **state)
{
    (void)state;
    wr(0x380, 0xFFFFFFFF);
    assert_int_equal(rd(0x380), 0xFFFFFFFF);
    assert_int_equal(rd(0x390), 0xFFFFFFFF);
}

static void test_narrow_and_crooked(void **state)
{
    (void)state;
    assert_int_equal(l.dev.ops->read(&l.dev, 0x23, 1, 0), 3);
    assert_int_equal(l.dev.ops->read(&l.dev, 0x30, 2, 0), 0x14);
    assert_int_equal(l.dev.ops->read(&l.dev, 0x31, 4, 0), 0xFFFFFFFF);
    assert_int_equal(l.dev.ops->read(&l.dev, 0x24, 4, 0), 0xFFFFFFFF);
    l.dev.ops->write(&l.dev, 0x80, 1, 0x50, 0);
    l.dev.ops->write(&l.dev, 0x84, 4, 0x50, 0);
    assert_int_equal(rd(0x80), 0);
}

/* Every address of the page, with errors told in the ESR. */
static void test_whole_page(void **state)
{
    (void)state;
    for (uint32_t offset = 0; offset < VLAPIC_SIZE; offset++) {
        for (unsigned size = 1; size <= 4; size *= 2) {
            l.dev.ops->read(&l.dev, offset, size, 0);
            l.dev.ops->write(&l.dev, offset, size, ~0u, 0);
        }
    }
}

static void test_illegal_register(void **state)
{
    static const uint16_t holes[] = { 0x000, 0x040, 0x290, 0x2F0, 0x3A0, 0x3F0, 0x400, 0xFF0 };

    (void)state;
    wr(0x370, 0xFE);
    for (unsigned i = 0; i < sizeof(holes) / sizeof(holes[0]); i++) {
        assert_int_equal(rd(holes[i]), 0);
        assert_int_equal(rd(0x280), 0); /* not before it is written */
        wr(0x280, 0);
        assert_int_equal(rd(0x280), 0x80);
        assert_int_equal(vlapic_pending(&l), 0xFE);
        vlapic_ack(&l, 0xFE);
        wr(0xB0, 0);
        wr(0x280, 0);
        assert_int_equal(rd(0x280), 0);
        wr(holes[i], 1);
        wr(0x280, 0);
        assert_int_equal(rd(0x280), 0x80);
        assert_int_equal(vlapic_pending(&l), 0xFE);
        vlapic_ack(&l, 0xFE);
        wr(0xB0, 0);
        wr(0x280, 0);
    }
}

/* ---- Interrupts ---- */

static void test_accept_ack_eoi(void **state)
{
    (void)state;
    assert_int_equal(vlapic_pending(&l), -1);
    assert_true(vlapic_accept(&l, 0x51, false));
    assert_false(vlapic_accept(&l, 0x51, false));
    assert_int_equal(rd(0x220), 1u << 17); /* IRR, vectors 64..95 */
    assert_int_equal(vlapic_pending(&l), 0x51);
    vlapic_ack(&l, 0x51);
    assert_int_equal(rd(0x220), 0);
    assert_int_equal(rd(0x120), 1u << 17);
    assert_int_equal(rd(0xA0), 0x50);
    assert_true(vlapic_accept(&l, 0x51, false)); /* again, while it is served */
    assert_int_equal(vlapic_pending(&l), -1);
    wr(0xB0, 0);
    assert_int_equal(eois, 0);
    assert_int_equal(vlapic_pending(&l), 0x51);
    EXPECT_PANIC(vlapic_ack(&l, 0x50));
}

/* Another vCPU's request may come at any moment, without a lock. */
static void test_higher_one_meanwhile(void **state)
{
    (void)state;
    vlapic_accept(&l, 0x51, false);
    assert_int_equal(vlapic_pending(&l), 0x51);
    vlapic_accept(&l, 0x61, false);
    vlapic_ack(&l, 0x51);
    assert_int_equal(vlapic_pending(&l), 0x61);
}

static void test_every_vector(void **state)
{
    (void)state;
    for (unsigned v = 16; v < 256; v++) {
        assert_true(vlapic_accept(&l, v, v & 1));
        assert_int_equal(rd(0x200 + v / 32 * 0x10), 1u << v % 32);
        assert_int_equal(rd(0x180 + v / 32 * 0x10) >> v % 32 & 1, v & 1);
        assert_int_equal(vlapic_pending(&l), v);
        vlapic_ack(&l, v);
        assert_int_equal(rd(0x100 + v / 32 * 0x10), 1u << v % 32);
        wr(0xB0, 0);
        assert_int_equal(eois, v & 1);
        assert_true(eois == 0 || eoi_vector == v);
        eois = 0;
    }
    wr(0xB0, 0); /* with nothing in service */
    assert_int_equal(eois, 0);
}

static void test_nesting(void **state)
{
    (void)state;
    vlapic_accept(&l, 0x31, false);
    assert_int_equal(vlapic_pending(&l), 0x31);
    vlapic_ack(&l, 0x31);
    vlapic_accept(&l, 0x3F, false); /* the same class waits */
    assert_int_equal(vlapic_pending(&l), -1);
    vlapic_accept(&l, 0x40, true);
    assert_int_equal(vlapic_pending(&l), 0x40);
    vlapic_ack(&l, 0x40);
    wr(0xB0, 0);
    assert_int_equal(eoi_vector, 0x40);
    assert_int_equal(rd(0xA0), 0x30);
    wr(0xB0, 0);
    assert_int_equal(eois, 1);
    assert_int_equal(vlapic_pending(&l), 0x3F);
}

static void test_task_priority(void **state)
{
    (void)state;
    vlapic_accept(&l, 0x45, false);
    wr(0x80, 0x3F);
    assert_int_equal(vlapic_pending(&l), 0x45);
    assert_int_equal(rd(0xA0), 0x3F);
    wr(0x80, 0x40);
    assert_int_equal(vlapic_pending(&l), -1);
    assert_int_equal(vlapic_cr8(&l), 4);
    vlapic_set_cr8(&l, 3);
    assert_int_equal(rd(0x80), 0x30);
    assert_int_equal(vlapic_pending(&l), 0x45);
    vlapic_ack(&l, 0x45);
    assert_int_equal(vlapic_ppr(&l), 0x40);
    wr(0x80, 0x47); /* of two in one class, the task's priority shows its low bits */
    assert_int_equal(vlapic_ppr(&l), 0x47);
    vlapic_set_cr8(&l, 15);
    assert_int_equal(vlapic_ppr(&l), 0xF0);
}

static void test_software_disabled(void **state)
{
    (void)state;
    wr(0x350, 0x30);
    vlapic_accept(&l, 0x60, false);
    wr(0xF0, 0xFF);
    assert_false(vlapic_accept(&l, 0x61, false));
    assert_int_equal(vlapic_pending(&l), 0x60); /* what was there stays */
    assert_int_equal(rd(0x350), 0x10030);
    wr(0x350, 0x30); /* the mask cannot be taken off */
    assert_int_equal(rd(0x350), 0x10030);
    wr(0xF0, 0x1FF);
    assert_int_equal(rd(0x350), 0x10030);
    wr(0x350, 0x30);
    assert_int_equal(rd(0x350), 0x30);
}

static void test_illegal_vectors(void **state)
{
    (void)state;
    wr(0x370, 0x0F); /* an error entry that is an error itself */
    assert_false(vlapic_accept(&l, 15, false));
    wr(0x280, 0);
    assert_int_equal(rd(0x280), 0x40);
    wr(0x300, 0x0E);
    wr(0x280, 0);
    assert_int_equal(rd(0x280), 0x60); /* sent, and its own interrupt received */
    assert_int_equal(sends, 0);
    wr(0x300, 0x4000E); /* to itself */
    wr(0x280, 0);
    assert_int_equal(rd(0x280), 0x60);
    assert_int_equal(vlapic_pending(&l), -1);
}

static void test_init_signal(void **state)
{
    (void)state;
    vlapic_accept(&l, 0x61, false);
    wr(0xD0, 0x01000000);
    vlapic_init_signal(&l);
    assert_int_equal(vlapic_pending(&l), -1);
    assert_int_equal(rd(0xF0), 0xFF);
    assert_int_equal(rd(0xD0), 0);
    assert_int_equal(rd(0x20), 3u << 24);
    assert_true(vlapic_enabled(&l));
}

/* ---- Pins ---- */

static void test_extint(void **state)
{
    (void)state;
    assert_false(vlapic_accepts_extint(&l));
    wr(0x350, 0x700);
    assert_true(vlapic_accepts_extint(&l));
    wr(0x350, 0x10700);
    assert_false(vlapic_accepts_extint(&l));
    wr(0x350, 0x30);
    assert_false(vlapic_accepts_extint(&l));
    assert_int_equal(vlapic_msr_write(&l, MSR_IA32_APICBASE, VLAPIC_DEFAULT_BASE, 0), 0);
    assert_true(vlapic_accepts_extint(&l));
}

/* ---- IPIs ---- */

static void send(uint8_t dest, uint32_t low)
{
    wr(0x310, (uint32_t)dest << 24);
    wr(0x300, low);
}

static void test_ipi_fields(void **state)
{
    (void)state;
    send(2, 0x45);
    assert_int_equal(sends, 1);
    assert_int_equal(sent.dest, 2);
    assert_int_equal(sent.vector, 0x45);
    assert_int_equal(sent.mode, APIC_FIXED);
    assert_int_equal(sent.shorthand, APIC_TO_DEST);
    assert_false(sent.logical);
    assert_false(sent.level);
    assert_int_equal(rd(0x300), 0x45); /* idle at once */
    send(0xFF, 0x45);
    assert_int_equal(sent.dest, APIC_DEST_ALL);
    send(0xFF, 0x845 | APIC_LOWEST << 8);
    assert_int_equal(sent.dest, 0xFF);
    assert_true(sent.logical);
    assert_int_equal(sent.mode, APIC_LOWEST);
    send(0, 0xC0045);
    assert_int_equal(sent.shorthand, APIC_TO_OTHERS);
    send(0, 0x80045);
    assert_int_equal(sent.shorthand, APIC_TO_ALL);
    assert_int_equal(sends, 5);
}

static void test_ipi_init_startup(void **state)
{
    (void)state;
    send(1, 0xC500); /* INIT, level, assert */
    assert_int_equal(sent.mode, APIC_INIT);
    send(1, 0x8500); /* de-assert: nothing */
    assert_int_equal(sends, 1);
    send(1, 0x500); /* as an edge: INIT all the same */
    assert_int_equal(sends, 2);
    send(1, 0x608); /* vectors below 16 are pages */
    assert_int_equal(sent.mode, APIC_STARTUP);
    assert_int_equal(sent.vector, 8);
    send(1, 0x400);
    assert_int_equal(sent.mode, APIC_NMI);
    assert_int_equal(sends, 4);
    send(1, 0x345); /* reserved modes */
    send(1, 0x745);
    assert_int_equal(sends, 4);
}

static void test_ipi_self(void **state)
{
    (void)state;
    wr(0x300, 0x40045);
    assert_int_equal(sends, 0);
    assert_int_equal(vlapic_pending(&l), 0x45);
}

/* ---- Addressing ---- */

static void test_matches(void **state)
{
    (void)state;
    assert_true(vlapic_matches(&l, 3, false));
    assert_false(vlapic_matches(&l, 2, false));
    assert_true(vlapic_matches(&l, APIC_DEST_ALL, false));
    assert_false(vlapic_matches(&l, 0xFF, true)); /* no logical ID yet */
    wr(0xD0, 0x08000000);                         /* flat */
    assert_true(vlapic_matches(&l, 0x0C, true));
    assert_true(vlapic_matches(&l, 0xFF, true));
    assert_false(vlapic_matches(&l, 0x04, true));
    wr(0xE0, 0x0FFFFFFF); /* cluster */
    wr(0xD0, 0x21000000);
    assert_true(vlapic_matches(&l, 0x23, true));
    assert_false(vlapic_matches(&l, 0x22, true));
    assert_false(vlapic_matches(&l, 0x13, true));
    assert_true(vlapic_matches(&l, 0xFF, true));
    wr(0xE0, 0x5FFFFFFF); /* neither */
    assert_false(vlapic_matches(&l, 0x21, true));
}

static void test_addressed(void **state)
{
    static struct vlapic_page other_page;
    struct vlapic other;
    struct apic_message m = { .from = &l, .shorthand = APIC_TO_OTHERS };

    (void)state;
    vlapic_init(&other, 1, HZ, &bus, &other_page);
    assert_false(vlapic_addressed(&l, &m));
    assert_true(vlapic_addressed(&other, &m));
    m.shorthand = APIC_TO_ALL;
    assert_true(vlapic_addressed(&l, &m));
    assert_true(vlapic_addressed(&other, &m));
    m.shorthand = APIC_TO_SELF;
    assert_true(vlapic_addressed(&l, &m));
    assert_false(vlapic_addressed(&other, &m));
    m.shorthand = APIC_TO_DEST;
    m.dest = 1;
    assert_false(vlapic_addressed(&l, &m));
    assert_true(vlapic_addressed(&other, &m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_power_on, setup),
        cmocka_unit_test_setup(test_writable_bits, setup),
        cmocka_unit_test_setup(test_initial_count_sticks, setup),
        cmocka_unit_test_setup(test_narrow_and_crooked, setup),
        cmocka_unit_test_setup(test_whole_page, setup),
        cmocka_unit_test_setup(test_illegal_register, setup),
        cmocka_unit_test_setup(test_accept_ack_eoi, setup),
        cmocka_unit_test_setup(test_higher_one_meanwhile, setup),
        cmocka_unit_test_setup(test_every_vector, setup),
        cmocka_unit_test_setup(test_nesting, setup),
        cmocka_unit_test_setup(test_task_priority, setup),
        cmocka_unit_test_setup(test_software_disabled, setup),
        cmocka_unit_test_setup(test_illegal_vectors, setup),
        cmocka_unit_test_setup(test_init_signal, setup),
        cmocka_unit_test_setup(test_extint, setup),
        cmocka_unit_test_setup(test_ipi_fields, setup),
        cmocka_unit_test_setup(test_ipi_init_startup, setup),
        cmocka_unit_test_setup(test_ipi_self, setup),
        cmocka_unit_test_setup(test_matches, setup),
        cmocka_unit_test_setup(test_addressed, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
