/* links: virt/fpu.c tests/fakes/heap.c tests/fakes/panic.c */
/*
 * virt/fpu.c on AMD's processors: what a guest did with the x87 is not there for the next one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "virt/fpu.h"
#include "virt/fpu_area.h"
#include "virt/virt.h"

struct virt_caps virt_caps;

#define THERE (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_BNDREGS | XCR0_BNDCSR)

static struct virt_vcpu vcpu;
static uint32_t ext_max, ext8b;
static const uint32_t another_guests;

static struct cpuid_regs give_cpuid(uint32_t leaf, uint32_t sub)
{
    (void)sub;
    switch (leaf) {
    case 1:
        return (struct cpuid_regs){ .ecx = CPUID_1C_XSAVE };
    case 0xD:
        return (struct cpuid_regs){ .eax = THERE };
    case 0x80000000:
        return (struct cpuid_regs){ .eax = ext_max };
    case 0x80000008:
        return (struct cpuid_regs){ .ebx = ext8b };
    }
    return (struct cpuid_regs){ 0 };
}

static int setup(void **state)
{
    (void)state;
    fake_cpuid = give_cpuid;
    ext_max = 0x8000001F;
    ext8b = 0;
    virt_caps.amd = true;
    fake_x87_operand = &another_guests;
    fake_restored_over = NULL;
    vcpu = (struct virt_vcpu){ .owner_id = 7 };
    return fpu_create(&vcpu);
}

static int teardown(void **state)
{
    (void)state;
    fpu_destroy(&vcpu);
    return 0;
}

/* The processor leaves the pointers as they were: they have to be others before it loads. */
static void test_pointers_are_not_left(void **state)
{
    (void)state;
    fpu_load(&vcpu);
    assert_non_null(fake_restored_over);
    assert_ptr_not_equal(fake_restored_over, &another_guests);
}

static void test_without_xsave(void **state)
{
    (void)state;
    vcpu.has_xsave = false;
    test_pointers_are_not_left(state);
}

/* One that has no such leaf leaves them too, whatever is read there. */
static void test_old_cpu(void **state)
{
    (void)state;
    ext_max = 0x80000007;
    ext8b = CPUID_EXT8B_ERR_PTRS;
    test_pointers_are_not_left(state);
}

/* Where the processor always loads them, nothing is done: Intel's, and AMD's that say so. */
static void test_not_needed(void **state)
{
    (void)state;
    ext8b = CPUID_EXT8B_ERR_PTRS;
    fpu_load(&vcpu);
    assert_ptr_equal(fake_restored_over, &another_guests);
    ext8b = 0;
    virt_caps.amd = false;
    fpu_load(&vcpu);
    assert_ptr_equal(fake_restored_over, &another_guests);
}

/* A state that the guest is not to have is loaded too: as after RESET, since its own area, which
 * has no room for it, says so. What it sees is its own XCR0. */
static void test_states_it_is_not_to_have(void **state)
{
    (void)state;
    fpu_load(&vcpu);
    assert_int_equal(fake_restored, THERE);
    assert_int_equal(((struct fpu_area *)vcpu.fpu)->xstate_bv & ~vcpu.xcr0_mask, 0);
    assert_int_equal(fake_xcr0, XCR0_X87);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pointers_are_not_left, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_xsave, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_cpu, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_needed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_states_it_is_not_to_have, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
