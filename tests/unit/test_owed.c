/* links: domain/owed.c tests/fakes/panic.c */
/*
 * The control domain is told, by its own run loop: once for however often, and nobody else is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "domain/domain.h"
#include "domain/domain_console.h"
#include "xen/evtchn.h"

static struct domain d;
static struct vcpu vcpu;
static bool there;
static unsigned kicks, console_kicks, settled, raised[XEN_VIRQ_COUNT];

struct xen_domain *xen_domain_get(uint16_t id)
{
    assert_int_equal(id, XEN_DOMID_CONTROL);
    d.xen.holders += there;
    return there ? &d.xen : NULL;
}

void xen_domain_put(struct xen_domain *x)
{
    x->holders--;
}

void sched_kick(struct sched_unit *u)
{
    assert_ptr_equal(u, &vcpu.unit);
    kicks++;
}

void domain_console_kick(struct domain *of)
{
    assert_ptr_equal(of, &d);
    console_kicks++;
}

void vpci_settle(struct vpci *p)
{
    assert_ptr_equal(p, &d.machine.pci);
    settled++;
}

void evtchn_raise_virq(struct xen_vcpu *v, unsigned virq)
{
    assert_ptr_equal(v, &vcpu.xen);
    raised[virq]++;
}

static void test_told(void **state)
{
    (void)state;
    d.vcpus[0] = &vcpu;
    d.xen.vcpu[0] = &vcpu.xen;
    domain_tell_control(XEN_VIRQ_DOM_EXC); /* there is none */
    assert_int_equal(d.owed, 0);
    there = true;
    domain_tell_control(XEN_VIRQ_DOM_EXC);
    domain_tell_control(XEN_VIRQ_DOM_EXC);
    domain_tell_control(XEN_VIRQ_CON_RING);
    assert_int_equal(kicks, 3);
    assert_int_equal(d.xen.holders, 0);
    domain_settle(&d);
    domain_settle(&d);
    assert_int_equal(raised[XEN_VIRQ_DOM_EXC], 1);
    assert_int_equal(raised[XEN_VIRQ_CON_RING], 1);
    assert_int_equal(raised[XEN_VIRQ_TIMER], 0);
    assert_int_equal(console_kicks, 0);
    d.owed = DOMAIN_OWED_CONSOLE;
    domain_settle(&d);
    assert_int_equal(console_kicks, 1);
    assert_int_equal(settled, 0);
    d.owed = DOMAIN_OWED_PCI;
    domain_settle(&d);
    domain_settle(&d);
    assert_int_equal(console_kicks, 1);
    assert_int_equal(settled, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
