/* links: tests/fakes/log.c vmx/exit.c virt/exit.c vmx/event.c virt/event.c vmx/debug.c vmx/regs.c vmx/vmcs.c tests/fakes/panic.c */
/*
 * vmx/exit.c: raw exit information made typed; vmx/debug.c: stepping over an instruction.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "vmx/controls.h"
#include "vmx/cr.h"
#include "vmx/debug.h"
#include "vmx/exit.h"
#include "vmx/vcpu.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"
#include "vmx/skip.h"

static struct virt_vcpu v;
static struct virt_exit x;
static bool in_64bit_code;

bool cr_in_64bit_code(void)
{
    return in_64bit_code;
}

static int setup(void **state)
{
    (void)state;
    memset(fake_vmcs, 0, sizeof(fake_vmcs));
    memset(&x, 0xEE, sizeof(x));
    vmcs_write(VMCS_G_RFLAGS, RFLAGS_FIXED);
    in_64bit_code = false;
    return 0;
}

static void decode(uint32_t reason, uint64_t qualification)
{
    vmcs_write(VMCS_EXIT_QUALIFICATION, qualification);
    vmcs_write(VMCS_EXIT_REASON, reason);
    assert_int_not_equal(exit_decode(&v, reason, &x), EXIT_ODD);
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        uint32_t reason;
        enum virt_exit_kind kind;
    } rows[] = {
        { 1, VIRT_EXIT_HOST },
        { 2, VIRT_EXIT_TRIPLE_FAULT },
        { 7, VIRT_EXIT_IRQ_WINDOW },
        { 8, VIRT_EXIT_NMI_WINDOW },
        { 9, VIRT_EXIT_TASK_SWITCH },
        { 10, VIRT_EXIT_CPUID },
        { 12, VIRT_EXIT_HLT },
        { 13, VIRT_EXIT_WBINVD },
        { 18, VIRT_EXIT_HYPERCALL_OTHER },
        { 24, VIRT_EXIT_VIRT_INSN },
        { 31, VIRT_EXIT_RDMSR },
        { 32, VIRT_EXIT_WRMSR },
        { 36, VIRT_EXIT_MONITOR },
        { 49, VIRT_EXIT_UNKNOWN },
        { 52, VIRT_EXIT_HOST },
        { 55, VIRT_EXIT_XSETBV },
        { 14, VIRT_EXIT_UNKNOWN },
        { 63, VIRT_EXIT_UNKNOWN },
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        decode(rows[i].reason, 0);
        assert_int_equal(x.kind, rows[i].kind);
    }
    assert_int_equal(exit_decode(&v, 64, &x), EXIT_ODD);
    assert_int_equal(exit_decode(&v, REASON_ENTRY_FAILED | 33, &x), EXIT_ODD);
    for (unsigned k = 0; k < VIRT_EXIT_KINDS; k++)
        assert_non_null(virt_exit_name[k]);
}

static void test_io(void **state)
{
    (void)state;
    decode(30, 0x03F80000 | 8);
    assert_int_equal(x.kind, VIRT_EXIT_IO);
    struct virt_io io = x.io;
    assert_int_equal(io.port, 0x3F8);
    assert_int_equal(io.size, 1);
    assert_true(io.in && !io.string && !io.rep);
    decode(30, 0xFFFF0000 | 1 | 64 | 0xFF80); /* an immediate port; bits that are reserved */
    io = x.io;
    assert_int_equal(io.port, 0xFFFF);
    assert_int_equal(io.size, 2);
    assert_true(!io.in && !io.string && !io.rep);

    vmcs_write(VMCS_EXIT_INSN_INFO, 1 << 7 | SEG_FS << 15);
    decode(30, 0x01F00000 | 3 | 16 | 32);
    io = x.io;
    assert_int_equal(io.port, 0x1F0);
    assert_int_equal(io.size, 4);
    assert_true(!io.in && io.string && io.rep);
    assert_int_equal(virt_io_string(&v, io).addr_size, 4);
    assert_int_equal(virt_io_string(&v, io).seg, SEG_FS);
    decode(30, 0x01F00000 | 1 | 8 | 16);
    io = x.io;
    assert_int_equal(io.size, 2);
    assert_true(io.in && io.string && !io.rep);
    assert_int_equal(virt_io_string(&v, io).seg, SEG_ES); /* INS has no override */
}

static void test_cr(void **state)
{
    (void)state;
    decode(28, 4 | 0 << 4 | GPR_R9 << 8);
    assert_int_equal(x.cr.number, 4);
    assert_int_equal(x.cr.op, CR_WRITE);
    assert_int_equal(x.cr.gpr, GPR_R9);
    decode(28, 8 | 1 << 4 | GPR_RBX << 8);
    assert_int_equal(x.cr.number, 8);
    assert_int_equal(x.cr.op, CR_READ);
    decode(28, 3 << 4 | 0xBEEF0000);
    assert_int_equal(x.cr.op, CR_LMSW);
    assert_int_equal(x.cr.lmsw, 0xBEEF);
    assert_int_equal(x.cr.number, 0);
}

/* SDM, "Exit Qualification for Task Switches". */
static void test_task_switch(void **state)
{
    (void)state;
    vmcs_write(VMCS_EXIT_INSN_LEN, 7);
    decode(9, 0x28 | 2ul << 30);
    assert_int_equal(x.task.by, TASK_JMP);
    assert_int_equal(x.task.selector, 0x28);
    assert_int_equal(x.task.length, 7);
    assert_false(x.task.event.valid);
    decode(9, 0x30 | 1ul << 30);
    assert_int_equal(x.task.by, TASK_IRET);
    decode(9, 0x30);
    assert_int_equal(x.task.by, TASK_CALL);
    vmcs_write(VMCS_IDT_EVENT, 0x80000B0E);
    vmcs_write(VMCS_IDT_EVENT_ERROR, 2);
    decode(9, 0x50 | 3ul << 30);
    assert_int_equal(x.task.by, TASK_GATE);
    assert_int_equal(x.task.length, 0); /* whatever is in the field */
    assert_int_equal(x.task.event.vector, VECTOR_PF);
    assert_true(x.task.event.has_error);
    assert_int_equal(x.task.event.error, 2);
    assert_true(v.pending.valid);           /* for a fault that follows */
    vmcs_write(VMCS_IDT_EVENT, 0x80000480); /* INT n */
    decode(9, 0x50 | 3ul << 30);
    assert_int_equal(x.task.length, 7);
    assert_int_equal(x.task.event.type, EVENT_SOFT_INT);
    vmcs_write(VMCS_IDT_EVENT, 0);
    v.pending.valid = false;
}

static void test_memory_in_delivery(void **state)
{
    (void)state;
    vmcs_write(VMCS_IDT_EVENT, 0);
    decode(48, 2);
    assert_false(x.memory.delivery);
    vmcs_write(VMCS_IDT_EVENT, 0x80000020);
    decode(48, 2);
    assert_true(x.memory.delivery);
    vmcs_write(VMCS_IDT_EVENT, 0);
}

static void test_memory(void **state)
{
    (void)state;
    vmcs_write(VMCS_EXIT_GPA, 0xFEE00080);
    vmcs_write(VMCS_EXIT_GVA, 0xFFFF0080);
    decode(48, 2 | 8 | 0x80 | 0x100);
    assert_int_equal(x.memory.gpa.v, 0xFEE00080);
    assert_int_equal(x.memory.gva.v, 0xFFFF0080);
    assert_true(x.memory.write && !x.memory.read && !x.memory.fetch);
    assert_true(x.memory.present && x.memory.gva_valid && !x.memory.page_walk);
    decode(48, 1 | 0x80);
    assert_true(x.memory.read && x.memory.page_walk && !x.memory.present);
    decode(48, 4);
    assert_true(x.memory.fetch && !x.memory.gva_valid && !x.memory.page_walk);
}

static void test_apic(void **state)
{
    (void)state;
    v.pending.valid = false;
    vmx_of(&v)->apic_base = gpa(0xFEE00000);
    decode(44, 0x1390); /* a write */
    assert_int_equal(x.kind, VIRT_EXIT_MEMORY);
    assert_int_equal(x.memory.gpa.v, 0xFEE00390);
    assert_true(x.memory.write && !x.memory.read && !x.memory.fetch && x.memory.present);
    assert_false(x.memory.delivery || x.memory.page_walk || x.memory.gva_valid);
    decode(44, 0x0020);
    assert_true(x.memory.read && !x.memory.write);
    decode(44, 0x2000);
    assert_true(x.memory.fetch);
    decode(44, 0xF000); /* a page walk: it is by no instruction that can be emulated */
    assert_true(x.memory.delivery);
    vmcs_write(VMCS_IDT_EVENT, 0x80000020);
    decode(44, 0x3000);
    assert_true(x.memory.delivery);
    vmcs_write(VMCS_IDT_EVENT, 0);
    decode(45, 0x51);
    assert_int_equal(x.kind, VIRT_EXIT_EOI);
    assert_int_equal(x.apic.vector, 0x51);
    decode(56, 0x380);
    assert_int_equal(x.kind, VIRT_EXIT_APIC_WRITE);
    assert_int_equal(x.apic.offset, 0x380);
    decode(43, 0);
    assert_int_equal(x.kind, VIRT_EXIT_TPR);
}

static void test_exceptions(void **state)
{
    (void)state;
    vmcs_write(VMCS_EXIT_EVENT, 0x80000B11);
    decode(0, 0);
    assert_int_equal(x.kind, VIRT_EXIT_EXCEPTION);
    assert_int_equal(x.exception.vector, VECTOR_AC);
    assert_true(x.exception.has_error);
    vmcs_write(VMCS_EXIT_EVENT, 0x80000202);
    decode(0, 0);
    assert_int_equal(x.kind, VIRT_EXIT_HOST); /* the machine's NMI */
    vmcs_write(VMCS_EXIT_EVENT, 0x80000312);
    decode(0, 0);
    assert_int_equal(x.kind, VIRT_EXIT_HOST); /* machine check */
}

/* What breakpoints of an instruction say, and what its step does, is one exception. */
static void test_debug_trap(void **state)
{
    (void)state;
    write_dr6(DR6_FIXED | 4);
    vmcs_write(VMCS_G_DR7, DR7_FIXED | DR7_GD);
    vmcs_write(VMCS_G_PENDING_DEBUG, PENDING_DEBUG_BS);
    virt_debug_trap(&v, 3);
    assert_int_equal(read_dr6(), DR6_FIXED | DR6_BS | 3);
    assert_int_equal(virt_dr7(&v), DR7_FIXED);
    assert_int_equal(vmcs_read(VMCS_G_PENDING_DEBUG), 0);
    assert_true(v.pending.valid && v.pending.vector == VECTOR_DB && !v.pending.has_error);
    v.pending.valid = false;
}

static void test_watching(void **state)
{
    (void)state;
    virt_watch_dr7(&v, true);
    assert_int_equal(vmcs_read(VMCS_PROC_CTLS) & PROC_MOV_DR_EXIT, PROC_MOV_DR_EXIT);
    virt_watch_dr7(&v, false);
    assert_int_equal(vmcs_read(VMCS_PROC_CTLS) & PROC_MOV_DR_EXIT, 0);
    decode(29, 0);
    assert_int_equal(x.kind, VIRT_EXIT_DEBUG_REGISTER);
}

static void test_skip(void **state)
{
    (void)state;
    vmcs_write(VMCS_EXIT_INSN_LEN, 2);
    vmcs_write(VMCS_G_RIP, 0xFFFFFFFF);
    vmcs_write(VMCS_G_INTERRUPTIBILITY, SHADOW_STI | BLOCKED_NMI);
    vmcs_write(VMCS_G_RFLAGS, RFLAGS_FIXED | RFLAGS_RF);
    virt_skip(&v);
    assert_int_equal(virt_rip(&v), 1); /* wraps */
    assert_int_equal(vmcs_read(VMCS_G_INTERRUPTIBILITY), BLOCKED_NMI);
    assert_int_equal(virt_rflags(&v), RFLAGS_FIXED);
    assert_int_equal(vmcs_read(VMCS_G_PENDING_DEBUG), 0);

    in_64bit_code = true;
    vmcs_write(VMCS_G_RIP, 0xFFFFFFFF);
    virt_skip_len(&v, 3);
    assert_int_equal(virt_rip(&v), 0x100000002);
}

static void test_single_step(void **state)
{
    (void)state;
    vmcs_write(VMCS_G_RFLAGS, RFLAGS_FIXED | RFLAGS_TF);
    virt_skip_len(&v, 1);
    assert_int_equal(vmcs_read(VMCS_G_PENDING_DEBUG), PENDING_DEBUG_BS);
    vmcs_write(VMCS_G_PENDING_DEBUG, 0);
    vmcs_write(VMCS_G_DEBUGCTL, DEBUGCTL_BTF);
    virt_skip_len(&v, 1);
    assert_int_equal(vmcs_read(VMCS_G_PENDING_DEBUG), 0);

    vmcs_write(VMCS_G_DEBUGCTL, 0);
    vmcs_write(VMCS_G_INTERRUPTIBILITY, SHADOW_STI);
    debug_sync_pending();
    assert_int_equal(vmcs_read(VMCS_G_PENDING_DEBUG), PENDING_DEBUG_BS);
    vmcs_write(VMCS_G_RFLAGS, RFLAGS_FIXED);
    debug_sync_pending();
    assert_int_equal(vmcs_read(VMCS_G_PENDING_DEBUG), 0);
}

static void test_dr6(void **state)
{
    (void)state;
    write_dr6(DR6_FIXED | DR6_BS | 3);
    vmcs_write(VMCS_G_DR7, DR7_FIXED | DR7_GD);
    debug_before_db(4 | DR6_BD);
    assert_int_equal(read_dr6(), DR6_FIXED | DR6_BS | DR6_BD | 4); /* BS is sticky, B0-B3 are not */
    assert_int_equal(vmcs_read(VMCS_G_DR7), DR7_FIXED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_kinds, setup),
        cmocka_unit_test_setup(test_io, setup),
        cmocka_unit_test_setup(test_cr, setup),
        cmocka_unit_test_setup(test_memory, setup),
        cmocka_unit_test_setup(test_task_switch, setup),
        cmocka_unit_test_setup(test_memory_in_delivery, setup),
        cmocka_unit_test_setup(test_apic, setup),
        cmocka_unit_test_setup(test_exceptions, setup),
        cmocka_unit_test_setup(test_skip, setup),
        cmocka_unit_test_setup(test_single_step, setup),
        cmocka_unit_test_setup(test_dr6, setup),
        cmocka_unit_test_setup(test_debug_trap, setup),
        cmocka_unit_test_setup(test_watching, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
