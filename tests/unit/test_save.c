/* clang-format off */
/* links: control/control.c control/domctl.c control/domctl_info.c control/domctl_sched.c control/domctl_create.c arch/x86/moment.c control/domctl_save.c control/vcpu_context.c control/policy.c control/context.c virt/msr.c devices/vlapic_timer.c devices/vlapic_msr.c devices/vlapic_regs.c devices/vlapic.c devices/vlapic_save.c context/context_rest.c context/context_cpu.c context/stream.c cpu/cpu_policy.c xen/xen_context.c control/sysctl.c control/sysctl_log.c control/sysctl_machine.c hypercall/grant_op.c grant/grant.c grant/foreign.c xen/flush.c grant/grant_map.c grant/grant_copy.c hypercall/evtchn_op.c xen/evtchn.c xen/evtchn_2l.c xen/evtchn_fifo.c xen/pair.c guestmem/p2m.c guestmem/p2m_log.c guestmem/p2m_change.c guestmem/p2m_lent.c virt/slat.c tests/fakes/pair.c tests/fakes/virt.c tests/fakes/lapics.c tests/fakes/heap.c tests/fakes/control.c tests/fakes/log.c tests/fakes/panic.c */
/* clang-format on */
/*
 * What domctl has for who saves a domain, and makes one of what was saved.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "control/control.h"
#include "grant/foreign.h"
#include "hypercall/hypercall.h"
#include "include/public/control.h"
#include "include/public/hvm/save.h"
#include "lib/time.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "tests/fakes/lapics.h"
#include "tests/fakes/pair.h"
#include "tests/fakes/virt.h"

enum { A, B, C }; /* A is the control domain */
#define ID(i) ((uint16_t)((i) + 1))

static struct xen_domctl domctl;

static int setup(void **state)
{
    static const struct domain_config config = { .uuid = "a name" };

    fake_tsc = 0;
    pair_start(state);
    lapics_start();
    pair[A].d.xen.control = true;
    for (unsigned i = B; i <= C; i++) {
        pair[i].d.bare = true;
        pair[i].d.config = &config;
        for (unsigned n = 0; n < PAIR_VCPUS; n++) {
            pair[i].v[n].rest.msr[STATE_PAT] = PAT_AFTER_RESET;
            fake_virt(&pair[i].v[n].virt)->fpu_xcr0 = 1;
        }
    }
    domctl = (struct xen_domctl){ .interface_version = XEN_DOMCTL_INTERFACE_VERSION };
    return 0;
}

static int64_t by(unsigned i, uint32_t cmd, uint16_t id)
{
    domctl.cmd = cmd;
    domctl.domain = id;
    return pair_call(i, control_domctl, (uintptr_t)&domctl, NULL, 0);
}

/* ---- Its pages ---- */

static uint64_t list[XEN_PFINFO_MOST];

static int64_t types(uint64_t *array, uint64_t n)
{
    domctl.u.getpageframeinfo3 =
        (struct xen_domctl_getpageframeinfo3){ .num = n, .array = (uintptr_t)array };
    return by(A, XEN_DOMCTL_GETPAGEFRAMEINFO3, ID(B));
}

/* All that is the domain's RAM, also what has yet to arrive; neither what is lent nor holes. */
static void test_pages(void **state)
{
    mfn_t m;

    (void)state;
    assert_int_equal(p2m_remove(&pair[B].d.p2m, gfn(40)), 0);
    assert_non_null(pair_ram(B, 17));
    assert_int_equal(p2m_populate(&pair[B].d.p2m, gfn(17), &m), 0);
    assert_int_equal(p2m_lend(&pair[C].d.p2m, gfn(100), m, SLAT_R), 0);
    assert_int_equal(p2m_lend(&pair[B].d.p2m, gfn(100), m, SLAT_R), 0);
    uint64_t before = pair[B].d.p2m.populated, found = 0;
    assert_true(before < PAIR_RAM - 1);
    for (unsigned i = 0; i < XEN_PFINFO_MOST; i++)
        list[i] = i;
    assert_int_equal(types(list, XEN_PFINFO_MOST), 0);
    for (unsigned i = 0; i < XEN_PFINFO_MOST; i++) {
        assert_true(list[i] == XEN_PFINFO_NOTAB || list[i] == XEN_PFINFO_XTAB);
        found += list[i] == XEN_PFINFO_NOTAB;
    }
    assert_int_equal(list[17], XEN_PFINFO_NOTAB);
    assert_int_equal(list[40], XEN_PFINFO_XTAB);
    assert_int_equal(list[100], XEN_PFINFO_XTAB);
    assert_int_equal(found, pair[B].d.p2m.promised);
    assert_int_equal(pair[B].d.p2m.populated, before); /* nothing has come by it */
    pair[B].d.p2m.lacking = 1;                         /* it is not to be had for all places */
    assert_int_equal(types(list, 1), -EBUSY);
    pair[B].d.p2m.lacking = -1;
    assert_int_equal(types(list, 1), 0);
}

static void test_odd_pages(void **state)
{
    uint64_t odd[] = { UINT64_MAX, 17, 1ul << 36, 17, 1ul << 63, 0x12345678, (1ul << 36) - 1 };

    (void)state;
    assert_non_null(pair_ram(B, 17));
    assert_int_equal(types(odd, 7), 0);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(odd[i], i == 1 || i == 3 ? XEN_PFINFO_NOTAB : XEN_PFINFO_XTAB);
    assert_int_equal(types(odd, 0), 0);
    assert_int_equal(types(odd, XEN_PFINFO_MOST + 1), -E2BIG);
    assert_int_equal(types(odd, UINT64_MAX), -E2BIG);
    assert_int_equal(types((void *)UINTPTR_MAX, 1), -EFAULT);
    pair_unwritable = (uintptr_t)&odd[1];
    assert_int_equal(types(odd, 2), -EFAULT);
}

/* ---- The log of what is written ---- */

static uint8_t bitmap[2 * P2M_LOG_PLACES / 8];

static int64_t shadow(uint32_t what, void *to, uint64_t pages)
{
    domctl.u.shadow_op = (struct xen_domctl_shadow_op){
        .op = what, .mb = 77, .dirty_bitmap = (uintptr_t)to, .pages = pages, .dirty_count = 5
    };
    return by(A, XEN_DOMCTL_SHADOW_OP, ID(B));
}

static void assert_written(uint32_t what, uint64_t g, unsigned count)
{
    memset(bitmap, 0xAA, sizeof(bitmap));
    assert_int_equal(shadow(what, bitmap, PAIR_RAM), 0);
    assert_int_equal(domctl.u.shadow_op.pages, PAIR_RAM);
    assert_int_equal(domctl.u.shadow_op.dirty_count, count);
    for (unsigned i = 0; i < PAIR_RAM; i++)
        assert_int_equal(bitmap[i / 8] >> i % 8 & 1, i >= g && i < g + count);
    assert_int_equal(bitmap[PAIR_RAM / 8], 0xAA);
}

static void write_to(unsigned i, uint64_t g)
{
    mfn_t m;

    assert_int_equal(p2m_populate_writable(&pair[i].d.p2m, gfn(g), &m), 0);
}

static void test_log(void **state)
{
    (void)state;
    write_to(B, 17);
    assert_int_equal(shadow(XEN_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0), 0);
    assert_written(XEN_SHADOW_OP_CLEAN, 0, 0); /* from now on */
    write_to(B, 17);
    assert_written(XEN_SHADOW_OP_PEEK, 17, 1);
    assert_int_equal(domctl.u.shadow_op.fault_count, 1);
    assert_written(XEN_SHADOW_OP_CLEAN, 17, 1);
    assert_written(XEN_SHADOW_OP_CLEAN, 0, 0);
    assert_int_equal(domctl.u.shadow_op.fault_count, 0);
    assert_true(p2m_log_guest_write(&pair[B].d.p2m, gfn(17)));
    assert_int_equal(shadow(XEN_SHADOW_OP_CLEAN, NULL, PAIR_RAM), 0); /* to know how many */
    assert_int_equal(domctl.u.shadow_op.dirty_count, 1);
    assert_int_equal(shadow(XEN_SHADOW_OP_OFF, NULL, 0), 0);
    assert_int_equal(shadow(XEN_SHADOW_OP_CLEAN, bitmap, PAIR_RAM), -EINVAL);
    assert_int_equal(shadow(XEN_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0), 0); /* and once more */
}

/* Who maps a page to read it does not make it a written one for longer than that. */
static void test_log_of_mapped(void **state)
{
    (void)state;
    write_to(B, 17);
    assert_int_equal(shadow(XEN_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0), 0);
    spin_lock(&pair[A].d.lock);
    assert_int_equal(foreign_map(&pair[A].d.xen, &pair[B].d.xen, gfn(17), gfn(3)), 0);
    spin_unlock(&pair[A].d.lock);
    assert_written(XEN_SHADOW_OP_CLEAN, 17, 1); /* he may have written by then, */
    assert_written(XEN_SHADOW_OP_CLEAN, 17, 1); /* and since */
    assert_int_equal(p2m_remove(&pair[A].d.p2m, gfn(3)), 0);
    p2m_reap(&pair[A].d.p2m, PAIR_VCPUS);
    assert_written(XEN_SHADOW_OP_CLEAN, 0, 0);
}

/* A vCPU that is in the guest has what was there before in its TLB: it comes out before the answer.
 */
static void test_log_flushes(void **state)
{
    struct p2m *p = &pair[B].d.p2m;

    (void)state;
    write_to(B, 17);
    p->inside[1] = p->epoch;
    assert_int_equal(shadow(XEN_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0), 0);
    assert_int_equal(p->inside[1], 0);
    write_to(B, 17);
    p->inside[1] = p->epoch;
    assert_written(XEN_SHADOW_OP_CLEAN, 17, 1);
    assert_int_equal(p->inside[1], 0);
}

/* What lies between its lowest and its highest page is told of as it is mapped, whatever it is for
 * the tools to ask for. */
static void test_log_of_far(void **state)
{
    const uint64_t last = (1ul << 36) - 1;

    (void)state;
    pair[B].d.p2m.most++;
    assert_int_equal(p2m_fill(&pair[B].d.p2m, gfn(last)), 0);
    assert_int_equal(shadow(XEN_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0), 0);
    assert_true(pair_rounds < 40);
    write_to(B, last);
    assert_int_equal(shadow(XEN_SHADOW_OP_PEEK, NULL, last - 511), 0);
    assert_int_equal(domctl.u.shadow_op.dirty_count, 0);
    assert_int_equal(shadow(XEN_SHADOW_OP_CLEAN, NULL, last + 1), 0);
    assert_int_equal(domctl.u.shadow_op.dirty_count, 1);
    assert_true(pair_rounds < 40);
    assert_int_equal(shadow(XEN_SHADOW_OP_OFF, NULL, 0), 0);
    assert_true(pair_rounds < 40);
}

/* Where nothing is, nothing was written, to the last bit that was asked for. */
static void test_log_of_holes(void **state)
{
    static uint8_t many[32768 / 8];
    const size_t bytes = sizeof(many) - 3, bits = 5; /* and so many of the next one */

    (void)state;
    write_to(B, 17);
    assert_int_equal(shadow(XEN_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0), 0);
    write_to(B, 17);
    memset(many, 0xAA, sizeof(many));
    assert_int_equal(shadow(XEN_SHADOW_OP_PEEK, many, 8 * bytes + bits), 0);
    for (size_t i = 0; i < sizeof(many); i++)
        assert_int_equal(many[i], i == 2 ? 2 : i <= bytes ? 0 : 0xAA);
    assert_true(pair_rounds < 4);
    pair_unwritable = (uintptr_t)&many[bytes];
    assert_int_equal(shadow(XEN_SHADOW_OP_PEEK, many, 8 * bytes + bits), -EFAULT);
}

static void test_odd_logs(void **state)
{
    static const uint32_t all[] = { XEN_SHADOW_OP_OFF,
                                    XEN_SHADOW_OP_ENABLE_LOGDIRTY,
                                    XEN_SHADOW_OP_CLEAN,
                                    XEN_SHADOW_OP_PEEK,
                                    30,
                                    ~0u };

    (void)state;
    write_to(B, 17);
    assert_int_equal(shadow(XEN_SHADOW_OP_OFF, NULL, 0), 0); /* it is off */
    assert_int_equal(shadow(XEN_SHADOW_OP_CLEAN, bitmap, PAIR_RAM), -EINVAL);
    assert_int_equal(shadow(30, NULL, 0), -EOPNOTSUPP);
    pair[B].d.bare = false;
    assert_int_equal(shadow(XEN_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0), -EOPNOTSUPP);
    pair[B].d.bare = true;
    assert_int_equal(shadow(XEN_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0), 0);
    assert_int_equal(shadow(XEN_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0), -EINVAL);
    assert_int_equal(by(A, XEN_DOMCTL_SHADOW_OP, ID(A)), -EINVAL);
    assert_int_equal(shadow(XEN_SHADOW_OP_CLEAN, bitmap, UINT64_MAX), -EINVAL);
    assert_int_equal(shadow(XEN_SHADOW_OP_CLEAN, (void *)UINTPTR_MAX, PAIR_RAM), -EFAULT);
    assert_int_equal(shadow(XEN_SHADOW_OP_PEEK, bitmap, 0), 0);
    write_to(B, 17);
    pair_unwritable = (uintptr_t)bitmap;
    assert_int_equal(shadow(XEN_SHADOW_OP_CLEAN, bitmap, PAIR_RAM), -EFAULT);
    pair_unwritable = UINT64_MAX;
    assert_written(XEN_SHADOW_OP_CLEAN, 17, 1); /* nothing was lost by that */
    for (unsigned bit = 0; bit < 32; bit++) /* what it says of how far it has come is anything */
        for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
            domctl.u.shadow_op =
                (struct xen_domctl_shadow_op){ .op = all[i], .mb = 1u << bit, .pages = PAIR_RAM };
            assert_true(by(A, 1u << 31 | XEN_DOMCTL_SHADOW_OP, ID(B)) <= 0);
        }
}

static void test_subscribe(void **state)
{
    (void)state;
    domctl.u.subscribe.port = 7;
    assert_int_equal(by(A, XEN_DOMCTL_SUBSCRIBE, ID(B)), 0);
    assert_int_equal(pair[B].d.xen.suspend_port, 7);
}

/* ---- Where a new one begins ---- */

static struct {
    struct hvm_save_descriptor header_d;
    struct hvm_save_header header;
    struct hvm_save_descriptor cpu_d;
    struct hvm_hw_cpu cpu;
    struct hvm_save_descriptor end_d;
} context;
static struct {
    struct hvm_save_descriptor header_d;
    struct hvm_save_header header;
    struct hvm_save_descriptor mtrr_d;
    struct hvm_hw_mtrr mtrr;
    struct hvm_save_descriptor end_d;
} mtrr_context;
static uint8_t all[32768];

static int64_t context_call(unsigned i, uint32_t cmd, const void *at, uint32_t size)
{
    domctl.u.hvmcontext = (struct xen_domctl_hvmcontext){ .size = size, .buffer = (uintptr_t)at };
    return by(A, cmd, ID(i));
}

/* Whom it waits for. */
static struct vcpu *coming;
static unsigned gave_way;

void vcpu_give_way(struct vcpu *v)
{
    v->virt.deadline = 0;
    gave_way++;
    if (coming)
        coming->virt.loaded = false;
}

static int64_t get(unsigned i)
{
    memset(all, 0x55, sizeof(all));
    return context_call(i, XEN_DOMCTL_GETHVMCONTEXT, all, sizeof(all));
}

static int64_t set(unsigned i, const void *at, uint32_t size)
{
    return context_call(i, XEN_DOMCTL_SETHVMCONTEXT, at, size);
}

/* The record of that type of that vCPU, in all[]; NULL: there is none. */
static struct hvm_save_descriptor *record(uint16_t type, uint16_t vcpu)
{
    uint8_t *at = all;
    struct hvm_save_descriptor *d;

    while ((d = (void *)at)->typecode != HVM_SAVE_END) {
        if (d->typecode == type && d->instance == vcpu)
            return d;
        at += sizeof(*d) + d->length;
        assert_true(at < all + sizeof(all));
    }
    return NULL;
}

static void *body(uint16_t type, uint16_t vcpu)
{
    struct hvm_save_descriptor *d = record(type, vcpu);

    assert_non_null(d);
    return d + 1;
}

/* As libxenguest begins a pvh guest. */
static void build_context(void)
{
    assert_int_equal(context_call(B, XEN_DOMCTL_GETHVMCONTEXT, NULL, 0), 0);
    uint32_t size = domctl.u.hvmcontext.size;
    assert_true(size > 0 && size < sizeof(all));
    assert_int_equal(context_call(B, XEN_DOMCTL_GETHVMCONTEXT, all, size - 1), -ENOSPC);
    assert_int_equal(get(B), 0);
    assert_int_equal(domctl.u.hvmcontext.size, size);
    memset(&context, 0, sizeof(context));
    memcpy(&context, all, sizeof(context.header_d) + sizeof(context.header));
    assert_int_equal(context.header_d.typecode, HVM_SAVE_HEADER);
    context.cpu_d = (struct hvm_save_descriptor){ HVM_SAVE_CPU, 0, sizeof(context.cpu) };
    context.cpu = (struct hvm_hw_cpu){
        .cr0 = 0x11,
        .rip = 0x1000850,
        .rbx = 0x2000,
        .dr6 = 0xffff0ff0,
        .dr7 = 0x400,
        .cs_limit = ~0u,
        .ds_limit = ~0u,
        .es_limit = ~0u,
        .ss_limit = ~0u,
        .tr_limit = 0x67,
        .cs_arbytes = 0xc9b,
        .ds_arbytes = 0xc93,
        .es_arbytes = 0xc93,
        .ss_arbytes = 0xc93,
        .tr_arbytes = 0x8b,
    };
}

static void test_begin(void **state)
{
    const struct vcpu *v = &pair[B].v[0];

    (void)state;
    build_context();
    pair[B].v[0].down = true;
    assert_int_equal(set(B, &context, sizeof(context)), 0);
    assert_true(v->begins && v->whole && !v->down);
    assert_int_equal(v->start.rip, 0x1000850);
    assert_int_equal(v->start.gpr[GPR_RBX], 0x2000);
    assert_int_equal(v->start.segment[SEG_FS].ar, SEG_AR_UNUSABLE);
    assert_int_equal(v->start.segment[SEG_CS].ar, 0xc09b);
    assert_int_equal(v->xen.tsc_offset, -pair[B].d.xen.tsc_zero);
    assert_true(pair[B].v[1].waits_for_startup && !pair[B].v[1].begins);
    /* What went in comes out, and may go in again. */
    assert_int_equal(get(B), 0);
    context.cpu.flags = HVM_CPU_FPU;
    assert_memory_equal(all, &context, sizeof(context) - sizeof(context.end_d));
    assert_null(record(HVM_SAVE_CPU, 1));
    uint32_t size = domctl.u.hvmcontext.size;
    assert_int_equal(set(B, all, size), 0);
    assert_int_equal(set(B, all, size - 8), -ENODATA);
    assert_int_equal(set(B, all, 1u << 22), -E2BIG);
    assert_int_equal(set(B, (void *)UINTPTR_MAX, 100), -EFAULT);
    assert_int_equal(set(A, all, size), -EOPNOTSUPP);
    assert_int_equal(get(A), -EOPNOTSUPP);
    pair[B].d.started = true;
    assert_int_equal(set(B, all, size), -EBUSY);
    assert_int_equal(get(B), -EOPNOTSUPP); /* it runs */
}

static void test_mtrr(void **state)
{
    (void)state;
    build_context();
    pair[B].v[2].mtrr[3] = 5;
    assert_int_equal(get(B), 0);
    memcpy(&mtrr_context, all, sizeof(mtrr_context.header_d) + sizeof(mtrr_context.header));
    mtrr_context.mtrr_d =
        (struct hvm_save_descriptor){ HVM_SAVE_MTRR, 2, sizeof(mtrr_context.mtrr) };
    memcpy(&mtrr_context.mtrr, body(HVM_SAVE_MTRR, 0), sizeof(mtrr_context.mtrr));
    mtrr_context.mtrr.msr_mtrr_def_type = 0x806;
    mtrr_context.mtrr.msr_pat_cr = 0x0606060606060606;
    mtrr_context.end_d = (struct hvm_save_descriptor){ 0 };
    assert_int_equal(set(B, &mtrr_context, sizeof(mtrr_context)), 0);
    assert_int_equal(pair[B].v[2].mtrr[27], 0x806);
    assert_int_equal(pair[B].v[2].mtrr[3], 0);
    assert_int_equal(pair[B].v[2].rest.msr[STATE_PAT], 0x0606060606060606);
    mtrr_context.mtrr.msr_pat_cr = 2;
    assert_int_equal(set(B, &mtrr_context, sizeof(mtrr_context)), -EINVAL);
    mtrr_context.mtrr.msr_mtrr_var[0] = 1ul << 50;
    assert_int_equal(set(B, &mtrr_context, sizeof(mtrr_context)), -EINVAL);
    mtrr_context.mtrr.msr_mtrr_cap = 0;
    assert_int_equal(set(B, &mtrr_context, sizeof(mtrr_context)), -EOPNOTSUPP);
}

/* ---- One that was saved ---- */

#define LVT_TIMER_AT 0x32
#define INITIAL_AT   0x38
#define IRR_AT       0x20

/* vCPUs 0 and 2 run 64-bit code, the others do not run; all numbers differ. */
static void fill_in(unsigned n)
{
    struct vcpu *v = &pair[B].v[n];
    uint64_t *word = (uint64_t *)&v->start;

    for (unsigned i = 0; i < GPR_RDI + 1; i++)
        word[i] = n << 8 | i;
    v->start.rip = 0xffffffff81000000 + n;
    v->start.rflags = 0x246;
    v->start.cr0 = 0x80050033;
    v->start.cr3 = 0x5000 + n;
    v->start.cr4 = 0x6f0;
    v->start.efer = 0xd01;
    for (unsigned i = 0; i < SEG_COUNT; i++)
        v->start.segment[i] = (struct segment){ .limit = ~0u, .ar = 0xc093, .selector = 0x18 };
    v->start.segment[SEG_CS].ar = 0xa09b;
    v->start.segment[SEG_GS].base = 0xffff888000000000 + n;
    v->start.segment[SEG_LDTR] = (struct segment){ .ar = SEG_AR_UNUSABLE };
    v->start.segment[SEG_TR] = (struct segment){
        .base = 0xfffffe0000003000, .limit = 0x4087, .ar = 0x8b, .selector = 0x40
    };
    v->rest = (struct virt_rest){
        .gpr = { 8, 9, 10, 11, 12, 13, 14, 15 + n },
        .gdt = { .base = 0xfffffe0000001000, .limit = 0x7f },
        .hidden = { .idt = { .base = 0xfffffe0000000000, .limit = 0xfff },
                    .cr2 = 0x7f0000001000 + n,
                    .dr6 = 0xffff0ff0,
                    .dr7 = 0x401 },
        .dr = { 0xffffffff81000010, 1, 2, 3 },
        .msr = { 0x23001000000000, 0xffffffff81800000, 0xffffffff81801000, 0x47700, 0x7fffd000, n,
                 0x10, 0xfffffe0000002000, 0xffffffff81802000, 0x0407050600070106, 2 },
        .pending = { .valid = true, .type = EVENT_EXTINT, .vector = 0x31 },
    };
    v->deadline = 0x123456789 + n;
    v->tsc_adjust = 5 + n;
    v->xen.tsc_offset = 1000 + n;
    memset(fake_virt(&v->virt)->fpu, 0x11 + n, FAKE_FPU_BYTES);
    fake_virt(&v->virt)->fpu_xcr0 = 7;
}

static void suspend(void)
{
    pair[B].d.started = pair[B].d.suspended = true;
    pair[B].d.xen.tsc_zero = 500;
    pair[B].d.suspended_at = 1000500;
    for (unsigned n = 0; n < PAIR_VCPUS; n++) {
        pair[B].v[n].whole = true;
        pair[B].v[n].waits_for_startup = n & 1;
        fill_in(n);
    }
    struct vlapic *l = &pair[B].v[2].lapic;
    assert_int_equal(vlapic_msr_write(l, 0x80f, 0x1ff, 0), 0);
    assert_int_equal(vlapic_msr_write(l, 0x808, 0x20, 0), 0);
    assert_int_equal(vlapic_msr_write(l, 0x832, 0x200ec, 0), 0); /* periodic */
    assert_int_equal(vlapic_msr_write(l, 0x838, 400000, 450000), 0);
    vlapic_accept(l, 0x55, false);
}

/* ---- Registers, for one that goes on ---- */

static uint8_t regs_page[XEN_VCPU_GUEST_CONTEXT_BYTES] __attribute__((aligned(8)));

static int64_t registers(uint32_t cmd, unsigned vcpu, void *to)
{
    domctl.u.vcpucontext =
        (struct xen_domctl_vcpucontext){ .vcpu = vcpu, .context = (uintptr_t)to };
    return by(A, cmd, ID(B));
}

static void test_registers(void **state)
{
    struct xen_cpu_user_regs *r = (void *)(regs_page + XEN_VCPU_GUEST_CONTEXT_REGS);
    struct vcpu *v = &pair[B].v[1];

    (void)state;
    suspend();
    v->start = (struct virt_start){ .rip = 0x1234, .rflags = 2 };
    v->start.gpr[GPR_RSP] = 0x5678;
    v->start.gpr[GPR_RBX] = 3;
    v->rest.gpr[GPR_R15 - GPR_R8] = 15;
    v->start.segment[SEG_GS].selector = 0x30;
    memset(regs_page, 0xAA, sizeof(regs_page));
    assert_int_equal(registers(XEN_DOMCTL_GETVCPUCONTEXT, 1, regs_page), 0);
    assert_int_equal(r->rip, 0x1234);
    assert_int_equal(r->rsp, 0x5678);
    assert_int_equal(r->rbx, 3);
    assert_int_equal(r->r15, 15);
    assert_int_equal(r->gs, 0x30);
    for (unsigned i = 0; i < sizeof(regs_page); i++)
        if (i - XEN_VCPU_GUEST_CONTEXT_REGS >= sizeof(*r))
            assert_int_equal(regs_page[i], 0);
    r->rax = 1;
    r->r9 = 9;
    assert_int_equal(registers(XEN_DOMCTL_SETVCPUCONTEXT, 1, regs_page), 0);
    assert_int_equal(virt_gpr(&v->virt, GPR_RAX), 1); /* for the guest, */
    assert_int_equal(virt_gpr(&v->virt, GPR_R9), 9);
    assert_int_equal(v->start.gpr[GPR_RAX], 1); /* and for who saves it now */
    assert_int_equal(v->rest.gpr[1], 9);
    r->rip++;
    assert_int_equal(registers(XEN_DOMCTL_SETVCPUCONTEXT, 1, regs_page), -EOPNOTSUPP);
}

/* The operator asks for registers: a vCPU is on a pCPU for a moment, with the lock free. */
static void test_on_a_pcpu(void **state)
{
    (void)state;
    coming = &pair[B].v[1];
    build_context();
    for (unsigned i = 0; i < 4; i++) {
        gave_way = 0;
        coming->virt.loaded = true;
        if (i == 0)
            assert_int_equal(get(B), 0);
        else if (i == 1)
            assert_int_equal(set(B, &context, sizeof(context)), 0);
        else
            assert_int_equal(
                registers(i == 2 ? XEN_DOMCTL_GETVCPUCONTEXT : XEN_DOMCTL_SETVCPUCONTEXT, 1,
                          regs_page),
                0);
        assert_int_equal(gave_way, 1);
        if (i == 1)
            suspend();
    }
    coming = NULL;
}

static void test_odd_registers(void **state)
{
    (void)state;
    for (uint32_t cmd = XEN_DOMCTL_SETVCPUCONTEXT; cmd <= XEN_DOMCTL_GETVCPUCONTEXT; cmd++) {
        pair[B].d.suspended = false;
        assert_int_equal(registers(cmd, 0, regs_page), -EOPNOTSUPP);
        suspend();
        assert_int_equal(registers(cmd, PAIR_VCPUS, regs_page), -EINVAL);
        assert_int_equal(registers(cmd, UINT32_MAX, regs_page), -EINVAL);
        assert_int_equal(by(A, cmd, ID(A)), -EINVAL);
        assert_int_equal(registers(cmd, 0, (void *)UINTPTR_MAX), -EFAULT);
    }
    for (unsigned at = 0; at < sizeof(regs_page); at += 100) {
        pair_unwritable = (uintptr_t)regs_page + at;
        assert_int_equal(registers(XEN_DOMCTL_GETVCPUCONTEXT, 0, regs_page), -EFAULT);
    }
}

static void compare_segment(const struct segment *a, const struct segment *b)
{
    assert_int_equal(a->base, b->base);
    assert_int_equal(a->limit, b->limit);
    assert_int_equal(a->ar, b->ar);
    assert_int_equal(a->selector, b->selector);
}

static void compare(unsigned n)
{
    const struct vcpu *from = &pair[B].v[n], *to = &pair[C].v[n];
    const struct virt_rest *a = &from->rest, *b = &to->rest;

    assert_true(to->begins && to->whole && !to->down);
    assert_memory_equal(&from->start, &to->start, offsetof(struct virt_start, segment));
    for (unsigned i = 0; i < SEG_COUNT; i++)
        compare_segment(&from->start.segment[i], &to->start.segment[i]);
    assert_memory_equal(a->gpr, b->gpr, sizeof(a->gpr));
    compare_segment(&a->gdt, &b->gdt);
    compare_segment(&a->hidden.idt, &b->hidden.idt);
    assert_int_equal(a->hidden.cr2, b->hidden.cr2);
    assert_int_equal(a->hidden.dr6, b->hidden.dr6);
    assert_int_equal(a->hidden.dr7, b->hidden.dr7);
    assert_memory_equal(a->dr, b->dr, sizeof(a->dr));
    assert_memory_equal(a->msr, b->msr, sizeof(a->msr));
    assert_int_equal(a->spec_ctrl, b->spec_ctrl);
    assert_true(b->pending.valid && b->pending.vector == 0x31 && b->pending.type == EVENT_EXTINT);
    assert_int_equal(from->deadline, to->deadline);
    assert_int_equal(from->tsc_adjust, to->tsc_adjust);
    assert_memory_equal(fake_virt(&from->virt)->fpu, fake_virt(&to->virt)->fpu, FAKE_FPU_BYTES);
    assert_int_equal(fake_virt(&to->virt)->fpu_xcr0, 7);
}

static void test_save(void **state)
{
    struct vlapic_state regs;

    (void)state;
    suspend();
    fake_tsc = 7000000000;
    assert_int_equal(by(A, XEN_DOMCTL_GETTSCINFO, ID(B)), 0);
    assert_int_equal(domctl.u.tsc_info.elapsed_nsec, 500000);
    assert_int_equal(by(A, XEN_DOMCTL_SETTSCINFO, ID(C)), 0);
    uint64_t set_at = pair[C].d.xen.tsc_set;
    assert_int_equal(pair[C].d.xen.tsc_zero, set_at - 1000000);
    assert_int_equal(get(B), 0);
    assert_true(pair_rounds > 1); /* in pieces */
    uint32_t size = domctl.u.hvmcontext.size;
    assert_int_equal(context_call(B, XEN_DOMCTL_GETHVMCONTEXT, NULL, 0), 0);
    assert_int_equal(domctl.u.hvmcontext.size, size);
    assert_null(record(HVM_SAVE_CPU, 1));
    assert_int_equal(set(C, all, size), 0);
    assert_int_equal(domctl.cmd, XEN_DOMCTL_SETHVMCONTEXT);
    assert_true(pair_rounds > 1);
    compare(0);
    compare(2);
    assert_true(pair[C].v[1].waits_for_startup && !pair[C].v[1].begins);
    /* The TSC goes on from where the clock does. */
    assert_int_equal(pair[C].v[2].xen.tsc_offset + set_at, 1000500 + 1002);
    vlapic_get(&pair[C].v[2].lapic, &regs, 500000);
    assert_int_equal(regs.base, pair[B].v[2].lapic.base);
    assert_int_equal(regs.reg[LVT_TIMER_AT], 0x200ec);
    assert_int_equal(regs.reg[INITIAL_AT], 400000);
    assert_int_equal(regs.reg[8], 0x20);
    assert_int_equal(regs.reg[IRR_AT + 2], 1u << 0x15);
    assert_true(pair[C].v[2].lapic.changed && pair[C].v[2].lapic.moved);
}

/* A timer of its that was taken before the clock was set comes by that clock. */
static void test_clock_set_late(void **state)
{
    struct moment *due = &pair[C].v[2].lapic_due, *never = &pair[C].v[1].lapic_due;

    (void)state;
    moment_init(never);
    moment_set(due, pair[C].d.xen.tsc_zero, 900000);
    domctl.u.tsc_info = (struct xen_domctl_tsc_info){ .elapsed_nsec = 500000 };
    fake_tsc = 7000000000;
    assert_int_equal(by(A, XEN_DOMCTL_SETTSCINFO, ID(C)), 0);
    assert_int_equal(due->ns, 900000);
    assert_int_equal(due->tsc, pair[C].d.xen.tsc_zero + 1800000);
    assert_int_equal(never->tsc, TIME_NEVER);
}

static void write_down(void)
{
    static unsigned looks;

    if (++looks % 5)
        pair_meanwhile = write_down;
    else
        for (unsigned n = 0; n < PAIR_VCPUS; n++)
            pair[B].v[n].whole = true;
}

/* Its vCPUs take a moment. */
static void test_not_yet(void **state)
{
    (void)state;
    suspend();
    pair[B].v[3].whole = false;
    pair_meanwhile = write_down;
    assert_int_equal(get(B), 0);
    assert_true(pair_rounds > 1);
    assert_non_null(record(HVM_SAVE_CPU, 2));
    pair[B].d.end = END_CRASH;
    assert_int_equal(get(B), -EOPNOTSUPP);
}

/* One that has halted for good does not come back. */
static void test_halted_for_good(void **state)
{
    (void)state;
    suspend();
    pair[B].v[2].halted = pair[B].v[2].deaf = true;
    assert_int_equal(get(B), 0);
    assert_null(record(HVM_SAVE_CPU, 2));
    assert_non_null(record(HVM_SAVE_CPU, 0));
}

/* Xen's own streams have records of devices. */
static void test_others_records(void **state)
{
    static struct {
        struct hvm_save_descriptor header_d;
        struct hvm_save_header header;
        struct hvm_save_descriptor pic_d;
        uint8_t pic[8];
        struct hvm_save_descriptor end_d;
    } other;

    (void)state;
    build_context();
    memcpy(&other, all, sizeof(other.header_d) + sizeof(other.header));
    other.pic_d = (struct hvm_save_descriptor){ 3, 1, sizeof(other.pic) };
    assert_int_equal(set(B, &other, sizeof(other)), 0);
    other.pic_d.length = 100;
    assert_int_equal(set(B, &other, sizeof(other)), -ENODATA);
    other.pic_d.length = UINT32_MAX;
    assert_int_equal(set(B, &other, sizeof(other)), -ENODATA);
    other.pic_d = (struct hvm_save_descriptor){ HVM_SAVE_LAST + 1, 1, sizeof(other.pic) };
    assert_int_equal(set(B, &other, sizeof(other)), -EINVAL);
    other.pic_d = (struct hvm_save_descriptor){ HVM_SAVE_CPU, PAIR_VCPUS, sizeof(other.pic) };
    assert_int_equal(set(B, &other, sizeof(other)), -EINVAL);
    other.pic_d = (struct hvm_save_descriptor){ HVM_SAVE_HEADER, 0, sizeof(other.pic) };
    assert_int_equal(set(B, &other, sizeof(other)), 0); /* a second one says nothing */
}

static void test_odd_fields(void **state)
{
    struct hvm_hw_cpu *c;
    struct hvm_hw_lapic *l;

    (void)state;
    suspend();
    assert_int_equal(get(B), 0);
    uint32_t size = domctl.u.hvmcontext.size;
    c = body(HVM_SAVE_CPU, 0);
    c->pending_event = 1u << 31 | 3 << 8 | 14; /* #PF without its error code */
    assert_int_equal(set(C, all, size), -EINVAL);
    c->pending_event |= 1 << 11;
    c->error_code = 2;
    assert_int_equal(set(C, all, size), 0);
    assert_int_equal(pair[C].v[0].rest.pending.error, 2);
    c->error_code = 0x8002;
    assert_int_equal(set(C, all, size), -EINVAL);
    c->error_code = 2;
    c->pending_event = 1u << 31 | 4 << 8 | 0x80; /* INT n: it is executed again */
    assert_int_equal(set(C, all, size), -EINVAL);
    c->pending_event = 0;
    c->msr_lstar = 1ul << 60;
    assert_int_equal(set(C, all, size), -EINVAL);
    c->msr_lstar = 0;
    c->fpu_regs[0] = FAKE_FPU_BAD;
    assert_int_equal(set(C, all, size), -EINVAL);
    c->fpu_regs[0] = 0;
    l = body(HVM_SAVE_LAPIC, 0);
    l->apic_base_msr = 0xfee00400; /* x2APIC, and off */
    assert_int_equal(set(C, all, size), -EINVAL);
    l->apic_base_msr = 0xfee00900; /* xAPIC mode there may be */
    assert_int_equal(set(C, all, size), 0);
    struct hvm_hw_cpu_xsave *x = body(HVM_SAVE_XSAVE, 2);
    x->xcr0 = 2;
    assert_int_equal(set(C, all, size), -EINVAL);
    x->xcr0 = 7;
    record(HVM_SAVE_XSAVE, 2)->length--;
    assert_int_equal(set(C, all, size), -EINVAL);
}

static void test_msrs(void **state)
{
    static struct {
        struct hvm_save_descriptor header_d;
        struct hvm_save_header header;
        struct hvm_save_descriptor msr_d;
        struct hvm_msr msr;
        struct hvm_one_msr one[2];
        struct hvm_save_descriptor end_d;
    } m;

    (void)state;
    build_context();
    memcpy(&m, all, sizeof(m.header_d) + sizeof(m.header));
    m.msr_d = (struct hvm_save_descriptor){ HVM_SAVE_MSR, 0, sizeof(m.msr) + sizeof(m.one) };
    m.msr.count = 2;
    m.one[0] = (struct hvm_one_msr){ .index = MSR_IA32_DEBUGCTL, .val = 2 };
    m.one[1] = (struct hvm_one_msr){ .index = 0xda0 };
    assert_int_equal(set(B, &m, sizeof(m)), 0);
    assert_int_equal(pair[B].v[0].rest.msr[STATE_DEBUGCTL], 2);
    m.one[1].val = 1; /* nobody's here */
    assert_int_equal(set(B, &m, sizeof(m)), -EOPNOTSUPP);
    m.one[1] = (struct hvm_one_msr){ .index = MSR_IA32_SPEC_CTRL, .val = 1ul << 40 };
    assert_int_equal(set(B, &m, sizeof(m)), -EINVAL);
    m.one[1] = (struct hvm_one_msr){ .index = MSR_IA32_DEBUGCTL, .val = 1 };
    assert_int_equal(set(B, &m, sizeof(m)), -EINVAL);
    m.one[1] = (struct hvm_one_msr){ .reserved = 1 };
    assert_int_equal(set(B, &m, sizeof(m)), -EINVAL);
    m.msr.count = 3;
    assert_int_equal(set(B, &m, sizeof(m)), -EINVAL);
    m.msr.count = UINT32_MAX;
    assert_int_equal(set(B, &m, sizeof(m)), -EINVAL);
}

/* Any word of it may be wrong, and it may end anywhere: an answer, and nothing that a CPU would not
 * take. */
static void test_fuzzed(void **state)
{
    static const uint64_t edges[] = { 0, 1, 0x80000000, UINT32_MAX, 1ul << 32, UINT64_MAX };
    uint64_t *words = (uint64_t *)all;
    unsigned taken = 0;

    (void)state;
    suspend();
    assert_int_equal(get(B), 0);
    uint32_t size = domctl.u.hvmcontext.size;
    for (unsigned i = 0; i < size / 8; i++)
        for (unsigned n = 0; n < 6 + 64; n += 1 + i % 5) {
            uint64_t was = words[i];
            words[i] = n < 6 ? edges[n] : was ^ 1ul << (n - 6);
            bool good = !set(C, all, size);
            const struct virt_start *s = &pair[C].v[0].start;
            words[i] = was;
            if (!good || !pair[C].v[0].begins)
                continue;
            taken++;
            assert_true(s->cr0 >> 32 == 0 && (s->cr4 & ~0x6fful) == 0);
            assert_true(s->segment[SEG_TR].ar & SEG_AR_P);
            assert_false(s->efer & ~0xd01ul);
        }
    assert_true(taken > 1000);
    for (uint32_t n = 0; n < size; n += 3)
        assert_true(set(C, all, n) < 0);
    assert_int_equal(set(C, all, size), 0);
}

/* How far a call has come is a word of the caller's, too. */
static void test_bad_progress(void **state)
{
    (void)state;
    suspend();
    assert_int_equal(get(B), 0);
    uint32_t size = domctl.u.hvmcontext.size;
    for (unsigned bit = 0; bit < 32; bit++)
        for (unsigned n = 0; n < 2; n++) {
            domctl.u.hvmcontext = (struct xen_domctl_hvmcontext){
                .size = size, .buffer = (uintptr_t)all, .pad = n ? 1u << bit : ~0u >> bit
            };
            int64_t got = by(A, 1u << 31 | XEN_DOMCTL_GETHVMCONTEXT, ID(B));
            assert_true(got == 0 || got == -ENOSPC);
            domctl.u.hvmcontext.pad = n ? 1u << bit : ~0u >> bit;
            domctl.u.hvmcontext.size = size;
            assert_true(by(A, 1u << 31 | XEN_DOMCTL_SETHVMCONTEXT, ID(C)) <= 0);
        }
    assert_int_equal(by(A, 1u << 31 | XEN_DOMCTL_PAUSEDOMAIN, ID(B)), -ENOSYS);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, pair_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pages),          TEST(test_odd_pages),    TEST(test_log),
        TEST(test_log_of_mapped),  TEST(test_log_flushes),  TEST(test_odd_logs),
        TEST(test_log_of_far),     TEST(test_log_of_holes), TEST(test_registers),
        TEST(test_odd_registers),  TEST(test_on_a_pcpu),    TEST(test_subscribe),
        TEST(test_begin),          TEST(test_mtrr),         TEST(test_save),
        TEST(test_clock_set_late), TEST(test_not_yet),      TEST(test_halted_for_good),
        TEST(test_others_records), TEST(test_odd_fields),   TEST(test_msrs),
        TEST(test_fuzzed),         TEST(test_bad_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
