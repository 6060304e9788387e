/* links: virt/cr.c vmx/cr.c vmx/pdpte.c vmx/regs.c vmx/debug.c vmx/vmcs.c tests/fakes/heap.c tests/fakes/panic.c */
/*
 * virt/cr.c with vmx/cr.c and vmx/pdpte.c: what a write to a control register checks and changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "vmx/caps.h"
#include "vmx/controls.h"
#include "vmx/cr.h"
#include "vmx/ept.h"
#include "vmx/event.h"
#include "virt/cr.h"
#include "virt/slat.h"
#include "vmx/vmcs.h"
#include "virt/virt.h"

#define CR4_ALLOWED (CR4_PAE | CR4_PGE | CR4_PSE | CR4_MCE | CR4_PCIDE | CR4_OSFXSR)
#define MADDR_BITS  39

struct caps caps;
struct virt_caps virt_caps = { .slat = EPT_FORMAT, .slat_2m = true };
static unsigned flushes;
static struct virt_vcpu v;
static uint64_t memory[512]; /* gfn 1 */

unsigned cpu_maddr_bits(void)
{
    return MADDR_BITS;
}

/* All else is nothing, or a device. */
int virt_read(struct virt_vcpu *of, gpa_t from, void *to, size_t n)
{
    assert_ptr_equal(of, &v);
    assert_int_equal(n, 32);
    if (gpa_to_gfn(from).v != 1)
        return -EFAULT;
    memcpy(to, (uint8_t *)memory + (from.v & ~PAGE_MASK), n);
    return 0;
}

void virt_flush_vcpu(struct virt_vcpu *of)
{
    assert_ptr_equal(of, &v);
    flushes++;
}

void event_window(struct virt_vcpu *of, uint32_t window, bool want)
{
    (void)of;
    (void)window;
    (void)want;
    fail();
}

static struct cpuid_regs cpuid_with_nx(uint32_t leaf, uint32_t subleaf)
{
    (void)subleaf;
    return (struct cpuid_regs){ .edx = leaf == 0x80000001 ? CPUID_EXT1D_NX : 0 };
}

static int setup(void **state)
{
    (void)state;
    memset(fake_vmcs, 0, sizeof(fake_vmcs));
    fake_cpuid = cpuid_with_nx;
    caps = (struct caps){ .cr0_fixed0 = CR0_PE | CR0_NE | CR0_PG,
                          .cr0_fixed1 = 0xFFFFFFFF,
                          .cr4_fixed0 = CR4_VMXE,
                          .cr4_fixed1 = 0x3767FF };
    v = (struct virt_vcpu){ .cr4_mask = CR4_ALLOWED };
    memset(memory, 0, sizeof(memory));
    vmcs_write(VMCS_G_TR_AR, 0x8B);
    cr_reset(&v);
    flushes = 0;
    return 0;
}

static void test_reset(void **state)
{
    (void)state;
    assert_int_equal(virt_cr0(&v), CR0_CD | CR0_NW | CR0_ET);
    assert_int_equal(virt_cr4(&v), 0);
    assert_int_equal(virt_efer(&v), 0);
    assert_int_equal(vmcs_read(VMCS_G_CR0), CR0_NE | CR0_ET); /* caches on, NE on */
    assert_int_equal(vmcs_read(VMCS_G_CR4), CR4_VMXE | CR4_MCE);
    assert_int_equal(vmcs_read(VMCS_CR4_MASK), ~(CR4_ALLOWED & ~CR4_MCE));
}

/* Bits that the guest owns come from the register, the others from the shadow. */
static void test_ownership(void **state)
{
    (void)state;
    vmcs_write(VMCS_G_CR0, vmcs_read(VMCS_G_CR0) | CR0_TS | CR0_WP);
    assert_int_equal(virt_cr0(&v), CR0_CD | CR0_NW | CR0_ET | CR0_TS | CR0_WP);
    vmcs_write(VMCS_G_CR4, vmcs_read(VMCS_G_CR4) | CR4_PGE);
    assert_int_equal(virt_cr4(&v), CR4_PGE);
    assert_int_equal(virt_set_cr4(&v, CR4_MCE), 0);
    assert_int_equal(virt_cr4(&v), CR4_MCE);
    assert_int_equal(virt_set_cr4(&v, 0), 0);
    assert_true(vmcs_read(VMCS_G_CR4) & CR4_MCE);
}

static void test_cr0_refusals(void **state)
{
    (void)state;
    static const uint64_t bad[] = { CR0_PG, CR0_NW, CR0_PE | CR0_PG | CR0_NW, 1UL << 32,
                                    1UL << 63 };
    uint64_t before = virt_cr0(&v);
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(virt_set_cr0(&v, bad[i]), -EINVAL);
    assert_int_equal(virt_cr0(&v), before);
    assert_int_equal(virt_set_cr0(&v, CR0_PE | 1 << 6), 0); /* reserved low bits are dropped */
    assert_int_equal(virt_cr0(&v), CR0_PE | CR0_ET);
}

static void enter_long_mode(void)
{
    assert_int_equal(virt_set_cr4(&v, CR4_PAE), 0);
    assert_int_equal(virt_set_cr3(&v, 0x1000), 0);
    assert_int_equal(virt_set_efer(&v, EFER_LME | EFER_NXE | EFER_SCE), 0);
    assert_int_equal(virt_set_cr0(&v, CR0_PE | CR0_PG), 0);
}

static void test_long_mode(void **state)
{
    (void)state;
    enter_long_mode();
    assert_int_equal(virt_efer(&v), EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE);
    assert_true(vmcs_read(VMCS_ENTRY_CTLS) & ENTRY_IA32E);
    assert_true(flushes > 0);
    assert_int_equal(virt_set_cr4(&v, 0), -EINVAL);         /* PAE must stay */
    assert_int_equal(virt_set_efer(&v, EFER_LMA), -EINVAL); /* LME must stay while paging */
    assert_int_equal(virt_set_cr3(&v, 1UL << MADDR_BITS), -EINVAL);
    assert_int_equal(virt_set_efer(&v, EFER_LME), 0); /* LMA is not written */
    assert_int_equal(virt_efer(&v), EFER_LME | EFER_LMA);

    vmcs_write(VMCS_G_CS_AR, SEG_AR_L);
    assert_int_equal(virt_set_cr0(&v, CR0_PE), -EINVAL); /* not from 64-bit code */
    vmcs_write(VMCS_G_CS_AR, 0);
    assert_int_equal(virt_set_cr0(&v, CR0_PE), 0);
    assert_int_equal(virt_efer(&v), EFER_LME);
    assert_false(vmcs_read(VMCS_ENTRY_CTLS) & ENTRY_IA32E);
}

static void test_long_mode_refusals(void **state)
{
    (void)state;
    assert_int_equal(virt_set_efer(&v, EFER_LME), 0);
    assert_int_equal(virt_set_cr0(&v, CR0_PE | CR0_PG), -EINVAL); /* no PAE */
    assert_int_equal(virt_set_cr4(&v, CR4_PAE), 0);
    vmcs_write(VMCS_G_CS_AR, SEG_AR_L);
    assert_int_equal(virt_set_cr0(&v, CR0_PE | CR0_PG), -EINVAL); /* CS.L */
    vmcs_write(VMCS_G_CS_AR, 0);
    vmcs_write(VMCS_G_TR_AR, 0x83);
    assert_int_equal(virt_set_cr0(&v, CR0_PE | CR0_PG), -EINVAL); /* 16-bit TSS */
    assert_int_equal(virt_set_efer(&v, EFER_SVME), -EINVAL);
    assert_int_equal(virt_set_efer(&v, 1UL << 40), -EINVAL);
}

static void test_pcid(void **state)
{
    (void)state;
    assert_int_equal(virt_set_cr4(&v, CR4_PCIDE), -EINVAL); /* not outside long mode */
    enter_long_mode();
    assert_int_equal(virt_set_cr3(&v, 0x1003), 0);
    assert_int_equal(virt_set_cr4(&v, CR4_PAE | CR4_PCIDE), -EINVAL); /* CR3 has a PCID already */
    assert_int_equal(virt_set_cr3(&v, 0x1000), 0);
    assert_int_equal(virt_set_cr4(&v, CR4_PAE | CR4_PCIDE), 0);
    assert_int_equal(virt_set_cr3(&v, 1UL << 63 | 0x1005), 0);
    assert_int_equal(virt_cr3(&v), 0x1005);
    assert_int_equal(virt_set_cr0(&v, CR0_PE), -EINVAL); /* no way out with PCIDE */
}

static void test_cr4_refusals(void **state)
{
    (void)state;
    assert_int_equal(virt_set_cr4(&v, CR4_VMXE), -EINVAL);
    assert_int_equal(virt_set_cr4(&v, CR4_SMEP), -EINVAL); /* CPUID does not show it */
    assert_int_equal(virt_set_cr4(&v, 1UL << 31), -EINVAL);
    assert_int_equal(virt_cr4(&v), 0);
}

static void test_pdptes(void **state)
{
    (void)state;
    memory[4] = 0x5001; /* the table is at 0x1020 */
    memory[5] = 0x6000; /* not present: anything goes */
    memory[7] = 0x7019;
    assert_int_equal(virt_set_cr3(&v, 0x1020), 0);
    assert_int_equal(virt_set_cr4(&v, CR4_PAE), 0);
    assert_int_equal(virt_set_cr0(&v, CR0_PE | CR0_PG), 0);
    assert_int_equal(vmcs_read(VMCS_G_PDPTE0), 0x5001);
    assert_int_equal(vmcs_read(VMCS_G_PDPTE3), 0x7019);

    memory[4] = 0x8001;
    assert_int_equal(virt_set_cr3(&v, 0x1020), 0);
    assert_int_equal(vmcs_read(VMCS_G_PDPTE0), 0x8001);
    memory[6] = 0x9003; /* R/W is reserved here */
    assert_int_equal(virt_set_cr3(&v, 0x1020), -EINVAL);
    memory[6] = 1UL << MADDR_BITS | 1;
    assert_int_equal(virt_set_cr3(&v, 0x1020), -EINVAL);
    assert_int_equal(virt_set_cr3(&v, 0x40000000), -EINVAL); /* no memory there */
    assert_int_equal(vmcs_read(VMCS_G_PDPTE2), 0);
    assert_int_equal(virt_set_cr3(&v, 1UL << 32), -EINVAL);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup(t, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_reset),
        TEST(test_ownership),
        TEST(test_cr0_refusals),
        TEST(test_long_mode),
        TEST(test_long_mode_refusals),
        TEST(test_pcid),
        TEST(test_cr4_refusals),
        TEST(test_pdptes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
