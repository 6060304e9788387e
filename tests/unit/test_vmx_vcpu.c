/* links: vmx/vcpu.c vmx/vmcs.c virt/guard.c lib/fmt.c lib/string.c tests/fakes/heap.c tests/fakes/spec.c tests/fakes/panic.c */
/*
 * vmx/vcpu.c: what is forgotten where a vCPU is loaded after another one, or on another pCPU.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "mm/heap.h"
#include "tests/unit/barrier.h"
#include "virt/cr.h"
#include "virt/fpu.h"
#include "virt/registers.h"
#include "virt/slat.h"
#include "virt/virt.h"
#include "vmx/apic.h"
#include "vmx/caps.h"
#include "vmx/cr.h"
#include "vmx/flush.h"
#include "vmx/host.h"
#include "vmx/msr.h"

struct caps caps;

static struct virt_vcpu v;
static struct slat slat;
static void *ports;
static unsigned hosts, vcpu_flushes, slat_flushes;

void host_state_write(void)
{
    hosts++;
}

void virt_flush_vcpu(struct virt_vcpu *of)
{
    assert_ptr_equal(of, &v);
    vcpu_flushes++;
}

void virt_flush_slat(const struct slat *of)
{
    assert_ptr_equal(of, &slat);
    slat_flushes++;
}

/* ---- What is of no interest here ---- */

int flush_vpid_alloc(uint16_t *vpid)
{
    *vpid = 1;
    return 0;
}

void flush_vpid_free(uint16_t vpid)
{
    (void)vpid;
}

void apic_write(const struct virt_vcpu_config *config)
{
    (void)config;
}

void cr_reset(struct virt_vcpu *of)
{
    (void)of;
}

void msr_bitmap_fill(void *bitmap)
{
    (void)bitmap;
}

int fpu_create(struct virt_vcpu *of)
{
    (void)of;
    return 0;
}

void fpu_destroy(struct virt_vcpu *of)
{
    (void)of;
}

void fpu_load(struct virt_vcpu *of)
{
    (void)of;
}

void fpu_save(struct virt_vcpu *of)
{
    (void)of;
}

void registers_arrive(const struct virt_vcpu *of)
{
    (void)of;
}

void registers_load(const struct virt_vcpu *of)
{
    (void)of;
}

void registers_save(struct virt_vcpu *of)
{
    (void)of;
}

void registers_reset(struct virt_vcpu *of)
{
    (void)of;
}

void registers_reset_segments(struct virt_vcpu *of)
{
    (void)of;
}

/* ---- Tests ---- */

static int setup(void **state)
{
    (void)state;
    ports = heap_pages(1, 7);
    const struct virt_vcpu_config config = { .slat = &slat, .io_bitmap = ports, .owner_id = 7 };
    return virt_vcpu_create(&v, &config);
}

static int teardown(void **state)
{
    (void)state;
    virt_vcpu_destroy(&v);
    heap_free_pages(ports, 1, 7);
    return 0;
}

static void test_barrier(void **state)
{
    (void)state;
    check_barrier(&v);
}

/* Loads it, and says whether all was done that a vCPU from elsewhere needs; part of it is wrong. */
static bool arrives(void)
{
    hosts = vcpu_flushes = slat_flushes = 0;
    virt_load(&v);
    virt_unload(&v);
    assert_int_equal(vcpu_flushes, hosts);
    assert_int_equal(slat_flushes, hosts);
    return hosts;
}

static void test_arrival(void **state)
{
    (void)state;
    assert_true(arrives());
    assert_false(arrives());
    fake_cpu_id = 1;
    assert_true(arrives());
    assert_false(arrives());
    fake_cpu_id = 0;
    assert_true(arrives());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_barrier, setup, teardown),
        cmocka_unit_test_setup_teardown(test_arrival, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
