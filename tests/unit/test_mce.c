/* links: tests/fakes/log.c tests/fakes/panic.c */
/*
 * Machine checks and NMIs: what is fatal, what is told later, and that the banks are clean then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/mce.c"
#include "tests/fakes/log.h"
#include "tests/fakes/panic.h"

struct cpu_model cpu_model;
static irq_fn handler;
static unsigned sent;

int irq_alloc_vector(irq_fn fn)
{
    handler = fn;
    return 0x30;
}

void lapic_send_self(uint8_t v)
{
    assert_int_equal(v, 0x30);
    sent++;
}

static struct cpuid_regs give_cpuid(uint32_t leaf, uint32_t sub)
{
    (void)sub;
    return (struct cpuid_regs){ 0, 0, 0, leaf == 1 ? CPUID_1D_MCE | CPUID_1D_MCA : 0 };
}

#define UC   STATUS_UNCORRECTED
#define V    STATUS_VALID
#define PCC  STATUS_STATE_CORRUPT
#define AR   STATUS_ACTION
#define RIPV MCG_STATUS_RIPV
#define EIPV MCG_STATUS_EIPV
#define S    STATUS_SIGNALLED
#define ADDR STATUS_ADDR_VALID
#define SRAR (V | UC | AR | S | ADDR) /* "software recoverable, action required" */
#define SER  MCG_CAP_SER

static int setup(void **state)
{
    (void)state;
    fake_log_reset();
    fake_msr_count = 0;
    fake_cpuid = give_cpuid;
    memset(pending, 0, sizeof(pending));
    sent = 0;
    cpu_model = (struct cpu_model){ .intel = true, .family = 6, .model = 0x55 };
    wrmsr(MSR_IA32_MCG_CAP, 6 | MCG_CAP_CTL | MCG_CAP_SER);
    return 0;
}

static void test_severity(void **state)
{
    static const struct {
        uint64_t status, cap, mcg;
        enum mce_severity want;
    } rows[] = {
        { UC | PCC, SER, RIPV, MCE_NOTHING },
        { V, SER, RIPV, MCE_CORRECTED },
        { V, 0, 0, MCE_CORRECTED },
        { V | UC, SER, RIPV, MCE_SURVIVED },
        { V | UC, SER, 0, MCE_FATAL },
        { V | UC, 0, RIPV, MCE_FATAL },
        { V | UC | PCC, SER, RIPV, MCE_FATAL },
        { V | UC | AR, SER, RIPV, MCE_FATAL }, /* no address, or not signalled: nothing is known */
        { V | UC | AR | S, SER, RIPV | EIPV, MCE_FATAL },
        { V | UC | AR | ADDR, SER, RIPV | EIPV, MCE_FATAL },
        { SRAR, SER, RIPV | EIPV, MCE_CONSUMED },
        { SRAR, SER, EIPV, MCE_CONSUMED },
        { SRAR, SER, RIPV, MCE_ELSEWHERE },
        { SRAR, SER, 0, MCE_FATAL },
        { SRAR, 0, RIPV | EIPV, MCE_FATAL },
        { SRAR | PCC, SER, RIPV | EIPV, MCE_FATAL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(mce_severity_of(rows[i].status, rows[i].cap, rows[i].mcg), rows[i].want);
}

static void test_what_the_boot_finds(void **state)
{
    (void)state;
    wrmsr(BANK(2, BANK_STATUS), V | STATUS_ADDR_VALID | 0x17A);
    wrmsr(BANK(2, BANK_ADDR), 0x1000);
    mce_init();
    assert_true(fake_log_has("machine check before the boot: pCPU 0, bank 2"));
    assert_true(fake_log_has("(corrected), address 0x1000"));
    assert_int_equal(rdmsr(BANK(2, BANK_STATUS)), 0);
    assert_int_equal(rdmsr(BANK(0, BANK_CTL)), UINT64_MAX);
    assert_int_equal(rdmsr(BANK(5, BANK_CTL)), UINT64_MAX);
    assert_int_equal(rdmsr(BANK(6, BANK_CTL)), 0);
    cpu_model.model = 0x17;
    wrmsr(BANK(0, BANK_CTL), 7);
    mce_init();
    assert_int_equal(rdmsr(BANK(0, BANK_CTL)), 7);
}

static void test_survived(void **state)
{
    (void)state;
    mce_init();
    wrmsr(MSR_IA32_MCG_STATUS, RIPV | 4);
    for (unsigned i = 0; i < 6; i++)
        wrmsr(BANK(i, BANK_STATUS), V | UC | i);
    mce_handle();
    assert_int_equal(sent, 1);
    assert_int_equal(fake_log_lines[LOG_ERROR], 0); /* not here, in the middle of anything */
    assert_int_equal(rdmsr(MSR_IA32_MCG_STATUS), 0);
    handler();
    assert_int_equal(fake_log_lines[LOG_ERROR], KEPT + 1);
    assert_true(fake_log_has("bank 3, status 0xa000000000000003 (not corrected)"));
    assert_true(fake_log_has("and 2 more"));
    handler();
    assert_int_equal(fake_log_lines[LOG_ERROR], KEPT + 1);
}

#define TIMES(n) ((uint64_t)(n) << 38)

static void test_poll(void **state)
{
    (void)state;
    wrmsr(MSR_IA32_MCG_CAP, 6 | MCG_CAP_SER | MCG_CAP_CMCI);
    mce_init();
    mce_poll();
    assert_string_equal(fake_log_text, "");
    wrmsr(BANK(1, BANK_STATUS), V | STATUS_ADDR_VALID | TIMES(17) | 0x90);
    wrmsr(BANK(1, BANK_ADDR), 0x123000);
    wrmsr(BANK(2, BANK_STATUS), V | UC | 0x9F);                    /* nobody needs to act */
    wrmsr(BANK(3, BANK_STATUS), V | UC | STATUS_SIGNALLED | 0xC0); /* the handler's */
    wrmsr(BANK(4, BANK_STATUS), V | UC | PCC | 0xC1);
    wrmsr(BANK(5, BANK_STATUS), V | TIMES(1));
    mce_poll();
    assert_true(
        fake_log_has("pCPU 0, bank 1, status 0x8400044000000090 (corrected), address 0x12"));
    assert_true(fake_log_has("the last of 17 corrected"));
    assert_true(fake_log_has("bank 2, status 0xa00000000000009f (not corrected)"));
    assert_true(fake_log_has("bank 5"));
    assert_false(fake_log_has("bank 3") || fake_log_has("bank 4"));
    assert_int_equal(rdmsr(BANK(1, BANK_STATUS)), 0);
    assert_int_equal(rdmsr(BANK(2, BANK_STATUS)), 0);
    assert_int_not_equal(rdmsr(BANK(3, BANK_STATUS)), 0);
    assert_int_not_equal(rdmsr(BANK(4, BANK_STATUS)), 0);
    fake_log_reset();
    mce_poll();
    assert_string_equal(fake_log_text, "");
}

/* Without means to tell them apart, what is not corrected is the handler's; and nothing is counted.
 */
static void test_poll_of_an_older_cpu(void **state)
{
    (void)state;
    wrmsr(MSR_IA32_MCG_CAP, 6);
    wrmsr(BANK(1, BANK_STATUS), V | UC);
    wrmsr(BANK(2, BANK_STATUS), V | TIMES(9));
    mce_poll();
    assert_int_not_equal(rdmsr(BANK(1, BANK_STATUS)), 0);
    assert_true(fake_log_has("bank 2"));
    assert_false(fake_log_has("the last of"));
}

static struct cpuid_regs give_no_banks(uint32_t leaf, uint32_t sub)
{
    (void)sub, (void)leaf;
    return (struct cpuid_regs){ 0, 0, 0, 0 };
}

static void test_no_banks(void **state)
{
    (void)state;
    fake_cpuid = give_no_banks;
    wrmsr(BANK(2, BANK_STATUS), V);
    mce_init();
    mce_poll();
    assert_string_equal(fake_log_text, "");
}

/* On other pCPUs than the one concerned there is often nothing to see. */
static void test_of_another(void **state)
{
    (void)state;
    mce_init();
    wrmsr(MSR_IA32_MCG_STATUS, RIPV | 4);
    mce_handle();
    assert_int_equal(sent, 0);
    assert_int_equal(rdmsr(MSR_IA32_MCG_STATUS), 0);
}

static void test_fatal(void **state)
{
    (void)state;
    mce_init();
    wrmsr(MSR_IA32_MCG_STATUS, RIPV | 4);
    wrmsr(BANK(4, BANK_STATUS), V | UC | PCC);
    EXPECT_PANIC(mce_handle());
    wrmsr(BANK(4, BANK_STATUS), 0);
    wrmsr(MSR_IA32_MCG_STATUS, 4);
    EXPECT_PANIC(mce_handle());
}

/* A guest's load from memory that has failed: its own end; in Caisson's hands it is everybody's. */
static void test_consumed(void **state)
{
    maddr_t where;

    (void)state;
    mce_init();
    wrmsr(MSR_IA32_MCG_STATUS, EIPV | 4);
    wrmsr(BANK(1, BANK_STATUS), SRAR | 0x134);
    wrmsr(BANK(1, BANK_ADDR), 0x12345640);
    EXPECT_PANIC(mce_handle());
    assert_int_not_equal(rdmsr(BANK(1, BANK_STATUS)), 0);
    assert_true(mce_handle_guests(&where));
    assert_int_equal(where.v, 0x12345640);
    assert_int_equal(rdmsr(BANK(1, BANK_STATUS)), 0);
    assert_int_equal(rdmsr(MSR_IA32_MCG_STATUS), 0);
    assert_int_equal(sent, 1);
    handler();
    assert_true(
        fake_log_has("bank 1, status 0xa580000000000134 (not corrected), address 0x12345640"));
}

/* The pCPUs that only hear of it leave the bank, which they may share, to the one concerned. */
static void test_consumed_elsewhere(void **state)
{
    maddr_t where;

    (void)state;
    mce_init();
    wrmsr(MSR_IA32_MCG_STATUS, RIPV | 4);
    wrmsr(BANK(1, BANK_STATUS), SRAR | 0x134);
    assert_false(mce_handle_guests(&where));
    wrmsr(MSR_IA32_MCG_STATUS, RIPV | 4);
    mce_handle();
    assert_int_equal(rdmsr(BANK(1, BANK_STATUS)), SRAR | 0x134);
    assert_int_equal(sent, 0);
}

/* Of a guest too, what has cost the processor's state, or what nobody has told of, is the end. */
static void test_fatal_in_a_guest(void **state)
{
    maddr_t where;

    (void)state;
    mce_init();
    wrmsr(MSR_IA32_MCG_STATUS, EIPV | 4);
    EXPECT_PANIC((void)mce_handle_guests(&where));
    wrmsr(BANK(1, BANK_STATUS), SRAR | PCC);
    EXPECT_PANIC((void)mce_handle_guests(&where));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_severity, setup),
        cmocka_unit_test_setup(test_what_the_boot_finds, setup),
        cmocka_unit_test_setup(test_survived, setup),
        cmocka_unit_test_setup(test_poll, setup),
        cmocka_unit_test_setup(test_poll_of_an_older_cpu, setup),
        cmocka_unit_test_setup(test_no_banks, setup),
        cmocka_unit_test_setup(test_of_another, setup),
        cmocka_unit_test_setup(test_fatal, setup),
        cmocka_unit_test_setup(test_consumed, setup),
        cmocka_unit_test_setup(test_consumed_elsewhere, setup),
        cmocka_unit_test_setup(test_fatal_in_a_guest, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
