/* links: lib/fmt.c guestmem/p2m_change.c decode/decode_form.c decode/decode.c decode/alu.c emulate/insn_cache.c emulate/operate.c emulate/vector.c emulate/x87.c emulate/selector.c emulate/string_insn.c emulate/mmio_stack.c emulate/mmio_memory.c emulate/mmio.c exits/device_access.c emulate/operand.c emulate/breakpoint.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/gmem.c arch/x86/moment.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/bus.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * IN, OUT, INS and OUTS against a machine of one register.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "sched/batch.h"
#include "guestmem/gva.h"
#include "exits/device_access.h"
#include "tests/fakes/bus.h"
#include "tests/fakes/guest.h"

#define PORT  0x1f0
#define BATCH 256 /* repetitions that one exit carries out */
#define OLD   0x1122334455667788ul

static int setup(void **state)
{
    (void)state;
    guest_start();
    bus_reset();
    cpu()->rip = 0x7c00;
    cpu()->insn_len = 2;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guest_stop();
    return 0;
}

static enum exit_answer quick(const struct virt_exit *e)
{
    return fake_virt_answered(&guest_vcpu.virt, device_access_port(&guest_vcpu.virt, e));
}

static void plain(bool in, uint8_t size)
{
    struct virt_exit e = { .io = { .port = PORT, .size = size & 7, .in = in } };

    assert_int_equal(quick(&e), EXIT_NEXT);
}

static void string(bool in, uint8_t size, uint8_t addr_size, bool rep)
{
    struct virt_exit e = {
        .io = { .port = PORT, .size = size & 7, .in = in, .string = true, .rep = rep }
    };

    set_reg(GPR_RDX, PORT);
    cpu()->io_string = (struct virt_io_string){ addr_size, in ? SEG_ES : SEG_DS };
    assert_int_equal(quick(&e), EXIT_UNHANDLED);
    device_access_string(&guest_vcpu.virt, &e);
}

static void test_in(void **state)
{
    static const struct {
        uint8_t size;
        uint64_t rax;
    } cases[] = { { 1, 0x11223344556677ef }, { 2, 0x112233445566beef }, { 4, 0xdeadbeef } };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        bus_register = 0xdeadbeef;
        set_reg(GPR_RAX, OLD);
        plain(true, cases[i].size);
        assert_int_equal(reg(GPR_RAX), cases[i].rax);
        assert_int_equal(bus_log[i].size, cases[i].size);
        assert_int_equal(bus_log[i].at, PORT);
        assert_true(bus_log[i].port && !bus_log[i].write);
        assert_int_equal(cpu()->skips, i + 1);
    }
    assert_int_equal(cpu()->rip, 0x7c06);
}

/* A device that wants something of the vCPU makes the loop look. */
static void test_attention(void **state)
{
    struct virt_exit e = { .io = { .port = PORT, .size = 1 } };

    (void)state;
    guest_vcpu.unit.attention = true;
    assert_int_equal(quick(&e), EXIT_LOOK);
    assert_int_equal(bus_count, 1);
    assert_int_equal(cpu()->skips, 1);
}

static void test_out(void **state)
{
    (void)state;
    set_reg(GPR_RAX, OLD);
    plain(false, 1);
    plain(false, 2);
    plain(false, 4);
    assert_int_equal(bus_count, 3);
    assert_int_equal(bus_log[0].value, 0x88);
    assert_int_equal(bus_log[1].value, 0x7788);
    assert_int_equal(bus_log[2].value, 0x55667788);
    assert_int_equal(reg(GPR_RAX), OLD);
    assert_int_equal(cpu()->skips, 3);
}

/* ---- Breakpoints and steps, which come after each repetition ---- */

static uint32_t string_with_breakpoint(uint64_t at, uint64_t dr7)
{
    struct breakpoints *b = &guest_vcpu.emulator.breakpoints;

    cpu()->cr4 |= CR4_DE;
    cpu()->breakpoints = (struct virt_breakpoints){ .at = { [2] = at }, .dr7 = dr7 };
    breakpoints_take(b, &guest_vcpu.virt);
    string(false, 1, 4, true);
    return breakpoints_end(b);
}

static void test_breakpoint_in_rep(void **state)
{
    const uint64_t on_port = 2ul << 24 | 1ul << 4, on_write = 1ul << 24 | 1ul << 4;

    (void)state;
    set_reg(GPR_RSI, 0x5000);
    set_reg(GPR_RCX, 3);
    cpu()->rflags |= RFLAGS_RF;
    assert_int_equal(string_with_breakpoint(PORT, on_port), 4);
    assert_int_equal(reg(GPR_RCX), 2);
    assert_int_equal(reg(GPR_RSI), 0x5001);
    assert_int_equal(cpu()->rip, 0x7c00);
    assert_true(cpu()->rflags & RFLAGS_RF);
    assert_int_equal(string_with_breakpoint(PORT + 1, on_port), 0);
    assert_int_equal(string_with_breakpoint(PORT, on_port), 4);
    assert_int_equal(reg(GPR_RCX), 0);
    assert_int_equal(cpu()->rip, 0x7c02);
    assert_int_equal(string_with_breakpoint(PORT, on_port), 0); /* nothing is done any more */
    set_reg(GPR_RCX, 3);
    assert_int_equal(string_with_breakpoint(0x5003, on_write), 0); /* it is read */
    assert_int_equal(string_with_breakpoint(0x5004, on_write | 3ul << 24), 4);
    assert_int_equal(bus_count, 5);
}

/* A fault leaves nothing to trap after. */
static void test_breakpoint_and_fault(void **state)
{
    (void)state;
    guest_mode(DECODE_16);
    set_reg(GPR_RSI, 0x10000);
    set_reg(GPR_RCX, 3);
    guest_vcpu.emulator.breakpoints.met = 1;
    string(false, 1, 4, true);
    assert_int_equal(cpu()->pending.vector, VECTOR_GP);
    assert_int_equal(guest_vcpu.emulator.breakpoints.met, 0);
}

static void test_single_step_in_rep(void **state)
{
    (void)state;
    set_reg(GPR_RSI, 0x5000);
    set_reg(GPR_RCX, 2);
    cpu()->rflags |= RFLAGS_TF;
    for (unsigned i = 1; i <= 2; i++) {
        string(false, 1, 4, true);
        assert_int_equal(reg(GPR_RCX), 2 - i);
        assert_int_equal(bus_count, i);
        assert_int_equal(cpu()->skips, i); /* each of them is a step */
        assert_int_equal(cpu()->rip, i == 1 ? 0x7c00 : 0x7c02);
    }
}

static void test_ins_once(void **state)
{
    (void)state;
    bus_register = 0xdeadbeef;
    set_reg(GPR_RDI, 0x5000);
    set_reg(GPR_RCX, 77);
    string(true, 2, 4, false);
    assert_int_equal(guest_read64(0x5000), 0xbeef);
    assert_int_equal(reg(GPR_RDI), 0x5002);
    assert_int_equal(reg(GPR_RCX), 77);
    assert_int_equal(cpu()->skips, 1);
}

static void test_rep_outs(void **state)
{
    char text[] = "caisson";

    (void)state;
    guest_put(0x5ffc, text, 7); /* across a page */
    set_reg(GPR_RSI, 0x5ffc);
    set_reg(GPR_RCX, 7);
    string(false, 1, 4, true);
    assert_int_equal(bus_count, 7);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(bus_log[i].value, text[i]);
    assert_int_equal(reg(GPR_RCX), 0);
    assert_int_equal(reg(GPR_RSI), 0x6003);
    assert_int_equal(cpu()->skips, 1);
}

static void test_down(void **state)
{
    (void)state;
    bus_register = 1;
    bus_step = 1;
    cpu()->rflags |= RFLAGS_DF;
    set_reg(GPR_RDI, 0x5008);
    set_reg(GPR_RCX, 3);
    string(true, 4, 4, true);
    assert_int_equal(guest_read64(0x5000), 3 | 2ul << 32);
    assert_int_equal(guest_read64(0x5008), 1);
    assert_int_equal(reg(GPR_RDI), 0x4ffc);
}

static void test_count_zero(void **state)
{
    (void)state;
    set_reg(GPR_RDI, 0xfffffff0);
    set_reg(GPR_RCX, 0xabcd00000000); /* ECX is 0 */
    string(true, 1, 4, true);
    assert_int_equal(bus_count, 0);
    assert_int_equal(cpu()->skips, 1);
    assert_int_equal(reg(GPR_RCX), 0xabcd00000000);
}

/* Registers keep what the address size does not reach. */
static void test_address_sizes(void **state)
{
    (void)state;
    bus_register = 0x55;
    set_reg(GPR_RDI, 0x1234ffff);
    set_reg(GPR_RCX, 0x77770002);
    guest_mode(DECODE_16);
    string(true, 1, 2, true);
    assert_int_equal(bus_count, 2);
    assert_int_equal(reg(GPR_RDI), 0x12340001); /* DI went round */
    assert_int_equal(reg(GPR_RCX), 0x77770000);
    assert_int_equal(guest_read64(0) & 0xff, 0x55);
    guest_mode(DECODE_64);
    set_reg(GPR_RDI, 0xffff888000005000); /* EDI is meant */
    set_reg(GPR_RCX, 0xffffffff00000001);
    string(true, 1, 4, true);
    assert_int_equal(reg(GPR_RDI), 0x5001);
    assert_int_equal(reg(GPR_RCX), 0);
    set_reg(GPR_RDI, 0x5010);
    set_reg(GPR_RCX, 2);
    string(true, 4, 8, true);
    assert_int_equal(guest_read64(0x5010), 0x5500000055);
    assert_int_equal(reg(GPR_RDI), 0x5018);
}

static void test_segments(void **state)
{
    (void)state;
    cpu()->seg[SEG_ES].base = 0x10000;
    cpu()->seg[SEG_DS].base = 0x20000;
    bus_register = 0x11;
    set_reg(GPR_RDI, 8);
    string(true, 1, 4, false);
    assert_int_equal(guest_read64(0x10008), 0x11);
    guest_write64(0x20010, 0x22);
    set_reg(GPR_RSI, 0x10);
    string(false, 1, 4, false);
    assert_int_equal(bus_log[1].value, 0x22);
}

/* A long count comes in pieces; in between the guest may be interrupted. */
static void test_batches(void **state)
{
    (void)state;
    bus_register = bus_step = 1;
    set_reg(GPR_RDI, 0x5000);
    set_reg(GPR_RCX, 2 * BATCH + 10);
    string(true, 1, 4, true);
    assert_int_equal(bus_count, BATCH);
    assert_int_equal(cpu()->skips, 0);
    assert_int_equal(cpu()->rip, 0x7c00);
    assert_int_equal(reg(GPR_RCX), BATCH + 10);
    assert_int_equal(reg(GPR_RDI), 0x5000 + BATCH);
    string(true, 1, 4, true);
    assert_int_equal(cpu()->skips, 0);
    string(true, 1, 4, true);
    assert_int_equal(cpu()->skips, 1);
    assert_int_equal(bus_count, 2 * BATCH + 10);
    assert_int_equal(reg(GPR_RCX), 0);
    uint8_t last;
    guest_get(0x5000 + 2 * BATCH + 9, &last, 1);
    assert_int_equal(last, (2 * BATCH + 10) & 0xff);
    set_reg(GPR_RCX, BATCH); /* exactly one */
    string(true, 1, 4, true);
    assert_int_equal(cpu()->skips, 2);
}

/* Devices that take their time: an exit carries out what has begun in time, at least one. */
static void test_slow_devices(void **state)
{
    (void)state;
    bus_register = bus_step = 1;
    set_reg(GPR_RDI, 0x5000);
    set_reg(GPR_RCX, 100);
    fake_tsc_step = BATCH_TICKS / 4;
    string(true, 1, 4, true);
    assert_in_range(bus_count, 3, 6);
    assert_int_equal(reg(GPR_RCX), 100 - bus_count);
    assert_int_equal(cpu()->skips, 0);
    bus_count = 0;
    fake_tsc_step = 10 * BATCH_TICKS;
    string(true, 1, 4, true);
    fake_tsc_step = 0;
    assert_in_range(bus_count, 1, 2);
}

/* The second GiB is not mapped, the third is read-only. */
static void fault_mode(void)
{
    guest_mode(DECODE_64);
    guest_write64(0x2008, 0);
    guest_write64(0x2010, 0x85);
    guest_write64(0x2000, 0x87);
}

static void test_fault_in_the_middle(void **state)
{
    (void)state;
    fault_mode();
    cpu()->cr0 |= CR0_WP;
    guest_write64(0x1000, 0x2007);
    set_reg(GPR_RDI, 0x3ffffffe); /* device memory before it, nothing behind */
    set_reg(GPR_RCX, 5);
    string(true, 1, 8, true);
    assert_int_equal(reg(GPR_RCX), 3);
    assert_int_equal(reg(GPR_RDI), 0x40000000);
    assert_int_equal(cpu()->skips, 0);
    assert_int_equal(cpu()->pending.vector, VECTOR_PF);
    assert_int_equal(cpu()->pending.error, GVA_WRITE);
    assert_int_equal(cpu()->cr2, 0x40000000);
    unsigned reads = 0;
    for (unsigned i = 0; i < bus_count; i++)
        reads += bus_log[i].port;
    assert_int_equal(reads, 2); /* the device has not lost a byte */
    set_reg(GPR_RDI, 0x80000000);
    string(true, 1, 8, true);
    assert_int_equal(cpu()->pending.error, GVA_WRITE | GVA_PRESENT);
}

/* An element across two pages: the second one faults, and the device must not have been read. */
static void test_fault_in_an_element(void **state)
{
    (void)state;
    fault_mode();
    set_reg(GPR_RDI, 0x3ffffffe);
    string(true, 4, 8, false);
    assert_int_equal(bus_count, 0);
    assert_int_equal(cpu()->pending.vector, VECTOR_PF);
    assert_int_equal(cpu()->cr2, 0x40000000);
    assert_int_equal(cpu()->skips, 0);
}

/* Without paging there is no #PF. (The port and what is behind RAM are the same register here.) */
static void test_outs_over_the_end_of_ram(void **state)
{
    (void)state;
    guest_mode(DECODE_32);
    guest_write64(0x9fff8, 0x2211000000000000);
    bus_register = 0xffffffff;
    set_reg(GPR_RSI, 0x9fffe);
    set_reg(GPR_RCX, 2);
    string(false, 4, 4, true);
    unsigned words = 0;
    for (unsigned i = 0; i < bus_count; i++)
        if (bus_log[i].port)
            assert_int_equal(bus_log[i].value, words++ ? bus_register : 0xffff2211);
    assert_int_equal(words, 2);
    assert_int_equal(reg(GPR_RCX), 0);
    assert_int_equal(cpu()->injected, 0);
}

static void test_outs_fault(void **state)
{
    (void)state;
    fault_mode();
    set_reg(GPR_RSI, 0x40000000);
    set_reg(GPR_RCX, 5);
    guest_cpl(3);
    string(false, 1, 8, true);
    assert_int_equal(bus_count, 0);
    assert_int_equal(cpu()->pending.error, GVA_USER);
    assert_int_equal(reg(GPR_RCX), 5);
}

static void test_limit(void **state)
{
    (void)state;
    cpu()->seg[SEG_ES].limit = 0x5001;
    set_reg(GPR_RDI, 0x5000);
    set_reg(GPR_RCX, 5);
    string(true, 1, 4, true);
    assert_int_equal(reg(GPR_RCX), 3);
    assert_int_equal(cpu()->pending.vector, VECTOR_GP);
    assert_int_equal(cpu()->skips, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_in),
        TEST(test_attention),
        TEST(test_out),
        TEST(test_ins_once),
        TEST(test_rep_outs),
        TEST(test_breakpoint_in_rep),
        TEST(test_breakpoint_and_fault),
        TEST(test_single_step_in_rep),
        TEST(test_down),
        TEST(test_count_zero),
        TEST(test_address_sizes),
        TEST(test_segments),
        TEST(test_batches),
        TEST(test_slow_devices),
        TEST(test_fault_in_the_middle),
        TEST(test_fault_in_an_element),
        TEST(test_outs_over_the_end_of_ram),
        TEST(test_outs_fault),
        TEST(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
