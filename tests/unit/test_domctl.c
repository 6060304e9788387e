/* clang-format off */
/* links: control/control.c control/domctl.c control/domctl_info.c control/domctl_sched.c control/domctl_create.c arch/x86/moment.c control/policy.c control/context.c control/platform_op.c cpu/cpu_policy.c xen/xen_context.c control/sysctl.c control/sysctl_log.c control/sysctl_machine.c hypercall/grant_op.c grant/grant.c grant/foreign.c xen/flush.c grant/grant_map.c grant/grant_copy.c hypercall/evtchn_op.c xen/evtchn.c xen/evtchn_2l.c xen/evtchn_fifo.c xen/pair.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_lent.c virt/slat.c tests/fakes/pair.c tests/fakes/virt.c tests/fakes/heap.c tests/fakes/control.c tests/fakes/log.c tests/fakes/panic.c control/domctl_save.c control/vcpu_context.c virt/msr.c devices/vlapic_timer.c devices/vlapic_msr.c devices/vlapic_regs.c devices/vlapic.c devices/vlapic_save.c context/context_rest.c context/context_cpu.c context/stream.c */
/* clang-format on */
/*
 * domctl and sysctl: what the control domain may ask for, and that nobody else may.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/percpu.h"
#include "control/control.h"
#include "hypercall/hypercall.h"
#include "include/public/control.h"
#include "include/public/arch-x86/policy.h"
#include "include/public/sched.h"
#include "lib/log.h"
#include "lifecycle/throttle.h"
#include "mm/promise.h"
#include "tests/fakes/log.h"
#include "tests/fakes/pair.h"

enum { A, B, C }; /* A is the control domain */
#define ID(i) ((uint16_t)((i) + 1))

static struct sched_group accounts[PAIR_DOMAINS];
static struct xen_domctl domctl;
static struct xen_sysctl sysctl;

static int setup(void **state)
{
    pair_start(state);
    for (unsigned i = 0; i < PAIR_DOMAINS; i++) {
        accounts[i] = (struct sched_group){ .weight = 256 };
        pair[i].d.account = &accounts[i];
        pair[i].d.state = DOMAIN_RUNNING;
        for (unsigned n = 0; n < PAIR_VCPUS; n++)
            pair[i].v[n].unit.affinity = pair[i].v[n].unit.likes = UINT64_MAX;
    }
    pair[A].d.xen.control = true;
    domctl = (struct xen_domctl){ .interface_version = XEN_DOMCTL_INTERFACE_VERSION };
    sysctl = (struct xen_sysctl){ .interface_version = XEN_SYSCTL_INTERFACE_VERSION };
    return 0;
}

static int64_t by(unsigned i, uint32_t cmd, uint16_t id)
{
    domctl.cmd = cmd;
    domctl.domain = id;
    return pair_call(i, control_domctl, (uintptr_t)&domctl, NULL, 0);
}

static int64_t ask(uint32_t cmd)
{
    sysctl.cmd = cmd;
    return pair_call(A, control_sysctl, (uintptr_t)&sysctl, NULL, 0);
}

#define CROWD 20

static struct domain crowd[CROWD]; /* instead of the pair's, if crowded */
static bool crowded;

struct xen_domain *xen_domain_get_from(uint16_t id)
{
    struct xen_domain *d = NULL;

    if (crowded && id >= CROWD)
        return NULL;
    if (crowded) {
        crowd[id].xen.id = id;
        xen_domain_hold(&crowd[id].xen);
        return &crowd[id].xen;
    }
    for (unsigned i = id; !d && i < 8; i++)
        d = xen_domain_get((uint16_t)i);
    return d;
}

/* ---- The door ---- */

/* Nobody else, to nobody, and not even the pointer is looked at. */
static void test_rights(void **state)
{
    (void)state;
    for (uint32_t cmd = 0; cmd < 100; cmd++) {
        for (uint16_t id = 0; id < 5; id++)
            assert_int_equal(by(B, cmd, id), -EPERM);
        assert_int_equal(by(B, cmd, XEN_DOMID_SELF), -EPERM);
        sysctl.cmd = cmd;
        assert_int_equal(pair_call(B, control_sysctl, (uintptr_t)&sysctl, NULL, 0), -EPERM);
    }
    assert_int_equal(pair_call(B, control_domctl, UINT64_MAX, NULL, 0), -EPERM);
    assert_int_equal(pair_call(B, control_sysctl, UINT64_MAX, NULL, 0), -EPERM);
    assert_int_equal(pair_call(B, control_physdev_op, 25, NULL, 0), -EPERM);
    assert_int_equal(pair_call(A, control_physdev_op, 25, NULL, 0), 0);
    assert_int_equal(pair_call(A, control_physdev_op, 0, NULL, 0), -ENOSYS);
    assert_int_equal(pair_call(A, control_domctl, UINT64_MAX, NULL, 0), -EFAULT);
    assert_int_equal(pair_call(A, control_sysctl, UINT64_MAX, NULL, 0), -EFAULT);
    for (unsigned i = 0; i < PAIR_DOMAINS; i++) {
        assert_int_equal(pair[i].d.state, DOMAIN_RUNNING);
        assert_int_equal(pair[i].d.end, END_NOT);
    }
}

static void test_versions_and_numbers(void **state)
{
    (void)state;
    for (uint32_t cmd = 0; cmd < 100; cmd++) {
        static const uint8_t known[] = { 1,  2,  3,  4,  5,  9,  10, 11, 12, 13, 14, 15, 16,
                                         25, 27, 29, 33, 34, 59, 60, 61, 68, 82, 83, 86 };
        static const uint8_t known_sysctl[] = { 1, 3, 4, 6, 7, 8, 9, 16, 17, 18, 19, 26, 29 };

        if (!memchr(known, (int)cmd, sizeof(known)))
            assert_int_equal(by(A, cmd, ID(B)), -ENOSYS);
        else if (cmd == XEN_DOMCTL_CREATEDOMAIN)
            assert_int_equal(by(A, cmd, ID(B)), -EEXIST);
        else if (cmd != XEN_DOMCTL_GETDOMAININFO)
            assert_int_equal(by(A, cmd, 99), -ESRCH);
        if (!memchr(known_sysctl, (int)cmd, sizeof(known_sysctl)))
            assert_int_equal(ask(cmd), -ENOSYS);
    }
    assert_int_equal(by(A, UINT32_MAX, ID(B)), -ENOSYS);
    assert_int_equal(ask(UINT32_MAX), -ENOSYS);
    assert_int_equal(ask(1u << 31 | XEN_SYSCTL_PHYSINFO), -ENOSYS); /* nothing to go on with */
    domctl.interface_version++;
    sysctl.interface_version--;
    assert_int_equal(by(A, XEN_DOMCTL_PAUSEDOMAIN, ID(B)), -EACCES);
    assert_int_equal(ask(XEN_SYSCTL_PHYSINFO), -EACCES);
    assert_int_equal(pair[B].d.state, DOMAIN_RUNNING);
}

/* An answer for which there is no place changes nothing. */
static void test_no_place(void **state)
{
    (void)state;
    pair_unwritable = 0;
    domctl.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
    domctl.u.scheduler_op.u.credit2.weight = 7;
    assert_int_equal(by(A, XEN_DOMCTL_SCHEDULER_OP, ID(B)), -EFAULT);
    assert_int_equal(accounts[B].weight, 256);
    assert_int_equal(by(A, XEN_DOMCTL_GETDOMAININFO, ID(B)), -EFAULT);
    assert_int_equal(ask(XEN_SYSCTL_PHYSINFO), -EFAULT);
}

/* ---- A domain's life ---- */

static void test_pause(void **state)
{
    (void)state;
    assert_int_equal(by(A, XEN_DOMCTL_UNPAUSEDOMAIN, ID(B)), -EINVAL);
    assert_int_equal(by(A, XEN_DOMCTL_PAUSEDOMAIN, ID(B)), 0);
    assert_int_equal(pair[B].d.state, DOMAIN_PAUSED);
    assert_int_equal(by(A, XEN_DOMCTL_PAUSEDOMAIN, ID(B)), 0);
    assert_int_equal(by(A, XEN_DOMCTL_GETDOMAININFO, ID(B)), 0);
    assert_true(domctl.u.getdomaininfo.flags & XEN_DOMINF_PAUSED);
    assert_int_equal(by(A, XEN_DOMCTL_UNPAUSEDOMAIN, ID(B)), 0);
    assert_int_equal(pair[B].d.state, DOMAIN_RUNNING);
    assert_int_equal(pair[C].d.state, DOMAIN_RUNNING);
    pair[B].d.more_pauses = 1; /* too many, here */
    assert_int_equal(by(A, XEN_DOMCTL_PAUSEDOMAIN, ID(B)), -EOVERFLOW);
}

/* Who would let it go on? */
static void test_itself(void **state)
{
    static const uint32_t calls[] = { XEN_DOMCTL_PAUSEDOMAIN, XEN_DOMCTL_UNPAUSEDOMAIN,
                                      XEN_DOMCTL_DESTROYDOMAIN };

    (void)state;
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        assert_int_equal(by(A, calls[i], ID(A)), -EINVAL);
        assert_int_equal(by(A, calls[i], XEN_DOMID_SELF), -EINVAL);
    }
    assert_int_equal(pair[A].d.state, DOMAIN_RUNNING);
    assert_int_equal(pair[A].d.end, END_NOT);
}

static void test_destroy(void **state)
{
    (void)state;
    assert_int_equal(by(A, XEN_DOMCTL_DESTROYDOMAIN, ID(B)), 0);
    assert_int_equal(pair[B].d.end, END_DESTROYED);
    assert_int_equal(by(A, XEN_DOMCTL_DESTROYDOMAIN, ID(B)), 0);
    assert_int_equal(by(A, XEN_DOMCTL_UNPAUSEDOMAIN, ID(B)), 0);
    assert_int_equal(by(A, XEN_DOMCTL_GETDOMAININFO, ID(B)), 0);
    assert_true(domctl.u.getdomaininfo.flags & XEN_DOMINF_DYING);
    assert_false(domctl.u.getdomaininfo.flags & XEN_DOMINF_SHUTDOWN);
    pair_destroy(B);
    assert_int_equal(by(A, XEN_DOMCTL_DESTROYDOMAIN, ID(B)), -ESRCH);
}

static void test_max_mem(void **state)
{
    uint64_t kib = promise_of(ID(B)).ram * 4;

    (void)state;
    domctl.u.max_mem.max_memkb = kib;
    assert_int_equal(by(A, XEN_DOMCTL_MAX_MEM, ID(B)), 0);
    domctl.u.max_mem.max_memkb = kib - 4;
    assert_int_equal(by(A, XEN_DOMCTL_MAX_MEM, ID(B)), -EOPNOTSUPP);
}

/* ---- Domains of its own ---- */

static const struct xen_domctl_createdomain wish = { .handle = "a name",
                                                     .flags = 3,
                                                     .max_vcpus = 2,
                                                     .max_evtchn_port = 1023,
                                                     .max_grant_frames = -1,
                                                     .max_maptrack_frames = 64,
                                                     .grant_opts = 1,
                                                     .emulation_flags = 1 };

static int64_t create(const struct xen_domctl_createdomain *c, uint16_t id)
{
    domctl.u.createdomain = *c;
    return by(A, XEN_DOMCTL_CREATEDOMAIN, id);
}

static void test_create(void **state)
{
    (void)state;
    assert_int_equal(create(&wish, 0), 0);
    assert_int_equal(domctl.domain, 77);
    assert_int_equal(pair_rounds, 2); /* it is made elsewhere */
    assert_int_equal(create(&wish, XEN_DOMID_INVALID), 0);
    assert_int_equal(create(&wish, ID(B)), -EEXIST);
    assert_int_equal(create(&wish, 5), -EOPNOTSUPP);
    pair_unwritable = 0;
    assert_int_equal(create(&wish, 0), -EFAULT);
    assert_int_equal(pair_rounds, 1); /* nothing was made for which there is no answer */
}

/* What we do not have is not given as something else. */
static void test_bad_wishes(void **state)
{
    static const uint32_t offsets[] = { 20, 24, 28, 44, 48, 52, 56, 60 };

    (void)state;
    for (unsigned i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        struct xen_domctl_createdomain c = wish;
        uint32_t *word = (uint32_t *)((char *)&c + offsets[i]);
        uint32_t was = *word;
        for (unsigned bit = 0; bit < 32; bit++) {
            *word = was ^ 1u << bit;
            bool fine = (offsets[i] == 28 && *word && *word <= MAX_VCPUS) ||
                        (offsets[i] == 20 && bit == 3) || (offsets[i] == 60 && bit == 0);
            assert_int_equal(create(&c, 0), fine ? 0 : -EINVAL);
        }
    }
}

static void become_bare(unsigned i)
{
    static const struct domain_config config = { .uuid = "a name" };

    pair[i].d.bare = true;
    pair[i].d.config = &config;
}

static bool slow_clock;

uint64_t tsc_from_ns(uint64_t ns)
{
    return slow_clock ? ns / 4 : 2 * ns;
}

static void test_bare(void **state)
{
    static const struct xen_domctl_tsc_info good = { .tsc_mode = 2 }, slow = { .gtsc_khz = 5 },
                                            always = { .tsc_mode = 1 }, odd = { .tsc_mode = 3 },
                                            late = { .elapsed_nsec = 1ul << 62 };
    uint64_t nodes = 1;

    (void)state;
    domctl.u.max_vcpus.max = PAIR_VCPUS;
    assert_int_equal(by(A, XEN_DOMCTL_MAX_VCPUS, ID(B)), 0);
    domctl.u.max_vcpus.max = PAIR_VCPUS + 1;
    assert_int_equal(by(A, XEN_DOMCTL_MAX_VCPUS, ID(B)), -EINVAL);
    domctl.u.tsc_info = good;
    assert_int_equal(by(A, XEN_DOMCTL_SETTSCINFO, ID(B)), -EINVAL); /* it is not its own */
    become_bare(B);
    assert_int_equal(by(A, XEN_DOMCTL_SETTSCINFO, ID(B)), 0);
    domctl.u.tsc_info = slow;
    assert_int_equal(by(A, XEN_DOMCTL_SETTSCINFO, ID(B)), -EOPNOTSUPP);
    domctl.u.tsc_info = always;
    assert_int_equal(by(A, XEN_DOMCTL_SETTSCINFO, ID(B)), -EOPNOTSUPP);
    domctl.u.tsc_info = odd;
    assert_int_equal(by(A, XEN_DOMCTL_SETTSCINFO, ID(B)), -EINVAL);
    domctl.u.tsc_info = late;
    assert_int_equal(by(A, XEN_DOMCTL_SETTSCINFO, ID(B)), -EINVAL);
    slow_clock = true; /* the clock may come as near to its end as the TSC does not */
    domctl.u.tsc_info.elapsed_nsec = UINT64_MAX - 1;
    assert_int_equal(by(A, XEN_DOMCTL_SETTSCINFO, ID(B)), -EINVAL);
    slow_clock = false;
    pair[B].d.xen.tsc_zero = 1ul << 63; /* nobody else's */
    uint64_t before = xen_now(&pair[B].d.xen);
    assert_int_equal(by(A, XEN_DOMCTL_GETTSCINFO, ID(B)), 0);
    assert_in_range(domctl.u.tsc_info.elapsed_nsec, before, xen_now(&pair[B].d.xen));
    domctl.u.nodeaffinity.nodemap = (struct xen_ctl_bitmap){ (uintptr_t)&nodes, 64, 0 };
    assert_int_equal(by(A, XEN_DOMCTL_SETNODEAFFINITY, ID(B)), 0);
    nodes = 6;
    assert_int_equal(by(A, XEN_DOMCTL_SETNODEAFFINITY, ID(B)), -EINVAL);
    domctl.u.paging_mempool.size = 0x200000;
    assert_int_equal(by(A, XEN_DOMCTL_SET_PAGING_MEMPOOL_SIZE, ID(B)), 0);
    domctl.u.paging_mempool.size = 5;
    assert_int_equal(by(A, XEN_DOMCTL_SET_PAGING_MEMPOOL_SIZE, ID(B)), -EINVAL);
    domctl.u.max_mem.max_memkb = 40;
    assert_int_equal(by(A, XEN_DOMCTL_MAX_MEM, ID(B)), 0);
    assert_int_equal(pair[B].d.p2m.most, PAIR_RAM); /* it has more already */
    domctl.u.max_mem.max_memkb = UINT64_MAX;
    assert_int_equal(by(A, XEN_DOMCTL_MAX_MEM, ID(B)), 0);
    assert_int_equal(pair[B].d.p2m.most, 1000); /* more there is not in the machine */
    assert_int_equal(by(A, XEN_DOMCTL_GETDOMAININFO, ID(B)), 0);
    assert_int_equal(domctl.u.getdomaininfo.max_pages, 1000);
    assert_string_equal((const char *)domctl.u.getdomaininfo.handle, "a name");
}

/* ---- What CPU it is shown ---- */

static int64_t policy(uint32_t cmd, struct xen_cpuid_leaf *leaves, uint32_t n)
{
    static struct xen_msr_entry msrs[XEN_MSRS_MOST] = { { .idx = XEN_MSR_PLATFORM_INFO },
                                                        { .idx = XEN_MSR_ARCH_CAPABILITIES } };

    domctl.u.cpu_policy = (struct xen_domctl_cpu_policy){ .nr_leaves = n,
                                                          .nr_msrs = XEN_MSRS_MOST,
                                                          .leaves = (uintptr_t)leaves,
                                                          .msrs = (uintptr_t)msrs };
    return by(A, cmd, ID(B));
}

/* The tools write the list anew, into the room that it took: with a leaf for each of the
 * hypervisor's limits, and one for each component of XSAVE up to the last. */
static void check_list(const struct xen_cpuid_leaf *leaves, uint32_t n)
{
    unsigned limits = 0, components = 0;

    for (uint32_t i = 0; i < n; i++) {
        limits += leaves[i].leaf == 0x40000000 || leaves[i].leaf == 0x40000100;
        if (leaves[i].leaf == 0xd)
            assert_int_equal(leaves[i].subleaf, components++);
    }
    assert_int_equal(limits, 2);
    assert_true(components >= 2);
}

static void test_policy(void **state)
{
    struct xen_cpuid_leaf leaves[XEN_CPUID_LEAVES_MOST], again[XEN_CPUID_LEAVES_MOST];
    struct xen_sysctl_cpu_policy *arg = &sysctl.u.cpu_policy;

    (void)state;
    *arg = (struct xen_sysctl_cpu_policy){ .index = 0 };
    assert_int_equal(ask(XEN_SYSCTL_CPU_POLICY), 0);
    assert_int_equal(arg->nr_leaves, XEN_CPUID_LEAVES_MOST);
    assert_int_equal(arg->nr_msrs, XEN_MSRS_MOST);
    *arg = (struct xen_sysctl_cpu_policy){ .index = XEN_CPU_POLICY_HVM_DEFAULT,
                                           .nr_leaves = XEN_CPUID_LEAVES_MOST,
                                           .leaves = (uintptr_t)leaves };
    assert_int_equal(ask(XEN_SYSCTL_CPU_POLICY), 0);
    uint32_t n = arg->nr_leaves;
    assert_true(n > 20 && n < XEN_CPUID_LEAVES_MOST);
    check_list(leaves, n);
    arg->nr_leaves = n - 1;
    assert_int_equal(ask(XEN_SYSCTL_CPU_POLICY), -ENOBUFS);
    arg->index = XEN_CPU_POLICY_PV_MAX;
    assert_int_equal(ask(XEN_SYSCTL_CPU_POLICY), -EOPNOTSUPP);
    arg->index = 6;
    assert_int_equal(ask(XEN_SYSCTL_CPU_POLICY), -EINVAL);
    assert_int_equal(policy(XEN_DOMCTL_SET_CPU_POLICY, leaves, n), -EINVAL); /* of the menu */
    fake_log_reset();
    assert_int_equal(policy(XEN_DOMCTL_GET_CPU_POLICY, again, n), -EOPNOTSUPP);
    assert_non_null(strstr(fake_log_text, CONTROL_REFUSED)); /* not as many as it likes */
    become_bare(B);
    assert_int_equal(policy(XEN_DOMCTL_SET_CPU_POLICY, leaves, n), 0);
    assert_true(pair_rounds > 1); /* of few leaves each */
    assert_int_equal(leaves[1].leaf, 1);
    leaves[1].d &= ~0x10u;
    assert_int_equal(policy(XEN_DOMCTL_SET_CPU_POLICY, leaves, n), 0);
    assert_int_equal(pair[B].d.cpu_policy.hidden[XEN_FEATURES_1D], 0x10);
    assert_int_equal(policy(XEN_DOMCTL_GET_CPU_POLICY, again, XEN_CPUID_LEAVES_MOST), 0);
    assert_int_equal(domctl.u.cpu_policy.nr_leaves, n);
    assert_memory_equal(leaves, again, n * sizeof(leaves[0]));
    leaves[1].d |= 1; /* there is no such feature; all stays as it was */
    leaves[1].c &= ~0x10u;
    assert_int_equal(policy(XEN_DOMCTL_SET_CPU_POLICY, leaves, n), -EINVAL);
    assert_int_equal(domctl.u.cpu_policy.err_leaf, 1);
    assert_int_equal(pair[B].d.cpu_policy.hidden[XEN_FEATURES_1C], 0);
    assert_int_equal(policy(XEN_DOMCTL_SET_CPU_POLICY, leaves, XEN_CPUID_LEAVES_MOST + 1), -E2BIG);
    struct xen_msr_entry odd = { .idx = XEN_MSR_PLATFORM_INFO, .val = 1u << 31 };
    domctl.u.cpu_policy = (struct xen_domctl_cpu_policy){ .nr_msrs = 1, .msrs = (uintptr_t)&odd };
    assert_int_equal(by(A, XEN_DOMCTL_SET_CPU_POLICY, ID(B)), -EINVAL);
    assert_int_equal(domctl.u.cpu_policy.err_msr, XEN_MSR_PLATFORM_INFO);
    assert_int_equal(policy(XEN_DOMCTL_SET_CPU_POLICY, (void *)UINTPTR_MAX, 1), -EFAULT);
    pair[B].d.started = true;
    assert_int_equal(policy(XEN_DOMCTL_SET_CPU_POLICY, again, n), -EEXIST);
}

static void test_featureset(void **state)
{
    uint32_t words[XEN_FEATURES + 1] = { [XEN_FEATURES] = 77 };

    (void)state;
    sysctl.u.cpu_featureset = (struct xen_sysctl_cpu_featureset){ .index = 1 };
    assert_int_equal(ask(XEN_SYSCTL_CPU_FEATURESET), 0);
    assert_int_equal(sysctl.u.cpu_featureset.nr_features, XEN_FEATURES);
    sysctl.u.cpu_featureset.features = (uintptr_t)words;
    assert_int_equal(ask(XEN_SYSCTL_CPU_FEATURESET), 0);
    assert_int_equal(words[XEN_FEATURES], 77);
    assert_true(words[XEN_FEATURES_1D] & 0xf0f0);
    sysctl.u.cpu_featureset.nr_features = 3;
    words[3] = 9;
    assert_int_equal(ask(XEN_SYSCTL_CPU_FEATURESET), -ENOBUFS);
    assert_int_equal(words[3], 9);
    sysctl.u.cpu_featureset.index = XEN_CPU_FEATURESET_PV;
    assert_int_equal(ask(XEN_SYSCTL_CPU_FEATURESET), -EOPNOTSUPP);
}

static uint32_t flags_of(unsigned i)
{
    assert_int_equal(by(A, XEN_DOMCTL_GETDOMAININFO, ID(i)), 0);
    return domctl.u.getdomaininfo.flags;
}

/* One that has ended is there to be looked at. */
static void test_bare_ends(void **state)
{
    (void)state;
    become_bare(B);
    pair[B].d.suspended = true;
    assert_int_equal(flags_of(B) >> XEN_DOMINF_SHUTDOWN_SHIFT, XEN_SHUTDOWN_SUSPEND);
    assert_true(flags_of(B) & XEN_DOMINF_SHUTDOWN);
    assert_int_equal(by(A, XEN_DOMCTL_RESUMEDOMAIN, ID(B)), 0);
    assert_false(flags_of(B) & XEN_DOMINF_SHUTDOWN);
    assert_false(pair[B].d.suspended);
    pair[B].d.end = END_REBOOT;
    assert_int_equal(flags_of(B) >> XEN_DOMINF_SHUTDOWN_SHIFT, XEN_SHUTDOWN_REBOOT);
    assert_false(flags_of(B) & XEN_DOMINF_DYING);
    assert_int_equal(by(A, XEN_DOMCTL_RESUMEDOMAIN, ID(B)), -EINVAL);
    assert_int_equal(by(A, XEN_DOMCTL_RESUMEDOMAIN, ID(A)), -EINVAL);
    pair[B].d.unwanted = true;
    assert_true(flags_of(B) & XEN_DOMINF_DYING);
}

static unsigned looks;

/* Its keeper is elsewhere, and takes its time. */
static void bury_later(void)
{
    if (++looks == 3)
        pair_destroy(B);
    else
        pair_meanwhile = bury_later;
}

bool xen_domain_exists(uint16_t id)
{
    if (id < ID(A) || id > ID(C))
        return false;
    if (pair_meanwhile == bury_later) {
        pair_meanwhile = NULL;
        bury_later();
    }
    return !pair[id - 1].gone;
}

static void test_destroy_bare(void **state)
{
    (void)state;
    looks = 0;
    become_bare(B);
    pair_meanwhile = bury_later;
    assert_int_equal(by(A, XEN_DOMCTL_DESTROYDOMAIN, ID(B)), 0);
    assert_int_equal(looks, 3);
    assert_true(pair[B].gone);
    assert_int_equal(domctl.cmd, XEN_DOMCTL_DESTROYDOMAIN);
    assert_int_equal(by(A, XEN_DOMCTL_DESTROYDOMAIN, ID(B)), -ESRCH);
    assert_int_equal(by(A, 1u << 31 | XEN_DOMCTL_DESTROYDOMAIN, ID(B)), 0); /* as one that began */
    assert_int_equal(by(A, 1u << 31 | XEN_DOMCTL_PAUSEDOMAIN, ID(C)), -ENOSYS);
}

/* ---- What there is to say of one ---- */

static void test_info(void **state)
{
    const struct xen_domctl_getdomaininfo *info = &domctl.u.getdomaininfo;

    (void)state;
    pair[B].v[0].unit.stats.ran = 2000;
    pair[B].v[1].unit.state = SCHED_RUNNING;
    pair[B].v[2].waits_for_startup = true;
    pair[B].v[2].unit.stats.ran = 4;
    pair[B].v[3].down = true;
    strcpy(pair[B].d.name, "one with a long name");
    assert_int_equal(by(A, XEN_DOMCTL_GETDOMAININFO, ID(B)), 0);
    assert_int_equal(domctl.domain, ID(B));
    assert_int_equal(info->domain, ID(B));
    assert_int_equal(info->nr_online_vcpus, 2);
    assert_int_equal(info->max_vcpu_id, PAIR_VCPUS - 1);
    assert_int_equal(info->cpu_time, 1002);
    assert_int_equal(info->tot_pages, PAIR_RAM);
    assert_int_equal(info->max_pages, PAIR_RAM);
    assert_memory_equal(info->handle, "one with a long ", XENVER_HANDLE_LEN);
    assert_int_equal(info->flags, XEN_DOMINF_HVM_GUEST | XEN_DOMINF_HAP | XEN_DOMINF_RUNNING);
    pair[B].v[1].unit.state = SCHED_BLOCKED;
    assert_int_equal(by(A, XEN_DOMCTL_GETDOMAININFO, ID(B)), 0);
    assert_int_equal(info->flags, XEN_DOMINF_HVM_GUEST | XEN_DOMINF_HAP | XEN_DOMINF_BLOCKED);
}

/* Each reason as a guest would give it. */
static void test_ends(void **state)
{
    static const uint8_t reasons[][2] = { { END_POWEROFF, XEN_SHUTDOWN_POWEROFF },
                                          { END_REBOOT, XEN_SHUTDOWN_REBOOT },
                                          { END_TRIPLE_FAULT, XEN_SHUTDOWN_CRASH },
                                          { END_CRASH, XEN_SHUTDOWN_CRASH },
                                          { END_KILLED, XEN_SHUTDOWN_CRASH } };

    (void)state;
    for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        pair[B].d.end = reasons[i][0];
        assert_int_equal(by(A, XEN_DOMCTL_GETDOMAININFO, ID(B)), 0);
        uint32_t flags = domctl.u.getdomaininfo.flags;
        assert_true(flags & XEN_DOMINF_SHUTDOWN && flags & XEN_DOMINF_DYING);
        assert_int_equal(flags >> XEN_DOMINF_SHUTDOWN_SHIFT & 255, reasons[i][1]);
    }
}

/* By it tools find all domains: the next one answers where one is not. */
static void test_next(void **state)
{
    (void)state;
    assert_int_equal(by(A, XEN_DOMCTL_GETDOMAININFO, 0), 0);
    assert_int_equal(domctl.u.getdomaininfo.domain, ID(A));
    pair_destroy(B);
    assert_int_equal(by(A, XEN_DOMCTL_GETDOMAININFO, ID(B)), 0);
    assert_int_equal(domctl.u.getdomaininfo.domain, ID(C));
    assert_int_equal(by(A, XEN_DOMCTL_GETDOMAININFO, ID(C) + 1), -ESRCH);
    assert_int_equal(by(A, XEN_DOMCTL_GETDOMAININFO, XEN_DOMID_SELF), -ESRCH);
}

static void test_vcpu_info(void **state)
{
    const struct xen_domctl_getvcpuinfo *info = &domctl.u.getvcpuinfo;

    (void)state;
    pair[B].v[1].unit.state = SCHED_RUNNING;
    pair[B].v[1].unit.pcpu = 5;
    domctl.u.getvcpuinfo.vcpu = 1;
    assert_int_equal(by(A, XEN_DOMCTL_GETVCPUINFO, ID(B)), 0);
    assert_true(info->online && info->running && !info->blocked);
    assert_int_equal(info->cpu, 5);
    pair[B].v[2].down = true;
    domctl.u.getvcpuinfo.vcpu = 2;
    assert_int_equal(by(A, XEN_DOMCTL_GETVCPUINFO, ID(B)), 0);
    assert_true(!info->online && !info->running && info->blocked);
    pair[B].v[2].down = false;
    pair[B].v[2].halted = true;
    assert_int_equal(by(A, XEN_DOMCTL_GETVCPUINFO, ID(B)), 0);
    assert_true(info->online);
    pair[B].v[2].deaf = true; /* as Linux leaves one that it has put off line */
    assert_int_equal(by(A, XEN_DOMCTL_GETVCPUINFO, ID(B)), 0);
    assert_false(info->online);
    domctl.u.getvcpuinfo.vcpu = PAIR_VCPUS;
    assert_int_equal(by(A, XEN_DOMCTL_GETVCPUINFO, ID(B)), -EINVAL);
}

/* ---- Its share ---- */

static int64_t affinity(uint32_t cmd, uint32_t vcpu, uint32_t flags, void *hard, uint32_t bits)
{
    static uint64_t soft;

    domctl.u.vcpuaffinity = (struct xen_domctl_vcpuaffinity){
        .vcpu = vcpu,
        .flags = flags,
        .hard = { .bitmap = (uintptr_t)hard, .nr_bits = bits },
        .soft = { .bitmap = (uintptr_t)&soft, .nr_bits = 64 },
    };
    return by(A, cmd, ID(B));
}

static void test_affinity(void **state)
{
    uint8_t bytes[80];

    (void)state;
    memset(bytes, 0x5a, sizeof(bytes));
    assert_int_equal(affinity(XEN_DOMCTL_GETVCPUAFFINITY, 1, 3, bytes, 6), 0);
    assert_int_equal(bytes[0], 0x3f);
    assert_int_equal(bytes[1], 0x5a);
    assert_int_equal(affinity(XEN_DOMCTL_GETVCPUAFFINITY, 1, 1, bytes, UINT32_MAX), 0);
    assert_int_equal(bytes[7], 0xff);
    assert_int_equal(bytes[8], 0);
    assert_int_equal(bytes[63], 0);
    assert_int_equal(bytes[64], 0x5a); /* so many CPUs there are not */
    assert_int_equal(affinity(XEN_DOMCTL_GETVCPUAFFINITY, 1, 0, bytes, 8), -EINVAL);
    assert_int_equal(affinity(XEN_DOMCTL_GETVCPUAFFINITY, PAIR_VCPUS, 1, bytes, 8), -EINVAL);
    bytes[0] = 0xfe;
    assert_int_equal(affinity(XEN_DOMCTL_SETVCPUAFFINITY, 1, 1, bytes, 4), 0);
    assert_int_equal(pair[B].v[1].unit.affinity, 0xe);
    assert_int_equal(bytes[0], 2); /* of which this much is there */
    assert_int_equal(pair[B].v[0].unit.affinity, UINT64_MAX);
    bytes[0] = 0xfc;
    assert_int_equal(affinity(XEN_DOMCTL_SETVCPUAFFINITY, 1, 1, bytes, 8), -EINVAL);
    assert_int_equal(affinity(XEN_DOMCTL_SETVCPUAFFINITY, 1, 0, bytes, 8), -EINVAL);
    assert_int_equal(affinity(XEN_DOMCTL_SETVCPUAFFINITY, 1, 4, bytes, 8), -EINVAL);
    assert_int_equal(affinity(XEN_DOMCTL_SETVCPUAFFINITY, PAIR_VCPUS, 1, bytes, 8), -EINVAL);
    assert_int_equal(affinity(XEN_DOMCTL_SETVCPUAFFINITY, 1, 1, (void *)UINTPTR_MAX, 8), -EFAULT);
    assert_int_equal(pair[B].v[1].unit.affinity, 0xe);
}

/* It is kept as it was given; what goes back is what of it counts. */
static void test_soft_affinity(void **state)
{
    uint64_t all = 3, some = 1, other = 6, none = 0;

    (void)state;
    domctl.u.vcpuaffinity =
        (struct xen_domctl_vcpuaffinity){ .flags = 2, .soft = { (uintptr_t)&all, 8, 0 } };
    assert_int_equal(by(A, XEN_DOMCTL_SETVCPUAFFINITY, ID(B)), 0);
    assert_int_equal(all, 3);
    domctl.u.vcpuaffinity.soft.bitmap = (uintptr_t)&other;
    assert_int_equal(by(A, XEN_DOMCTL_SETVCPUAFFINITY, ID(B)), 0);
    assert_int_equal(other, 2); /* that is there */
    assert_int_equal(pair[B].v[0].unit.likes, 6);
    assert_int_equal(by(A, XEN_DOMCTL_GETVCPUAFFINITY, ID(B)), 0);
    assert_int_equal(other, 6);
    assert_int_equal(pair[B].v[0].unit.affinity, UINT64_MAX);
    assert_int_equal(pair[B].v[1].unit.likes, UINT64_MAX);
    domctl.u.vcpuaffinity.flags = 3;
    domctl.u.vcpuaffinity.hard = (struct xen_ctl_bitmap){ (uintptr_t)&some, 8, 0 };
    assert_int_equal(by(A, XEN_DOMCTL_SETVCPUAFFINITY, ID(B)), 0);
    assert_int_equal(pair[B].v[0].unit.affinity, 1);
    domctl.u.vcpuaffinity.soft.bitmap = (uintptr_t)&none;
    assert_int_equal(by(A, XEN_DOMCTL_SETVCPUAFFINITY, ID(B)), 0);
    assert_int_equal(pair[B].v[0].unit.likes, 0);
    domctl.u.vcpuaffinity.soft.bitmap = UINT64_MAX;
    assert_int_equal(by(A, XEN_DOMCTL_SETVCPUAFFINITY, ID(B)), -EFAULT);
    domctl.u.vcpuaffinity.soft.bitmap = (uintptr_t)&all;
    domctl.u.vcpuaffinity.hard.bitmap = (uintptr_t)&none;
    assert_int_equal(by(A, XEN_DOMCTL_SETVCPUAFFINITY, ID(B)), -EINVAL);
    assert_int_equal(pair[B].v[0].unit.affinity, 1);
    assert_int_equal(pair[B].v[0].unit.likes, 0);
}

static int64_t share(uint32_t cmd, uint16_t weight, uint16_t cap)
{
    domctl.u.scheduler_op = (struct xen_domctl_scheduler_op){ .sched_id = XEN_SCHEDULER_CREDIT2,
                                                              .cmd = cmd,
                                                              .u.credit2 = { weight, cap } };
    return by(A, XEN_DOMCTL_SCHEDULER_OP, ID(B));
}

static void test_share(void **state)
{
    (void)state;
    assert_int_equal(share(XEN_SCHEDOP_PUTINFO, 512, 50), 0);
    assert_int_equal(share(XEN_SCHEDOP_GETINFO, 0, 0), 0);
    assert_int_equal(domctl.u.scheduler_op.u.credit2.weight, 512);
    assert_int_equal(domctl.u.scheduler_op.u.credit2.cap, 50);
    assert_int_equal(share(XEN_SCHEDOP_PUTINFO, 0, 0), 0);
    assert_int_equal(accounts[B].weight, 512);
    assert_int_equal(accounts[B].cap, 0);
    assert_int_equal(share(XEN_SCHEDOP_PUTINFO, 0, 6401), -EINVAL);
    assert_int_equal(share(2, 0, 0), -EINVAL);
    domctl.u.scheduler_op.sched_id = 5;
    assert_int_equal(by(A, XEN_DOMCTL_SCHEDULER_OP, ID(B)), -EINVAL);
}

/* ---- The machine ---- */

static void test_list(void **state)
{
    struct xen_domctl_getdomaininfo list[4];
    struct xen_sysctl_getdomaininfolist *l = &sysctl.u.getdomaininfolist;

    (void)state;
    memset(list, 0x5a, sizeof(list));
    *l = (struct xen_sysctl_getdomaininfolist){ .max_domains = UINT32_MAX,
                                                .buffer = (uintptr_t)list,
                                                .num_domains = 77 };
    assert_int_equal(ask(XEN_SYSCTL_GETDOMAININFOLIST), 0);
    assert_int_equal(sysctl.cmd, XEN_SYSCTL_GETDOMAININFOLIST);
    assert_int_equal(l->num_domains, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(list[i].domain, ID(i));
    assert_int_equal(list[3].domain, 0x5a5a);
    l->first_domain = ID(B);
    l->max_domains = 1;
    assert_int_equal(ask(XEN_SYSCTL_GETDOMAININFOLIST), 0);
    assert_int_equal(l->num_domains, 1);
    assert_int_equal(list[0].domain, ID(B));
    l->max_domains = 0;
    assert_int_equal(ask(XEN_SYSCTL_GETDOMAININFOLIST), 0);
    assert_int_equal(l->num_domains, 0);
    l->max_domains = 9;
    l->buffer = UINT64_MAX;
    assert_int_equal(ask(XEN_SYSCTL_GETDOMAININFOLIST), -EFAULT);
}

/* A few at a time, by continuations: how far it is stands in the structure. */
static void test_long_list(void **state)
{
    struct xen_domctl_getdomaininfo list[CROWD + 1];

    (void)state;
    crowded = true;
    memset(list, 0x5a, sizeof(list));
    sysctl.u.getdomaininfolist =
        (struct xen_sysctl_getdomaininfolist){ .max_domains = 1024, .buffer = (uintptr_t)list };
    assert_int_equal(ask(XEN_SYSCTL_GETDOMAININFOLIST), 0);
    crowded = false;
    assert_int_equal(sysctl.u.getdomaininfolist.num_domains, CROWD);
    assert_true(pair_rounds > CROWD / 8);
    for (unsigned i = 0; i < CROWD; i++) {
        assert_int_equal(list[i].domain, i);
        assert_int_equal(crowd[i].xen.holders, 0);
    }
    assert_int_equal(list[CROWD].domain, 0x5a5a);
    sysctl.u.getdomaininfolist = (struct xen_sysctl_getdomaininfolist){ .max_domains = 9,
                                                                        .num_domains = 3,
                                                                        .buffer = UINT64_MAX };
    assert_int_equal(ask(1u << 31 | XEN_SYSCTL_GETDOMAININFOLIST), -EFAULT);
    assert_int_equal(sysctl.cmd, XEN_SYSCTL_GETDOMAININFOLIST); /* the next one begins anew */
}

static void test_machine(void **state)
{
    struct xen_sysctl_cputopo topo[2];
    struct xen_sysctl_meminfo memory;
    uint32_t distance = 0;

    (void)state;
    assert_int_equal(ask(XEN_SYSCTL_PHYSINFO), 0);
    assert_int_equal(sysctl.u.physinfo.nr_cpus, 1);
    assert_int_equal(sysctl.u.physinfo.threads_per_core, 1);
    assert_int_equal(sysctl.u.physinfo.cores_per_socket, 1);
    assert_int_equal(sysctl.u.physinfo.total_pages, 1000);
    assert_int_equal(sysctl.u.physinfo.free_pages, 600);
    assert_int_equal(ask(XEN_SYSCTL_SCHED_ID), 0);
    assert_int_equal(sysctl.u.sched_id.sched_id, XEN_SCHEDULER_CREDIT2);
    assert_int_equal(ask(XEN_SYSCTL_AVAILHEAP), 0);
    assert_int_equal(sysctl.u.availheap.avail_bytes, 600 * 4096);
    sysctl.u.cputopoinfo = (struct xen_sysctl_cputopoinfo){ 0 };
    assert_int_equal(ask(XEN_SYSCTL_CPUTOPOINFO), 0);
    assert_int_equal(sysctl.u.cputopoinfo.num_cpus, 1);
    topo[1].node = 77;
    sysctl.u.cputopoinfo =
        (struct xen_sysctl_cputopoinfo){ .num_cpus = 2, .cputopo = (uintptr_t)topo };
    assert_int_equal(ask(XEN_SYSCTL_CPUTOPOINFO), 0);
    assert_int_equal(sysctl.u.cputopoinfo.num_cpus, 1);
    assert_int_equal(topo[0].node, 0);
    assert_int_equal(topo[1].node, 77);
    sysctl.u.numainfo = (struct xen_sysctl_numainfo){ .num_nodes = 64,
                                                      .meminfo = (uintptr_t)&memory,
                                                      .distance = (uintptr_t)&distance };
    assert_int_equal(ask(XEN_SYSCTL_NUMAINFO), 0);
    assert_int_equal(sysctl.u.numainfo.num_nodes, 1);
    assert_int_equal(memory.memfree, 600 * 4096);
    assert_int_equal(distance, 10);
    sysctl.u.cputopoinfo = (struct xen_sysctl_cputopoinfo){ .cputopo = (uintptr_t)topo };
    assert_int_equal(ask(XEN_SYSCTL_CPUTOPOINFO), 0);
    assert_int_equal(sysctl.u.cputopoinfo.num_cpus, 0); /* no place, no answer */
    sysctl.u.numainfo = (struct xen_sysctl_numainfo){ .meminfo = (uintptr_t)&memory };
    assert_int_equal(ask(XEN_SYSCTL_NUMAINFO), 0);
    assert_int_equal(sysctl.u.numainfo.num_nodes, 0);
    sysctl.u.numainfo = (struct xen_sysctl_numainfo){ 0 };
    assert_int_equal(ask(XEN_SYSCTL_NUMAINFO), 0);
    assert_int_equal(sysctl.u.numainfo.num_nodes, 1);
}

static void test_idle_time(void **state)
{
    struct xen_sysctl_cpuinfo idle[2] = { { 0 }, { 77 } };

    (void)state;
    sysctl.u.getcpuinfo =
        (struct xen_sysctl_getcpuinfo){ .max_cpus = 2, .info = (uintptr_t)idle, .nr_cpus = 9 };
    assert_int_equal(ask(XEN_SYSCTL_GETCPUINFO), 0);
    assert_int_equal(sysctl.u.getcpuinfo.nr_cpus, 1);
    assert_int_equal(idle[0].idletime, tsc_to_ns(5000));
    assert_int_equal(idle[1].idletime, 77);
    sysctl.u.getcpuinfo = (struct xen_sysctl_getcpuinfo){ .info = UINT64_MAX };
    assert_int_equal(ask(XEN_SYSCTL_GETCPUINFO), 0);
    assert_int_equal(sysctl.u.getcpuinfo.nr_cpus, 0);
    sysctl.u.getcpuinfo.max_cpus = 1;
    assert_int_equal(ask(XEN_SYSCTL_GETCPUINFO), -EFAULT);
}

/* So few times the caller's page tables are walked, however long the answer. */
#define FEW_WRITES 12

static void has_few_writes(uint32_t cmd)
{
    pair_writes = 0;
    assert_int_equal(ask(cmd), 0);
    assert_true(pair_writes > 1 && pair_writes <= FEW_WRITES);
}

static void test_long_answers(void **state)
{
    struct xen_sysctl_cpuinfo idle[MAX_PCPUS + 1] = { [MAX_PCPUS] = { 77 } };
    struct xen_sysctl_cputopo topo[MAX_PCPUS + 1] = { [MAX_PCPUS] = { .node = 77 } };
    struct xen_cpuid_leaf leaves[XEN_CPUID_LEAVES_MOST];

    (void)state;
    cpu_count = MAX_PCPUS;
    sysctl.u.getcpuinfo =
        (struct xen_sysctl_getcpuinfo){ .max_cpus = MAX_PCPUS + 1, .info = (uintptr_t)idle };
    has_few_writes(XEN_SYSCTL_GETCPUINFO);
    assert_int_equal(sysctl.u.getcpuinfo.nr_cpus, MAX_PCPUS);
    assert_int_equal(idle[MAX_PCPUS - 1].idletime, tsc_to_ns(5000 + MAX_PCPUS - 1));
    assert_int_equal(idle[MAX_PCPUS].idletime, 77);
    sysctl.u.cputopoinfo =
        (struct xen_sysctl_cputopoinfo){ .num_cpus = MAX_PCPUS + 1, .cputopo = (uintptr_t)topo };
    has_few_writes(XEN_SYSCTL_CPUTOPOINFO);
    assert_int_equal(sysctl.u.cputopoinfo.num_cpus, MAX_PCPUS);
    assert_int_equal(topo[MAX_PCPUS].node, 77);
    cpu_count = 1;
    sysctl.u.cpu_policy = (struct xen_sysctl_cpu_policy){ .nr_leaves = XEN_CPUID_LEAVES_MOST,
                                                          .leaves = (uintptr_t)leaves };
    has_few_writes(XEN_SYSCTL_CPU_POLICY);
    assert_true(sysctl.u.cpu_policy.nr_leaves > FEW_WRITES);
}

static void test_pools(void **state)
{
    struct xen_sysctl_cpupool_op *pool = &sysctl.u.cpupool_op;
    uint8_t cpus[8];

    (void)state;
    *pool = (struct xen_sysctl_cpupool_op){ .op = XEN_CPUPOOL_OP_INFO,
                                            .cpumap = { (uintptr_t)cpus, 64, 0 } };
    assert_int_equal(ask(XEN_SYSCTL_CPUPOOL_OP), 0);
    assert_int_equal(pool->n_dom, 3);
    assert_int_equal(cpus[0], 3);
    pool->op = XEN_CPUPOOL_OP_FREEINFO;
    assert_int_equal(ask(XEN_SYSCTL_CPUPOOL_OP), 0);
    assert_int_equal(cpus[0], 0);
    pool->op = XEN_CPUPOOL_OP_INFO;
    pool->cpupool_id = 1;
    assert_int_equal(ask(XEN_SYSCTL_CPUPOOL_OP), -ENOENT);
    pool->op = 1;
    assert_int_equal(ask(XEN_SYSCTL_CPUPOOL_OP), -EOPNOTSUPP);
    pool->op = 8;
    assert_int_equal(ask(XEN_SYSCTL_CPUPOOL_OP), -ENOSYS);
    sysctl.u.scheduler_op = (struct xen_sysctl_scheduler_op){ .sched_id = XEN_SCHEDULER_CREDIT2,
                                                              .cmd = XEN_SCHEDOP_GETINFO };
    assert_int_equal(ask(XEN_SYSCTL_SCHEDULER_OP), 0);
    sysctl.u.scheduler_op.cmd = XEN_SCHEDOP_PUTINFO;
    assert_int_equal(ask(XEN_SYSCTL_SCHEDULER_OP), -EOPNOTSUPP);
    sysctl.u.scheduler_op.cpupool_id = 1;
    assert_int_equal(ask(XEN_SYSCTL_SCHEDULER_OP), -ESRCH);
}

/* ---- The log ---- */

static char read_text[8192];

static int64_t read_log(uint32_t count, uint8_t clear, bool goes_on)
{
    memset(read_text, 0, sizeof(read_text));
    sysctl.u.readconsole = (struct xen_sysctl_readconsole){
        .clear = clear,
        .incremental = goes_on,
        .index = sysctl.u.readconsole.index,
        .buffer = (uintptr_t)read_text,
        .count = count,
    };
    return ask(XEN_SYSCTL_READCONSOLE);
}

/* Whole lines. That none has the word that no guest knows is test_log's. */
static void test_read_log(void **state)
{
    struct xen_sysctl_readconsole *arg = &sysctl.u.readconsole;

    (void)state;
    fake_log_reset();
    log_info("one");
    log_info("two");
    assert_int_equal(read_log(30, 0, true), 0); /* from 0 on */
    assert_string_equal(read_text, "caisson: one\ncaisson: two\n");
    assert_int_equal(arg->count, 26);
    log_info("three");
    assert_int_equal(read_log(25, 0, false), 0);
    assert_string_equal(read_text, "caisson: one\n");
    assert_int_equal(read_log(UINT32_MAX, 0, true), 0);
    assert_string_equal(read_text, "caisson: two\ncaisson: three\n");
    assert_int_equal(read_log(100, 0, true), 0);
    assert_int_equal(arg->count, 0);
    arg->index = UINT32_MAX; /* it never was there */
    assert_int_equal(read_log(100, 0, true), 0);
    assert_memory_equal(read_text, "caisson: one\n", 13);
    assert_int_equal(read_log(0, 0, false), 0);
    assert_int_equal(arg->count, 0);
    sysctl.u.readconsole = (struct xen_sysctl_readconsole){ .buffer = UINT64_MAX, .count = 100 };
    assert_int_equal(ask(XEN_SYSCTL_READCONSOLE), -EFAULT);
    for (unsigned i = 0; i < 300; i++)
        log_info("of many, %u", i);
    assert_int_equal(read_log(sizeof(read_text), 0, false), 0);
    assert_in_range(arg->count, 900, 1024); /* bounded: the caller comes again */
    assert_int_equal(read_log(26, 1, false), 0);
    assert_int_equal(read_log(26, 0, false), 0);
    assert_memory_equal(read_text, "caisson: three\n", 15); /* what was cleared is gone */
}

static int64_t press(const void *keys, uint32_t n)
{
    sysctl.u.debug_keys = (struct xen_sysctl_debug_keys){ .keys = (uintptr_t)keys, .nr_keys = n };
    return ask(XEN_SYSCTL_DEBUG_KEYS);
}

static void test_keys(void **state)
{
    (void)state;
    fake_log_reset();
    assert_int_equal(press("h?m\xff", 4), 0);
    assert_string_equal(fake_log_text, "debug key h: h for this line, m for the machine's memory\n"
                                       "debug key m: 1000 frames, 600 of them and 50 of the heap's "
                                       "promised to nobody\n");
    assert_int_equal(press("", 0), 0);
    assert_int_equal(press("hhhhhhhhhhhhhhhhh", 17), -E2BIG);
    assert_int_equal(press((void *)UINTPTR_MAX, 2), -EFAULT);
    assert_int_equal(fake_log_lines[LOG_INFO], 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, pair_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rights),       TEST(test_versions_and_numbers),
        TEST(test_no_place),     TEST(test_pause),
        TEST(test_itself),       TEST(test_destroy),
        TEST(test_max_mem),      TEST(test_info),
        TEST(test_ends),         TEST(test_next),
        TEST(test_vcpu_info),    TEST(test_affinity),
        TEST(test_share),        TEST(test_list),
        TEST(test_machine),      TEST(test_idle_time),
        TEST(test_long_answers), TEST(test_pools),
        TEST(test_long_list),    TEST(test_soft_affinity),
        TEST(test_create),       TEST(test_bad_wishes),
        TEST(test_bare),         TEST(test_bare_ends),
        TEST(test_destroy_bare), TEST(test_policy),
        TEST(test_featureset),   TEST(test_read_log),
        TEST(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
