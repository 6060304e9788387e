/* links: virt/fpu.c virt/fpu_register.c tests/fakes/heap.c tests/fakes/panic.c */
/*
 * virt/fpu_register.c: where a register lies in the area, which is all that this machine has here;
 * components in their initial configuration, whose bytes mean nothing.
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

#define YMM_AT 0x240u
#define ZMM_AT 0x480u
#define ALL    (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM)

struct virt_caps virt_caps;

static struct virt_vcpu vcpu;

static struct cpuid_regs give_cpuid(uint32_t leaf, uint32_t sub)
{
    if (leaf == 1)
        return (struct cpuid_regs){ .ecx = CPUID_1C_XSAVE };
    if (leaf == FPU_XSAVE_LEAF && sub == 0)
        return (struct cpuid_regs){ .eax = ALL };
    if (leaf == FPU_XSAVE_LEAF && sub == 2)
        return (struct cpuid_regs){ .eax = 0x100, .ebx = YMM_AT };
    if (leaf == FPU_XSAVE_LEAF && sub == 6)
        return (struct cpuid_regs){ .eax = 0x200, .ebx = ZMM_AT };
    return (struct cpuid_regs){ 0 };
}

static struct fpu_area *area(void)
{
    return vcpu.fpu;
}

static char *ymm_high(unsigned n)
{
    return (char *)vcpu.fpu + YMM_AT + 16 * n;
}

static int setup(void **state)
{
    (void)state;
    fake_cpuid = give_cpuid;
    vcpu = (struct virt_vcpu){ .owner_id = 7, .xcr0_mask = ALL };
    if (fpu_create(&vcpu))
        return -1;
    memset(area()->xmm, 0xaa, sizeof(area()->xmm));
    memset(ymm_high(0), 0xbb, 0x100);
    memset((char *)vcpu.fpu + ZMM_AT, 0xcc, 0x200);
    area()->xstate_bv = ALL;
    vcpu.xcr0 = fake_xcr0 = ALL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fpu_destroy(&vcpu);
    return 0;
}

static bool is_filled(const void *at, int byte, size_t n)
{
    const uint8_t *p = at;

    while (n && *p == byte)
        p++, n--;
    return n == 0;
}

static void test_read(void **state)
{
    uint64_t value[4];

    (void)state;
    memset(area()->xmm[5], 0x55, 16);
    memset(ymm_high(5), 0x66, 16);
    fpu_read_vector(&vcpu, 5, value);
    assert_true(is_filled(value, 0x55, 16));
    assert_true(is_filled(&value[2], 0x66, 16));
}

/* SSE leaves what is above, AVX clears it. */
static void test_write(void **state)
{
    uint64_t value[4];

    (void)state;
    memset(value, 0x11, sizeof(value));
    fpu_write_vector(&vcpu, 15, value, false);
    assert_true(is_filled(area()->xmm[15], 0x11, 16));
    assert_true(is_filled(ymm_high(15), 0xbb, 16));
    fpu_write_vector(&vcpu, 15, value, true);
    assert_true(is_filled(ymm_high(15), 0x11, 16));
    assert_true(is_filled(ymm_high(14), 0xbb, 16));
    assert_true(is_filled((char *)vcpu.fpu + ZMM_AT + 15 * 32, 0, 32));
    assert_true(is_filled((char *)vcpu.fpu + ZMM_AT, 0xcc, 15 * 32));
    assert_int_equal(fake_xcr0, vcpu.xcr0);
}

/* What is in its initial configuration reads as zero, and the other registers of it stay so. */
static void test_initial(void **state)
{
    uint64_t value[4];

    (void)state;
    area()->xstate_bv = 0;
    fpu_read_vector(&vcpu, 3, value);
    assert_true(is_filled(value, 0, 32));
    area()->xstate_bv = 0;
    memset(area()->xmm, 0xaa, sizeof(area()->xmm));
    memset(ymm_high(0), 0xbb, 0x100);
    memset(value, 0x11, sizeof(value));
    fpu_write_vector(&vcpu, 3, value, true);
    assert_true(is_filled(area()->xmm[2], 0, 16));
    assert_true(is_filled(ymm_high(2), 0, 16));
    assert_true(is_filled(ymm_high(3), 0x11, 16));
    assert_int_equal(area()->xstate_bv & (XCR0_SSE | XCR0_AVX), XCR0_SSE | XCR0_AVX);
    assert_int_equal(area()->fcw, 0x37f);
    assert_int_equal(area()->ftw, 0);
}

/* On AMD-V in QEMU the guest sets XCR0 itself: it keeps what it has set. */
static void test_xcr0_of_its_own(void **state)
{
    uint64_t value[4];

    (void)state;
    vcpu.xcr0 = XCR0_X87;
    fake_xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_PKRU;
    fpu_read_vector(&vcpu, 0, value);
    assert_int_equal(fake_xcr0, XCR0_X87 | XCR0_SSE | XCR0_AVX);
    vcpu.xcr0 = XCR0_X87;
    assert_true(fpu_has_avx(&vcpu));
}

static void test_without_avx(void **state)
{
    uint64_t value[4];

    (void)state;
    vcpu.xcr0_mask = fake_xcr0 = XCR0_X87 | XCR0_SSE;
    assert_false(fpu_has_avx(&vcpu));
    fpu_read_vector(&vcpu, 0, value);
    assert_true(is_filled(&value[2], 0, 16));
    fpu_write_vector(&vcpu, 0, value, true);
    assert_true(is_filled(ymm_high(0), 0xbb, 0x100));
    vcpu.xcr0_mask = ALL;
    fake_xcr0 = XCR0_X87 | XCR0_AVX;
    assert_false(fpu_has_avx(&vcpu));
}

/* The registers are numbered from the bottom, the area's from the top of the stack, here 3. */
static void test_mmx(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++)
        memset(area()->st[i], 0x10 * (int)i, 16);
    area()->fsw = 3 << 11 | 0x4700;
    area()->ftw = 0x18;
    assert_int_equal(fpu_read_mmx(&vcpu, 4), 0x1010101010101010);
    assert_int_equal(area()->fsw, 0x4700);
    assert_int_equal(area()->ftw, 0xff);
    assert_int_equal(fpu_read_mmx(&vcpu, 4), 0x1010101010101010);
    fpu_write_mmx(&vcpu, 2, 0x0123456789abcdef);
    assert_int_equal(fpu_read_mmx(&vcpu, 2), 0x0123456789abcdef);
    assert_int_equal(area()->st[2][8], 0xff);
    assert_int_equal(area()->st[2][9], 0xff);
    assert_int_equal(fpu_read_mmx(&vcpu, 1), 0x6060606060606060);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_write, setup, teardown),
        cmocka_unit_test_setup_teardown(test_initial, setup, teardown),
        cmocka_unit_test_setup_teardown(test_xcr0_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_avx, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mmx, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
