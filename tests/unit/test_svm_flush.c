/* links: svm/flush.c tests/fakes/panic.c */
/*
 * svm/flush.c with a model of the TLB that keeps what it has until it is told to forget: emulators
 * flush at each VMRUN and hide a flush that is missing.
 *
 * The model keeps, for each pCPU and ASID, whose translations it has and how old they are. Whoever
 * enters with an ASID under which something of another vCPU, or of former tables, is cached has
 * used a stale translation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "svm/caps.h"
#include "svm/flush.h"
#include "svm/vcpu.h"
#include "virt/cr.h"
#include "virt/slat.h"
#include "virt/virt.h"

#define PCPUS   3
#define VCPUS   24
#define DOMAINS 6
#define ASIDS   16
#define STEPS   200000

struct svm_caps svm_caps;

static struct cached {
    bool there;
    unsigned vcpu, tables, memory; /* whose, by which guest tables, by which nested tables */
} tlb[PCPUS][ASIDS];

static struct {
    struct virt_vcpu v;
    unsigned pcpu, tables;
} vcpus[VCPUS];
static struct vmcb vmcbs[VCPUS];
static unsigned memory[DOMAINS]; /* version of each domain's nested tables */
static unsigned flushes_of_all;

static unsigned domain_of(unsigned vcpu)
{
    return vcpu % DOMAINS;
}

/* What VMRUN does with the TLB, and what the guest then caches. False: it used something stale. */
static bool vmrun(unsigned n)
{
    struct vmcb *vmcb = svm_of(&vcpus[n].v)->vmcb;
    struct cached *mine = tlb[fake_cpu_id];

    assert_in_range(vmcb->asid, 1, ASIDS - 1);
    if (vmcb->tlb_control == TLB_FLUSH_ALL) {
        memset(mine, 0, sizeof(tlb[0]));
        flushes_of_all++;
    }
    if (vmcb->tlb_control == TLB_FLUSH_ASID && svm_has(FEATURE_FLUSH_ASID))
        mine[vmcb->asid].there = false;
    vmcb->tlb_control = TLB_FLUSH_NOTHING; /* run_once() */
    struct cached *c = &mine[vmcb->asid];
    bool fresh = !c->there || (c->vcpu == n && c->tables == vcpus[n].tables &&
                               c->memory == memory[domain_of(n)]);
    *c = (struct cached){ true, n, vcpus[n].tables, memory[domain_of(n)] };
    return fresh;
}

static bool enter(unsigned n)
{
    fake_cpu_id = vcpus[n].pcpu;
    flush_prepare(svm_of(&vcpus[n].v));
    return vmrun(n);
}

/* As svm/vcpu.c's arrive(). */
static void move(unsigned n, unsigned pcpu)
{
    vcpus[n].pcpu = pcpu;
    svm_of(&vcpus[n].v)->asid_generation = FLUSH_NO_ASID;
}

/* The guest's own tables have changed in a way that only Caisson has seen (CR0, CR4, EFER). */
static void change_tables(unsigned n)
{
    fake_cpu_id = vcpus[n].pcpu;
    vcpus[n].tables++;
    virt_flush_vcpu(&vcpus[n].v);
}

/* The domain's p2m has changed: each pCPU forgets, as p2m_enter() has it. */
static void change_memory(unsigned domain)
{
    static const struct slat slat;

    memory[domain]++;
    for (fake_cpu_id = 0; fake_cpu_id < PCPUS; fake_cpu_id++)
        virt_flush_slat(&slat);
}

static void start(uint32_t features)
{
    svm_caps = (struct svm_caps){ .asids = ASIDS, .features = features };
    memset(flush_asids, 0, sizeof(flush_asids));
    memset(tlb, 0, sizeof(tlb));
    memset(vcpus, 0, sizeof(vcpus));
    memset(vmcbs, 0, sizeof(vmcbs));
    flushes_of_all = 0;
    for (unsigned n = 0; n < VCPUS; n++) {
        svm_of(&vcpus[n].v)->vmcb = &vmcbs[n];
        move(n, n % PCPUS);
    }
}

static void at_random(uint32_t features)
{
    start(features);
    srand(1);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned n = (unsigned)rand() % VCPUS, what = (unsigned)rand() % 16;
        if (what == 0)
            move(n, (unsigned)rand() % PCPUS);
        else if (what == 1)
            change_tables(n);
        else if (what == 2)
            change_memory((unsigned)rand() % DOMAINS);
        assert_true(enter(n));
    }
    assert_true(flushes_of_all > 0);
}

static void test_by_new_asids(void **state)
{
    (void)state;
    at_random(0);
}

static void test_by_asid(void **state)
{
    (void)state;
    at_random(FEATURE_FLUSH_ASID);
}

/* The model does find a flush that is missing. */
static void test_model_sees(void **state)
{
    (void)state;
    start(0);
    assert_true(enter(0));
    vcpus[0].tables++;
    assert_false(enter(0));
}

/* Nothing is forgotten without need: one vCPU alone keeps its ASID. */
static void test_keeps(void **state)
{
    (void)state;
    start(0);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(enter(0));
    assert_int_equal(flushes_of_all, 1);
    assert_int_equal(vmcbs[0].asid, 1);
}

/* An entry that was refused has flushed nothing: the next one does. */
static void test_refused_entry(void **state)
{
    (void)state;
    start(0);
    for (unsigned n = 0; n < 5 * PCPUS; n += PCPUS) {
        assert_true(enter(n));
    }
    flush_asids[0].next = ASIDS;
    fake_cpu_id = 0;
    flush_prepare(svm_of(&vcpus[15].v)); /* is to flush all, and is refused */
    assert_int_equal(vmcbs[15].tlb_control, TLB_FLUSH_ALL);
    flush_failed();
    for (unsigned n = 0; n < 5 * PCPUS; n += PCPUS) {
        assert_true(enter(n));
    }
    assert_int_equal(flushes_of_all, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_new_asids),  cmocka_unit_test(test_by_asid),
        cmocka_unit_test(test_model_sees),    cmocka_unit_test(test_keeps),
        cmocka_unit_test(test_refused_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
