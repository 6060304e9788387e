/* links: vmx/check.c vmx/check_guest.c vmx/check_segment.c virt/check.c virt/msr.c vmx/vmcs.c lib/fmt.c lib/string.c tests/fakes/panic.c */
/*
 * vmx/check*.c: a VMCS without fault passes; with one field spoilt the message names that field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "vmx/caps.h"
#include "vmx/check.h"
#include "vmx/controls.h"
#include "virt/virt.h"

struct caps caps;
const char *const control_word_name[CTL_COUNT] = { "pin", "proc", "proc2", "exit", "entry" };

unsigned cpu_maddr_bits(void)
{
    return 39;
}

static const struct {
    enum vmcs_field field;
    uint64_t value;
} good[] = {
    { VMCS_PIN_CTLS, PIN_NMI_EXIT | PIN_VIRTUAL_NMI | PIN_EXTINT_EXIT },
    { VMCS_PROC_CTLS, PROC_SECONDARY | PROC_IO_BITMAPS | PROC_MSR_BITMAPS },
    { VMCS_PROC_CTLS2, PROC2_EPT | PROC2_UNRESTRICTED | PROC2_VPID },
    { VMCS_EXIT_CTLS, EXIT_HOST_64BIT },
    { VMCS_ENTRY_CTLS, ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER | ENTRY_IA32E },
    { VMCS_VPID, 1 },
    { VMCS_EPT_POINTER, 0x10001E },
    { VMCS_H_CR0, CR0_PE | CR0_NE | CR0_PG },
    { VMCS_H_CR4, CR4_PAE | CR4_VMXE },
    { VMCS_H_EFER, EFER_LMA | EFER_LME },
    { VMCS_H_CS_SEL, 8 },
    { VMCS_H_TR_SEL, 0x18 },
    { VMCS_G_CR0, CR0_PE | CR0_NE | CR0_PG },
    { VMCS_G_CR4, CR4_PAE | CR4_VMXE },
    { VMCS_G_EFER, EFER_LMA | EFER_LME },
    { VMCS_G_PAT, 0x0007040600070406 },
    { VMCS_G_RFLAGS, RFLAGS_FIXED },
    { VMCS_G_LINK, UINT64_MAX },
    { VMCS_G_CS_AR, 0xA09B },
    { VMCS_G_CS_LIMIT, UINT32_MAX },
    { VMCS_G_SS_AR, 0xC093 },
    { VMCS_G_SS_LIMIT, UINT32_MAX },
    { VMCS_G_DS_AR, 0x10000 },
    { VMCS_G_ES_AR, 0x10000 },
    { VMCS_G_FS_AR, 0x10000 },
    { VMCS_G_GS_AR, 0x10000 },
    { VMCS_G_LDTR_AR, 0x10000 },
    { VMCS_G_TR_AR, 0x8B },
    { VMCS_G_TR_LIMIT, 0x67 },
};

static int setup(void **state)
{
    (void)state;
    memset(fake_vmcs, 0, sizeof(fake_vmcs));
    caps = (struct caps){ .cr0_fixed0 = CR0_PE | CR0_NE | CR0_PG,
                          .cr0_fixed1 = UINT32_MAX,
                          .cr4_fixed0 = CR4_VMXE,
                          .cr4_fixed1 = 0x3767FF };
    for (unsigned w = 0; w < CTL_COUNT; w++)
        caps.may_be_1[w] = UINT32_MAX;
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        vmcs_write(good[i].field, good[i].value);
    return 0;
}

static void test_good(void **state)
{
    (void)state;
    assert_null(check_controls());
    assert_null(check_host());
    assert_null(check_guest());
}

struct spoilt {
    enum vmcs_field field;
    uint64_t value;
    const char *words; /* part of the message, the field's name excluded */
};

static void assert_found(const char *(*check)(void), const struct spoilt *s)
{
    setup(NULL);
    vmcs_write(s->field, s->value);
    const char *why = check();
    if (!why || !strstr(why, s->words))
        fail_msg("%s = 0x%lx: got '%s', want '%s'", vmcs_field_name(s->field), s->value,
                 why ? why : "(nothing)", s->words);
}

#define ALL_FOUND(check, list)                                                                     \
    for (unsigned i = 0; i < sizeof(list) / sizeof((list)[0]); i++)                                \
    assert_found(check, &(list)[i])

static void test_controls(void **state)
{
    (void)state;
    static const struct spoilt list[] = {
        { VMCS_PIN_CTLS, PIN_VIRTUAL_NMI, "virtual NMIs want" },
        { VMCS_VPID, 0, "VPID" },
        { VMCS_EPT_POINTER, 0x100019, "memory type" },
        { VMCS_EPT_POINTER, 0x100006, "walk length" },
        { VMCS_EPT_POINTER, 0x10005E, "accessed and dirty" },
        { VMCS_EPT_POINTER, 0x10011E, "reserved" },
        { VMCS_EPT_POINTER, 1UL << 39 | 0x1E, "reserved" },
        { VMCS_PROC_CTLS2, PROC2_UNRESTRICTED, "wants EPT" },
        { VMCS_EXIT_CTLS, EXIT_HOST_64BIT | EXIT_SAVE_PREEMPTION, "wants the timer" },
        { VMCS_ENTRY_CTLS, ENTRY_SMM, "SMM" },
        { VMCS_IO_BITMAP_B, 0x123, "I/O bitmap B" },
        { VMCS_MSR_BITMAP, 1UL << 39, "MSR bitmaps" },
        { VMCS_CR3_TARGET_COUNT, 5, "CR3-target" },
        { VMCS_ENTRY_EVENT, 0x80000100, "type 1" },
        { VMCS_ENTRY_EVENT, 0x80000203, "vector 2" },
        { VMCS_ENTRY_EVENT, 0x80000320, "vector up to 31" },
        { VMCS_ENTRY_EVENT, 0x8000030D, "error code" },
        { VMCS_ENTRY_EVENT, 0x80000B06, "error code" },
        { VMCS_ENTRY_EVENT, 0x80000480, "1 to 15" },
    };
    ALL_FOUND(check_controls, list);
    setup(NULL);
    caps.may_be_1[CTL_PROC2] = PROC2_EPT | PROC2_UNRESTRICTED;
    assert_non_null(strstr(check_controls(), "proc2 (0xa2): bits 0x20 must be 0"));
}

static void test_host(void **state)
{
    (void)state;
    static const struct spoilt list[] = {
        { VMCS_H_CR0, CR0_PE, "host CR0" },
        { VMCS_H_CR4, CR4_VMXE, "PAE" },
        { VMCS_H_CR3, 1UL << 40, "host CR3" },
        { VMCS_H_PAT, 2, "host IA32_PAT" },
        { VMCS_H_EFER, 0, "host IA32_EFER" },
        { VMCS_H_CS_SEL, 0, "null" },
        { VMCS_H_TR_SEL, 0, "null" },
        { VMCS_H_SS_SEL, 0x13, "RPL" },
        { VMCS_H_GS_BASE, 1UL << 47, "host GS base" },
        { VMCS_H_RIP, 1UL << 63, "host RIP" },
    };
    ALL_FOUND(check_host, list);
}

static void test_guest(void **state)
{
    (void)state;
    static const struct spoilt list[] = {
        { VMCS_G_CR0, CR0_NE | CR0_PG, "PG wants PE" },
        { VMCS_G_CR0, CR0_PE | CR0_PG, "guest CR0" },
        { VMCS_G_CR4, CR4_VMXE, "IA-32e mode wants" },
        { VMCS_G_CR3, 1UL << 39, "guest CR3" },
        { VMCS_G_EFER, EFER_LME, "LMA must equal" },
        { VMCS_G_EFER, EFER_LMA | EFER_LME | 2, "reserved" },
        { VMCS_G_PAT, 3, "guest IA32_PAT" },
        { VMCS_G_DR7, 1UL << 32, "guest DR7" },
        { VMCS_G_DEBUGCTL, 4, "guest IA32_DEBUGCTL" },
        { VMCS_G_SYSENTER_EIP, 1UL << 50, "SYSENTER_EIP" },
        { VMCS_G_GDTR_LIMIT, 0x10000, "GDTR limit" },
        { VMCS_G_IDTR_BASE, 1UL << 50, "IDTR base" },
        { VMCS_G_RIP, 1UL << 50, "guest RIP" },
        { VMCS_G_RFLAGS, 0, "guest RFLAGS" },
        { VMCS_G_RFLAGS, RFLAGS_FIXED | RFLAGS_VM, "virtual-8086" },
        { VMCS_ENTRY_EVENT, 0x80000020, "IF must be 1" },
        { VMCS_G_INTERRUPTIBILITY, 0x20, "reserved" },
        { VMCS_G_INTERRUPTIBILITY, SHADOW_STI, "wants RFLAGS.IF" },
        { VMCS_G_INTERRUPTIBILITY, SHADOW_STI | SHADOW_MOV_SS, "at once" },
        { VMCS_G_PENDING_DEBUG, 0x20, "pending debug" },
        { VMCS_G_ACTIVITY, 1, "activity" },
        { VMCS_G_LINK, 0, "link pointer" },
    };
    ALL_FOUND(check_guest, list);
}

static void test_segments(void **state)
{
    (void)state;
    static const struct spoilt list[] = {
        { VMCS_G_CS_AR, 0xA093 | 0x60, "DPL must be 0 with type 3" },
        { VMCS_G_CS_AR, 0xA0FB, "equal that of SS" },
        { VMCS_G_CS_AR, 0xA0FF, "above that of SS" },
        { VMCS_G_CS_AR, 0xA09A, "guest CS" },
        { VMCS_G_CS_AR, 0xE09B, "D must be 0" },
        { VMCS_G_CS_AR, 0xA01B, "present" },
        { VMCS_G_CS_AR, 0xA08B, "S must be 1" },
        { VMCS_G_CS_BASE, 1UL << 32, "63:32" },
        { VMCS_G_SS_AR, 0xC091, "3 or 7" },
        { VMCS_G_DS_AR, 0xC092, "accessed" },
        { VMCS_G_DS_AR, 0xC099, "readable" },
        { VMCS_G_FS_BASE, 1UL << 50, "canonical" },
        { VMCS_G_TR_AR, 0x10000, "usable" },
        { VMCS_G_TR_AR, 0x89, "busy TSS" },
        { VMCS_G_TR_AR, 0x83, "busy TSS" },
        { VMCS_G_TR_SEL, 4, "TI" },
        { VMCS_G_TR_LIMIT, 0x100000, "G must be 1" },
        { VMCS_G_LDTR_AR, 0x8B, "LDT" },
        { VMCS_G_LDTR_AR, 0x0182, "reserved" },
        { VMCS_G_LDTR_AR, 0x8082, "G must be 0" },
    };
    ALL_FOUND(check_guest, list);
}

static void test_virtual_8086(void **state)
{
    (void)state;
    vmcs_write(VMCS_G_RFLAGS, RFLAGS_FIXED | RFLAGS_VM);
    for (unsigned s = SEG_ES; s <= SEG_GS; s++) {
        vmcs_write(vmcs_nth(VMCS_G_ES_AR, s), 0xF3);
        vmcs_write(vmcs_nth(VMCS_G_ES_LIMIT, s), 0xFFFF);
        vmcs_write(vmcs_nth(VMCS_G_ES_SEL, s), 0x1234);
        vmcs_write(vmcs_nth(VMCS_G_ES_BASE, s), 0x12340);
        assert_null(check_segment(s));
    }
    vmcs_write(VMCS_G_DS_BASE, 0);
    assert_non_null(strstr(check_segment(SEG_DS), "guest DS (selector 0x1234"));
    vmcs_write(VMCS_G_FS_LIMIT, 0xFFFFF);
    assert_non_null(strstr(check_segment(SEG_FS), "limit is 0xffff"));
    vmcs_write(VMCS_G_GS_AR, 0x93);
    assert_non_null(strstr(check_segment(SEG_GS), "0xf3"));
}

static void test_pdptes(void **state)
{
    (void)state;
    vmcs_write(VMCS_ENTRY_CTLS, ENTRY_LOAD_EFER);
    vmcs_write(VMCS_G_EFER, 0);
    vmcs_write(VMCS_G_CS_AR, 0xC09B);
    assert_null(check_guest());
    vmcs_write(VMCS_G_PDPTE2, 0x1003);
    assert_non_null(strstr(check_guest(), "guest PDPTE2 (0x1003)"));
    vmcs_write(VMCS_G_PDPTE2, 0x1002); /* not present */
    assert_null(check_guest());
}

static void test_step_in_shadow(void **state)
{
    (void)state;
    vmcs_write(VMCS_G_RFLAGS, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF);
    vmcs_write(VMCS_G_INTERRUPTIBILITY, SHADOW_STI);
    assert_non_null(strstr(check_guest(), "BS must agree"));
    vmcs_write(VMCS_G_PENDING_DEBUG, PENDING_DEBUG_BS);
    assert_null(check_guest());
    vmcs_write(VMCS_G_DEBUGCTL, DEBUGCTL_BTF);
    assert_non_null(strstr(check_guest(), "BS must agree"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_good, setup),
        cmocka_unit_test_setup(test_controls, setup),
        cmocka_unit_test_setup(test_host, setup),
        cmocka_unit_test_setup(test_guest, setup),
        cmocka_unit_test_setup(test_segments, setup),
        cmocka_unit_test_setup(test_virtual_8086, setup),
        cmocka_unit_test_setup(test_pdptes, setup),
        cmocka_unit_test_setup(test_step_in_shadow, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
