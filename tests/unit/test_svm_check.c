/* links: svm/check.c virt/check.c virt/msr.c lib/fmt.c lib/string.c tests/fakes/panic.c */
/*
 * svm/check.c: a VMCB without fault passes; with one field spoilt the message names that field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "svm/check.h"
#include "svm/vmcb.h"

#define MADDR_BITS 40
#define LAST_PAGE  ((1UL << MADDR_BITS) - 0x1000)
#define VALID      (1UL << 31)

static struct vmcb vmcb;

unsigned cpu_maddr_bits(void)
{
    return MADDR_BITS;
}

/* 64-bit code. */
static int setup(void **state)
{
    (void)state;
    memset(&vmcb, 0, sizeof(vmcb));
    vmcb.intercepts[ICPT_VMRUN / 32] = 1u << ICPT_VMRUN % 32;
    vmcb.intercepts[ICPT_IOIO / 32] = 1u << ICPT_IOIO % 32 | 1u << ICPT_MSR % 32;
    vmcb.asid = 1;
    vmcb.iopm = LAST_PAGE - 0x2000;
    vmcb.msrpm = LAST_PAGE - 0x1000;
    vmcb.nested_control = NESTED_PAGING;
    vmcb.nested_cr3 = LAST_PAGE;
    vmcb.vintr = VINT_MASKING | VINT_AVIC;
    vmcb.avic_backing = vmcb.avic_logical = LAST_PAGE;
    vmcb.avic_physical = LAST_PAGE | 255;
    vmcb.g_pat = 0x0007040600070406;
    vmcb.efer = EFER_SVME | EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    vmcb.cr0 = CR0_PE | CR0_PG | CR0_CD | CR0_NW;
    vmcb.cr4 = CR4_PAE | CR4_OSXSAVE;
    vmcb.cr3 = 0xFFFFFFFFFF000;
    vmcb.dr6 = DR6_FIXED;
    vmcb.dr7 = DR7_FIXED;
    vmcb.segment[VMCB_CS].attr = 0x29B;
    return 0;
}

static void test_good(void **state)
{
    (void)state;
    assert_null(svm_check(&vmcb));
}

/* One field with another value, and a part of the message. */
#define SPOILT(member, bad, part)                                                                  \
    {                                                                                              \
        offsetof(struct vmcb, member), sizeof(((struct vmcb *)0)->member), bad, part               \
    }

static void test_each_rule(void **state)
{
    (void)state;
    static const struct {
        size_t at, bytes;
        uint64_t value;
        const char *words;
    } list[] = {
        SPOILT(intercepts[ICPT_VMRUN / 32], 2, "VMRUN must be intercepted"),
        SPOILT(asid, 0, "ASID (0x0)"),
        SPOILT(iopm, LAST_PAGE - 0x1000, "I/O permission map"),
        SPOILT(msrpm, LAST_PAGE, "MSR permission map"),
        SPOILT(nested_cr3, 1UL << MADDR_BITS, "nested CR3"),
        SPOILT(g_pat, 0x0007040600070402, "PAT"),
        SPOILT(nested_control, 0, "AVIC wants nested paging"),
        SPOILT(vintr, VINT_MASKING | VINT_X2AVIC, "x2AVIC wants AVIC"),
        SPOILT(avic_backing, LAST_PAGE + 0x1000, "AVIC registers (0x10000000000)"),
        SPOILT(avic_logical, LAST_PAGE + 8, "AVIC logical table"),
        SPOILT(avic_physical, 1UL << MADDR_BITS, "AVIC physical table"),
        SPOILT(avic_physical, LAST_PAGE | 256, "255 at most"),
        SPOILT(efer, EFER_LME | EFER_LMA, "SVME must be 1"),
        SPOILT(efer, EFER_SVME | 2, "EFER (0x1002): reserved"),
        SPOILT(efer, EFER_SVME | 1UL << 16, "EFER (0x11000): reserved"),
        SPOILT(cr0, CR0_PE | CR0_PG | CR0_NW, "NW wants CD"),
        SPOILT(cr0, CR0_PE | CR0_PG | 1UL << 32, "CR0 (0x180000001): bits 63:32"),
        SPOILT(cr0, CR0_PG, "PE must be 1"),
        SPOILT(cr3, 1UL << 52, "CR3"),
        SPOILT(cr4, CR4_PAE | CR4_VMXE, "CR4 (0x2020): reserved"),
        SPOILT(cr4, 0, "PAE must be 1"),
        SPOILT(dr6, 1UL << 32, "DR6"),
        SPOILT(dr7, 1UL << 63, "DR7"),
        SPOILT(segment[VMCB_CS].attr, 0x69B, "CS attributes (0x69b): D must be 0"),
        SPOILT(event_inj, VALID | 1 << 8, "types 1 and 5 to 7"),
        SPOILT(event_inj, VALID | 5 << 8, "types 1 and 5 to 7"),
        SPOILT(event_inj, VALID | 3 << 8 | 2, "EVENTINJ (0x80000302): an exception"),
        SPOILT(event_inj, VALID | 3 << 8 | 32, "up to 31"),
    };

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
        setup(NULL);
        memcpy((char *)&vmcb + list[i].at, &list[i].value, list[i].bytes);
        const char *why = svm_check(&vmcb);
        if (!why || !strstr(why, list[i].words))
            fail_msg("got '%s', want '%s'", why ? why : "(nothing)", list[i].words);
    }
}

/* What another field makes harmless. */
static void test_conditions(void **state)
{
    (void)state;
    vmcb.cr0 = CR0_PG; /* paged real mode is allowed; so is D with L outside long mode */
    vmcb.efer = EFER_SVME;
    vmcb.cr4 = 0;
    vmcb.segment[VMCB_CS].attr = 0x69B;
    assert_null(svm_check(&vmcb));

    vmcb.intercepts[ICPT_IOIO / 32] = 0;
    vmcb.iopm = vmcb.msrpm = UINT64_MAX;
    vmcb.vintr = VINT_MASKING;
    vmcb.avic_backing = vmcb.avic_logical = vmcb.avic_physical = UINT64_MAX;
    vmcb.nested_control = 0;
    vmcb.nested_cr3 = vmcb.g_pat = UINT64_MAX;
    vmcb.event_inj = 0x5FF; /* not valid */
    assert_null(svm_check(&vmcb));

    static const uint32_t good[] = { 0x0FF, 0x202, 0x30E, 0x480 };
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        vmcb.event_inj = VALID | good[i];
        assert_null(svm_check(&vmcb));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_good, setup),
        cmocka_unit_test_setup(test_each_rule, setup),
        cmocka_unit_test_setup(test_conditions, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
