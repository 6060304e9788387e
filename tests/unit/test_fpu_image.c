/* links: virt/fpu.c virt/fpu_register.c virt/fpu_image.c tests/fakes/heap.c tests/fakes/panic.c */
/*
 * virt/fpu_image.c: what goes into a vCPU's area from outside, and that nothing does which XRSTOR
 * would refuse.
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

#define ALL   (XCR0_X87 | XCR0_SSE | XCR0_AVX)
#define BYTES 832u

struct virt_caps virt_caps;

static struct virt_vcpu vcpu;
static bool with_xsave;
static struct fpu_area image;

static struct cpuid_regs give_cpuid(uint32_t leaf, uint32_t sub)
{
    if (leaf == 1)
        return (struct cpuid_regs){ .ecx = with_xsave ? CPUID_1C_XSAVE : 0 };
    if (leaf == FPU_XSAVE_LEAF && sub == 0)
        return (struct cpuid_regs){ .eax = ALL | XCR0_OPMASK };
    if (leaf == FPU_XSAVE_LEAF && sub == 2)
        return (struct cpuid_regs){ .eax = 0x100, .ebx = 0x240 };
    return (struct cpuid_regs){ 0 };
}

static int setup(void **state)
{
    (void)state;
    with_xsave = true;
    fake_cpuid = give_cpuid;
    vcpu = (struct virt_vcpu){ .owner_id = 7, .xcr0_mask = ALL };
    image = (struct fpu_area){ .fcw = 0x37f, .mxcsr = 0x1f80, .xstate_bv = ALL };
    return fpu_create(&vcpu);
}

static int teardown(void **state)
{
    (void)state;
    fpu_destroy(&vcpu);
    return 0;
}

static void test_out_and_in(void **state)
{
    struct fpu_area *area = vcpu.fpu;

    (void)state;
    assert_int_equal(fpu_image_bytes(&vcpu), BYTES);
    assert_int_equal(fpu_image_states(&vcpu), ALL);
    image.xmm[3][0] = 0x77;
    assert_int_equal(fpu_image_put(&vcpu, &image, ALL), 0);
    memset(fpu_image_rest(&vcpu), 0x99, BYTES - 576);
    assert_int_equal(fpu_image_xcr0(&vcpu), ALL);
    assert_int_equal(area->xmm[3][0], 0x77);
    assert_int_equal(area->xstate_bv, ALL);
    area->xstate_bv = XCR0_AVX; /* x87 and SSE as at reset: it is spelt out for others */
    const struct fpu_area *out = fpu_image(&vcpu);
    assert_int_equal(out->xstate_bv, ALL);
    assert_int_equal(out->xmm[3][0], 0);
    assert_int_equal(*((const uint8_t *)out + 0x240), 0x99);
}

static void test_refused(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) { /* XRSTOR: states that there are not, reserved bits */
        image.xstate_bv = 1ul << bit;
        assert_int_equal(fpu_image_put(&vcpu, &image, 1), image.xstate_bv & ~ALL ? -EINVAL : 0);
        image.xstate_bv = ALL;
        image.xcomp_bv = 1ul << bit;
        assert_int_equal(fpu_image_put(&vcpu, &image, 1), -EINVAL);
        image.xcomp_bv = 0;
        for (unsigned i = 0; i < 6; i++) {
            image.reserved[i] = 1ul << bit;
            assert_int_equal(fpu_image_put(&vcpu, &image, 1), -EINVAL);
            image.reserved[i] = 0;
        }
        bool good = bit == 0; /* of XCR0, x87 alone may be on alone */
        assert_int_equal(fpu_image_put(&vcpu, &image, 1ul << bit), good ? 0 : -EINVAL);
        if (bit >= 32)
            continue;
        image.mxcsr = 1u << bit;
        assert_int_equal(fpu_image_put(&vcpu, &image, 1), 0xffbfu >> bit & 1 ? 0 : -EINVAL);
        assert_int_equal(fpu_image_put_legacy(&vcpu, &image), 0xffbfu >> bit & 1 ? 0 : -EINVAL);
        image.mxcsr = 0x1f80;
    }
}

/* What was wrong has changed nothing. */
static void test_untouched(void **state)
{
    uint8_t before[576];

    (void)state;
    memcpy(before, vcpu.fpu, sizeof(before));
    memset(&image, 0xff, sizeof(image));
    assert_int_equal(fpu_image_put(&vcpu, &image, ALL), -EINVAL);
    assert_int_equal(fpu_image_put_legacy(&vcpu, &image), -EINVAL);
    assert_memory_equal(before, vcpu.fpu, sizeof(before));
}

static void test_without_xsave(void **state)
{
    (void)state;
    fpu_destroy(&vcpu);
    with_xsave = false;
    vcpu = (struct virt_vcpu){ .owner_id = 7, .xcr0_mask = ALL };
    assert_int_equal(fpu_create(&vcpu), 0);
    assert_int_equal(fpu_image_bytes(&vcpu), 0);
    assert_int_equal(fpu_image_put(&vcpu, &image, 1), -EINVAL);
    image.st[0][0] = 5;
    assert_int_equal(fpu_image_put_legacy(&vcpu, &image), 0);
    assert_int_equal(((const struct fpu_area *)fpu_image(&vcpu))->st[0][0], 5);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_out_and_in),
        TEST(test_refused),
        TEST(test_untouched),
        TEST(test_without_xsave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
