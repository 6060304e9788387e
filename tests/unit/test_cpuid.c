/* links: exits/cpuid.c xen/xen_cpuid.c cpu/cpu_policy.c cpu/cpu_model.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/gmem.c arch/x86/moment.c devices/vlapic.c devices/vlapic_regs.c devices/vlapic_msr.c devices/vlapic_timer.c virt/slat.c arch/x86/tsc.c tests/fakes/guest.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * The CPUID policy, on a machine that has everything: every bit of every leaf is one, so that what
 * leaks shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/cpu.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/spec.h"
#include "arch/x86/tsc.h"
#include "exits/cpuid.h"
#include "cpu/cpu_model.h"
#include "tests/fakes/guest.h"

static struct vlapic_bus bus;
static struct vlapic_page lapic_page;

static struct cpuid_regs everything(uint32_t leaf, uint32_t subleaf)
{
    (void)leaf;
    (void)subleaf;
    return (struct cpuid_regs){ ~0u, ~0u, ~0u, ~0u };
}

static struct cpuid_regs nothing(uint32_t leaf, uint32_t subleaf)
{
    (void)leaf;
    (void)subleaf;
    return (struct cpuid_regs){ 0, 0, 0, 0 };
}

/* XSAVE of a machine with AVX, MPX, AVX-512 and PKRU, in the standard format. */
static struct cpuid_regs with_parts(uint32_t leaf, uint32_t subleaf)
{
    static const struct cpuid_regs part[] = {
        [0] = { 0x2ff, 832, 2696, 0 }, [1] = { 0xf, 0, 0x100, 0 }, [2] = { 256, 576, 0, 0 },
        [3] = { 64, 960, 0, 0 },       [4] = { 64, 1024, 0, 0 },   [5] = { 64, 1088, 0, 0 },
        [6] = { 512, 1152, 0, 0 },     [7] = { 1024, 1664, 0, 0 }, [8] = { 128, 0, 1, 0 },
        [9] = { 8, 2688, 0, 0 },
    };

    if (leaf != 0xd)
        return everything(leaf, subleaf);
    return subleaf < 10 ? part[subleaf] : (struct cpuid_regs){ 0, 0, 0, 0 };
}

static int setup(void **state)
{
    (void)state;
    fake_cpuid = everything;
    guest_start();
    vlapic_init(&guest_vcpu.lapic, 0, 1000000000, &bus, &lapic_page);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guest_stop();
    return 0;
}

/* Twice, since the second answer may be the first one remembered; but nothing from before, when the
 * test had another machine. */
static struct cpuid_regs ask(uint32_t leaf, uint32_t subleaf)
{
    memset(guest_vcpu.cpuid, 0, sizeof(guest_vcpu.cpuid));
    struct cpuid_regs first = *cpuid_answer(&guest_vcpu, leaf, subleaf);
    struct cpuid_regs second = *cpuid_answer(&guest_vcpu, leaf, subleaf);
    struct cpuid_regs policy = cpuid_guest(&guest_vcpu, leaf, subleaf);

    assert_memory_equal(&first, &second, sizeof(first));
    assert_memory_equal(&first, &policy, sizeof(first));
    return first;
}

/* Leaves that share a place in the memory for answers do not answer for each other. */
static void test_remembered(void **state)
{
    static const uint32_t leaves[] = { 0,          1,          2,          4,         7,
                                       0xb,        0xd,        0x10,       0x15,      0x16,
                                       0x80000000, 0x80000008, 0x40000000, 0xffffffff };

    (void)state;
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
            for (uint32_t subleaf = 0; subleaf < 20; subleaf++) {
                struct cpuid_regs policy = cpuid_guest(&guest_vcpu, leaves[i], subleaf);
                assert_memory_equal(cpuid_answer(&guest_vcpu, leaves[i], subleaf), &policy,
                                    sizeof(policy));
            }
}

/* What tells of CR4 and of the local APIC is not remembered beyond a change of theirs. */
static void test_remembered_with_its_state(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 16; round++) {
        cpu()->cr4 = (round & 1 ? CR4_OSXSAVE : 0) | (round & 2 ? CR4_PKE : 0);
        guest_vcpu.lapic.base = round & 4 ? 0xfee00900 : 0xfee00100;
        for (uint32_t leaf = 1; leaf <= 7; leaf += 6) {
            struct cpuid_regs policy = cpuid_guest(&guest_vcpu, leaf, 0);
            for (unsigned i = 0; i < 2; i++)
                assert_memory_equal(cpuid_answer(&guest_vcpu, leaf, 0), &policy, sizeof(policy));
        }
    }
}

static void assert_zero(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r = ask(leaf, subleaf);

    if (r.eax | r.ebx | r.ecx | r.edx)
        fail_msg("leaf %x.%x shows %x %x %x %x", leaf, subleaf, r.eax, r.ebx, r.ecx, r.edx);
}

static void test_unlisted_leaves(void **state)
{
    static const uint32_t basic[] = { 0x3, 0x5,  0x8,  0x9,  0xa,  0xc, 0xe,
                                      0xf, 0x10, 0x11, 0x12, 0x13, 0x14 };

    (void)state;
    for (unsigned i = 0; i < sizeof(basic) / sizeof(basic[0]); i++)
        for (uint32_t sub = 0; sub < 4; sub++)
            assert_zero(basic[i], sub);
    for (uint32_t sub = 1; sub < 40; sub++)
        assert_zero(7, sub);
    for (uint32_t leaf = 0x80000009; leaf < 0x80000040; leaf++)
        assert_zero(leaf, 0);
    for (uint32_t leaf = 0x40000001; leaf < 0x40000200; leaf++)
        if (leaf != 0x40000100)
            assert_zero(leaf, 0);
    assert_zero(0xc0000000, 0);
    assert_zero(0xffffffff, 0);
}

/* Beyond the last basic leaf Intel's CPUs answer with the last one. */
static void test_beyond_basic(void **state)
{
    struct cpuid_regs last = ask(0x16, 0), r = ask(0x17, 0);

    (void)state;
    assert_memory_equal(&r, &last, sizeof(r));
    r = ask(0x7fffffff, 3);
    assert_memory_equal(&r, &last, sizeof(r));
    r = ask(0x40000200, 0);
    assert_memory_equal(&r, &last, sizeof(r));
}

static void test_ends_of_ranges(void **state)
{
    (void)state;
    assert_int_equal(ask(0, 0).eax, 0x16);
    assert_int_equal(ask(0, 0).ebx, ~0u);
    assert_int_equal(ask(0x80000000, 0).eax, 0x80000008);
    assert_int_equal(ask(0x40000000, 0).eax, 0x40000000);
    assert_int_equal(ask(0x40000100, 0).eax, 0x40000101); /* KVM's name, and no feature of its */
    struct cpuid_regs kvm = ask(0x40000100, 0);
    assert_memory_equal(&kvm.ebx, "KVMKVMKVM\0\0", 12);
    assert_int_equal(ask(0x80000008, 0).eax, 0xffff);
    assert_int_equal(ask(0x80000008, 0).ebx,
                     CPUID_EXT8B_CLZERO | CPUID_EXT8B_ERR_PTRS | SPEC_GUEST_8B);
    assert_int_equal(ask(0x80000007, 0).edx, CPUID_EXT7D_INVARIANT_TSC);
    assert_int_equal(ask(0x80000007, 0).eax, 0);
    assert_int_equal(ask(6, 0).eax, CPUID_6A_ARAT);
    assert_int_equal(ask(6, 0).ecx, 0);
}

/* What Caisson does not carry must be off on a machine that has it. */
static void test_hidden_features(void **state)
{
    struct cpuid_regs one = ask(1, 0), seven = ask(7, 0), ext = ask(0x80000001, 0);

    (void)state;
    assert_int_equal(one.ecx & (CPUID_1C_VMX | CPUID_1C_SMX | CPUID_1C_MONITOR | CPUID_1C_EIST |
                                CPUID_1C_TM2 | CPUID_1C_PDCM | CPUID_1C_DTES64 | CPUID_1C_DSCPL |
                                CPUID_1C_XTPR | CPUID_1C_DCA | 1u << 10 | 1u << 11 | 1u << 16),
                     0);
    assert_int_equal(one.edx & (CPUID_1D_DS | CPUID_1D_ACPI | CPUID_1D_TM | CPUID_1D_PBE |
                                1u << 10 | 1u << 18 | 1u << 20),
                     0);
    assert_int_equal(seven.eax, 0); /* no sub-leaf 1 */
    assert_int_equal(seven.ebx & (CPUID_7B_SGX | CPUID_7B_HLE | CPUID_7B_RTM | CPUID_7B_PQM |
                                  CPUID_7B_MPX | CPUID_7B_PQE | CPUID_7B_PT),
                     0);
    assert_int_equal(seven.ecx & (CPUID_7C_WAITPKG | CPUID_7C_CET_SS | CPUID_7C_LA57 | CPUID_7C_KL |
                                  CPUID_7C_PKS),
                     0);
    assert_int_equal(seven.edx, CPUID_7D_MD_CLEAR | CPUID_7D_SPEC_CTRL | CPUID_7D_STIBP |
                                    CPUID_7D_FLUSH_L1D | CPUID_7D_ARCH_CAPS | CPUID_7D_SSBD);
    assert_int_equal(ext.ecx & CPUID_EXT1C_SVM, 0);
    assert_int_equal(ext.ebx, 0);
}

static void test_shown_features(void **state)
{
    struct cpuid_regs one = ask(1, 0);

    (void)state;
    assert_int_equal(one.ecx & (CPUID_1C_HYPERVISOR | CPUID_1C_X2APIC | CPUID_1C_TSC_DEADLINE),
                     CPUID_1C_HYPERVISOR | CPUID_1C_X2APIC | CPUID_1C_TSC_DEADLINE);
    assert_true(one.edx & CPUID_1D_SSE2);
    assert_true(ask(0x80000001, 0).edx & CPUID_EXT1D_LM);
    fake_cpuid = nothing; /* what we make ourselves does not depend on the machine */
    assert_int_equal(ask(1, 0).ecx, CPUID_1C_HYPERVISOR | CPUID_1C_X2APIC | CPUID_1C_TSC_DEADLINE);
    assert_int_equal(ask(7, 0).ebx, CPUID_7B_TSC_ADJUST);
    assert_int_equal(ask(1, 0).edx, CPUID_1D_APIC);
}

static void test_os_bits(void **state)
{
    (void)state;
    assert_false(ask(1, 0).ecx & CPUID_1C_OSXSAVE);
    assert_false(ask(7, 0).ecx & CPUID_7C_OSPKE);
    cpu()->cr4 = CR4_OSXSAVE | CR4_PKE;
    assert_true(ask(1, 0).ecx & CPUID_1C_OSXSAVE);
    assert_true(ask(7, 0).ecx & CPUID_7C_OSPKE);
    fake_cpuid = nothing;
    assert_false(ask(1, 0).ecx & CPUID_1C_OSXSAVE);
    assert_false(ask(7, 0).ecx & CPUID_7C_OSPKE);
}

static void test_apic(void **state)
{
    (void)state;
    assert_true(ask(1, 0).edx & CPUID_1D_APIC);
    assert_int_equal(vlapic_msr_write(&guest_vcpu.lapic, MSR_IA32_APIC_BASE, 0xfee00100, 0), 0);
    assert_false(ask(1, 0).edx & CPUID_1D_APIC);
}

static void test_topology(void **state)
{
    (void)state;
    assert_int_equal(ask(1, 0).ebx >> 16, 0);
    assert_false(ask(1, 0).edx & CPUID_1D_HTT);
    guest.xen.vcpu_count = 5;
    guest_vcpu.id = guest_vcpu.lapic.id = 3;
    assert_int_equal(ask(1, 0).ebx, 3u << 24 | 5u << 16 | 0xffff);
    assert_true(ask(1, 0).edx & CPUID_1D_HTT);
    struct cpuid_regs r = ask(0xb, 0);
    assert_int_equal(r.eax, 0);
    assert_int_equal(r.ebx, 1);
    assert_int_equal(r.ecx, 1 << 8);
    assert_int_equal(r.edx, 3);
    r = ask(0xb, 1);
    assert_int_equal(r.eax, 3); /* 5 need 3 bits */
    assert_int_equal(r.ebx, 5);
    assert_int_equal(r.ecx, 2 << 8 | 1);
    r = ask(0xb, 2);
    assert_int_equal(r.eax | r.ebx, 0);
    assert_int_equal(r.ecx, 2);
    guest.xen.vcpu_count = 1;
    assert_int_equal(ask(0xb, 1).eax, 0);
    assert_int_equal(ask(4, 0).eax, 0x3fff); /* caches are shared by nobody */
}

/* As many bits as their numbers need, and not a count that is a power of two. */
static void test_odd_topologies(void **state)
{
    static const struct {
        unsigned vcpus, bits;
    } rows[] = { { 1, 0 }, { 3, 2 }, { 5, 3 }, { 6, 3 }, { 12, 4 }, { 24, 5 }, { 64, 6 } };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned last = rows[i].vcpus - 1;
        guest.xen.vcpu_count = rows[i].vcpus;
        guest_vcpu.id = guest_vcpu.lapic.id = (uint8_t)last;
        assert_int_equal(ask(1, 0).ebx >> 24, last);
        assert_int_equal(ask(1, 0).ebx >> 16 & 0xff, last ? last + 1 : 0);
        assert_int_equal(ask(0xb, 0).eax, 0);
        assert_int_equal(ask(0xb, 0).ebx, 1);
        assert_int_equal(ask(0xb, 1).eax, rows[i].bits);
        assert_int_equal(ask(0xb, 1).ebx, last + 1);
        assert_int_equal(ask(0xb, 1).edx, last);
        struct cpuid_regs beyond = ask(0x1f, 1), end = ask(0x16, 0); /* there is no leaf 0x1F */
        assert_memory_equal(&beyond, &end, sizeof(end));
    }
    guest.xen.vcpu_count = 1;
}

static void test_frequencies(void **state)
{
    static const uint64_t rates[] = { 1000000000, 2596232433, 3500000000, 4294967296, 5123456789 };

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        tsc_set_rate(rates[i]);
        struct cpuid_regs r = ask(0x15, 0);
        assert_int_equal(r.ecx, cpu_model_crystal_hz());
        uint64_t told = (uint64_t)r.ecx * r.ebx / r.eax;
        assert_in_range(told, rates[i] - 3, rates[i]);
        assert_int_equal(ask(0x16, 0).eax, (rates[i] + 500000) / 1000000);
    }
}

static void test_xsave(void **state)
{
    (void)state;
    fake_cpuid = with_parts;
    assert_int_equal(cpu_model_xcr0_mask(), 0x2e7); /* no MPX, no PT */
    struct cpuid_regs r = ask(0xd, 0);
    assert_int_equal(r.eax, 0x2e7);
    assert_int_equal(r.edx, 0);
    assert_int_equal(r.ecx, 2696);
    r = ask(0xd, 1);
    assert_int_equal(r.eax, 7); /* XSAVES only where vmx/ can switch it */
    assert_int_equal(r.ecx | r.edx, 0);
    virt_caps.xsaves = true;
    assert_int_equal(ask(0xd, 1).eax, 0xf);
    assert_int_equal(ask(0xd, 2).eax, 256);
    assert_int_equal(ask(0xd, 2).ebx, 576);
    assert_zero(0xd, 3); /* MPX */
    assert_zero(0xd, 4);
    assert_zero(0xd, 8); /* supervisor state */
    assert_int_equal(ask(0xd, 9).ebx, 2688);
    assert_zero(0xd, 10);
    assert_zero(0xd, 64);
    assert_zero(0xd, 0xffffffff);
}

static struct cpuid_regs no_xsave(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r = everything(leaf, subleaf);

    if (leaf == 1)
        r.ecx &= ~CPUID_1C_XSAVE;
    return r;
}

static void test_no_xsave(void **state)
{
    (void)state;
    fake_cpuid = no_xsave;
    assert_int_equal(cpu_model_xcr0_mask(), XCR0_X87 | XCR0_SSE);
    for (uint32_t sub = 0; sub < 4; sub++)
        assert_zero(0xd, sub);
    assert_false(cpu_model_cr4_mask() & CR4_OSXSAVE);
}

static void test_cr4_mask(void **state)
{
    const uint64_t always = 0x7ff; /* VME to OSXMMEXCPT */
    const uint64_t by_feature =
        CR4_PCIDE | CR4_OSXSAVE | CR4_FSGSBASE | CR4_SMEP | CR4_SMAP | CR4_UMIP | CR4_PKE;

    (void)state;
    assert_int_equal(cpu_model_cr4_mask(), always | by_feature);
    fake_cpuid = nothing;
    assert_int_equal(cpu_model_cr4_mask(), always);
}

/* An AMD CPU with all leaves up to `last`, whose every bit is one. */
static uint32_t last = 0x80000028;

static struct cpuid_regs of_amd(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r = everything(leaf, subleaf);

    if (leaf == 0x80000000)
        r.eax = last;
    return r;
}

static void become_amd(void)
{
    fake_cpuid = of_amd;
    virt_caps.amd = true;
}

static void test_amd_ends_of_ranges(void **state)
{
    (void)state;
    become_amd();
    assert_int_equal(ask(0x80000000, 0).eax, 0x80000021);
    assert_zero(0x17, 0); /* beyond the last basic leaf there is nothing */
    assert_zero(0x40000200, 0);
    assert_zero(0x80000022, 0);
    last = 0x8000001A; /* family 10h: no topology extensions */
    assert_int_equal(ask(0x80000000, 0).eax, 0x8000001A);
    assert_zero(0x8000001D, 0);
    assert_zero(0x8000001E, 0);
    assert_zero(0x80000021, 0);
    assert_false(ask(0x80000001, 0).ecx & CPUID_EXT1C_TOPOEXT);
    last = 0x80000028;
}

/* SVM, memory encryption, sampling and monitoring are not virtualized. */
static void test_amd_hidden(void **state)
{
    static const uint32_t none[] = { 0x8000000A, 0x8000001B, 0x8000001C, 0x8000001F, 0x80000020 };

    (void)state;
    become_amd();
    for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_zero(none[i], 0);
    assert_int_equal(ask(0x80000001, 0).ecx & (CPUID_EXT1C_SVM | 1u << 10 | 1u << 12 | 1u << 15 |
                                               1u << 23 | 1u << 24 | 1u << 29),
                     0); /* IBS, SKINIT, LWP, counters, MONITORX */
    assert_int_equal(ask(0x80000001, 0).edx & (1u << 25), 0); /* FFXSR: EFER is not shown it */
    struct cpuid_regs more = ask(0x80000021, 0);
    assert_int_equal(more.eax, CPUID_EXT21A_LFENCE | CPUID_EXT21A_VERW_CLEAR |
                                   CPUID_EXT21A_NULL_BASE | CPUID_EXT21A_IBPB_BRTYPE |
                                   CPUID_EXT21A_SRSO_NO);
    assert_int_equal(more.ecx, CPUID_EXT21C_TSA_NO);
}

static void test_amd_topology(void **state)
{
    (void)state;
    become_amd();
    assert_false(ask(0x80000001, 0).ecx & CPUID_EXT1C_CMP_LEGACY);
    assert_int_equal(ask(0x80000008, 0).ecx, 0);
    guest.xen.vcpu_count = 5;
    guest_vcpu.id = guest_vcpu.lapic.id = 3;
    assert_true(ask(0x80000001, 0).ecx & CPUID_EXT1C_CMP_LEGACY);
    assert_true(ask(0x80000001, 0).ecx & CPUID_EXT1C_TOPOEXT);
    assert_int_equal(ask(0x80000008, 0).ecx, 3 << 12 | 4);
    struct cpuid_regs r = ask(0x8000001E, 0);
    assert_int_equal(r.eax, 3);
    assert_int_equal(r.ebx, 3); /* core 3, of one thread */
    assert_int_equal(r.ecx | r.edx, 0);
    assert_int_equal(ask(0x8000001D, 2).eax, 0x3fff); /* shared by nobody */
    virt_caps.amd = false;
    assert_zero(0x8000001E, 0);
    assert_int_equal(ask(0x80000008, 0).ecx, 0);
    guest.xen.vcpu_count = 1;
}

/* Ids of local APICs that are twice the numbers. */
static void test_topology_of_twice(void **state)
{
    (void)state;
    guest.xen.vcpu_count = 3;
    guest.apic_id_shift = 1;
    guest_vcpu.id = 2;
    guest_vcpu.lapic.id = 4;
    assert_int_equal(ask(1, 0).ebx, 4u << 24 | 6u << 16 | 0xffff);
    assert_int_equal(ask(0xb, 0).eax, 1);
    assert_int_equal(ask(0xb, 0).edx, 4);
    assert_int_equal(ask(0xb, 1).eax, 3); /* ids below 6 */
    become_amd();
    assert_int_equal(ask(0x80000008, 0).ecx, 3 << 12 | 2);
    assert_int_equal(ask(0x8000001E, 0).eax, 4);
    virt_caps.amd = false;
    guest.xen.vcpu_count = 1;
    guest.apic_id_shift = 0;
}

/* ---- A domain's own policy ---- */

static struct xen_cpuid_leaf list[XEN_CPUID_LEAVES_MOST];

static unsigned make_list(void)
{
    struct xen_cpuid_leaf l = CPU_POLICY_BEGIN;
    unsigned n = 0;

    while (cpu_policy_next(&guest.cpu_policy, &l)) {
        assert_true(n < XEN_CPUID_LEAVES_MOST);
        list[n++] = l;
    }
    return n;
}

static struct xen_cpuid_leaf *in_list(uint32_t leaf, uint32_t subleaf)
{
    struct xen_cpuid_leaf *l = list;

    while (l->leaf != leaf || l->subleaf != subleaf)
        assert_true(++l < list + XEN_CPUID_LEAVES_MOST);
    return l;
}

/* A list that nobody has changed changes nothing. */
static void test_policy_of_all(void **state)
{
    unsigned n = make_list();

    (void)state;
    assert_true(n > 20);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(cpu_policy_take(&guest.cpu_policy, &list[i]), 0);
    assert_true(guest.cpu_policy.narrower);
    for (unsigned i = 0; i < XEN_FEATURES; i++)
        assert_int_equal(guest.cpu_policy.hidden[i], 0);
    for (uint32_t leaf = 0; leaf < 0x20; leaf++) {
        struct cpuid_regs narrow = ask(leaf, 0);
        guest.cpu_policy.narrower = false;
        struct cpuid_regs whole = ask(leaf, 0);
        guest.cpu_policy.narrower = true;
        if (leaf <= 0x16)
            assert_memory_equal(&narrow, &whole, sizeof(whole));
    }
    guest.cpu_policy = (struct cpu_policy){ 0 };
}

static void test_policy_narrower(void **state)
{
    uint32_t features[XEN_FEATURES];

    (void)state;
    make_list();
    cpu_policy_features(features);
    struct xen_cpuid_leaf l = *in_list(1, XEN_CPUID_NO_SUBLEAF);
    l.c &= ~CPUID_1C_XSAVE;
    l.d |= CPUID_1D_HTT; /* topology: nobody asks */
    assert_int_equal(cpu_policy_take(&guest.cpu_policy, &l), 0);
    assert_false(ask(1, 0).ecx & CPUID_1C_XSAVE);
    assert_int_equal(ask(0xd, 0).eax, 0);
    assert_int_equal(ask(1, 0).edx & CPUID_1D_FPU, CPUID_1D_FPU);
    l.c |= CPUID_1C_XSAVE; /* and back */
    assert_int_equal(cpu_policy_take(&guest.cpu_policy, &l), 0);
    assert_true(ask(1, 0).ecx & CPUID_1C_XSAVE);
    l.c |= 1u << 5; /* VMX */
    assert_int_equal(cpu_policy_take(&guest.cpu_policy, &l), -EINVAL);
    l = *in_list(0x80000007, XEN_CPUID_NO_SUBLEAF);
    l.d = 0;
    assert_int_equal(cpu_policy_take(&guest.cpu_policy, &l), 0);
    assert_int_equal(ask(0x80000007, 0).edx, 0);
    l = *in_list(0, XEN_CPUID_NO_SUBLEAF);
    l.a = 0xd;
    assert_int_equal(cpu_policy_take(&guest.cpu_policy, &l), 0);
    assert_int_equal(ask(0, 0).eax, 0xd);
    assert_int_equal(ask(0x15, 0).eax, 0);
    l.b ^= 1;
    assert_int_equal(cpu_policy_take(&guest.cpu_policy, &l), -EINVAL); /* another vendor */
    l = (struct xen_cpuid_leaf){ .leaf = 0xe, .subleaf = XEN_CPUID_NO_SUBLEAF };
    assert_int_equal(cpu_policy_take(&guest.cpu_policy, &l), -ERANGE);
    l = (struct xen_cpuid_leaf){ .leaf = 7, .subleaf = XEN_CPUID_NO_SUBLEAF };
    assert_int_equal(cpu_policy_take(&guest.cpu_policy, &l), -ERANGE);
    guest.cpu_policy = (struct cpu_policy){ 0 };
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_unlisted_leaves),
        TEST(test_remembered),
        TEST(test_remembered_with_its_state),
        TEST(test_beyond_basic),
        TEST(test_ends_of_ranges),
        TEST(test_hidden_features),
        TEST(test_shown_features),
        TEST(test_os_bits),
        TEST(test_apic),
        TEST(test_topology),
        TEST(test_odd_topologies),
        TEST(test_topology_of_twice),
        TEST(test_policy_of_all),
        TEST(test_policy_narrower),
        TEST(test_frequencies),
        TEST(test_xsave),
        TEST(test_no_xsave),
        TEST(test_cr4_mask),
        TEST(test_amd_ends_of_ranges),
        TEST(test_amd_hidden),
        TEST(test_amd_topology),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
