/* links: emulate/task_switch.c emulate/selector.c emulate/operand.c emulate/breakpoint.c guestmem/gva.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/gmem.c arch/x86/moment.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/bus.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * emulate/task_switch.c: each way to another task and back, and each fault, in the old task and in
 * the new one. A guest with a GDT, an LDT and three tasks: A runs, B has a 32-bit TSS, C one of 16.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "emulate/task_switch.h"
#include "tests/fakes/guest.h"

#define GDT     0x3000ul
#define LDT     0x3800ul
#define TSS_A   0x4000ul
#define TSS_B   0x4100ul
#define TSS_C   0x4200ul
#define STACK_B 0x6000ul
#define RIP     0x7000ul
#define EIP_B   0x8000u

enum {
    CODE0 = 0x08,
    DATA0 = 0x10,
    CODE3 = 0x18,
    DATA3 = 0x20,
    TASK_A = 0x28,
    TASK_B = 0x30,
    TASK_C = 0x38,
    THE_LDT = 0x40,
    ABSENT_CODE = 0x48,
    ABSENT_DATA = 0x50,
    CONFORMING3 = 0x58,
    UNREADABLE = 0x60,
    READ_ONLY = 0x68,
    ABSENT_LDT = 0x70,
    SHORT_CODE = 0x78,
    CONFORMING0 = 0x80,
    SMALL_DATA = 0x88,
    GDT_END = 0x90,
    IN_LDT = 4
};

#define TSS(base, type) (0x0000000000000067 | (uint64_t)(base) << 16 | (uint64_t)(type) << 40)

static const uint64_t gdt[GDT_END / 8] = {
    [CODE0 / 8] = 0x00cf9a000000ffff,
    [DATA0 / 8] = 0x00cf92000000ffff,
    [CODE3 / 8] = 0x00cffa000000ffff,
    [DATA3 / 8] = 0x00cff2000000ffff,
    [TASK_A / 8] = TSS(TSS_A, 0x8b),
    [TASK_B / 8] = TSS(TSS_B, 0x89),
    [TASK_C / 8] = TSS(TSS_C, 0x81),
    [THE_LDT / 8] = 0x0000820038000017,
    [ABSENT_CODE / 8] = 0x00cf1a000000ffff,
    [ABSENT_DATA / 8] = 0x00cf12000000ffff,
    [CONFORMING3 / 8] = 0x00cffe000000ffff,
    [UNREADABLE / 8] = 0x00cf98000000ffff,
    [READ_ONLY / 8] = 0x00cf90000000ffff,
    [ABSENT_LDT / 8] = 0x0000020038000017,
    [SHORT_CODE / 8] = 0x00409a000000ffff & ~0x8000ul, /* up to 0x7fff */
    [CONFORMING0 / 8] = 0x00cf9e000000ffff,
    [SMALL_DATA / 8] = 0x0040920000000fff,
};

/* Offsets into a TSS of 32 bits. */
enum {
    LINK = 0,
    CR3 = 28,
    EIP = 32,
    EFLAGS = 36,
    EAX = 40,
    ESP = 56,
    EDI = 68,
    ES = 72,
    CS = 76,
    SS = 80,
    DS = 84,
    FS = 88,
    GS = 92,
    LDTR = 96,
    TRAP = 100
};

static void put32(uint64_t at, uint32_t value)
{
    guest_put(at, &value, 4);
}

static void put16(uint64_t at, uint16_t value)
{
    guest_put(at, &value, 2);
}

static uint32_t get32(uint64_t at)
{
    return (uint32_t)guest_read64(at);
}

static uint16_t get16(uint64_t at)
{
    return (uint16_t)guest_read64(at);
}

static void build_b(void)
{
    static const uint16_t selectors[] = { DATA0, CODE0, DATA0, DATA0, 0, DATA3 | 3, 0 };

    put32(TSS_B + EIP, EIP_B);
    put32(TSS_B + EFLAGS, 0x246);
    for (unsigned i = 0; i < 8; i++)
        put32(TSS_B + EAX + 4 * i, 0xb0b00000 + i);
    put32(TSS_B + ESP, STACK_B);
    for (unsigned i = 0; i < 7; i++)
        put16(TSS_B + ES + 4 * i, selectors[i]);
    put32(TSS_B + TRAP, 0);
}

static void build_c(void)
{
    static const uint16_t words[] = { 0x1234, 0x0202, 1,     2,     3,     4,     0x5000, 5,
                                      6,      7,      DATA0, CODE0, DATA0, DATA0, 0 };

    guest_put(TSS_C + 14, words, sizeof(words));
}

static int setup(void **state)
{
    (void)state;
    guest_start();
    guest_put(GDT, gdt, sizeof(gdt));
    guest_write64(LDT, 0);
    guest_write64(LDT + 8, gdt[CODE0 / 8]);
    guest_write64(LDT + 16, gdt[DATA0 / 8]);
    cpu()->gdt_base = GDT;
    cpu()->gdt_limit = GDT_END - 1;
    cpu()->seg[SEG_TR] =
        (struct segment){ .base = TSS_A, .limit = 0x67, .ar = 0x8b, .selector = TASK_A };
    cpu()->seg[SEG_LDTR].ar = SEG_AR_UNUSABLE;
    cpu()->seg[SEG_CS].selector = CODE0;
    cpu()->seg[SEG_SS].selector = cpu()->seg[SEG_GS].selector = DATA0;
    cpu()->rip = RIP;
    cpu()->rflags = RFLAGS_FIXED | RFLAGS_ZF | RFLAGS_RF;
    for (enum gpr n = GPR_RAX; n <= GPR_RDI; n++)
        set_reg(n, 0xa0a00000 + n);
    build_b();
    build_c();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guest_stop();
    return 0;
}

static int go(enum task_by by, uint16_t selector, unsigned length)
{
    const struct virt_task t = { .by = by, .selector = selector, .length = (uint8_t)length };

    return task_switch(&guest_vcpu.emulator, &t);
}

/* By a gate of the IDT. */
static int go_event(enum event_type type, uint8_t vector, bool has_error, uint32_t error)
{
    const struct virt_task t = { .by = TASK_GATE,
                                 .selector = TASK_B,
                                 .length = type == EVENT_SOFT_INT ? 2 : 0,
                                 .event = { .valid = true,
                                            .has_error = has_error,
                                            .vector = vector,
                                            .type = type,
                                            .error = error } };

    return task_switch(&guest_vcpu.emulator, &t);
}

static bool is_busy(uint16_t task)
{
    return guest_read64(GDT + task) >> 41 & 1;
}

static void assert_in_b(void)
{
    assert_int_equal(cpu()->seg[SEG_TR].selector, TASK_B);
    assert_int_equal(cpu()->seg[SEG_TR].base, TSS_B);
    assert_int_equal(cpu()->seg[SEG_TR].ar, 0x8b);
    assert_int_equal(cpu()->rip, EIP_B);
    assert_int_equal(reg(GPR_RAX), 0xb0b00000);
    assert_int_equal(reg(GPR_RDI), 0xb0b00007);
    assert_true(cpu()->cr0 & CR0_TS);
    assert_int_equal(cpu()->task_switches, 1);
}

static void assert_saved(uint32_t eip, uint32_t eflags)
{
    assert_int_equal(get32(TSS_A + EIP), eip);
    assert_int_equal(get32(TSS_A + EFLAGS), eflags);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(get32(TSS_A + EAX + 4 * i), 0xa0a00000 + i);
    assert_int_equal(get16(TSS_A + CS), CODE0);
    assert_int_equal(get16(TSS_A + SS), DATA0);
    assert_int_equal(get16(TSS_A + GS), DATA0);
}

/* ---- Ways there and back ---- */

static void test_jmp(void **state)
{
    (void)state;
    put32(TSS_A + CS, 0xdead0000); /* what is above a selector stays */
    assert_int_equal(go(TASK_JMP, TASK_B, 7), 0);
    assert_in_b();
    assert_saved(RIP + 7, RFLAGS_FIXED | RFLAGS_ZF); /* RF is over */
    assert_int_equal(get32(TSS_A + CS), 0xdead0000 | CODE0);
    assert_int_equal(cpu()->rflags, 0x246);
    assert_true(!is_busy(TASK_A) && is_busy(TASK_B));
    assert_int_equal(get16(TSS_B + LINK), 0);
    assert_int_equal(cpu()->seg[SEG_CS].selector, CODE0);
    assert_int_equal(cpu()->seg[SEG_CS].ar, 0xc09b);
    assert_int_equal(cpu()->seg[SEG_DS].ar, 0xc093);
    assert_true(cpu()->seg[SEG_FS].ar & SEG_AR_UNUSABLE);
    assert_int_equal(cpu()->seg[SEG_GS].ar, 0xc0f3);
    assert_true(cpu()->seg[SEG_LDTR].ar & SEG_AR_UNUSABLE);
    assert_int_equal(guest_read64(GDT + DATA3), gdt[DATA3 / 8] | 1ul << 40); /* accessed */
    assert_int_equal(cpu()->injected, 0);
    assert_int_equal(cpu()->taken, 1);
}

static void test_call_and_iret(void **state)
{
    (void)state;
    assert_int_equal(go(TASK_CALL, TASK_B, 7), 0);
    assert_in_b();
    assert_saved(RIP + 7, RFLAGS_FIXED | RFLAGS_ZF);
    assert_int_equal(cpu()->rflags, 0x246 | RFLAGS_NT);
    assert_int_equal(get16(TSS_B + LINK), TASK_A);
    assert_true(is_busy(TASK_A) && is_busy(TASK_B));
    cpu()->rip = 0x9000;
    assert_int_equal(go(TASK_IRET, TASK_A, 1), 0);
    assert_true(is_busy(TASK_A) && !is_busy(TASK_B));
    assert_int_equal(get32(TSS_B + EIP), 0x9001);
    assert_int_equal(get32(TSS_B + EFLAGS), 0x246); /* NT is over */
    assert_int_equal(cpu()->rip, RIP + 7);
    assert_int_equal(cpu()->rflags, RFLAGS_FIXED | RFLAGS_ZF);
    assert_int_equal(reg(GPR_RDI), 0xa0a00007);
    assert_int_equal(cpu()->seg[SEG_TR].selector, TASK_A);
}

/* A task that returns to itself goes on behind its IRET. */
static void test_iret_to_itself(void **state)
{
    (void)state;
    put16(TSS_A + DS, DATA0);
    cpu()->rflags |= RFLAGS_NT;
    assert_int_equal(go(TASK_IRET, TASK_A, 1), 0);
    assert_int_equal(cpu()->rip, RIP + 1);
    assert_int_equal(cpu()->rflags, RFLAGS_FIXED | RFLAGS_ZF);
    assert_int_equal(reg(GPR_RBX), 0xa0a00003);
}

static void test_16bit_and_back(void **state)
{
    (void)state;
    assert_int_equal(go(TASK_CALL, TASK_C, 5), 0);
    assert_saved(RIP + 5, RFLAGS_FIXED | RFLAGS_ZF);
    assert_int_equal(cpu()->rip, 0x1234);
    assert_int_equal(cpu()->rflags, 0x4202);
    assert_int_equal(reg(GPR_RAX), 1); /* the upper half is zero */
    assert_int_equal(reg(GPR_RSP), 0x5000);
    assert_int_equal(reg(GPR_RDI), 7);
    assert_int_equal(cpu()->seg[SEG_TR].ar, 0x83);
    assert_int_equal(cpu()->seg[SEG_GS].selector, 0);
    assert_true(cpu()->seg[SEG_FS].ar & cpu()->seg[SEG_GS].ar & SEG_AR_UNUSABLE);
    assert_int_equal(get16(TSS_C), TASK_A);
    cpu()->rip = 0x4321;
    set_reg(GPR_RCX, 0x77771111);
    assert_int_equal(go(TASK_IRET, TASK_A, 1), 0);
    assert_int_equal(get16(TSS_C + 14), 0x4322);
    assert_int_equal(get16(TSS_C + 16), 0x0202);
    assert_int_equal(get16(TSS_C + 20), 0x1111);
    assert_int_equal(get16(TSS_C + 22), 3);
    assert_int_equal(get16(TSS_C + 40), DATA0);
    assert_int_equal(cpu()->rip, RIP + 5);
    assert_int_equal(cpu()->seg[SEG_TR].ar, 0x8b);
}

static void test_into_vm86(void **state)
{
    (void)state;
    put32(TSS_B + EFLAGS, 0x20202 | 3 << 12);
    put16(TSS_B + CS, 0x1000);
    put16(TSS_B + SS, 0x2003);
    put16(TSS_B + GS, 0xffff);
    put32(TSS_B + EIP, 0x10);
    put16(TSS_B + LDTR, THE_LDT);
    assert_int_equal(go(TASK_JMP, TASK_B, 7), 0);
    assert_int_equal(cpu()->rip, 0x10);
    assert_true(cpu()->rflags & RFLAGS_VM);
    for (enum seg s = SEG_ES; s <= SEG_GS; s++) {
        assert_int_equal(cpu()->seg[s].ar, 0xf3);
        assert_int_equal(cpu()->seg[s].limit, 0xffff);
        assert_int_equal(cpu()->seg[s].base, cpu()->seg[s].selector << 4);
    }
    assert_int_equal(cpu()->seg[SEG_SS].selector, 0x2003);
    assert_int_equal(cpu()->seg[SEG_LDTR].base, LDT);
}

/* #GP in it, through a task gate; CS:EIP is saved as it is in vm86, and the switch back restores
 * it. */
static void test_out_of_vm86(void **state)
{
    (void)state;
    cpu()->rflags = 0x20202 | RFLAGS_RF;
    for (enum seg s = SEG_ES; s <= SEG_GS; s++)
        cpu()->seg[s] = (struct segment){
            .base = 0x10000 * (s + 1), .limit = 0xffff, .ar = 0xf3, .selector = 0x1000 * (s + 1)
        };
    assert_int_equal(go_event(EVENT_EXCEPTION, VECTOR_GP, true, 0), 0);
    assert_int_equal(cpu()->rflags, 0x246 | RFLAGS_NT);
    assert_int_equal(get32(TSS_A + EFLAGS), 0x20202 | RFLAGS_RF);
    assert_int_equal(get16(TSS_A + CS), 0x2000);
    assert_int_equal(get32(STACK_B - 4), 0);
    assert_int_equal(virt_cpl(&guest_vcpu.virt), 0);
    assert_int_equal(go(TASK_IRET, TASK_A, 1), 0);
    assert_int_equal(cpu()->rflags, 0x20202 | RFLAGS_RF);
    assert_int_equal(cpu()->seg[SEG_CS].base, 0x20000);
    assert_int_equal(cpu()->seg[SEG_CS].ar, 0xf3);
    assert_int_equal(cpu()->rip, RIP);
}

static void test_to_cpl3(void **state)
{
    (void)state;
    put16(TSS_B + CS, CODE3 | 3);
    put16(TSS_B + SS, DATA3 | 3);
    put16(TSS_B + ES, DATA3 | 3);
    put16(TSS_B + DS, DATA3 | 3);
    assert_int_equal(go(TASK_JMP, TASK_B, 7), 0);
    assert_int_equal(virt_cpl(&guest_vcpu.virt), 3);
    assert_int_equal(cpu()->seg[SEG_CS].ar, 0xc0fb);
}

static void test_conforming(void **state)
{
    (void)state;
    put16(TSS_B + CS, CONFORMING0 | 3);
    put16(TSS_B + SS, DATA3 | 3);
    put16(TSS_B + ES, CONFORMING0);
    put16(TSS_B + DS, DATA3);
    assert_int_equal(go(TASK_JMP, TASK_B, 7), 0);
    assert_int_equal(virt_cpl(&guest_vcpu.virt), 3);
    assert_int_equal(cpu()->seg[SEG_CS].selector, CONFORMING0 | 3);
}

static void test_ldt(void **state)
{
    (void)state;
    put16(TSS_B + LDTR, THE_LDT);
    put16(TSS_B + CS, 8 | IN_LDT);
    put16(TSS_B + SS, 16 | IN_LDT);
    assert_int_equal(go(TASK_JMP, TASK_B, 7), 0);
    assert_int_equal(cpu()->seg[SEG_LDTR].selector, THE_LDT);
    assert_int_equal(cpu()->seg[SEG_LDTR].base, LDT);
    assert_int_equal(cpu()->seg[SEG_LDTR].ar, 0x82);
    assert_int_equal(cpu()->seg[SEG_CS].selector, 12);
}

/* The error code is the new task's to find; the event has been delivered. */
static void test_event_with_error(void **state)
{
    (void)state;
    assert_int_equal(go_event(EVENT_EXCEPTION, VECTOR_PF, true, 0xabcd), 0);
    assert_int_equal(get32(STACK_B - 4), 0xabcd);
    assert_int_equal(reg(GPR_RSP), STACK_B - 4);
    assert_saved(RIP, RFLAGS_FIXED | RFLAGS_ZF | RFLAGS_RF);
    assert_int_equal(get16(TSS_B + LINK), TASK_A);
    assert_int_equal(cpu()->taken, 1);
}

static void test_event_16bit_error(void **state)
{
    (void)state;
    guest_write64(0x4ff8, ~0ul);
    const struct virt_task t = {
        .by = TASK_GATE,
        .selector = TASK_C,
        .event = { .valid = true, .has_error = true, .type = EVENT_EXCEPTION, .error = 0x12345 }
    };
    assert_int_equal(task_switch(&guest_vcpu.emulator, &t), 0);
    assert_int_equal((uint16_t)reg(GPR_RSP), 0x4ffe);
    assert_int_equal(guest_read64(0x4ff8), 0x2345ffffffffffff);
}

static void test_soft_int(void **state)
{
    (void)state;
    assert_int_equal(go_event(EVENT_SOFT_INT, 0x80, false, 0), 0);
    assert_int_equal(get32(TSS_A + EIP), RIP + 2);
    assert_int_equal(reg(GPR_RSP), STACK_B);
}

/* T: #DB before the first instruction, with BT alone to tell it from others. */
static void test_debug_trap(void **state)
{
    (void)state;
    put16(TSS_B + TRAP, 1);
    assert_int_equal(go(TASK_JMP, TASK_B, 7), 0);
    assert_int_equal(cpu()->traps, DR6_BT);
    assert_int_equal(cpu()->rip, EIP_B);
}

static void test_cr3(void **state)
{
    (void)state;
    put32(TSS_B + CR3, 0x5000);
    assert_int_equal(go(TASK_CALL, TASK_B, 7), 0);
    assert_int_equal(cpu()->cr3, 0); /* without paging it stays */
}

/* ---- Page tables ---- */

#define TABLE_A  0x10000u
#define TABLE_B  0x11000u
#define FIRST    0x12000u /* of 4 KiB pages, of both */
#define SECOND   0x13000u /* another, for B alone */
#define PAGE(at) (FIRST + 4 * ((uint32_t)(at) >> PAGE_SHIFT))

static void start_paging(void)
{
    for (uint32_t i = 0; i < 1024; i++)
        put32(FIRST + 4 * i, i << PAGE_SHIFT | 3);
    put32(TABLE_A, FIRST | 3);
    put32(TABLE_B, FIRST | 3);
    put32(TSS_B + CR3, TABLE_B);
    cpu()->cr0 |= CR0_PG | CR0_WP;
    cpu()->cr3 = TABLE_A;
}

static void test_new_address_space(void **state)
{
    (void)state;
    start_paging();
    assert_int_equal(go(TASK_JMP, TASK_B, 7), 0);
    assert_int_equal(cpu()->cr3, TABLE_B);
    assert_in_b();
}

static void faults_at(enum task_by by, uint64_t page, uint64_t address, uint32_t pte_bits)
{
    uint32_t old = get32(PAGE(page));

    put32(PAGE(page), (old & ~3u) | pte_bits);
    assert_int_equal(go(by, TASK_B, 7), -EFAULT);
    assert_int_equal(guest_vcpu.space.fault.address.v, address);
    assert_int_equal(cpu()->rip, RIP);
    assert_int_equal(cpu()->task_switches, 0);
    assert_true(is_busy(TASK_A) && !is_busy(TASK_B));
    assert_int_equal(get32(cpu()->seg[SEG_TR].base + EIP), 0);
    put32(PAGE(page), old);
}

/* Either TSS, or the GDT: absent or not to be written. Nothing has happened then. */
static void test_page_faults_in_old_task(void **state)
{
    (void)state;
    start_paging();
    cpu()->seg[SEG_TR].base = 0x20fc0; /* over two pages */
    faults_at(TASK_JMP, 0x20000, 0x20fe0, 0);
    assert_int_equal(guest_vcpu.space.fault.error, GVA_WRITE);
    faults_at(TASK_JMP, 0x20000, 0x20fe0, 1);
    assert_int_equal(guest_vcpu.space.fault.error, GVA_WRITE | GVA_PRESENT);
    faults_at(TASK_JMP, 0x21000, 0x2101f, 0);
    faults_at(TASK_JMP, TSS_B, TSS_B, 0);
    assert_int_equal(guest_vcpu.space.fault.error, 0);
    faults_at(TASK_CALL, TSS_B, TSS_B, 1); /* the link is to be written */
    assert_int_equal(guest_vcpu.space.fault.error, GVA_WRITE | GVA_PRESENT);
    faults_at(TASK_JMP, GDT, GDT + TASK_B, 0);
    faults_at(TASK_JMP, GDT, GDT + TASK_A + 5, 1);
    faults_at(TASK_CALL, GDT, GDT + TASK_B + 5, 1);
}

/* The processor's own accesses: SMAP keeps them off user pages, EFLAGS.AC or not. */
static void test_user_pages(void **state)
{
    (void)state;
    start_paging();
    put32(TABLE_A, FIRST | 7);
    cpu()->cr4 |= CR4_SMAP;
    cpu()->rflags |= RFLAGS_AC;
    faults_at(TASK_JMP, TSS_A, TSS_A + EIP, 7);
    assert_int_equal(guest_vcpu.space.fault.error, GVA_WRITE | GVA_PRESENT);
    cpu()->seg[SEG_TR].base = 0x20000;
    faults_at(TASK_JMP, TSS_B, TSS_B, 7);
    assert_int_equal(guest_vcpu.space.fault.error, GVA_PRESENT);
    faults_at(TASK_JMP, GDT, GDT + TASK_B, 7);
    assert_int_equal(guest_vcpu.space.fault.error, GVA_PRESENT);
}

/* The stack for the error code: the new task's own affair. */
static void test_page_fault_in_new_task(void **state)
{
    (void)state;
    start_paging();
    put32(PAGE(STACK_B - 4), 0);
    assert_int_equal(go_event(EVENT_EXCEPTION, VECTOR_DF, true, 0), -EFAULT);
    assert_int_equal(guest_vcpu.space.fault.address.v, STACK_B - 4);
    assert_in_b();
    assert_int_equal(reg(GPR_RSP), STACK_B);
    assert_int_equal(cpu()->taken, 0); /* so that it makes a double fault of the two */
}

static void test_bad_cr3(void **state)
{
    (void)state;
    start_paging();
    cpu()->refused = TABLE_B;
    assert_int_equal(go(TASK_JMP, TASK_B, 7), -EACCES);
    assert_int_equal(guest_vcpu.emulator.vector, VECTOR_GP);
    assert_int_equal(guest_vcpu.emulator.error, 0);
    assert_in_b();
}

/* ---- Faults by descriptors ---- */

struct fault {
    const char *name;
    enum task_by by;
    uint64_t at; /* what is written there before, 8 bytes in the GDT, 2 in a TSS; */
    uint64_t value;
    uint16_t task;
    uint8_t vector;
    uint16_t error;
};

#define GDT_AT(s) (GDT + (s))

static const struct fault old_faults[] = {
    { "no TSS", TASK_JMP, 0, 0, CODE0, VECTOR_GP, CODE0 },
    { "null", TASK_JMP, 0, 0, 0, VECTOR_GP, 0 },
    { "null link", TASK_IRET, 0, 0, 0, VECTOR_TS, 0 },
    { "an LDT", TASK_CALL, 0, 0, THE_LDT, VECTOR_GP, THE_LDT },
    { "in the LDT", TASK_CALL, 0, 0, TASK_B | IN_LDT, VECTOR_GP, TASK_B | IN_LDT },
    { "link in the LDT", TASK_IRET, 0, 0, TASK_B | IN_LDT, VECTOR_TS, TASK_B | IN_LDT },
    { "beyond", TASK_JMP, 0, 0, GDT_END, VECTOR_GP, GDT_END },
    { "RPL is no error", TASK_JMP, 0, 0, GDT_END | 3, VECTOR_GP, GDT_END },
    { "link beyond", TASK_IRET, 0, 0, GDT_END, VECTOR_TS, GDT_END },
    { "busy", TASK_JMP, 0, 0, TASK_A, VECTOR_GP, TASK_A },
    { "busy", TASK_CALL, 0, 0, TASK_A, VECTOR_GP, TASK_A },
    { "link to an available one", TASK_IRET, 0, 0, TASK_B, VECTOR_TS, TASK_B },
    { "link to code", TASK_IRET, 0, 0, CODE0, VECTOR_TS, CODE0 },
    { "absent", TASK_JMP, GDT_AT(TASK_B), TSS(TSS_B, 0x09), TASK_B, VECTOR_NP, TASK_B },
    { "absent link", TASK_IRET, GDT_AT(TASK_B), TSS(TSS_B, 0x0b), TASK_B, VECTOR_NP, TASK_B },
    { "short", TASK_CALL, GDT_AT(TASK_B), TSS(TSS_B, 0x89) - 1, TASK_B, VECTOR_TS, TASK_B },
    { "short, 16", TASK_JMP, GDT_AT(TASK_C), TSS(TSS_C, 0x81) - 0x67 + 0x2a, TASK_C, VECTOR_TS,
      TASK_C },
};

static void test_faults_in_old_task(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(old_faults) / sizeof(old_faults[0]); i++) {
        const struct fault *f = &old_faults[i];

        guest_put(GDT, gdt, sizeof(gdt));
        if (f->at)
            guest_write64(f->at, f->value);
        print_message("# %s\n", f->name);
        assert_int_equal(go(f->by, f->task, 7), -EACCES);
        assert_int_equal(guest_vcpu.emulator.vector, f->vector);
        assert_int_equal(guest_vcpu.emulator.error, f->error);
        assert_int_equal(cpu()->task_switches, 0);
        assert_int_equal(cpu()->rip, RIP);
        assert_int_equal(get32(TSS_A + EIP), 0);
        assert_true(is_busy(TASK_A));
    }
}

static void test_smallest_limits(void **state)
{
    (void)state;
    guest_write64(GDT + TASK_C, TSS(TSS_C, 0x81) - 0x67 + 0x2b);
    cpu()->seg[SEG_TR].limit = 0x5f; /* as far as it is written */
    assert_int_equal(go(TASK_CALL, TASK_C, 7), 0);
}

static void test_old_tss_short(void **state)
{
    (void)state;
    cpu()->seg[SEG_TR].limit = 0x5e;
    assert_int_equal(go(TASK_JMP, TASK_B, 7), -EACCES);
    assert_int_equal(guest_vcpu.emulator.vector, VECTOR_TS);
    assert_int_equal(guest_vcpu.emulator.error, TASK_A);
    cpu()->seg[SEG_TR].selector = GDT_END; /* another GDT since LTR */
    cpu()->seg[SEG_TR].limit = 0x67;
    assert_int_equal(go(TASK_JMP, TASK_B, 7), -EACCES);
    assert_int_equal(guest_vcpu.emulator.vector, VECTOR_TS);
    assert_int_equal(guest_vcpu.emulator.error, GDT_END);
    assert_int_equal(cpu()->task_switches, 0);
}

static const struct fault new_faults[] = {
    { "LDT in the LDT", TASK_JMP, LDTR, THE_LDT | IN_LDT, 0, VECTOR_TS, THE_LDT | IN_LDT },
    { "LDT beyond", TASK_JMP, LDTR, GDT_END, 0, VECTOR_TS, GDT_END },
    { "LDT is data", TASK_JMP, LDTR, DATA0, 0, VECTOR_TS, DATA0 },
    { "LDT absent", TASK_JMP, LDTR, ABSENT_LDT, 0, VECTOR_TS, ABSENT_LDT },
    { "CS null", TASK_JMP, CS, 3, 0, VECTOR_TS, 0 },
    { "CS beyond", TASK_JMP, CS, GDT_END, 0, VECTOR_TS, GDT_END },
    { "CS in no LDT", TASK_JMP, CS, 8 | IN_LDT, 0, VECTOR_TS, 8 | IN_LDT },
    { "CS is data", TASK_JMP, CS, DATA0, 0, VECTOR_TS, DATA0 },
    { "CS is a TSS", TASK_JMP, CS, TASK_C, 0, VECTOR_TS, TASK_C },
    { "CS of DPL 3", TASK_JMP, CS, CODE3, 0, VECTOR_TS, CODE3 },
    { "CS of RPL 3", TASK_JMP, CS, CODE0 | 3, 0, VECTOR_TS, CODE0 },
    { "CS conforms, DPL 3", TASK_JMP, CS, CONFORMING3, 0, VECTOR_TS, CONFORMING3 },
    { "CS absent", TASK_JMP, CS, ABSENT_CODE, 0, VECTOR_NP, ABSENT_CODE },
    { "EIP", TASK_JMP, CS, SHORT_CODE, 0, VECTOR_GP, 0 },
    { "SS null", TASK_JMP, SS, 0, 0, VECTOR_TS, 0 },
    { "SS beyond", TASK_JMP, SS, GDT_END, 0, VECTOR_TS, GDT_END },
    { "SS is code", TASK_JMP, SS, CODE0, 0, VECTOR_TS, CODE0 },
    { "SS read-only", TASK_JMP, SS, READ_ONLY, 0, VECTOR_TS, READ_ONLY },
    { "SS of DPL 3", TASK_JMP, SS, DATA3, 0, VECTOR_TS, DATA3 },
    { "SS of RPL 3", TASK_JMP, SS, DATA0 | 3, 0, VECTOR_TS, DATA0 },
    { "SS absent", TASK_JMP, SS, ABSENT_DATA, 0, VECTOR_SS, ABSENT_DATA },
    { "ES beyond", TASK_JMP, ES, GDT_END, 0, VECTOR_TS, GDT_END },
    { "ES unreadable", TASK_JMP, ES, UNREADABLE, 0, VECTOR_TS, UNREADABLE },
    { "DS is a TSS", TASK_JMP, DS, TASK_C, 0, VECTOR_TS, TASK_C },
    { "DS of RPL 3", TASK_JMP, DS, DATA0 | 3, 0, VECTOR_TS, DATA0 },
    { "FS absent", TASK_JMP, FS, ABSENT_DATA, 0, VECTOR_NP, ABSENT_DATA },
    { "GS beyond", TASK_JMP, GS, GDT_END, 0, VECTOR_TS, GDT_END },
};

/* The new task's registers are there already, and segments that can run its handler. */
static void assert_could_run(void)
{
    unsigned cpl = virt_cpl(&guest_vcpu.virt);

    assert_int_equal(cpu()->seg[SEG_TR].selector, TASK_B);
    assert_int_equal(cpu()->rip, EIP_B);
    assert_int_equal(cpu()->task_switches, 1);
    assert_int_equal(cpu()->seg[SEG_CS].ar & 0x98, 0x98);
    assert_int_equal(cpu()->seg[SEG_CS].ar >> 5 & 3, cpl);
    assert_int_equal(cpu()->seg[SEG_SS].ar & 0x9f, 0x93);
    assert_int_equal(cpl, cpu()->seg[SEG_CS].selector & 3);
    assert_int_equal(cpu()->taken, 0);
    for (unsigned s = 0; s <= SEG_GS; s++)
        assert_int_equal(cpu()->seg[s].selector, get16(TSS_B + ES + 4 * s));
    assert_int_equal(cpu()->seg[SEG_LDTR].selector, get16(TSS_B + LDTR));
}

static void test_faults_in_new_task(void **state)
{
    for (unsigned i = 0; i < sizeof(new_faults) / sizeof(new_faults[0]); i++) {
        const struct fault *f = &new_faults[i];

        teardown(state);
        setup(state);
        put16(TSS_B + f->at, (uint16_t)f->value);
        print_message("# %s\n", f->name);
        assert_int_equal(go(f->by, TASK_B, 7), -EACCES);
        assert_int_equal(guest_vcpu.emulator.vector, f->vector);
        assert_int_equal(guest_vcpu.emulator.error, f->error);
        assert_could_run();
    }
}

/* In its own page tables there is no GDT: it is the new task that cannot find its code. */
static void test_page_fault_at_a_descriptor(void **state)
{
    (void)state;
    start_paging();
    for (uint32_t i = 0; i < 1024; i++)
        put32(SECOND + 4 * i, i == GDT >> PAGE_SHIFT ? 0 : i << PAGE_SHIFT | 3);
    put32(TABLE_B, SECOND | 3);
    assert_int_equal(go(TASK_JMP, TASK_B, 7), -EFAULT);
    assert_int_equal(guest_vcpu.space.fault.address.v, GDT + CODE0);
    assert_int_equal(guest_vcpu.space.fault.error, 0);
    assert_int_equal(cpu()->cr3, TABLE_B);
    assert_could_run();
}

/* An error code says so where no instruction of the program's is to blame. */
static void test_external(void **state)
{
    static const struct {
        enum event_type type;
        unsigned ext;
    } rows[] = { { EVENT_EXTINT, 1 },        { EVENT_NMI, 1 },      { EVENT_EXCEPTION, 1 },
                 { EVENT_PRIV_SOFT_EXC, 1 }, { EVENT_SOFT_INT, 0 }, { EVENT_SOFT_EXC, 0 } };

    (void)state;
    guest_write64(GDT + TASK_B, TSS(TSS_B, 0x09));
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(go_event(rows[i].type, 0x80, false, 0), -EACCES);
        assert_int_equal(guest_vcpu.emulator.vector, VECTOR_NP);
        assert_int_equal(guest_vcpu.emulator.error, TASK_B | rows[i].ext);
    }
}

/* No room for the error code. */
static void test_stack_fault(void **state)
{
    (void)state;
    put16(TSS_B + SS, SMALL_DATA);
    assert_int_equal(go_event(EVENT_EXCEPTION, VECTOR_PF, true, 2), -EACCES);
    assert_int_equal(guest_vcpu.emulator.vector, VECTOR_SS);
    assert_int_equal(guest_vcpu.emulator.error, 1);
    assert_int_equal(reg(GPR_RSP), STACK_B);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_jmp),
        TEST(test_call_and_iret),
        TEST(test_iret_to_itself),
        TEST(test_16bit_and_back),
        TEST(test_into_vm86),
        TEST(test_out_of_vm86),
        TEST(test_to_cpl3),
        TEST(test_conforming),
        TEST(test_ldt),
        TEST(test_event_with_error),
        TEST(test_event_16bit_error),
        TEST(test_soft_int),
        TEST(test_debug_trap),
        TEST(test_cr3),
        TEST(test_new_address_space),
        TEST(test_page_faults_in_old_task),
        TEST(test_user_pages),
        TEST(test_page_fault_in_new_task),
        TEST(test_bad_cr3),
        TEST(test_faults_in_old_task),
        TEST(test_smallest_limits),
        TEST(test_old_tss_short),
        TEST(test_faults_in_new_task),
        TEST(test_page_fault_at_a_descriptor),
        TEST(test_external),
        TEST(test_stack_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
