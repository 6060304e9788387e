/* links: emulate/string_insn.c exits/device_access.c emulate/mmio.c emulate/mmio_memory.c emulate/mmio_stack.c emulate/insn_cache.c decode/alu.c decode/decode.c decode/decode_form.c emulate/operand.c emulate/breakpoint.c emulate/operate.c emulate/vector.c emulate/x87.c emulate/selector.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/gmem.c arch/x86/moment.c lib/fmt.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/bus.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Instructions on device memory, as bytes in the guest's RAM, against a machine of one register.
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
#include "mm/frame.h"
#include "tests/fakes/bus.h"
#include "tests/fakes/guest.h"

#define CODE   0x7000ul
#define DEVICE 0xfec00010ul
#define OLD    0x1122334455667788ul
#define BATCH  256

static int setup(void **state)
{
    (void)state;
    guest_start();
    guest_mode(DECODE_64);
    bus_reset();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guest_stop();
    return 0;
}

static struct virt_exit exit_at(uint64_t at)
{
    return (struct virt_exit){ .kind = VIRT_EXIT_MEMORY, .memory = { .gpa = gpa(at) } };
}

static void run_at(uint64_t rip, const char *code, unsigned length)
{
    struct virt_exit e = exit_at(DEVICE);

    guest_put(rip, code, length);
    cpu()->rip = rip;
    device_access_memory(&guest_vcpu, &e);
}

/* Runs one instruction that goes well. */
static void run(const char *code, unsigned length)
{
    unsigned skips = cpu()->skips;

    run_at(CODE, code, length);
    assert_int_equal(guest.end, END_NOT);
    assert_int_equal(cpu()->injected, 0);
    assert_int_equal(cpu()->skips, skips + 1);
    assert_int_equal(cpu()->rip, CODE + length);
}
#define RUN(code) run(code, sizeof(code) - 1)

/* ---- Breakpoints: by linear addresses, of RAM as of devices ---- */

#define ON_WRITE 1ul
#define ON_BOTH  3ul
#define BYTE     0ul
#define WORD     (1ul << 2)
#define QUAD     (2ul << 2)
#define DWORD    (3ul << 2)

/* What DR6 says after one instruction, of a breakpoint in DR3. */
static uint32_t met(const char *code, unsigned length, uint64_t at, uint64_t control)
{
    struct breakpoints *b = &guest_vcpu.emulator.breakpoints;

    cpu()->breakpoints =
        (struct virt_breakpoints){ .at = { [3] = at }, .dr7 = control << 28 | 1ul << 7 };
    breakpoints_take(b, &guest_vcpu.virt);
    assert_true(b->armed);
    set_reg(GPR_RSI, DEVICE);
    set_reg(GPR_RDI, 0x5000);
    run_at(CODE, code, length);
    return breakpoints_end(b);
}
#define MET(code, at, control) met(code, sizeof(code) - 1, at, control)

static void test_breakpoint(void **state)
{
    static const char load[] = "\x8B\x06", store[] = "\x89\x06", alter[] = "\x01\x06",
                      test[] = "\x85\x06", move[] = "\xA5", wide[] = "\x66\x0F\xE7\x06";

    (void)state;
    cpu()->cr4 |= CR4_OSFXSR;
    assert_int_equal(MET(load, DEVICE, DWORD | ON_BOTH), 8);
    assert_int_equal(MET(load, DEVICE, DWORD | ON_WRITE), 0);
    assert_int_equal(MET(store, DEVICE, DWORD | ON_WRITE), 8);
    assert_int_equal(MET(store, DEVICE + 3, BYTE | ON_WRITE), 8);
    assert_int_equal(MET(store, DEVICE + 4, BYTE | ON_WRITE), 0);
    assert_int_equal(MET(store, DEVICE - 1, BYTE | ON_WRITE), 0);
    assert_int_equal(MET(store, DEVICE + 3, WORD | ON_WRITE), 8); /* its lowest bit counts not */
    assert_int_equal(MET(store, DEVICE + 5, WORD | ON_WRITE), 0);
    assert_int_equal(MET(store, DEVICE + 7, QUAD | ON_WRITE), 8);
    assert_int_equal(MET(store, DEVICE + 8, QUAD | ON_WRITE), 0);
    assert_int_equal(MET(store, DEVICE, 0), 0); /* for code */
    assert_int_equal(MET(store, DEVICE, 2), 0); /* for ports */
    assert_int_equal(MET(alter, DEVICE, ON_WRITE), 8);
    assert_int_equal(MET(test, DEVICE, ON_WRITE), 0);
    assert_int_equal(MET(test, DEVICE, ON_BOTH), 8);
    assert_int_equal(MET(move, 0x5003, ON_WRITE), 8);
    assert_int_equal(MET(move, DEVICE, ON_BOTH), 8);
    assert_int_equal(MET(wide, DEVICE + 15, ON_WRITE), 8);
    assert_int_equal(MET(wide, DEVICE + 16, ON_WRITE), 0);
    assert_int_equal(cpu()->injected, 0);
    assert_false(guest_vcpu.emulator.breakpoints.armed);
}

/* All that are met are told, if one of them is enabled. */
static void test_breakpoints(void **state)
{
    struct breakpoints *b = &guest_vcpu.emulator.breakpoints;

    (void)state;
    cpu()->breakpoints = (struct virt_breakpoints){ .at = { 0x5000, 0x5001, 0x5002, 0x5003 },
                                                    .dr7 = 0x11110000 | 1ul << 1 };
    for (unsigned enabled = 1; enabled <= 4; enabled *= 4) {
        cpu()->breakpoints.dr7 = 0x11110000 | enabled;
        breakpoints_take(b, &guest_vcpu.virt);
        breakpoints_memory(b, gva(0x5001), 2, true);
        assert_int_equal(breakpoints_end(b), enabled == 1 ? 0 : 6);
    }
    cpu()->breakpoints.dr7 = 0x11110000;
    breakpoints_take(b, &guest_vcpu.virt);
    assert_false(b->armed);
}

static void test_page_walk_and_fetch(void **state)
{
    struct virt_exit e = exit_at(DEVICE);

    (void)state;
    e.memory.page_walk = true;
    e.memory.gva = gva(0x123456);
    e.memory.write = true;
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(cpu()->pending.vector, VECTOR_PF);
    assert_int_equal(cpu()->pending.error, GVA_PRESENT | GVA_RESERVED | GVA_WRITE);
    assert_int_equal(cpu()->cr2, 0x123456);
    e = exit_at(DEVICE);
    e.memory.fetch = true;
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(cpu()->pending.vector, VECTOR_UD);
    assert_int_equal(bus_count, 0);
    assert_int_equal(cpu()->skips, 0);
}

/* A fetch that a large mapping refuses makes it small; where the guest may not fetch it is told so,
 * and without memory the domain ends. */
static void test_fetch_from_large_mapping(void **state)
{
    struct virt_exit e = exit_at(0x400123);
    struct slat_entry entry;
    mfn_t m;

    (void)state;
    virt_caps.small_code = true;
    e.memory.present = e.memory.fetch = true;
    assert_int_equal(p2m_populate(&guest.p2m, gfn(0x400), &m), 0);
    assert_int_equal(slat_lookup(&guest.p2m.slat, gfn(0x400), &entry), 0);
    assert_int_equal(entry.order, ORDER_2M);
    frame_fail_nth(1);
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(guest.end, END_KILLED);
    frame_fail_nth(0);
    guest.end = END_NOT;
    device_access_memory(&guest_vcpu, &e);
    device_access_memory(&guest_vcpu, &e); /* another vCPU, at the same moment */
    assert_int_equal(slat_lookup(&guest.p2m.slat, gfn(0x400), &entry), 0);
    assert_int_equal(entry.order, ORDER_4K);
    assert_int_equal(cpu()->injected, 0);
    assert_int_equal(cpu()->skips, 0);
    assert_int_equal(guest.end, END_NOT);
    e.memory.gpa = gpa(DEVICE);
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(cpu()->pending.vector, VECTOR_UD);
    virt_caps.small_code = false;
}

/* ---- One form after the other: reg before, memory before; reg after, memory after ---- */

static const struct form_case {
    const char *name;
    const char *code;
    unsigned length;
    uint64_t rax, memory;
    uint64_t rax_after, memory_after;
    unsigned accesses;
} forms[] = {
#define FORM(name, code, ...)                                                                      \
    {                                                                                              \
        name, code, sizeof(code) - 1, __VA_ARGS__                                                  \
    }
    /* [rbx] is the memory */
    FORM("mov al,[m]", "\x8a\x03", OLD, 0xf1, 0x11223344556677f1, 0xf1, 1),
    FORM("mov ah,[m]", "\x8a\x23", OLD, 0xf1, 0x112233445566f188, 0xf1, 1),
    FORM("mov ax,[m]", "\x66\x8b\x03", OLD, 0xf1f2, 0x112233445566f1f2, 0xf1f2, 1),
    FORM("mov eax,[m]", "\x8b\x03", OLD, 0xf1f2f3f4, 0xf1f2f3f4, 0xf1f2f3f4, 1),
    FORM("mov rax,[m]", "\x48\x8b\x03", OLD, 0xf1f2f3f4f5f6f7f8, 0xf1f2f3f4f5f6f7f8,
         0xf1f2f3f4f5f6f7f8, 1),
    FORM("mov eax,[moffs]", "\xa1\x10\0\xc0\xfe\0\0\0\0", OLD, 5, 5, 5, 1),
    FORM("mov [moffs],eax", "\xa3\x10\0\xc0\xfe\0\0\0\0", OLD, 5, OLD, 0x55667788, 1),
    FORM("movzx eax,byte", "\x0f\xb6\x03", OLD, 0x80, 0x80, 0x80, 1),
    FORM("movzx ax,byte", "\x66\x0f\xb6\x03", OLD, 0x80, 0x1122334455660080, 0x80, 1),
    FORM("movzx eax,word", "\x0f\xb7\x03", OLD, 0x8001, 0x8001, 0x8001, 1),
    FORM("movsx eax,byte", "\x0f\xbe\x03", OLD, 0x80, 0xffffff80, 0x80, 1),
    FORM("movsx rax,byte", "\x48\x0f\xbe\x03", OLD, 0x80, 0xffffffffffffff80, 0x80, 1),
    FORM("movsx rax,word", "\x48\x0f\xbf\x03", OLD, 0x8001, 0xffffffffffff8001, 0x8001, 1),
    FORM("movsxd rax,dword", "\x48\x63\x03", OLD, 0x80000001, 0xffffffff80000001, 0x80000001, 1),
    FORM("mov [m],al", "\x88\x03", OLD, 0, OLD, 0x88, 1),
    FORM("mov [m],ah", "\x88\x23", OLD, 0, OLD, 0x77, 1),
    FORM("mov [m],ax", "\x66\x89\x03", OLD, 0, OLD, 0x7788, 1),
    FORM("mov [m],eax", "\x89\x03", OLD, 0, OLD, 0x55667788, 1),
    FORM("mov [m],rax", "\x48\x89\x03", OLD, 0, OLD, OLD, 1),
    FORM("mov byte[m],5", "\xc6\x03\x05", OLD, 0, OLD, 5, 1),
    FORM("mov dword[m],imm", "\xc7\x03\x78\x56\x34\x12", OLD, 0, OLD, 0x12345678, 1),
    FORM("mov qword[m],-2", "\x48\xc7\x03\xfe\xff\xff\xff", OLD, 0, OLD, -2ul, 1),
    FORM("xchg [m],eax", "\x87\x03", OLD, 0xf1, 0xf1, 0x55667788, 2),
    FORM("xchg [m],ah", "\x86\x23", OLD, 0xf1, 0x112233445566f188, 0x77, 2),
    FORM("and [m],eax", "\x21\x03", 0xff, 0x1234, 0xff, 0x34, 2),
    FORM("and eax,[m]", "\x23\x03", OLD, 0x1234, 0x1200, 0x1234, 1),
    FORM("or [m],eax", "\x09\x03", 0xff, 0x1200, 0xff, 0x12ff, 2),
    FORM("or al,[m]", "\x0a\x03", 0xf001, 0x82, 0xf083, 0x82, 1),
    FORM("xor [m],eax", "\x31\x03", 0xff, 0x1234, 0xff, 0x12cb, 2),
    FORM("add [m],eax", "\x01\x03", 2, 0xffffffff, 2, 1, 2),
    FORM("add rax,[m]", "\x48\x03\x03", OLD, 1, OLD + 1, 1, 1),
    FORM("sub [m],eax", "\x29\x03", 2, 1, 2, 0xffffffff, 2),
    FORM("sub eax,[m]", "\x2b\x03", 5, 3, 2, 3, 1),
    FORM("or dword[m],8", "\x83\x0b\x08", OLD, 1, OLD, 9, 2),
    FORM("and dword[m],~1", "\x83\x23\xfe", OLD, 0xff, OLD, 0xfe, 2),
    FORM("cmp [m],eax", "\x39\x03", 2, 2, 2, 2, 1),
    FORM("cmp eax,[m]", "\x3b\x03", 2, 3, 2, 3, 1),
    FORM("test [m],eax", "\x85\x03", 2, 3, 2, 3, 1),
    FORM("test byte[m],1", "\xf6\x03\x01", 2, 3, 2, 3, 1),
    FORM("not dword[m]", "\xf7\x13", OLD, 1, OLD, 0xfffffffe, 2),
    FORM("neg dword[m]", "\xf7\x1b", OLD, 1, OLD, 0xffffffff, 2),
    FORM("inc dword[m]", "\xff\x03", OLD, 7, OLD, 8, 2),
    FORM("dec byte[m]", "\xfe\x0b", OLD, 0, OLD, 0xff, 2),
    FORM("bt dword[m],4", "\x0f\xba\x23\x04", OLD, 0x10, OLD, 0x10, 1),
    FORM("bts dword[m],4", "\x0f\xba\x2b\x04", OLD, 1, OLD, 0x11, 2),
    FORM("btr dword[m],4", "\x0f\xba\x33\x04", OLD, 0x11, OLD, 1, 2),
    FORM("btc dword[m],4", "\x0f\xba\x3b\x04", OLD, 0x11, OLD, 1, 2),
    FORM("lock or [m],eax", "\xf0\x09\x03", 1, 2, 1, 3, 2),
    FORM("cmpxchg [m],eax: differs", "\x0f\xb1\x03", 1, 2, 2, 2, 1),
    FORM("cmpxchg [m],eax: equal", "\x0f\xb1\x03", 0x500000002, 2, 0x500000002, 2, 2),
};

static void check_form(const struct form_case *c)
{
    bus_reset();
    bus_register = c->memory;
    cpu()->skips = 0;
    set_reg(GPR_RAX, c->rax);
    set_reg(GPR_RBX, DEVICE);
    run(c->code, c->length);
    if (reg(GPR_RAX) != c->rax_after || bus_register != c->memory_after || bus_count != c->accesses)
        fail_msg("%s: rax %lx, memory %lx, %u accesses", c->name, reg(GPR_RAX), bus_register,
                 bus_count);
    for (unsigned i = 0; i < bus_count; i++)
        assert_int_equal(bus_log[i].at, DEVICE);
}

static void test_forms(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        check_form(&forms[i]);
}

static void test_flags(void **state)
{
    const uint64_t rest = RFLAGS_FIXED | RFLAGS_IF | RFLAGS_DF;

    (void)state;
    set_reg(GPR_RAX, 2);
    bus_register = 1;
    cpu()->rflags = rest | RFLAGS_ZF;
    RUN("\x39\x03"); /* cmp [m],eax: 1 - 2 */
    assert_int_equal(cpu()->rflags, rest | RFLAGS_CF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF);
    RUN("\x3b\x03"); /* cmp eax,[m]: 2 - 1 */
    assert_int_equal(cpu()->rflags, rest);
    cpu()->rflags = rest | RFLAGS_CF;
    RUN("\xf7\x13"); /* not leaves all flags */
    assert_int_equal(cpu()->rflags, rest | RFLAGS_CF);
    bus_register = 0xffffffff;
    RUN("\xff\x03"); /* inc leaves the carry */
    assert_int_equal(cpu()->rflags & (RFLAGS_CF | RFLAGS_ZF), RFLAGS_CF | RFLAGS_ZF);
    bus_register = 0x10;
    cpu()->rflags = rest;
    RUN("\x0f\xba\x23\x04"); /* bt 4 */
    assert_true(cpu()->rflags & RFLAGS_CF);
    RUN("\x8b\x03"); /* mov leaves all */
    assert_true(cpu()->rflags & RFLAGS_CF);
    set_reg(GPR_RAX, 0x10);
    set_reg(GPR_RCX, 0x77);
    RUN("\x0f\xb1\x0b"); /* cmpxchg [m],ecx: equal */
    assert_true(cpu()->rflags & RFLAGS_ZF);
    assert_int_equal(bus_register, 0x77);
    RUN("\x0f\xb1\x0b");
    assert_false(cpu()->rflags & RFLAGS_ZF);
    assert_true(cpu()->rflags & RFLAGS_CF); /* those of 0x10 - 0x77 */
    assert_int_equal(reg(GPR_RAX), 0x77);
}

static void test_other_registers(void **state)
{
    (void)state;
    bus_register = 0x1234;
    RUN("\x44\x8b\x3b"); /* mov r15d,[rbx] */
    assert_int_equal(reg(GPR_R15), 0x1234);
    RUN("\x8b\x23"); /* mov esp,[rbx] */
    assert_int_equal(reg(GPR_RSP), 0x1234);
    set_reg(GPR_RSI, 0x55);
    RUN("\x40\x88\x33"); /* mov [rbx],sil: with REX no high byte */
    assert_int_equal(bus_register & 0xff, 0x55);
}

/* ---- Modes ---- */

static void test_32_bit_code(void **state)
{
    (void)state;
    guest_mode(DECODE_32);
    cpu()->seg[SEG_CS].base = 0x1000;
    cpu()->rip = CODE - 0x1000;
    guest_put(CODE, "\x40\x40", 2); /* inc eax, not a REX prefix: no access to memory */
    struct virt_exit e = exit_at(DEVICE);
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(guest.end, END_KILLED);
    guest.end = END_NOT;
    bus_register = 0x1234;
    guest_put(CODE, "\x8b\x03", 2);
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(reg(GPR_RAX), 0x1234);
    assert_int_equal(cpu()->rip, CODE - 0x1000 + 2);
}

static void test_16_bit_code(void **state)
{
    (void)state;
    guest_mode(DECODE_16);
    set_reg(GPR_RAX, OLD);
    bus_register = 0xabcd1234;
    RUN("\x8b\x07"); /* mov ax,[bx] */
    assert_int_equal(reg(GPR_RAX), 0x1122334455661234);
    RUN("\x66\x8b\x07");
    assert_int_equal(reg(GPR_RAX), 0xabcd1234);
}

/* ---- Fetching ---- */

static void test_fetch_across_pages(void **state)
{
    (void)state;
    bus_register = 0;
    set_reg(GPR_RAX, 7);
    run_at(0x7fe0, "\x89\x03", 2); /* more than an instruction's bytes to the page's end */
    assert_int_equal(bus_register, 7);
    run_at(0x7ffd, "\xc7\x03\x78\x56\x34\x12", 6);
    assert_int_equal(bus_register, 0x12345678);
    assert_int_equal(cpu()->rip, 0x8003);
}

/* The last page before a hole: what ends there needs no second page, what goes on has a fault. */
static void test_fetch_at_the_end(void **state)
{
    (void)state;
    guest_write64(0x2000, 0x3000 | 7); /* a table instead of the first GiB */
    guest_write64(0x3000, 0x4000 | 7);
    for (unsigned i = 0; i < 8; i++)
        guest_write64(0x4000 + 8 * i, i << 12 | 7);
    bus_register = 0x77;
    run_at(0x7ffe, "\x8b\x03", 2);
    assert_int_equal(reg(GPR_RAX), 0x77);
    assert_int_equal(cpu()->injected, 0);
    cpu()->efer |= EFER_NXE;
    guest_cpl(3);
    run_at(0x7ffe, "\xc7\x03", 2);
    assert_int_equal(cpu()->injected, 1);
    assert_int_equal(cpu()->pending.vector, VECTOR_PF);
    assert_int_equal(cpu()->cr2, 0x8000);
    assert_int_equal(cpu()->pending.error, GVA_FETCH | GVA_USER);
    assert_int_equal(cpu()->rip, 0x7ffe);
}

static void test_unknown_instruction(void **state)
{
    (void)state;
    run_at(CODE, "\x0f\xae\x23\x90", 4); /* xsave [rbx] */
    assert_int_equal(guest.end, END_KILLED);
    assert_non_null(strstr(guest.end_why, "0x7000"));
    assert_non_null(strstr(guest.end_why, "0xfec00010"));
    assert_non_null(strstr(guest.end_why, ": 0f ae 23 90"));
    assert_int_equal(cpu()->skips, 0);
    assert_int_equal(bus_count, 0);
}

/* ---- Vector moves (what each does: test_emulate_native.c) ---- */

#define MOVUPS_STORE  "\x0f\x11\x0b"     /* movups [rbx],xmm1 */
#define MOVAPS_STORE  "\x0f\x29\x0b"     /* movaps [rbx],xmm1 */
#define VMOVDQU_STORE "\xc5\xfe\x7f\x0b" /* vmovdqu [rbx],ymm1 */
#define VMOVDQU_LOAD  "\xc5\xfe\x6f\x0b" /* vmovdqu ymm1,[rbx] */
#define MOVQ_STORE    "\x0f\x7f\x0b"     /* movq [rbx],mm1 */

static void allow_vectors(void)
{
    cpu()->cr4 |= CR4_OSFXSR | CR4_OSXSAVE;
    cpu()->xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
    for (unsigned i = 0; i < 4; i++)
        cpu()->vector[1][i] = 0x1111111111111111 * (i + 1);
}

static void refused(const char *code, unsigned length, unsigned vector)
{
    unsigned injected = cpu()->injected;

    run_at(CODE, code, length);
    assert_int_equal(cpu()->injected, injected + 1);
    assert_int_equal(cpu()->pending.vector, vector);
    assert_int_equal(cpu()->skips, 0);
    assert_int_equal(bus_count, 0);
    assert_int_equal(guest.end, END_NOT);
}
#define REFUSED(code, vector) refused(code, sizeof(code) - 1, vector)

/* In words of eight bytes, the lowest first. */
static void test_vector_store(void **state)
{
    (void)state;
    allow_vectors();
    RUN(VMOVDQU_STORE);
    assert_int_equal(bus_count, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(bus_log[i].write);
        assert_int_equal(bus_log[i].at, DEVICE + 8 * i);
        assert_int_equal(bus_log[i].size, 8);
        assert_int_equal(bus_log[i].value, 0x1111111111111111 * (i + 1));
    }
}

/* Registers are the CPU's own: what the guest may not use must not be touched. */
static void test_vectors_refused(void **state)
{
    (void)state;
    REFUSED(MOVUPS_STORE, VECTOR_UD); /* CR4.OSFXSR is clear */
    REFUSED(VMOVDQU_STORE, VECTOR_UD);
    allow_vectors();
    cpu()->xcr0 = XCR0_X87 | XCR0_SSE;
    REFUSED(VMOVDQU_STORE, VECTOR_UD);
    allow_vectors();
    cpu()->cr4 &= ~CR4_OSXSAVE;
    REFUSED(VMOVDQU_STORE, VECTOR_UD);
    allow_vectors();
    cpu()->cr0 |= CR0_TS;
    REFUSED(MOVUPS_STORE, VECTOR_NM);
    REFUSED(VMOVDQU_STORE, VECTOR_NM);
    REFUSED(MOVQ_STORE, VECTOR_NM);
    cpu()->cr0 ^= CR0_TS | CR0_EM;
    REFUSED(MOVUPS_STORE, VECTOR_UD);
    REFUSED(MOVQ_STORE, VECTOR_UD);
    cpu()->cr0 &= ~CR0_EM;
    struct virt_exit e = exit_at(DEVICE + 8);
    guest_put(CODE, MOVAPS_STORE, sizeof(MOVAPS_STORE) - 1);
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(cpu()->pending.vector, VECTOR_GP);
    assert_int_equal(bus_count, 0);
}

/* The last eight bytes of RAM, and what is behind them. */
static void test_vectors_over_the_end_of_ram(void **state)
{
    struct virt_exit e = exit_at(0xa0000);

    (void)state;
    allow_vectors();
    set_reg(GPR_RBX, 0x9fff8);
    guest_put(CODE, MOVUPS_STORE, sizeof(MOVUPS_STORE) - 1);
    cpu()->rip = CODE;
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(guest_read64(0x9fff8), 0x1111111111111111);
    assert_int_equal(bus_count, 1);
    assert_int_equal(bus_log[0].at, 0xa0000);
    assert_int_equal(bus_register, 0x2222222222222222);
    bus_register = ~0ul;
    guest_put(CODE, VMOVDQU_LOAD, sizeof(VMOVDQU_LOAD) - 1);
    cpu()->rip = CODE;
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(cpu()->vector[1][0], 0x1111111111111111);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(cpu()->vector[1][i], ~0ul);
    assert_int_equal(cpu()->injected, 0);
}

/* ---- Segment registers ---- */

#define GDT 0x8000ul

/* Selector 8n of a table of the guest's has this descriptor. */
static void put_descriptor(unsigned n, uint64_t low, uint64_t high)
{
    guest_write64(GDT + 8 * n, low);
    guest_write64(GDT + 8 * n + 8, high);
    cpu()->gdt_base = GDT;
    cpu()->gdt_limit = 0x7f;
}

/* mov REG,[rbx], where the device has that selector. */
static void load_segment(unsigned s, uint16_t selector)
{
    char code[] = { (char)0x8e, (char)(s << 3 | 3) };

    bus_register = selector;
    cpu()->rip = CODE;
    run_at(CODE, code, 2);
}

static void load_fails(unsigned s, uint16_t selector, unsigned vector, unsigned error)
{
    unsigned skips = cpu()->skips, injected = cpu()->injected;
    struct segment old = cpu()->seg[s];

    load_segment(s, selector);
    assert_int_equal(cpu()->injected, injected + 1);
    assert_int_equal(cpu()->pending.vector, vector);
    assert_int_equal(cpu()->pending.error, error);
    assert_int_equal(cpu()->skips, skips);
    assert_memory_equal(&old, &cpu()->seg[s], sizeof(old));
}

static void test_store_selectors(void **state)
{
    (void)state;
    cpu()->seg[SEG_FS].selector = 0x33;
    cpu()->seg[SEG_LDTR].selector = 0x44;
    cpu()->seg[SEG_TR].selector = 0x55;
    RUN("\x48\x8c\x23"); /* mov [rbx],fs: 16 bits, whatever REX says */
    assert_int_equal(bus_log[0].size, 2);
    assert_int_equal(bus_register, 0x33);
    RUN("\x0f\x00\x03"); /* sldt */
    assert_int_equal(bus_register, 0x44);
    RUN("\x0f\x00\x0b"); /* str */
    assert_int_equal(bus_register, 0x55);
    RUN("\x0f\x01\x23"); /* smsw */
    assert_int_equal(bus_register, cpu()->cr0 & 0xffff);
    assert_int_equal(bus_count, 4);
}

static void test_load_selector(void **state)
{
    (void)state;
    put_descriptor(1, 0x12cf9234567f0042, 0); /* data, 4 KiB units, at 0x1234567f */
    load_segment(SEG_GS, 8);
    assert_int_equal(cpu()->injected, 0);
    assert_int_equal(cpu()->seg[SEG_GS].selector, 8);
    assert_int_equal(cpu()->seg[SEG_GS].base, 0x1234567f);
    assert_int_equal(cpu()->seg[SEG_GS].limit, 0xf0042fff);
    assert_int_equal(cpu()->seg[SEG_GS].ar, 0xc093);
    assert_int_equal(guest_read64(GDT + 8), 0x12cf9334567f0042); /* accessed */
    load_segment(SEG_GS, 3);                                     /* null */
    assert_int_equal(cpu()->seg[SEG_GS].selector, 3);
    assert_true(cpu()->seg[SEG_GS].ar & SEG_AR_UNUSABLE);
    load_segment(SEG_SS, 0);
    assert_int_equal(cpu()->seg[SEG_SS].selector, 0);
    assert_int_equal(virt_cpl(&guest_vcpu.virt), 0);
    assert_int_equal(cpu()->injected, 0);
}

static void test_load_selector_refused(void **state)
{
    (void)state;
    put_descriptor(1, 0x00cf92000000ffff, 0);
    put_descriptor(2, 0x00cf12000000ffff, 0); /* not present */
    put_descriptor(3, 0x00cf98000000ffff, 0); /* code that cannot be read */
    put_descriptor(4, 0x00cf90000000ffff, 0); /* data that cannot be written */
    put_descriptor(5, 0x00008b0000000067, 0); /* a TSS */
    cpu()->seg[SEG_LDTR].ar = SEG_AR_UNUSABLE;
    load_fails(SEG_DS, 0x10, VECTOR_NP, 0x10);
    load_fails(SEG_SS, 0x10, VECTOR_SS, 0x10);
    load_fails(SEG_DS, 0x1b, VECTOR_GP, 0x18);
    load_fails(SEG_SS, 0x20, VECTOR_GP, 0x20);
    load_fails(SEG_ES, 0x28, VECTOR_GP, 0x28);
    load_fails(SEG_ES, 0x80, VECTOR_GP, 0x80); /* beyond the table */
    load_fails(SEG_ES, 0x0c, VECTOR_GP, 0x0c); /* of an LDT that is not there */
    load_fails(SEG_SS, 0x0b, VECTOR_GP, 0x08); /* RPL 3 at CPL 0 */
    load_fails(SEG_SS, 3, VECTOR_GP, 0);       /* null, of another RPL */
    load_fails(SEG_DS, 0x0b, VECTOR_GP, 0x08);
    guest_cpl(3);
    load_fails(SEG_DS, 0x08, VECTOR_GP, 0x08);
    load_fails(SEG_SS, 3, VECTOR_GP, 0);
}

static void test_load_selector_real(void **state)
{
    (void)state;
    guest_mode(DECODE_16);
    cpu()->seg[SEG_DS].base = DEVICE - 0x9000;
    set_reg(GPR_RBX, 0x9000);
    bus_register = 0x1234;
    run_at(CODE, "\x8e\x07", 2); /* mov es,[bx] */
    assert_int_equal(cpu()->seg[SEG_ES].base, 0x12340);
    assert_int_equal(cpu()->seg[SEG_ES].selector, 0x1234);
    assert_int_equal(cpu()->seg[SEG_ES].limit, 0xffff);
    run_at(CODE, "\x0f\x00\x1f", 3); /* ltr [bx] */
    assert_int_equal(cpu()->pending.vector, VECTOR_UD);
}

static void test_ltr_lldt(void **state)
{
    (void)state;
    put_descriptor(2, 0x00008900abcd0067, 0x2345); /* an available TSS, 16 bytes */
    put_descriptor(4, 0x000082001000000f, 0);
    bus_register = 0x10;
    RUN("\x0f\x00\x1b"); /* ltr [rbx] */
    assert_int_equal(cpu()->seg[SEG_TR].base, 0x23450000abcd);
    assert_int_equal(cpu()->seg[SEG_TR].limit, 0x67);
    assert_int_equal(cpu()->seg[SEG_TR].ar, 0x8b);
    assert_int_equal(guest_read64(GDT + 0x10), 0x00008b00abcd0067); /* busy */
    bus_register = 0x20;
    RUN("\x0f\x00\x13"); /* lldt [rbx] */
    assert_int_equal(cpu()->seg[SEG_LDTR].base, 0x1000);
    bus_register = 0x10; /* busy by now */
    run_at(CODE, "\x0f\x00\x1b", 3);
    assert_int_equal(cpu()->pending.vector, VECTOR_GP);
    assert_int_equal(cpu()->pending.error, 0x10);
    bus_register = 0;
    run_at(CODE, "\x0f\x00\x1b", 3);
    assert_int_equal(cpu()->pending.error, 0);
    assert_int_equal(cpu()->injected, 2);
    run_at(CODE, "\x0f\x00\x13", 3); /* lldt: null is allowed */
    assert_int_equal(cpu()->injected, 2);
    assert_true(cpu()->seg[SEG_LDTR].ar & SEG_AR_UNUSABLE);
    guest_cpl(3);
    run_at(CODE, "\x0f\x00\x13", 3);
    assert_int_equal(cpu()->injected, 3);
}

/* maskmovdqu xmm0, xmm1: bytes 1 and 15 of the operand, which the exit does not name. */
static void store_masked(uint64_t operand, uint64_t at)
{
    struct virt_exit e = exit_at(at);

    allow_vectors();
    cpu()->vector[0][0] = 0x0706050403020100;
    cpu()->vector[0][1] = 0x0f0e0d0c0b0a0908;
    cpu()->vector[1][0] = 0x7f7f7f7f7f7fff7f;
    cpu()->vector[1][1] = 1ul << 63;
    set_reg(GPR_RDI, operand);
    guest_put(CODE, "\x66\x0f\xf7\xc1", 4);
    cpu()->rip = CODE;
    bus_count = 0;
    device_access_memory(&guest_vcpu, &e);
}

static void test_masked_store(void **state)
{
    (void)state;
    store_masked(DEVICE + 3, DEVICE + 4);
    assert_int_equal(bus_count, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(bus_log[i].write && bus_log[i].size == 1);
        assert_int_equal(bus_log[i].at, DEVICE + (i ? 18 : 4));
        assert_int_equal(bus_log[i].value, i ? 15 : 1);
    }
    assert_int_equal(cpu()->rip, CODE + 4);
    guest_write64(0x9fff8, 0x2222222222222222);
    store_masked(0x9fff8, 0xa0007); /* over the end of RAM */
    assert_int_equal(guest_read64(0x9fff8), 0x2222222222220122);
    assert_int_equal(bus_count, 1);
    assert_int_equal(bus_log[0].at, 0xa0007);
    guest_write64(0x2008, 0); /* the second GiB */
    store_masked(0x3ffffff8, 0x3ffffff9);
    assert_int_equal(bus_count, 0);
    assert_int_equal(cpu()->pending.vector, VECTOR_PF);
    assert_int_equal(cpu()->cr2, 0x40000000);
}

static void test_flush(void **state)
{
    (void)state;
    RUN("\x0f\xae\x3b");     /* clflush [rbx] */
    RUN("\x66\x0f\xae\x3b"); /* clflushopt [rbx] */
    assert_int_equal(bus_count, 0);
}

/* What ends the domain instead of the instruction. */
static void test_ends(void **state)
{
    (void)state;
    cpu()->triple = true;
    set_reg(GPR_RBX, 1ul << 47); /* not canonical: #GP, over a pending #DF */
    run_at(CODE, "\xff\x33", 2); /* push [rbx] */
    assert_int_equal(cpu()->pending.vector, VECTOR_GP);
    assert_int_equal(guest.end, END_TRIPLE_FAULT);
    guest.end = END_NOT;
    cpu()->injected = 0;
    set_reg(GPR_RBX, DEVICE);
    set_reg(GPR_RSP, 0x400008); /* RAM that has not been touched, and no memory for its tables */
    guest_put(CODE, "\xff\x33", 2);
    virt_caps.slat_2m = false;
    frame_fail_nth(1);
    struct virt_exit e = exit_at(DEVICE);
    cpu()->rip = CODE;
    device_access_memory(&guest_vcpu, &e);
    frame_fail_nth(0);
    assert_int_equal(guest.end, END_KILLED);
    assert_non_null(strstr(guest.end_why, "RAM"));
    assert_int_equal(cpu()->injected, 0);
    assert_int_equal(cpu()->skips, 0);
}

/* An interrupt whose frame goes to the I/O APIC: the instruction at RIP is not the one to do. */
static void test_event_delivery(void **state)
{
    struct virt_exit e = exit_at(DEVICE);

    (void)state;
    e.memory.delivery = true;
    guest_put(CODE, "\x89\x03", 2); /* mov [rbx],eax */
    cpu()->rip = CODE;
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(guest.end, END_KILLED);
    assert_int_equal(bus_count, 0);
    assert_int_equal(cpu()->skips, 0);
}

/* ---- What is remembered of an instruction ---- */

static bool is_remembered(uint64_t at)
{
    for (unsigned i = 0; i < INSN_CACHE_ENTRIES; i++)
        if (guest_vcpu.emulator.insns[i].epoch && guest_vcpu.emulator.insns[i].at.v == at)
            return true;
    return false;
}

/* `mov eax,[rbx]`, and what is there in its place later. */
static void load(uint64_t rip)
{
    struct virt_exit e = exit_at(DEVICE);

    set_reg(GPR_RAX, 0);
    cpu()->rip = rip;
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(guest.end, END_NOT);
}

static void test_changed_code(void **state)
{
    (void)state;
    bus_register = 0x1280;
    RUN("\x8b\x03");
    assert_true(is_remembered(CODE));
    load(CODE);
    assert_int_equal(reg(GPR_RAX), 0x1280);
    assert_int_equal(cpu()->rip, CODE + 2);
    RUN("\x0f\xb6\x03"); /* movzx eax,byte[rbx] */
    assert_int_equal(reg(GPR_RAX), 0x80);
    RUN("\x0f\xbe\x03"); /* movsx: another second byte */
    assert_int_equal(reg(GPR_RAX), 0xffffff80);
    guest_put(CODE + 3, "\x99", 1); /* what follows is of no account */
    assert_true(is_remembered(CODE));
    load(CODE);
    assert_int_equal(reg(GPR_RAX), 0xffffff80);
    RUN("\x48\xc7\x83\x00\x00\x00\x00\x01\x02\x03\x04"); /* mov qword[rbx+0],imm: two words */
    assert_int_equal(bus_register, 0x04030201);
    RUN("\x48\xc7\x83\x00\x00\x00\x00\x01\x02\x03\x05");
    assert_int_equal(bus_register, 0x05030201);
    run_at(0x7ffc, "\x8b\x03", 2); /* near the page's end: known, but not remembered */
    assert_false(is_remembered(0x7ffc));
}

/* Tables of 4 KiB pages for the first 2 MiB, at 0x3000 and 0x4000. */
static void fine_tables(void)
{
    guest_write64(0x3000, 0x4000 | 7);
    for (unsigned i = 0; i < 512; i++)
        guest_write64(0x4000 + 8 * i, i << 12 | 7);
    guest_write64(0x2000, 0x3000 | 7);
}

static void test_changed_tables(void **state)
{
    (void)state;
    fine_tables();
    bus_register = 0x1280;
    guest_put(0x8000, "\x0f\xb6\x03", 3);
    RUN("\x8b\x03");
    assert_true(is_remembered(CODE));
    guest_write64(0x4038, 0x8000 | 7); /* another page there, without any flush */
    load(CODE);
    assert_int_equal(reg(GPR_RAX), 0x80);
    assert_int_equal(guest_read64(0x4038) & 0x20, 0x20); /* and it has been marked */
    guest_write64(0x5000, guest_read64(0x4000));         /* another table */
    guest_write64(0x5038, 0x7000 | 7);
    guest_write64(0x3000, 0x5000 | 7);
    load(CODE);
    assert_int_equal(reg(GPR_RAX), 0x1280);
    guest_write64(0x5038, 0x7000 | 6); /* none */
    load(CODE);
    assert_int_equal(cpu()->injected, 1);
    assert_int_equal(cpu()->pending.vector, VECTOR_PF);
    assert_int_equal(cpu()->cr2, CODE);
}

/* Registers on which it hangs, without a change in memory. */
static void test_changed_mode(void **state)
{
    (void)state;
    fine_tables();
    bus_register = 0x12345678;
    RUN("\x8b\x03");
    guest_write64(0x6000, 0x2000 | 3); /* other tables: the code is the supervisor's there */
    cpu()->cr3 = 0x6000;
    load(CODE);
    assert_int_equal(cpu()->injected, 0);
    guest_cpl(3);
    load(CODE);
    assert_int_equal(cpu()->injected, 1);
    assert_int_equal(cpu()->pending.error, GVA_PRESENT | GVA_USER);
    guest_mode(DECODE_16);
    load(CODE);
    assert_int_equal(reg(GPR_RAX), 0x5678);
    guest_mode(DECODE_32);
    load(CODE);
    assert_int_equal(reg(GPR_RAX), 0x12345678);
}

/* The guest gives the frame of the code back and gets another one there. */
static void test_changed_frame(void **state)
{
    (void)state;
    guest_mode(DECODE_32);
    bus_register = 0x1280;
    RUN("\x8b\x03");
    assert_int_equal(p2m_remove(&guest.p2m, gfn(CODE >> PAGE_SHIFT)), 0);
    assert_int_equal(p2m_fill(&guest.p2m, gfn(CODE >> PAGE_SHIFT)), 0);
    guest_put(CODE, "\x0f\xb6\x03", 3);
    load(CODE);
    assert_int_equal(reg(GPR_RAX), 0x80);
}

/* ---- String forms ---- */

static void test_movs_from_device(void **state)
{
    (void)state;
    bus_register = bus_step = 0x11;
    set_reg(GPR_RSI, DEVICE);
    set_reg(GPR_RDI, 0x9000);
    set_reg(GPR_RCX, 3);
    RUN("\xf3\xa5");
    assert_int_equal(guest_read64(0x9000), 0x2200000011);
    assert_int_equal(guest_read64(0x9008), 0x33);
    assert_int_equal(reg(GPR_RSI), DEVICE + 12);
    assert_int_equal(reg(GPR_RDI), 0x900c);
    assert_int_equal(reg(GPR_RCX), 0);
    assert_int_equal(bus_log[2].at, DEVICE + 8);
}

static void test_movs_to_device_down(void **state)
{
    (void)state;
    guest_write64(0x9000, 0x2222222211111111);
    cpu()->rflags |= RFLAGS_DF;
    set_reg(GPR_RSI, 0x9004);
    set_reg(GPR_RDI, DEVICE + 4);
    set_reg(GPR_RCX, 2);
    RUN("\xf3\xa5");
    assert_int_equal(bus_log[0].value, 0x22222222);
    assert_int_equal(bus_log[0].at, DEVICE + 4);
    assert_int_equal(bus_log[1].value, 0x11111111);
    assert_int_equal(bus_log[1].at, DEVICE);
    assert_int_equal(reg(GPR_RSI), 0x8ffc);
    assert_int_equal(reg(GPR_RDI), DEVICE - 4);
}

static void test_stos_lods(void **state)
{
    (void)state;
    set_reg(GPR_RAX, OLD);
    set_reg(GPR_RDI, DEVICE);
    set_reg(GPR_RSI, 0x1111);
    RUN("\x66\xab"); /* stosw */
    assert_int_equal(bus_log[0].value, 0x7788);
    assert_int_equal(reg(GPR_RDI), DEVICE + 2);
    assert_int_equal(reg(GPR_RSI), 0x1111);
    bus_register = 0xf1;
    set_reg(GPR_RSI, DEVICE);
    RUN("\xac"); /* lodsb */
    assert_int_equal(reg(GPR_RAX), 0x11223344556677f1);
    assert_int_equal(reg(GPR_RSI), DEVICE + 1);
    assert_int_equal(reg(GPR_RDI), DEVICE + 2);
}

static void test_string_count(void **state)
{
    (void)state;
    set_reg(GPR_RDI, DEVICE);
    set_reg(GPR_RCX, 0);
    RUN("\xf3\xab");
    assert_int_equal(bus_count, 0);
    set_reg(GPR_RCX, 5);
    RUN("\xab"); /* without rep the count is nobody's */
    assert_int_equal(reg(GPR_RCX), 5);
    set_reg(GPR_RCX, 0xffffffff00000002);
    RUN("\x67\xf3\xab"); /* 32-bit addresses, so ECX */
    assert_int_equal(bus_count, 3);
    assert_int_equal(reg(GPR_RCX), 0);
}

static void test_string_batches(void **state)
{
    (void)state;
    set_reg(GPR_RDI, DEVICE);
    set_reg(GPR_RCX, BATCH + 1);
    run_at(CODE, "\xf3\xaa", 2);
    assert_int_equal(bus_count, BATCH);
    assert_int_equal(reg(GPR_RCX), 1);
    assert_int_equal(cpu()->skips, 0);
    assert_int_equal(cpu()->rip, CODE);
    RUN("\xf3\xaa");
    assert_int_equal(bus_count, BATCH + 1);
}

static void test_string_on_slow_devices(void **state)
{
    (void)state;
    set_reg(GPR_RDI, DEVICE);
    set_reg(GPR_RCX, 100);
    fake_tsc_step = BATCH_TICKS / 4;
    run_at(CODE, "\xf3\xaa", 2);
    fake_tsc_step = 0;
    assert_in_range(bus_count, 2, 6);
    assert_int_equal(reg(GPR_RCX), 100 - bus_count);
    assert_int_equal(cpu()->skips, 0);
}

static void test_string_fault_in_the_middle(void **state)
{
    (void)state;
    guest_write64(0x2008, 0); /* the second GiB */
    bus_register = bus_step = 1;
    set_reg(GPR_RSI, DEVICE);
    set_reg(GPR_RDI, 0x3ffffffe); /* device memory, then nothing */
    set_reg(GPR_RCX, 5);
    run_at(CODE, "\xf3\xa4", 2);
    assert_int_equal(reg(GPR_RCX), 3);
    assert_int_equal(reg(GPR_RSI), DEVICE + 2);
    assert_int_equal(reg(GPR_RDI), 0x40000000);
    assert_int_equal(cpu()->cr2, 0x40000000);
    assert_int_equal(cpu()->pending.error, GVA_WRITE);
    assert_int_equal(cpu()->rip, CODE);
}

static void test_string_segments(void **state)
{
    (void)state;
    guest_mode(DECODE_32);
    cpu()->seg[SEG_FS].base = 0x9000;
    cpu()->seg[SEG_ES].base = DEVICE;
    guest_write64(0x9010, 0x77);
    set_reg(GPR_RSI, 0x10);
    set_reg(GPR_RDI, 0);
    RUN("\x64\xa4"); /* movsb es:[edi], fs:[esi] */
    assert_int_equal(bus_log[0].at, DEVICE);
    assert_int_equal(bus_log[0].value, 0x77);
}

/* REPE and REPNE end with the count, or with what was compared. */
static void test_compare_strings(void **state)
{
    (void)state;
    guest_write64(0x9000, 0x4443424141414141);
    bus_register = 0x41;
    set_reg(GPR_RSI, 0x9000);
    set_reg(GPR_RDI, DEVICE);
    set_reg(GPR_RCX, 8);
    RUN("\xf3\xa6"); /* repe cmpsb: five are equal */
    assert_int_equal(reg(GPR_RCX), 2);
    assert_int_equal(reg(GPR_RSI), 0x9006);
    assert_int_equal(reg(GPR_RDI), DEVICE + 6);
    assert_int_equal(cpu()->rflags & (RFLAGS_ZF | RFLAGS_CF), 0); /* 0x42 - 0x41 */
    set_reg(GPR_RAX, 0x41);
    set_reg(GPR_RDI, DEVICE);
    set_reg(GPR_RCX, 3);
    RUN("\xf3\xae"); /* repe scasb: all are equal */
    assert_int_equal(reg(GPR_RCX), 0);
    assert_true(cpu()->rflags & RFLAGS_ZF);
    RUN("\xf2\xae"); /* repne scasb of nothing */
    set_reg(GPR_RCX, 3);
    RUN("\xf2\xae"); /* the first is equal */
    assert_int_equal(reg(GPR_RCX), 2);
    assert_int_equal(reg(GPR_RDI), DEVICE + 4);
    RUN("\xa6"); /* without a prefix once, whatever was compared */
    assert_int_equal(reg(GPR_RCX), 2);
}

/* ---- The stack and branches ---- */

static void test_push_pop(void **state)
{
    (void)state;
    bus_register = 0x1122334455667788;
    set_reg(GPR_RBX, DEVICE);
    set_reg(GPR_RSP, 0x9000);
    RUN("\xff\x33"); /* push qword [rbx] */
    assert_int_equal(reg(GPR_RSP), 0x8ff8);
    assert_int_equal(guest_read64(0x8ff8), 0x1122334455667788);
    RUN("\x66\xff\x33"); /* push word */
    assert_int_equal(reg(GPR_RSP), 0x8ff6);
    guest_write64(0x8ff6, 0x99);
    RUN("\x8f\x03"); /* pop qword [rbx] */
    assert_int_equal(reg(GPR_RSP), 0x8ffe);
    assert_int_equal(bus_register, 0x99);
    set_reg(GPR_RSP, DEVICE); /* the stack itself */
    bus_register = 5;
    RUN("\x8f\x04\x25\x00\x90\x00\x00"); /* pop qword [0x9000] */
    assert_int_equal(guest_read64(0x9000), 5);
    assert_int_equal(reg(GPR_RSP), DEVICE + 8);
    guest_mode(DECODE_16);
    set_reg(GPR_RSP, 0x770000);
    set_reg(GPR_RBX, 0x9000);
    cpu()->seg[SEG_DS].base = DEVICE - 0x9000;
    bus_register = 0xabcd;
    run_at(CODE, "\xff\x37", 2); /* push word [bx]: SP alone wraps */
    assert_int_equal(reg(GPR_RSP), 0x77fffe);
}

/* Registers, constants and flags, on a stack that is the device's register; what each leaves is
 * compared in test_emulate_native.c. */
static void test_stack_in_device(void **state)
{
    (void)state;
    set_reg(GPR_RSP, DEVICE + 8);
    set_reg(GPR_R9, 0x99);
    RUN("\x41\x51"); /* push r9 */
    assert_int_equal(bus_register, 0x99);
    assert_int_equal(reg(GPR_RSP), DEVICE);
    bus_register = 0x77;
    RUN("\x5c"); /* pop rsp */
    assert_int_equal(reg(GPR_RSP), 0x77);
    set_reg(GPR_RSP, DEVICE + 8);
    RUN("\x6a\xfe"); /* push -2 */
    assert_int_equal(bus_register, ~1ul);
    set_reg(GPR_RBP, DEVICE);
    bus_register = 0x1234;
    RUN("\xc9"); /* leave */
    assert_int_equal(reg(GPR_RBP), 0x1234);
    assert_int_equal(reg(GPR_RSP), DEVICE + 8);
    cpu()->rflags = RFLAGS_FIXED | RFLAGS_CF | RFLAGS_RF | RFLAGS_IF;
    RUN("\x9c"); /* pushfq */
    assert_int_equal(bus_register, RFLAGS_FIXED | RFLAGS_CF | RFLAGS_IF);
}

/* IF and IOPL as the privilege allows; RF, VM and what is reserved never. */
static void test_popf(void **state)
{
    static const struct {
        unsigned cpl;
        uint64_t before, popped, after;
    } cases[] = {
        { 0, 0, ~0ul, 0x3f7fd5 & ~(RFLAGS_RF | RFLAGS_VM | RFLAGS_VIF | RFLAGS_VIP) },
        { 3, 0, RFLAGS_IF | RFLAGS_IOPL | RFLAGS_CF, RFLAGS_CF },
        { 3, RFLAGS_IF, 0, RFLAGS_IF },
        { 3, RFLAGS_IF | RFLAGS_IOPL, 0, RFLAGS_IOPL },
        { 0, RFLAGS_IF | RFLAGS_IOPL | RFLAGS_RF, 0, 0 },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        guest_cpl(cases[i].cpl);
        set_reg(GPR_RSP, DEVICE);
        cpu()->rflags = RFLAGS_FIXED | cases[i].before;
        bus_register = cases[i].popped;
        RUN("\x9d");
        assert_int_equal(cpu()->rflags, RFLAGS_FIXED | cases[i].after);
        assert_int_equal(reg(GPR_RSP), DEVICE + 8);
    }
    cpu()->rflags = RFLAGS_FIXED;
    bus_register = ~0ul;
    RUN("\x66\x9d"); /* popf: 16 bits */
    assert_int_equal(cpu()->rflags, 0x7fd7);
}

static void test_call_and_return(void **state)
{
    (void)state;
    set_reg(GPR_RSP, DEVICE + 8);
    run_at(CODE, "\xe8\x10\x00\x00\x00", 5);
    assert_int_equal(cpu()->rip, CODE + 0x15);
    assert_int_equal(bus_register, CODE + 5);
    run_at(CODE, "\xc2\x08\x80", 3); /* ret 0x8008 */
    assert_int_equal(cpu()->rip, CODE + 5);
    assert_int_equal(reg(GPR_RSP), DEVICE + 8 + 0x8008);
    set_reg(GPR_RSP, DEVICE + 8);
    set_reg(GPR_R10, 0x4000);
    run_at(CODE, "\x41\xff\xd2", 3); /* call r10 */
    assert_int_equal(cpu()->rip, 0x4000);
    assert_int_equal(bus_register, CODE + 3);
    bus_register = 1ul << 63;
    run_at(CODE, "\xc3", 1);
    assert_int_equal(cpu()->injected, 1);
    assert_int_equal(cpu()->pending.vector, VECTOR_GP);
    assert_int_equal(reg(GPR_RSP), DEVICE);
    assert_int_equal(cpu()->rip, CODE);
}

static void test_push_without_a_stack(void **state)
{
    (void)state;
    guest_write64(0x2008, 0); /* the second GiB */
    set_reg(GPR_RBX, DEVICE);
    set_reg(GPR_RSP, 0x40000004);
    run_at(CODE, "\xff\x33", 2);
    assert_int_equal(cpu()->injected, 1);
    assert_int_equal(cpu()->pending.vector, VECTOR_PF);
    assert_int_equal(reg(GPR_RSP), 0x40000004);
    assert_int_equal(cpu()->rip, CODE);
}

static void jump_to(uint64_t to, const char *code)
{
    bus_register = to;
    set_reg(GPR_RBX, DEVICE);
    set_reg(GPR_RSP, 0x9000);
    cpu()->injected = 0;
    run_at(CODE, code, 2);
}

static void test_branches(void **state)
{
    (void)state;
    jump_to(0x123456, "\xff\x23"); /* jmp [rbx] */
    assert_int_equal(cpu()->rip, 0x123456);
    jump_to(0x123456, "\xff\x13"); /* call [rbx] */
    assert_int_equal(cpu()->rip, 0x123456);
    assert_int_equal(reg(GPR_RSP), 0x8ff8);
    assert_int_equal(guest_read64(0x8ff8), CODE + 2);
    jump_to(1ul << 47, "\xff\x13"); /* not canonical: nothing has happened */
    assert_int_equal(cpu()->injected, 1);
    assert_int_equal(cpu()->pending.vector, VECTOR_GP);
    assert_int_equal(cpu()->rip, CODE);
    assert_int_equal(reg(GPR_RSP), 0x9000);
    guest_mode(DECODE_32);
    cpu()->seg[SEG_CS].limit = 0xffff;
    jump_to(0x10000, "\xff\x23");
    assert_int_equal(cpu()->pending.vector, VECTOR_GP);
    jump_to(0xffff, "\xff\x23");
    assert_int_equal(cpu()->rip, 0xffff);
}

/* ---- Operands that are in two places ---- */

#define EDGE 0xa0000ul /* RAM ends here */

/* Each part goes where it belongs: RAM below, nothing (here: the bus) above. */
static void test_over_the_end_of_ram(void **state)
{
    (void)state;
    guest_mode(DECODE_32); /* without paging */
    guest_write64(EDGE - 8, 0x2211000000000000);
    bus_register = 0xffff;
    set_reg(GPR_RBX, EDGE - 2);
    struct virt_exit e = { .kind = VIRT_EXIT_MEMORY, .memory = { .gpa = gpa(EDGE) } };
    guest_put(CODE, "\x8b\x03", 2); /* mov eax,[ebx] */
    cpu()->rip = CODE;
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(reg(GPR_RAX), 0xffff2211);
    assert_int_equal(bus_count, 1);
    assert_int_equal(bus_log[0].at, EDGE);
    assert_int_equal(bus_log[0].size, 2);
    set_reg(GPR_RAX, 0x99887766);
    guest_put(CODE, "\x89\x03", 2); /* mov [ebx],eax */
    cpu()->rip = CODE;
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(guest_read64(EDGE - 8) >> 48, 0x7766);
    assert_int_equal(bus_register, 0x9988);
    set_reg(GPR_RSI, EDGE - 2); /* rep movsd, from there to there */
    set_reg(GPR_RDI, 0x9000);
    set_reg(GPR_RCX, 2);
    guest_put(CODE, "\xf3\xa5", 2);
    cpu()->rip = CODE;
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(cpu()->injected, 0); /* no #PF without paging */
    assert_int_equal((uint32_t)guest_read64(0x9000), 0x99887766);
    assert_int_equal(reg(GPR_RCX), 0);
    set_reg(GPR_RDI, EDGE - 2);
    set_reg(GPR_RCX, 1);
    set_reg(GPR_RAX, 0x12345678);
    guest_put(CODE, "\xf3\xab", 2); /* rep stosd */
    cpu()->rip = CODE;
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(guest_read64(EDGE - 8) >> 48, 0x5678);
    assert_int_equal(cpu()->injected, 0);
}

/* What goes well, with an exit for the first byte behind RAM. */
static void over_edge(const char *code, unsigned length)
{
    struct virt_exit e = exit_at(EDGE);

    guest_put(CODE, code, length);
    cpu()->rip = CODE;
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(cpu()->injected, 0);
    assert_int_equal(cpu()->rip, CODE + length);
}
#define OVER_EDGE(code) over_edge(code, sizeof(code) - 1)

static void string_registers(uint64_t rsi, uint64_t rdi, uint64_t rcx)
{
    set_reg(GPR_RSI, rsi);
    set_reg(GPR_RDI, rdi);
    set_reg(GPR_RCX, rcx);
}

static void test_strings_over_the_end_of_ram(void **state)
{
    (void)state;
    guest_mode(DECODE_32);
    guest_write64(EDGE - 8, 0x2211000000000000);
    guest_write64(0x9000, 0x5544332211);
    bus_register = 0x4433;
    string_registers(EDGE - 2, 0, 1);
    OVER_EDGE("\xf3\xad"); /* rep lodsd */
    assert_int_equal(reg(GPR_RAX), 0x44332211);
    assert_int_equal(reg(GPR_RSI), EDGE + 2);
    string_registers(EDGE - 2, 0x9000, 5);
    OVER_EDGE("\xf3\xa6"); /* repe cmpsb: 11 22 33, and not 44 */
    assert_int_equal(reg(GPR_RCX), 1);
    assert_int_equal(reg(GPR_RSI), EDGE + 2);
    assert_false(cpu()->rflags & RFLAGS_ZF);
    set_reg(GPR_RAX, 0x33);
    string_registers(0, EDGE - 2, 9);
    OVER_EDGE("\xf2\xae"); /* repne scasb */
    assert_int_equal(reg(GPR_RCX), 6);
    assert_int_equal(reg(GPR_RDI), EDGE + 1);
    assert_true(cpu()->rflags & RFLAGS_ZF);
}

/* Where no exit tells where the operand is: addresses of 16 bits go round, and the segment is the
 * one that is meant. */
static void test_16_bit_addresses(void **state)
{
    (void)state;
    guest_mode(DECODE_16);
    guest_write64(EDGE - 8, 0x2211000000000000);
    bus_register = 0xffff;
    cpu()->seg[SEG_ES].base = cpu()->seg[SEG_SS].base = EDGE - 0xfff0; /* 0xffee is EDGE - 2 */
    set_reg(GPR_RBX, 0x1234fff0);
    set_reg(GPR_RSI, 0x5678fffe);
    OVER_EDGE("\x26\x66\x8b\x00"); /* mov eax,es:[bx+si] */
    assert_int_equal(reg(GPR_RAX), 0xffff2211);
    set_reg(GPR_RBP, 0xffde);
    OVER_EDGE("\x66\x8b\x4e\x10"); /* mov ecx,[bp+0x10], which is of SS */
    assert_int_equal(reg(GPR_RCX), 0xffff2211);
    set_reg(GPR_RBP, 0x1111fffe);
    OVER_EDGE("\x66\x8b\x56\xf0"); /* mov edx,[bp-0x10] */
    assert_int_equal(reg(GPR_RDX), 0xffff2211);
    set_reg(GPR_RBX, 0xffed);
    OVER_EDGE("\x26\x67\x66\x8b\x43\x01"); /* mov eax,es:[ebx+1] */
    assert_int_equal(reg(GPR_RAX), 0xffff2211);
    assert_int_equal(bus_count, 4);
}

/* The same: from the next instruction on, and by the two segments that have a base there. */
static void test_64_bit_addresses(void **state)
{
    (void)state;
    guest_write64(EDGE - 8, 0x2211000000000000);
    bus_register = 0xffff;
    OVER_EDGE("\x8b\x05\xf8\x8f\x09\x00"); /* mov eax,[rip+0x98ff8] */
    assert_int_equal(reg(GPR_RAX), 0xffff2211);
    cpu()->seg[SEG_FS].base = 0x90000;
    cpu()->seg[SEG_GS].base = EDGE;
    set_reg(GPR_RBX, 0xfffe);
    OVER_EDGE("\x64\x8b\x0b"); /* mov ecx,fs:[rbx] */
    assert_int_equal(reg(GPR_RCX), 0xffff2211);
    set_reg(GPR_RBX, -2ul);
    OVER_EDGE("\x65\x8b\x13"); /* mov edx,gs:[rbx] */
    assert_int_equal(reg(GPR_RDX), 0xffff2211);
    assert_int_equal(bus_count, 3);
}

/* Two pages side by side for the guest, which are two devices far from one another; then a device's
 * with RAM behind it. */
static void test_pages_that_are_no_neighbours(void **state)
{
    struct virt_exit e = exit_at(0xfec00ffe);

    (void)state;
    fine_tables();
    guest_write64(0x4048, 0xfec00000 | 7); /* 0x9000 */
    guest_write64(0x4050, 0xfee00000 | 7);
    guest_put(CODE, "\x8b\x03\x89\x03", 4); /* mov eax,[rbx]; mov [rbx],eax */
    set_reg(GPR_RBX, 0x9ffe);
    bus_register = 0x1122;
    bus_step = 0x1111;
    cpu()->rip = CODE;
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(reg(GPR_RAX), 0x22331122);
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(bus_count, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(bus_log[i].write, i >= 2);
        assert_int_equal(bus_log[i].at, i % 2 ? 0xfee00000 : 0xfec00ffe);
        assert_int_equal(bus_log[i].size, 2);
        assert_int_equal(bus_log[i].value, i % 2 ? 0x2233 : 0x1122);
    }
    guest_write64(0x4050, 0xb000 | 7);
    cpu()->rip = CODE + 2;
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(bus_count, 5);
    assert_int_equal(bus_log[4].at, 0xfec00ffe);
    assert_int_equal(guest_read64(0xb000) & 0xffff, 0x2233);
    assert_int_equal(cpu()->injected, 0);
}

/* The second page may not be written: nothing has been read or written before the fault. */
static void test_fault_in_the_second_part(void **state)
{
    (void)state;
    guest_write64(0x2008, 0); /* the second GiB */
    set_reg(GPR_RBX, 0x3ffffffe);
    struct virt_exit e = { .kind = VIRT_EXIT_MEMORY, .memory = { .gpa = gpa(0x3ffffffe) } };
    guest_put(CODE, "\xff\x03", 2); /* inc dword [rbx] */
    cpu()->rip = CODE;
    device_access_memory(&guest_vcpu, &e);
    assert_int_equal(bus_count, 0);
    assert_int_equal(cpu()->pending.vector, VECTOR_PF);
    assert_int_equal(cpu()->cr2, 0x40000000);
    assert_int_equal(cpu()->pending.error, GVA_WRITE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_breakpoint),
        TEST(test_breakpoints),
        TEST(test_page_walk_and_fetch),
        TEST(test_fetch_from_large_mapping),
        TEST(test_forms),
        TEST(test_flags),
        TEST(test_other_registers),
        TEST(test_32_bit_code),
        TEST(test_16_bit_code),
        TEST(test_fetch_across_pages),
        TEST(test_fetch_at_the_end),
        TEST(test_unknown_instruction),
        TEST(test_vector_store),
        TEST(test_vectors_refused),
        TEST(test_vectors_over_the_end_of_ram),
        TEST(test_masked_store),
        TEST(test_flush),
        TEST(test_store_selectors),
        TEST(test_load_selector),
        TEST(test_load_selector_refused),
        TEST(test_load_selector_real),
        TEST(test_ltr_lldt),
        TEST(test_ends),
        TEST(test_event_delivery),
        TEST(test_changed_code),
        TEST(test_changed_tables),
        TEST(test_changed_mode),
        TEST(test_changed_frame),
        TEST(test_movs_from_device),
        TEST(test_movs_to_device_down),
        TEST(test_stos_lods),
        TEST(test_string_count),
        TEST(test_string_batches),
        TEST(test_string_on_slow_devices),
        TEST(test_string_fault_in_the_middle),
        TEST(test_string_segments),
        TEST(test_compare_strings),
        TEST(test_push_pop),
        TEST(test_stack_in_device),
        TEST(test_popf),
        TEST(test_call_and_return),
        TEST(test_push_without_a_stack),
        TEST(test_branches),
        TEST(test_over_the_end_of_ram),
        TEST(test_strings_over_the_end_of_ram),
        TEST(test_16_bit_addresses),
        TEST(test_64_bit_addresses),
        TEST(test_pages_that_are_no_neighbours),
        TEST(test_fault_in_the_second_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
