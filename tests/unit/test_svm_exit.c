/* links: svm/exit.c svm/decode.c svm/flush.c tests/fakes/panic.c */
/*
 * svm/exit.c where the processor says less than is wanted: the guest's bytes are read, once, and
 * need not be those that made the exit any more, since another vCPU may write them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "svm/apic.h"
#include "svm/caps.h"
#include "svm/cr.h"
#include "svm/exit.h"
#include "svm/skip.h"
#include "svm/vcpu.h"
#include "svm/vmcb.h"
#include "virt/virt.h"

#define RIP   0x1000
#define CS_16 0x009B
#define CS_32 0x0C9B
#define CS_64 0x029B

struct svm_caps svm_caps;

static struct virt_vcpu v;
static struct vmcb vmcb;
static struct svm_vcpu *s;
static uint8_t code[DECODE_BYTES];
static unsigned readable, fetches, passes;

/* Whoever looks twice finds something else the second time. */
unsigned virt_fetch(struct virt_vcpu *vcpu, uint8_t bytes[15])
{
    (void)vcpu;
    memcpy(bytes, code, readable);
    memset(code, 0x66, sizeof(code));
    fetches++;
    return readable;
}

bool svm_apic_decode(const struct virt_vcpu *vcpu, uint32_t code_of_exit, struct virt_exit *x)
{
    (void)vcpu;
    (void)code_of_exit;
    (void)x;
    return false;
}

void cr_let_cr0_pass(struct svm_vcpu *svm)
{
    (void)svm;
    passes++;
}

static unsigned kept;

void svm_event_keep_interrupted(struct virt_vcpu *vcpu)
{
    (void)vcpu;
    kept++;
}

uint64_t svm_skip_wrapped(const struct vmcb *b, uint64_t rip)
{
    (void)b;
    return rip;
}

void svm_skip_flags(struct svm_vcpu *svm)
{
    (void)svm;
}

static void stands(const char *bytes, unsigned count)
{
    memcpy(code, bytes, count);
    readable = count;
    fetches = passes = 0;
    vmcb.rip = RIP;
    vmcb.next_rip = 0;
}

static int setup(void **state)
{
    (void)state;
    v = (struct virt_vcpu){ 0 };
    memset(&vmcb, 0, sizeof(vmcb));
    s = svm_of(&v);
    s->vmcb = &vmcb;
    vmcb.efer = EFER_LMA | EFER_LME | EFER_SVME;
    vmcb.segment[VMCB_CS].attr = CS_64;
    svm_caps.features = 0;
    return 0;
}

static struct virt_exit after(uint32_t code_of_exit, uint64_t info)
{
    struct virt_exit x = { 0 };

    vmcb.exit_code = code_of_exit;
    vmcb.exit_info1 = info;
    (void)exit_decode(&v, s, &x);
    return x;
}

/* #UD at VMCALL: a hypercall, and over it by the length of the very bytes that were looked at. */
static void test_vmcall(void **state)
{
    static const uint32_t features[] = { 0, FEATURE_NEXT_RIP | FEATURE_DECODE };

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        svm_caps.features = features[i];
        stands("\x0F\x01\xC1", 3);
        assert_int_equal(after(EXITCODE_EXCEPTION + VECTOR_UD, 0).kind, VIRT_EXIT_EXCEPTION);
        assert_true(exit_is_vmcall(&v));
        assert_int_equal(fetches, 1);
        skip_insn(&v);
        assert_int_equal(vmcb.rip, RIP + 3);
    }
}

/* What is #UD for good: with LOCK, cut short, another instruction, nothing that can be read. */
static void test_no_vmcall(void **state)
{
    (void)state;
    stands("\x0F\x01", 2);
    assert_false(exit_is_vmcall(&v));
    stands("\x0F\x0B", 2);
    assert_false(exit_is_vmcall(&v));
    stands("\x0F\x01\xC2", 3);
    assert_false(exit_is_vmcall(&v));
    stands("", 0);
    assert_false(exit_is_vmcall(&v));
    stands("\xF0\x0F\x01\xC1", 4);
    assert_false(exit_is_vmcall(&v));
}

/* MOV CR4, R9; then bytes that have changed since. None of them is taken for what it is not. */
static void test_cr(void **state)
{
    struct virt_exit x;

    (void)state;
    stands("\x41\x0F\x22\xE1", 4);
    x = after(EXITCODE_CR_WRITE + 4, 0);
    assert_true(x.kind == VIRT_EXIT_CR && x.cr.op == CR_WRITE);
    assert_int_equal(x.cr.number, 4);
    assert_int_equal(x.cr.gpr, GPR_R9);
    assert_int_equal(fetches, 1);
    skip_insn(&v);
    assert_int_equal(vmcb.rip, RIP + 4);

    stands("\x41\x0F\x20\xE1", 4); /* a read by now */
    x = after(EXITCODE_CR_WRITE + 4, 0);
    assert_int_equal(x.kind, VIRT_EXIT_UNKNOWN);
    assert_int_equal(x.raw_reason, EXITCODE_CR_WRITE + 4);
    stands("\x90", 1);
    assert_int_equal(after(EXITCODE_CR_READ, 0).kind, VIRT_EXIT_UNKNOWN);
    stands("", 0); /* it has gone: let the guest find out */
    assert_int_equal(after(EXITCODE_CR_READ, 0).kind, VIRT_EXIT_HOST);
    assert_int_equal(passes, 0);
    stands("\x0F\x01\xF0", 3); /* LMSW */
    assert_int_equal(after(EXITCODE_CR0_SELECTIVE, 0).kind, VIRT_EXIT_HOST);
    assert_int_equal(passes, 1);
}

/* OUTS, and what has taken its place; with decode assists nothing is fetched. */
static void test_string(void **state)
{
    const uint64_t info = 0x80UL << 16 | IOIO_STRING | 1 << IOIO_SIZE_SHIFT;

    (void)state;
    stands("\x64\x6E", 2);
    assert_int_equal(after(EXITCODE_IOIO, info).kind, VIRT_EXIT_IO);
    assert_int_equal(fetches, 1);
    assert_int_equal(s->insn.segment, SEG_FS);
    stands("\xEE", 1);
    assert_int_equal(after(EXITCODE_IOIO, info).kind, VIRT_EXIT_HOST);
    stands("", 0);
    assert_int_equal(after(EXITCODE_IOIO, info).kind, VIRT_EXIT_HOST);
    svm_caps.features = FEATURE_NEXT_RIP | FEATURE_DECODE;
    stands("\x64\x6E", 2);
    assert_int_equal(after(EXITCODE_IOIO, info).kind, VIRT_EXIT_IO);
    assert_int_equal(fetches, 0);
}

/* ---- How long it is ---- */

static const struct measured {
    uint32_t code, info;
    enum virt_exit_kind kind;
    char bytes[4];
    unsigned count;
} measured[] = {
    { EXITCODE_CPUID, 0, VIRT_EXIT_CPUID, "\x0F\xA2", 2 },
    { EXITCODE_INVD, 0, VIRT_EXIT_WBINVD, "\x0F\x08", 2 },
    { EXITCODE_WBINVD, 0, VIRT_EXIT_WBINVD, "\x0F\x09", 2 },
    { EXITCODE_WBINVD, 0, VIRT_EXIT_WBINVD, "\x0F\x08", 2 }, /* INVD, as QEMU tells it */
    { EXITCODE_PAUSE, 0, VIRT_EXIT_PAUSE, "\xF3\x90", 2 },
    { EXITCODE_HLT, 0, VIRT_EXIT_HLT, "\xF4", 1 },
    { EXITCODE_MSR, 0, VIRT_EXIT_RDMSR, "\x0F\x32", 2 },
    { EXITCODE_MSR, 1, VIRT_EXIT_WRMSR, "\x0F\x30", 2 },
    { EXITCODE_VMMCALL, 0, VIRT_EXIT_HYPERCALL, "\x0F\x01\xD9", 3 },
    { EXITCODE_XSETBV, 0, VIRT_EXIT_XSETBV, "\x0F\x01\xD1", 3 },
};
#define MEASURED (sizeof(measured) / sizeof(measured[0]))

/* The instruction, with prefixes before it, is stepped over as a whole. */
static void measure(const struct measured *m, const char *prefixes, unsigned count)
{
    char bytes[DECODE_BYTES];

    memcpy(bytes, prefixes, count);
    memcpy(bytes + count, m->bytes, m->count);
    stands(bytes, count + m->count);
    memset(s->places, 0, sizeof(s->places));
    enum virt_exit_kind kind = after(m->code, m->info).kind;
    if (kind == VIRT_EXIT_HYPERCALL_OTHER) /* of 16- and 32-bit code */
        kind = VIRT_EXIT_HYPERCALL;
    assert_int_equal(kind, m->kind);
    skip_insn(&v);
    assert_int_equal(vmcb.rip, RIP + count + m->count);
}

static void test_prefixes(void **state)
{
    static const uint8_t any[] = { 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF2, 0xF3 };
    static const uint16_t modes[] = { CS_16, CS_32, CS_64 };

    (void)state;
    for (unsigned mode = 0; mode < 3; mode++)
        for (unsigned i = 0; i < MEASURED; i++) {
            vmcb.segment[VMCB_CS].attr = modes[mode];
            measure(&measured[i], "", 0);
            for (unsigned a = 0; a < sizeof(any); a++) {
                measure(&measured[i], (const char[]){ (char)any[a] }, 1);
                for (unsigned b = 0; b < sizeof(any); b++)
                    measure(&measured[i], (const char[]){ (char)any[a], (char)any[b] }, 2);
            }
        }
    for (unsigned i = 0; i < MEASURED; i++)
        for (unsigned rex = 0x40; rex < 0x50; rex++)
            measure(&measured[i], (const char[]){ 0x66, (char)rex }, i == 4 ? 0 : 2);
    /* as long as can be */
    measure(&measured[0], "\x2E\x2E\x2E\x2E\x2E\x2E\x2E\x2E\x2E\x2E\x2E\x2E\x2E", 13);
}

/* A place is looked at once, as long as the registers are the same by which it was found. */
static void test_known(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        stands("\x3E\x0F\x30", 3);
        assert_int_equal(after(EXITCODE_MSR, 1).kind, VIRT_EXIT_WRMSR);
        assert_int_equal(fetches, i == 0 || i > 2);
        skip_insn(&v);
        assert_int_equal(vmcb.rip, RIP + 3);
        if (i == 2)
            vmcb.cr3 = 0x5000;
        if (i == 3)
            vmcb.segment[VMCB_CS].attr = CS_32;
        if (i == 4)
            vmcb.segment[VMCB_CS].base = 0x10000;
    }
    stands("\xF4", 1); /* another exit there */
    assert_int_equal(after(EXITCODE_HLT, 0).kind, VIRT_EXIT_HLT);
    assert_int_equal(fetches, 1);
    skip_insn(&v);
    assert_int_equal(vmcb.rip, RIP + 1);
}

/* A process' place is not known again: the next one may have the same CR3. */
static void test_of_process(void **state)
{
    (void)state;
    vmcb.cpl = 3;
    for (unsigned i = 0; i < 2; i++) {
        stands(i ? "\x0F\xA2" : "\x3E\x0F\xA2", i ? 2 : 3);
        assert_int_equal(after(EXITCODE_CPUID, 0).kind, VIRT_EXIT_CPUID);
        assert_int_equal(fetches, 1);
        skip_insn(&v);
        assert_int_equal(vmcb.rip, RIP + (i ? 2 : 3));
    }
}

/* With next RIP nothing is fetched, whatever stands there. */
static void test_told(void **state)
{
    (void)state;
    svm_caps.features = FEATURE_NEXT_RIP;
    stands("\x90", 1);
    vmcb.next_rip = RIP + 4;
    assert_int_equal(after(EXITCODE_CPUID, 0).kind, VIRT_EXIT_CPUID);
    assert_int_equal(fetches, 0);
    skip_insn(&v);
    assert_int_equal(vmcb.rip, RIP + 4);
}

/* Another instruction by now (INT3, as code is patched; WRMSR for RDMSR), or a part of one, or
 * nothing: the guest tries again, and nothing is remembered. */
static void test_changed_code(void **state)
{
    static const struct {
        uint32_t code, info;
        char bytes[3];
        unsigned count;
    } rows[] = {
        { EXITCODE_CPUID, 0, "\xCC\xA2", 2 },   { EXITCODE_MSR, 1, "\x0F\x32", 2 },
        { EXITCODE_MSR, 0, "\x0F\x30", 2 },     { EXITCODE_INVD, 0, "\x0F\x09", 2 },
        { EXITCODE_VMMCALL, 0, "\x0F\x01", 2 }, { EXITCODE_XSETBV, 0, "\x0F\x01\x10", 3 },
        { EXITCODE_HLT, 0, "\x66\x67", 2 },     { EXITCODE_HLT, 0, "", 0 },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned again = 0; again < 2; again++) {
            stands(rows[i].bytes, rows[i].count);
            assert_int_equal(after(rows[i].code, rows[i].info).kind, VIRT_EXIT_HOST);
            assert_int_equal(fetches, 1);
            assert_int_equal(vmcb.rip, RIP);
        }
}

/* IN and OUT tell it on every processor. */
static void test_io(void **state)
{
    (void)state;
    stands("", 0);
    vmcb.exit_info2 = RIP + 5;
    assert_int_equal(after(EXITCODE_IOIO, 0x80UL << 16 | 1 << IOIO_SIZE_SHIFT).kind, VIRT_EXIT_IO);
    assert_int_equal(fetches, 0);
    skip_insn(&v);
    assert_int_equal(vmcb.rip, RIP + 5);
}

static struct virt_task task_switch(const char *bytes, unsigned count, uint64_t int_info,
                                    uint64_t info2)
{
    struct virt_exit x;

    stands(bytes, count);
    vmcb.segment[VMCB_CS].attr = CS_32;
    vmcb.efer = EFER_SVME;
    vmcb.exit_int_info = int_info;
    vmcb.exit_info2 = info2;
    vmcb.rflags = RFLAGS_FIXED | RFLAGS_RF;
    kept = 0;
    x = after(EXITCODE_TASK_SWITCH, 0x30);
    vmcb.exit_int_info = 0;
    assert_int_equal(x.kind, VIRT_EXIT_TASK_SWITCH);
    assert_int_equal(x.task.selector, 0x30);
    return x.task;
}

static void test_task_by_insn(void **state)
{
    struct virt_task t = task_switch("\xEA\0\0\0\0\x30\0", 7, 0, TASK_EXIT_JMP);

    (void)state;
    assert_int_equal(t.by, TASK_JMP);
    assert_int_equal(t.length, 7);
    assert_int_equal(fetches, 1);
    assert_false(t.event.valid);
    t = task_switch("\xFF\x1C\x24", 3, 0, 0);
    assert_int_equal(t.by, TASK_CALL);
    assert_int_equal(t.length, 3);
    t = task_switch("\xCF", 1, 0, TASK_EXIT_IRET);
    assert_int_equal(t.by, TASK_IRET);
    assert_int_equal(t.length, 1);
    t = task_switch("\xCD\x80", 2, EVENT_VALID | 4 << 8 | 0x80, 0);
    assert_int_equal(t.by, TASK_GATE);
    assert_int_equal(t.length, 2);
    assert_int_equal(t.event.type, EVENT_SOFT_INT);
    t = task_switch("\xCD\x80", 2, 0, 0); /* the same where no event is told */
    assert_int_equal(t.by, TASK_GATE);
    assert_int_equal(t.length, 2);
    assert_int_equal(t.event.type, EVENT_SOFT_INT);
    t = task_switch("\xCC", 1, EVENT_VALID | 3 << 8 | VECTOR_BP, 0);
    assert_int_equal(t.length, 1);
    assert_int_equal(t.event.type, EVENT_SOFT_EXC);
    stands("", 0); /* what has made it is gone */
    assert_int_equal(after(EXITCODE_TASK_SWITCH, 0x30).kind, VIRT_EXIT_HOST);
}

/* Its own error code and RF count; what stands at RIP does not. */
static void test_task_by_event(void **state)
{
    const uint64_t pf = 9UL << 32 | EVENT_VALID | EVENT_HAS_ERROR | 3 << 8 | VECTOR_PF;
    struct virt_task t = task_switch("\xCF", 1, pf, 2 | TASK_EXIT_HAS_ERROR | TASK_EXIT_RF);

    (void)state;
    assert_int_equal(kept, 1);
    assert_int_equal(fetches, 0);
    assert_int_equal(t.by, TASK_GATE);
    assert_int_equal(t.length, 0);
    assert_true(t.event.has_error);
    assert_int_equal(t.event.error, 2);
    assert_true(vmcb.rflags & RFLAGS_RF);
    t = task_switch("\xCF", 1, EVENT_VALID | 2 << 8 | VECTOR_NMI, 0);
    assert_int_equal(t.event.type, EVENT_NMI);
    assert_false(t.event.has_error);
    assert_false(vmcb.rflags & RFLAGS_RF);
    t = task_switch("\xF4", 1, 0, TASK_EXIT_HAS_ERROR | 4); /* no event is told */
    assert_int_equal(t.by, TASK_GATE);
    assert_int_equal(t.length, 0);
    assert_int_equal(t.event.type, EVENT_EXCEPTION);
    assert_int_equal(t.event.error, 4);
}

/* Codes of processors to come, and those of intercepts that are off: the end of one guest. */
static void test_unknown(void **state)
{
    static const uint32_t codes[] = { 0x66, 0x8F, 0xA3, 0x3FF, 0x401, 0x403, 0xFFFFFFFE };

    (void)state;
    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct virt_exit x = after(codes[i], 0);
        assert_int_equal(x.kind, VIRT_EXIT_UNKNOWN);
        assert_int_equal(x.raw_reason, codes[i]);
    }
    assert_int_equal(after(EXITCODE_INVALID, 0).kind, VIRT_EXIT_ENTRY_FAILED);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vmcall),     TEST(test_no_vmcall),    TEST(test_cr),
        TEST(test_string),     TEST(test_prefixes),     TEST(test_known),
        TEST(test_of_process), TEST(test_told),         TEST(test_changed_code),
        TEST(test_io),         TEST(test_task_by_insn), TEST(test_task_by_event),
        TEST(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
