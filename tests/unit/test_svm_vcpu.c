/* links: svm/vcpu.c svm/apic.c virt/cr.c svm/cr.c svm/msr.c svm/regs.c svm/flush.c virt/fpu.c virt/guard.c virt/msr.c virt/registers.c virt/state.c virt/start.c lib/fmt.c tests/fakes/heap.c tests/fakes/spec.c tests/fakes/panic.c lib/string.c */
/*
 * What a new vCPU's guest may do by itself. All that is the machine's exits, each named here a
 * second time: an intercept or a bit of the MSR map that gets lost is found here only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "arch/x86/tsc.h"
#include "mm/heap.h"
#include "svm/caps.h"
#include "svm/enable.h"
#include "svm/vcpu.h"
#include "svm/vmcb.h"
#include "tests/fakes/heap.h"
#include "tests/unit/barrier.h"
#include "virt/slat.h"
#include "virt/state.h"
#include "virt/virt.h"

struct svm_caps svm_caps;
struct virt_caps virt_caps;
uint64_t tsc_hz = 1000000000;

static struct virt_vcpu v;
static struct slat slat;
static void *ports;

unsigned cpu_maddr_bits(void)
{
    return 48;
}

uint64_t virt_dr7(const struct virt_vcpu *of)
{
    return vmcb_of(of)->dr7;
}

/* What V_IRQ has been asked for and has not delivered. */
static struct event asked;

void event_take_back(struct virt_vcpu *of)
{
    if (asked.valid)
        of->pending = asked;
    asked.valid = false;
}

/* AVIC's entries have a test of their own. */
bool virt_irq_open(const struct virt_vcpu *of)
{
    (void)of;
    return false;
}

void lapic_timer_set(uint64_t deadline)
{
    (void)deadline;
}

maddr_t enable_host_area(void)
{
    return maddr(0);
}

static struct cpuid_regs give_cpuid(uint32_t leaf, uint32_t sub)
{
    (void)sub;
    if (leaf == 0x80000001)
        return (struct cpuid_regs){ .edx = CPUID_EXT1D_NX | CPUID_EXT1D_RDTSCP };
    return (struct cpuid_regs){ 0 };
}

static int setup(void **state)
{
    (void)state;
    fake_cpuid = give_cpuid;
    virt_caps.amd = true;
    svm_caps.features = FEATURE_NESTED_PAGING;
    ports = heap_pages(1, 7);
    slat.pointer = 0x5000;
    const struct virt_vcpu_config config = {
        .slat = &slat, .io_bitmap = ports, .owner_id = 7, .cr4_mask = CR4_PAE
    };
    return virt_vcpu_create(&v, &config);
}

static int teardown(void **state)
{
    (void)state;
    virt_vcpu_destroy(&v);
    heap_free_pages(ports, 1, 7);
    return 0;
}

/* Of one that fails at any of its allocations nothing stays. */
static void test_no_memory(void **state)
{
    struct virt_vcpu other;
    const struct virt_vcpu_config config = { .slat = &slat,
                                             .io_bitmap = ports,
                                             .owner_id = 7,
                                             .apic_access = maddr(0x7000),
                                             .apic_ids = 4 };
    uint64_t before = frame_count(7), nth = 1;

    (void)state;
    svm_caps.features |= FEATURE_AVIC;
    do {
        frame_fail_nth(nth);
    } while (virt_vcpu_create(&other, &config) && frame_count(7) == before && nth++);
    frame_fail_nth(0);
    assert_int_equal(nth, 4); /* VMCB, MSR map with AVIC's tables, FPU */
    assert_true(vmcb_of(&other)->avic_physical);
    virt_vcpu_destroy(&other);
    assert_int_equal(frame_count(7), before);
    svm_caps.features &= ~FEATURE_AVIC;
}

static bool intercepted(unsigned what)
{
    return vmcb_of(&v)->intercepts[what / 32] >> what % 32 & 1;
}

static void test_intercepts(void **state)
{
    /* APM volume 2, appendix B, by word and bit: of INTR, NMI, INIT, the selective write to CR0,
     * RDPMC, CPUID, INVD, HLT, INVLPGA, IOIO, MSR, task switch, SHUTDOWN; of VMRUN to SKINIT,
     * WBINVD, MONITOR, MWAIT, XSETBV, RDPRU; of #DB, #UD, #AC, #MC; of CR8, CR4 and reads of CR0
     * and CR4, which are not what the guest has been told; of writes to DR7, for a start. */
    static const uint32_t want[ICPT_WORDS] = { 1u << 0 | 1u << 4 | 1u << 8 | 1u << 20 | 1u << 24,
                                               1u << 23,
                                               1u << 1 | 1u << 6 | 1u << 17 | 1u << 18,
                                               0xBD44802Bu,
                                               0x6E7Fu,
                                               0 };

    (void)state;
    for (unsigned i = 0; i < ICPT_WORDS; i++)
        assert_int_equal(vmcb_of(&v)->intercepts[i], want[i]);
    assert_false(intercepted(ICPT_PAUSE));
    assert_int_equal(vmcb_of(&v)->vintr, VINT_MASKING);
    assert_int_equal(vmcb_of(&v)->nested_control, NESTED_PAGING);
    assert_int_equal(vmcb_of(&v)->nested_cr3, 0x5000);
    assert_int_equal(vmcb_of(&v)->clean, 0);
    assert_true(vmcb_of(&v)->efer & EFER_SVME);
    assert_true(vmcb_of(&v)->cr4 & CR4_MCE);
}

/* Whatever it does to its control registers, those of the machine's stay. */
static void test_held_bits(void **state)
{
    (void)state;
    assert_int_equal(virt_set_efer(&v, EFER_SVME), -EINVAL);
    assert_int_equal(virt_set_efer(&v, EFER_SCE), 0);
    assert_true(vmcb_of(&v)->efer & EFER_SVME);
    assert_int_equal(virt_set_cr4(&v, CR4_PAE | CR4_SMEP), -EINVAL);
    assert_int_equal(virt_set_cr4(&v, CR4_PAE), 0);
    assert_true(vmcb_of(&v)->cr4 & CR4_MCE);
    assert_int_equal(virt_cr4(&v), CR4_PAE);
    assert_int_equal(virt_set_cr0(&v, CR0_PE | CR0_CD | CR0_NW), 0);
    assert_int_equal(vmcb_of(&v)->cr0 & (CR0_CD | CR0_NW), 0);
    assert_true(intercepted(ICPT_CR_READ + 0));
}

/* 0: reads and writes pass; 2: reads. */
static unsigned map_bits(uint32_t msr)
{
    static const uint32_t own[] = { 0x174,      0x175,      0x176,      0xC0000081, 0xC0000082,
                                    0xC0000083, 0xC0000084, 0xC0000100, 0xC0000101, 0xC0000102 };

    for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (own[i] == msr)
            return 0;
    return msr == 0xC0000103 ? 2 : 3;
}

/* Of all registers that the map has bits for. */
static void test_msrs(void **state)
{
    static const uint32_t parts[] = { 0, 0xC0000000, 0xC0010000 };
    const uint8_t *map = svm_of(&v)->msr_map;

    (void)state;
    for (unsigned part = 0; part < 3; part++)
        for (uint32_t n = 0; n < 0x2000; n++) {
            unsigned bits = map[part * 2048 + n / 4] >> n % 4 * 2 & 3;
            if (bits != map_bits(parts[part] + n))
                fail_msg("MSR %x: %u", parts[part] + n, bits);
        }
    for (unsigned i = 3 * 2048; i < 4 * 2048; i++)
        assert_int_equal(map[i], 0xFF);
}

/* AMD's processors ignore the upper half, where Intel's refuse it. */
static void test_tsc_aux(void **state)
{
    uint64_t value = 0;

    (void)state;
    virt_load(&v);
    assert_int_equal(virt_msr_write(&v, MSR_IA32_TSC_AUX, 5UL << 32 | 7), 0);
    assert_true(virt_msr_read(&v, MSR_IA32_TSC_AUX, &value));
    assert_int_equal(value, 7);
    virt_unload(&v);
}

/* CPUs that switch IA32_SPEC_CTRL themselves (APM, "Virtualized SPEC_CTRL") keep the guest's here.
 */
static void test_reset(void **state)
{
    (void)state;
    v.loaded = true;
    vmcb_of(&v)->spec_ctrl = 5;
    v.spec_ctrl = 5;
    virt_reset(&v);
    assert_int_equal(vmcb_of(&v)->spec_ctrl, 0);
    assert_int_equal(v.spec_ctrl, 0);
    v.loaded = false;
}

static void test_barrier(void **state)
{
    (void)state;
    check_barrier(&v);
}

/* Another mode gives addresses another meaning; the same one written again does not. */
static void test_places(void **state)
{
    struct svm_vcpu *svm = svm_of(&v);

    (void)state;
    svm->places[0].at = svm->places[SVM_PLACES - 1].at = 1;
    assert_int_equal(virt_set_cr4(&v, virt_cr4(&v)), 0);
    assert_int_equal(virt_set_efer(&v, virt_efer(&v)), 0);
    assert_int_equal(svm->places[SVM_PLACES - 1].at, 1);
    assert_int_equal(virt_set_cr4(&v, CR4_PAE), 0);
    assert_int_equal(svm->places[0].at, 0);
    assert_int_equal(svm->places[SVM_PLACES - 1].at, 0);
    svm->places[1].at = 1;
    assert_int_equal(virt_set_efer(&v, EFER_NXE), 0);
    assert_int_equal(svm->places[1].at, 0);
    svm->places[1].at = 1;
    assert_int_equal(virt_set_cr0(&v, CR0_PE), 0);
    assert_int_equal(svm->places[1].at, 0);
}

/* All of it comes out as it has gone in, also on another vCPU. */
static void test_state(void **state)
{
    struct virt_start start = { .gpr = { 1, 2, 3, 4, 5, 6, 7, 8 },
                                .rip = 0xffffffff81000000,
                                .rflags = 0x246,
                                .cr0 = 0x80050033,
                                .cr3 = 0x5000,
                                .cr4 = CR4_PAE,
                                .efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE },
                      start2;
    struct virt_rest rest = { .gpr = { 8, 9, 10, 11, 12, 13, 14, 15 },
                              .gdt = { .base = 0xfffffe0000001000, .limit = 0x7f },
                              .hidden = { .idt = { .base = 0xfffffe0000000000, .limit = 0xfff },
                                          .cr2 = 0x7f0000001000,
                                          .dr6 = 0xffff0ff0,
                                          .dr7 = 0x401 },
                              .msr = { 0x23001000000000, 0xffffffff81800000, 0xffffffff81801000,
                                       0x47700, 0x7fffd000, 0, 0x10, 0xfffffe0000002000,
                                       0xffffffff81802000, 0x0407050600070106, 2 } },
                     rest2;

    (void)state;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        start.segment[i] = (struct segment){ .limit = ~0u, .ar = 0xc093, .selector = 0x18 };
    start.segment[SEG_CS].ar = 0xa09b;
    start.segment[SEG_GS].base = 0xffff888000000000;
    start.segment[SEG_LDTR] = (struct segment){ .ar = SEG_AR_UNUSABLE };
    start.segment[SEG_TR] =
        (struct segment){ .base = 0xfffffe0000003000, .limit = 0x4087, .ar = 0x8b };
    v.loaded = true;
    virt_reset(&v);
    assert_int_equal(virt_state_put(&v, &start, &rest), 0);
    assert_true(virt_in_64bit_code(&v));
    asked = (struct event){ .valid = true, .type = EVENT_EXTINT, .vector = 0x31 };
    virt_state_get(&v, &start2, &rest2);
    assert_true(rest2.pending.valid && rest2.pending.vector == 0x31);
    assert_memory_equal(&start, &start2, offsetof(struct virt_start, segment));
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        assert_int_equal(start.segment[i].base, start2.segment[i].base);
        assert_int_equal(start.segment[i].ar, start2.segment[i].ar);
        assert_int_equal(start.segment[i].selector, start2.segment[i].selector);
    }
    assert_memory_equal(rest.gpr, rest2.gpr, sizeof(rest.gpr));
    assert_memory_equal(rest.msr, rest2.msr, sizeof(rest.msr));
    assert_int_equal(rest2.gdt.base, rest.gdt.base);
    assert_int_equal(rest2.hidden.idt.limit, rest.hidden.idt.limit);
    assert_int_equal(rest2.hidden.cr2, rest.hidden.cr2);
    assert_int_equal(rest2.hidden.dr7, rest.hidden.dr7);
    rest.msr[STATE_LSTAR] = 1ul << 60;
    virt_reset(&v);
    assert_int_equal(virt_state_put(&v, &start, &rest), -EINVAL);
    rest.msr[STATE_LSTAR] = 0;
    rest.spec_ctrl = 1; /* there is none */
    virt_reset(&v);
    assert_int_equal(virt_state_put(&v, &start, &rest), -EINVAL);
    start.cr4 |= CR4_PCIDE; /* CPUID does not have it */
    rest.spec_ctrl = 0;
    virt_reset(&v);
    assert_int_equal(virt_state_put(&v, &start, &rest), -EINVAL);
    v.loaded = false;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(test_intercepts), TEST(test_held_bits),
                                        TEST(test_msrs),       TEST(test_tsc_aux),
                                        TEST(test_reset),      TEST(test_places),
                                        TEST(test_state),      TEST(test_barrier),
                                        TEST(test_no_memory) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
