/* links: domain/msr.c domain/lapic.c cpu/cpu_msr.c cpu/cpu_mtrr.c exits/cpuid.c cpu/cpu_policy.c xen/xen_cpuid.c cpu/cpu_model.c guestmem/p2m.c guestmem/p2m_log.c guestmem/gmem.c arch/x86/moment.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c xen/pv_vcpu.c tests/fakes/evtchn.c xen/pv_time.c guestmem/gva.c tests/fakes/bus.c xen/pv_console.c guestmem/p2m_change.c lib/warned.c */
/*
 * The MSR policy: who answers, what is refused, and the arithmetic of time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/msr.h"
#include "arch/x86/tsc.h"
#include "cpu/cpu_msr.h"
#include "domain/lapic.h"
#include "domain/msr.h"
#include "tests/fakes/guest.h"
#include "tests/fakes/log.h"

#define ABSENT 0x12345

static const struct vlapic_bus bus = { .timer_moved = guest_timer_moved };
static struct vlapic_page lapic_page;

static struct cpuid_regs leaf(uint32_t n, uint32_t sub)
{
    (void)sub;
    return (struct cpuid_regs){ .eax = n == 0x80000008 ? 39 : 0 };
}

int rdmsr_safe(uint32_t msr, uint64_t *value)
{
    *value = rdmsr(msr);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    fake_tsc = 1000000;
    fake_cpuid = leaf;
    guest_start();
    fake_log_reset();
    vlapic_init(&guest_vcpu.lapic, 0, 1000000000, &bus, &lapic_page);
    msr_reset(&guest_vcpu);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guest_stop();
    return 0;
}

static uint64_t rd(uint32_t msr)
{
    uint64_t value = 0xdead;

    assert_int_equal(msr_read(&guest_vcpu, msr, &value), 0);
    return value;
}

static void wr(uint32_t msr, uint64_t value)
{
    assert_int_equal(msr_write(&guest_vcpu, msr, value), 0);
}

static void refuses(uint32_t msr, uint64_t value)
{
    assert_int_equal(msr_write(&guest_vcpu, msr, value), -EINVAL);
}

/* ---- Who answers ---- */

static void test_vmx_first(void **state)
{
    (void)state;
    cpu()->msr = MSR_IA32_STAR;
    cpu()->msr_value = 0x1122;
    cpu()->refused = 0xbad;
    assert_int_equal(rd(MSR_IA32_STAR), 0x1122);
    wr(MSR_IA32_STAR, 5);
    assert_int_equal(cpu()->msr_value, 5);
    refuses(MSR_IA32_STAR, 0xbad);
}

static void test_lapic(void **state)
{
    uint64_t value;

    (void)state;
    assert_int_equal(rd(MSR_IA32_APIC_BASE), 0xfee00000 | APIC_BASE_ENABLE | APIC_BASE_BSP);
    assert_int_equal(msr_read(&guest_vcpu, 0x802, &value), -EINVAL); /* no x2APIC mode yet */
    wr(MSR_IA32_APIC_BASE, 0xfee00000 | APIC_BASE_ENABLE | APIC_BASE_X2APIC | APIC_BASE_BSP);
    assert_int_equal(rd(0x802), 0);
    wr(0x808, 0x20);
    assert_int_equal(rd(0x808), 0x20);
    refuses(0x802, 1);
}

static void test_unknown(void **state)
{
    uint64_t value;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(msr_read(&guest_vcpu, ABSENT, &value), -EINVAL);
        refuses(ABSENT, 0);
    }
    assert_int_equal(fake_log_lines[1], 1); /* one warning for each register */
    assert_true(fake_log_has("0x12345"));
    for (unsigned i = 0; i < 100; i++)
        refuses(ABSENT + 1 + i, 0);
    assert_int_equal(fake_log_lines[1], WARNED_MOST);
}

/* A domain that is to be relaxed about them: what this machine has reads 0, and takes anything. */
static void test_relaxed(void **state)
{
    uint64_t value = 1;

    (void)state;
    wrmsr(ABSENT + 1, 5);
    guest_config.msr_relaxed = true;
    assert_int_equal(msr_read(&guest_vcpu, ABSENT + 1, &value), 0);
    assert_int_equal(value, 0);
    wr(ABSENT + 1, 7);
    assert_int_equal(rdmsr(ABSENT + 1), 5);
    guest_config.msr_relaxed = false;
    refuses(ABSENT + 1, 7);
}

static void test_probed_quietly(void **state)
{
    uint64_t value;

    (void)state;
    assert_int_equal(msr_read(&guest_vcpu, 0x140, &value), -EINVAL);
    assert_int_equal(msr_read(&guest_vcpu, 0xc0011004, &value), -EINVAL);
    assert_int_equal(fake_log_lines[1], 0);
}

/* What the machine has and a guest must not see, for the reading or for the writing. */
static void test_nothing_leaks(void **state)
{
    static const uint32_t hidden[] = {
        MSR_IA32_VMX_BASIC,
        MSR_IA32_VMX_TRUE_ENTRY_CTLS,
        MSR_IA32_VMX_VMFUNC,
        MSR_IA32_SPEC_CTRL,
        MSR_IA32_PRED_CMD,
        MSR_IA32_ARCH_CAPABILITIES,
        MSR_IA32_PMC0,
        MSR_IA32_PERFEVTSEL0,
        MSR_IA32_PERF_GLOBAL_CTRL,
        MSR_IA32_MC0_CTL,
        MSR_IA32_MCG_CTL,
        MSR_PLATFORM_INFO,
        MSR_IA32_PERF_CAPABILITIES,
        MSR_IA32_TSX_CTRL,
        0xffffffff,
        MSR_IA32_MPERF,
        MSR_IA32_PERF_CTL,
        0x210,
        0x251,
        0x25a,
        0x267,
        0x270,
    };
    uint64_t value;

    (void)state;
    for (unsigned i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        fake_msr_count = 0;
        wrmsr(hidden[i], 0x5ec2e7);
        assert_int_equal(msr_read(&guest_vcpu, hidden[i], &value), -EINVAL);
        refuses(hidden[i], 1);
        assert_int_equal(rdmsr(hidden[i]), 0x5ec2e7);
    }
}

static void test_fixed(void **state)
{
    (void)state;
    assert_int_equal(rd(MSR_IA32_FEATURE_CONTROL), FEATURE_CONTROL_LOCK);
    refuses(MSR_IA32_FEATURE_CONTROL, FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX);
    wr(MSR_IA32_FEATURE_CONTROL, FEATURE_CONTROL_LOCK); /* what it has anyway */
    assert_int_equal(rd(MSR_IA32_MTRRCAP), 0x508);
    refuses(MSR_IA32_MTRRCAP, 0);
    wr(MSR_IA32_BIOS_SIGN_ID, 0x1234);
    assert_int_equal(rd(MSR_IA32_BIOS_SIGN_ID), 0);
    assert_int_equal(rd(MSR_IA32_MCG_CAP), 0);
    assert_int_equal(rd(MSR_IA32_PLATFORM_ID), 0);
}

/* What can be written is kept, what is only to be read stays, and the rest is reserved. */
static void test_misc_enable(void **state)
{
    (void)state;
    assert_int_equal(rd(MSR_IA32_MISC_ENABLE), 0x1800);
    wr(MSR_IA32_MISC_ENABLE, 0x400C51889);
    assert_int_equal(rd(MSR_IA32_MISC_ENABLE), 0x400C51809);
    wr(MSR_IA32_MISC_ENABLE, 0);
    assert_int_equal(rd(MSR_IA32_MISC_ENABLE), 0x1800);
    for (unsigned bit = 0; bit < 64; bit++)
        if (!(0x400C51889ul >> bit & 1))
            refuses(MSR_IA32_MISC_ENABLE, 1ul << bit);
    wrmsr(MSR_IA32_MISC_ENABLE, 0x850089); /* the machine's: fast strings among others */
    msr_reset(&guest_vcpu);
    assert_int_equal(rd(MSR_IA32_MISC_ENABLE), 0x1801);
}

/* ---- Memory types ---- */

static void test_mtrr_reset(void **state)
{
    (void)state;
    assert_int_equal(rd(MSR_IA32_MTRR_DEF_TYPE), 0xc06);
    assert_int_equal(rd(MSR_IA32_MTRR_FIX64K), 0x0606060606060606);
    assert_int_equal(rd(MSR_IA32_MTRR_FIX16K_A0000), 0);
    assert_int_equal(rd(MSR_IA32_MTRR_FIX4K_F8000), 0x0606060606060606);
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(rd(MSR_IA32_MTRR_PHYSBASE0 + i), 0);
}

static void test_mtrr_kept_apart(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 16; i++)
        wr(MSR_IA32_MTRR_PHYSBASE0 + i, (uint64_t)(i + 1) << 12);
    wr(MSR_IA32_MTRR_FIX64K, 0x0101010101010101);
    wr(MSR_IA32_MTRR_FIX16K_80000, 0x0404040404040404);
    wr(MSR_IA32_MTRR_FIX16K_A0000, 0x0505050505050505);
    for (uint32_t i = 0; i < 8; i++)
        wr(MSR_IA32_MTRR_FIX4K_C0000 + i, i % 2 ? 4 : 5);
    wr(MSR_IA32_MTRR_DEF_TYPE, 0x801);
    for (uint32_t i = 0; i < 16; i++)
        assert_int_equal(rd(MSR_IA32_MTRR_PHYSBASE0 + i), (uint64_t)(i + 1) << 12);
    assert_int_equal(rd(MSR_IA32_MTRR_FIX64K), 0x0101010101010101);
    assert_int_equal(rd(MSR_IA32_MTRR_FIX16K_80000), 0x0404040404040404);
    assert_int_equal(rd(MSR_IA32_MTRR_FIX16K_A0000), 0x0505050505050505);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(rd(MSR_IA32_MTRR_FIX4K_C0000 + i), i % 2 ? 4 : 5);
    assert_int_equal(rd(MSR_IA32_MTRR_DEF_TYPE), 0x801);
}

static void test_mtrr_validity(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        bool good = type == 0 || type == 1 || type == 4 || type == 5 || type == 6;
        int want = good ? 0 : -EINVAL;
        assert_int_equal(msr_write(&guest_vcpu, MSR_IA32_MTRR_PHYSBASE0, 0x100000 | type), want);
        assert_int_equal(msr_write(&guest_vcpu, MSR_IA32_MTRR_DEF_TYPE, 0xc00 | type), want);
        for (unsigned byte = 0; byte < 8; byte++)
            assert_int_equal(
                msr_write(&guest_vcpu, MSR_IA32_MTRR_FIX64K, (uint64_t)type << 8 * byte), want);
    }
    for (unsigned bit = 0; bit < 64; bit++) {
        bool mask_good = bit >= 11 && bit < 39, def_good = bit == 10 || bit == 11;
        uint64_t value = 1ul << bit;
        assert_int_equal(msr_write(&guest_vcpu, MSR_IA32_MTRR_PHYSMASK0, value),
                         mask_good ? 0 : -EINVAL);
        if (bit >= 8)
            assert_int_equal(msr_write(&guest_vcpu, MSR_IA32_MTRR_DEF_TYPE, value),
                             def_good ? 0 : -EINVAL);
        if (bit >= 8)
            assert_int_equal(msr_write(&guest_vcpu, MSR_IA32_MTRR_PHYSBASE0, value),
                             bit >= 12 && bit < 39 ? 0 : -EINVAL);
    }
    wr(MSR_IA32_MTRR_DEF_TYPE, 0xc06);
    refuses(MSR_IA32_MTRR_DEF_TYPE, 0xc02);
    assert_int_equal(rd(MSR_IA32_MTRR_DEF_TYPE), 0xc06); /* a refused write changes nothing */
}

/* ---- Time ---- */

static void test_tsc_starts_at_zero(void **state)
{
    (void)state;
    assert_int_equal(rd(MSR_IA32_TSC), 0);
    fake_tsc += 500;
    assert_int_equal(rd(MSR_IA32_TSC), 500);
    assert_int_equal(rd(MSR_IA32_TSC_ADJUST), 0);
}

static void test_tsc_write_moves_adjust(void **state)
{
    (void)state;
    fake_tsc += 500;
    wr(MSR_IA32_TSC, 1500);
    assert_int_equal(rd(MSR_IA32_TSC), 1500);
    assert_int_equal(rd(MSR_IA32_TSC_ADJUST), 1000);
    wr(MSR_IA32_TSC, 0);
    assert_int_equal(rd(MSR_IA32_TSC), 0);
    assert_int_equal(rd(MSR_IA32_TSC_ADJUST), -500ul);
    assert_int_equal(cpu()->tsc_offset, guest_vcpu.xen.tsc_offset);
    assert_int_equal(fake_tsc + cpu()->tsc_offset, 0);
}

static void test_adjust_write_moves_tsc(void **state)
{
    (void)state;
    fake_tsc += 500;
    wr(MSR_IA32_TSC_ADJUST, 1000);
    assert_int_equal(rd(MSR_IA32_TSC), 1500);
    wr(MSR_IA32_TSC_ADJUST, 1000); /* by the difference, which is 0 now */
    assert_int_equal(rd(MSR_IA32_TSC), 1500);
    wr(MSR_IA32_TSC_ADJUST, -100ul);
    assert_int_equal(rd(MSR_IA32_TSC), 400);
    assert_int_equal(cpu()->tsc_offset, guest_vcpu.xen.tsc_offset);
}

/* vmx/ can answer for the TSC too; the domain must not let it, or the rest is not told. */
static void test_tsc_is_ours(void **state)
{
    (void)state;
    cpu()->msr = MSR_IA32_TSC;
    cpu()->msr_value = 0xbad;
    wr(MSR_IA32_TSC, 1000);
    assert_int_equal(rd(MSR_IA32_TSC), 1000);
    assert_int_equal(rd(MSR_IA32_TSC_ADJUST), 1000);
}

static void deadline_mode(void)
{
    struct device *dev = &guest_vcpu.lapic.dev;

    dev->ops->write(dev, 0xf0, 4, 0x1ff, 0);
    dev->ops->write(dev, 0x320, 4, 2 << 17 | 0x40, 0); /* LVT timer: TSC deadline, vector 0x40 */
}

static bool fires_at(uint64_t ns)
{
    struct vlapic *l = &guest_vcpu.lapic;

    l->dev.ops->tick(&l->dev, ns);
    return vlapic_pending(l) == 0x40;
}

static void test_deadline(void **state)
{
    (void)state;
    deadline_mode();
    fake_tsc += 5000; /* at 1 GHz a tick is 1 ns */
    wr(MSR_IA32_TSC_DEADLINE, 7000);
    assert_int_equal(rd(MSR_IA32_TSC_DEADLINE), 7000);
    assert_int_equal(guest_vcpu.lapic_due.ns, 7000);
    assert_false(fires_at(6999));
    assert_true(fires_at(7000));
    fake_tsc += 3000;
    assert_int_equal(rd(MSR_IA32_TSC_DEADLINE), 0);
}

static void test_deadline_of_a_moved_tsc(void **state)
{
    (void)state;
    deadline_mode();
    tsc_set_rate(2000000000);
    fake_tsc += 5000;
    wr(MSR_IA32_TSC, 1000000);
    wr(MSR_IA32_TSC_DEADLINE, 1002000);
    assert_int_equal(guest_vcpu.lapic_due.ns, 3500); /* 2000 ticks after 2500 ns */
}

static void test_deadline_past_and_off(void **state)
{
    (void)state;
    deadline_mode();
    fake_tsc += 5000;
    wr(MSR_IA32_TSC_DEADLINE, 6000);
    wr(MSR_IA32_TSC_DEADLINE, 0);
    assert_int_equal(guest_vcpu.lapic_due.ns, TIME_NEVER);
    assert_false(fires_at(10000));
    wr(MSR_IA32_TSC_DEADLINE, 4999);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x40);
}

/* Deadlines are compared without sign, and far ones saturate: they never come. */
static void test_deadline_far(void **state)
{
    static const uint64_t far[] = { ~0ul, 1ul << 63, (1ul << 63) + 5000, ~0ul - 4000 };

    (void)state;
    deadline_mode();
    fake_tsc += 5000;
    for (unsigned i = 0; i < 4; i++) {
        wr(MSR_IA32_TSC_DEADLINE, far[i]);
        assert_true(guest_vcpu.lapic_due.ns > 1ul << 62);
        assert_false(fires_at(1ul << 60));
        assert_int_equal(rd(MSR_IA32_TSC_DEADLINE), far[i]);
    }
}

static void test_deadline_moves_with_tsc(void **state)
{
    (void)state;
    deadline_mode();
    wr(MSR_IA32_TSC_DEADLINE, 7000);
    wr(MSR_IA32_TSC, 6000); /* from 0: it comes 6000 ticks sooner */
    assert_int_equal(guest_vcpu.lapic_due.ns, 1000);
    wr(MSR_IA32_TSC_ADJUST, 8000);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x40);
}

/* What is armed without the lock is what is armed with it; and only a plain moment to come is. */
static void test_deadline_alone(void **state)
{
    (void)state;
    deadline_mode();
    tsc_set_rate(2999999997);
    fake_tsc += 5000;
    wr(MSR_IA32_TSC_DEADLINE, 0x123456789);
    struct moment due = guest_vcpu.lapic_due;
    wr(MSR_IA32_TSC_DEADLINE, 0);
    assert_int_equal(msr_write_lockless(&guest_vcpu, MSR_IA32_TSC_DEADLINE, 0x123456789),
                     MSR_MOVED);
    assert_int_equal(guest_vcpu.lapic_due.ns, due.ns);
    assert_int_equal(guest_vcpu.lapic_due.tsc, due.tsc);
    assert_int_equal(rd(MSR_IA32_TSC_DEADLINE), 0x123456789);
    static const uint64_t not_alone[] = { 0, 4999, ~0ul, ~0ul - 4000 };
    for (unsigned i = 0; i < sizeof(not_alone) / sizeof(not_alone[0]); i++)
        assert_int_equal(msr_write_lockless(&guest_vcpu, MSR_IA32_TSC_DEADLINE, not_alone[i]),
                         MSR_UNKNOWN);
    wr(MSR_IA32_TSC_DEADLINE, 6000);
    fake_tsc += 2000; /* that one has fired by now, and its interrupt is still to come */
    assert_int_equal(msr_write_lockless(&guest_vcpu, MSR_IA32_TSC_DEADLINE, 9000), MSR_UNKNOWN);
    wr(MSR_IA32_TSC_DEADLINE, 9000);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x40);
    guest_vcpu.lapic.dev.ops->write(&guest_vcpu.lapic.dev, 0x320, 4, 2 << 17 | 0x10040, 8000);
    assert_int_equal(msr_write_lockless(&guest_vcpu, MSR_IA32_TSC_DEADLINE, 12000), MSR_UNKNOWN);
}

/* One that has passed fires at once, where the processor delivers by itself. */
static void test_deadline_passed_alone(void **state)
{
    (void)state;
    deadline_mode();
    fake_tsc += 5000;
    virt_caps.virtual_interrupts = true;
    lapic_sync(&guest_vcpu);
    wr(MSR_IA32_TSC_DEADLINE, 9000);
    assert_int_equal(msr_write_lockless(&guest_vcpu, MSR_IA32_TSC_DEADLINE, 4999), MSR_MOVED);
    assert_int_equal(cpu()->requested, 0x40);
    assert_int_equal(guest_vcpu.lapic_due.ns, TIME_NEVER);
    assert_int_equal(rd(MSR_IA32_TSC_DEADLINE), 0);
    assert_int_equal(msr_write_lockless(&guest_vcpu, MSR_IA32_TSC_DEADLINE, ~0ul), MSR_UNKNOWN);
    guest_vcpu.lapic.changed = true; /* there is more to tell */
    assert_int_equal(msr_write_lockless(&guest_vcpu, MSR_IA32_TSC_DEADLINE, 4999), MSR_UNKNOWN);
}

/* The current count, by the x2APIC's MSR. */
static void test_count_alone(void **state)
{
    struct device *dev = &guest_vcpu.lapic.dev;
    uint64_t count;

    (void)state;
    dev->ops->write(dev, 0xf0, 4, 0x1ff, 0);
    dev->ops->write(dev, 0x3e0, 4, 0xb, 0);
    dev->ops->write(dev, 0x320, 4, 0x40, 0);
    dev->ops->write(dev, 0x380, 4, 0x90000000, 0);
    assert_false(msr_read_lockless(&guest_vcpu, MSR_X2APIC_CURRENT).known); /* not in that mode */
    wr(MSR_IA32_APIC_BASE, 0xfee00c00);
    for (unsigned i = 0; i < 3; i++) {
        struct msr_value r = msr_read_lockless(&guest_vcpu, MSR_X2APIC_CURRENT);
        assert_true(r.known);
        assert_int_equal(msr_read(&guest_vcpu, MSR_X2APIC_CURRENT, &count), 0);
        assert_int_equal(r.value, count);
        fake_tsc += 1000000000;
    }
    assert_false(msr_read_lockless(&guest_vcpu, MSR_X2APIC_CURRENT).known); /* it is due */
    assert_int_equal(msr_read(&guest_vcpu, MSR_X2APIC_CURRENT, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(vlapic_pending(&guest_vcpu.lapic), 0x40);
}

/* AMD's registers that Linux reads without asking are there on an AMD machine, and only there. */
static void test_amd(void **state)
{
    static const uint32_t registers[] = { MSR_AMD_SYSCFG,   MSR_AMD_HWCR,        MSR_AMD_TOP_MEM,
                                          MSR_AMD_TOP_MEM2, MSR_AMD_INT_PENDING, MSR_VM_CR };
    uint64_t value;

    (void)state;
    for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
        assert_int_equal(msr_read(&guest_vcpu, registers[i], &value), -EINVAL);
    virt_caps.amd = true;
    for (unsigned i = 0; i < sizeof(registers) / sizeof(registers[0]); i++)
        assert_int_equal(msr_write(&guest_vcpu, registers[i], rd(registers[i])), 0);
    assert_int_equal(rd(MSR_AMD_HWCR), 1 << 24);
    for (uint32_t msr = 0xC0010000; msr < 0xC0010008; msr++) { /* counters, which count nothing */
        wr(msr, UINT64_MAX);
        assert_int_equal(rd(msr), 0);
    }
    assert_int_equal(msr_read(&guest_vcpu, 0xC0010008, &value), -EINVAL);
    virt_caps.amd = false;
    assert_int_equal(msr_read(&guest_vcpu, 0xC0010000, &value), -EINVAL);
}

/* A register that Intel's CPUs have alone is none of AMD's. */
static void test_intels_alone(void **state)
{
    static const uint32_t intels[] = { MSR_IA32_PLATFORM_ID, MSR_IA32_FEATURE_CONTROL,
                                       MSR_IA32_MISC_ENABLE };
    static const uint32_t both[] = { MSR_IA32_MTRRCAP,    MSR_IA32_MCG_CAP,
                                     MSR_IA32_MCG_STATUS, MSR_IA32_BIOS_SIGN_ID,
                                     MSR_IA32_P5_MC_ADDR, MSR_IA32_P5_MC_TYPE };
    uint64_t value;

    (void)state;
    for (unsigned i = 0; i < sizeof(intels) / sizeof(intels[0]); i++)
        rd(intels[i]);
    virt_caps.amd = true;
    for (unsigned i = 0; i < sizeof(intels) / sizeof(intels[0]); i++) {
        assert_int_equal(msr_read(&guest_vcpu, intels[i], &value), -EINVAL);
        refuses(intels[i], 0);
    }
    for (unsigned i = 0; i < sizeof(both) / sizeof(both[0]); i++)
        rd(both[i]);
    virt_caps.amd = false;
}

/* AMD's kernels read which microcode runs, and whether LFENCE waits; neither can be changed. */
static void test_amd_machines(void **state)
{
    (void)state;
    virt_caps.amd = true;
    wrmsr(MSR_IA32_BIOS_SIGN_ID, 0xabcd0a20102b);
    wrmsr(MSR_AMD_DE_CFG, 0x205);
    cpu_msr_start();
    assert_int_equal(rd(MSR_IA32_BIOS_SIGN_ID), 0x0a20102b);
    wr(MSR_IA32_BIOS_SIGN_ID, 0);
    assert_int_equal(rd(MSR_IA32_BIOS_SIGN_ID), 0x0a20102b);
    assert_int_equal(rd(MSR_AMD_DE_CFG), 0);
    wrmsr(MSR_AMD_DE_CFG, 0x207);
    cpu_msr_start();
    assert_int_equal(rd(MSR_AMD_DE_CFG), DE_CFG_LFENCE);
    wr(MSR_AMD_DE_CFG, 0);
    assert_int_equal(rdmsr(MSR_AMD_DE_CFG), 0x207);
    virt_caps.amd = false;
}

/* Locked: SVMDIS and its neighbours stay as they are without a fault, reserved bits fault. */
static void test_vm_cr(void **state)
{
    (void)state;
    virt_caps.amd = true;
    wr(MSR_VM_CR, 0);
    wr(MSR_VM_CR, 0x1f);
    assert_int_equal(rd(MSR_VM_CR), VM_CR_LOCK | VM_CR_SVMDIS);
    refuses(MSR_VM_CR, 0x20);
    virt_caps.amd = false;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_vmx_first),
        TEST(test_lapic),
        TEST(test_unknown),
        TEST(test_relaxed),
        TEST(test_probed_quietly),
        TEST(test_nothing_leaks),
        TEST(test_fixed),
        TEST(test_misc_enable),
        TEST(test_mtrr_reset),
        TEST(test_mtrr_kept_apart),
        TEST(test_mtrr_validity),
        TEST(test_tsc_starts_at_zero),
        TEST(test_tsc_write_moves_adjust),
        TEST(test_adjust_write_moves_tsc),
        TEST(test_tsc_is_ours),
        TEST(test_deadline),
        TEST(test_deadline_of_a_moved_tsc),
        TEST(test_deadline_past_and_off),
        TEST(test_deadline_far),
        TEST(test_deadline_moves_with_tsc),
        TEST(test_deadline_alone),
        TEST(test_deadline_passed_alone),
        TEST(test_count_alone),
        TEST(test_amd),
        TEST(test_intels_alone),
        TEST(test_amd_machines),
        TEST(test_vm_cr),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
