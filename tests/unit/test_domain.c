/* links: domain/domain.c create/list.c xen/xen_domain.c lib/fmt.c lib/string.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * How a domain ends: once, with its reason; and whether it comes back. How it is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "domain/domain.h"
#include "create/list.h"
#include "tests/fakes/log.h"

static unsigned kicks;

void sched_kick(struct sched_unit *u)
{
    (void)u;
    kicks++;
}

void vpm_power_button(struct vpm *pm)
{
    (void)pm;
}

uint64_t tsc_to_ns(uint64_t ticks)
{
    return ticks;
}

static unsigned told; /* of its ends, the control domain */

void domain_tell_control(unsigned virq)
{
    assert_int_equal(virq, XEN_VIRQ_DOM_EXC);
    told++;
}

static struct domain d;
static struct vcpu vcpus[2];
static unsigned ends_heard;

static void hear_end(struct domain *domain)
{
    assert_ptr_equal(domain, &d);
    ends_heard++;
}

static void set_up(void)
{
    memset(&d, 0, sizeof(d));
    strcpy(d.name, "alpha");
    d.state = DOMAIN_RUNNING;
    d.xen.vcpu_count = 2;
    d.vcpus[0] = &vcpus[0];
    d.vcpus[1] = &vcpus[1];
    kicks = ends_heard = told = 0;
}

static void first_end_counts(void **state)
{
    (void)state;
    set_up();
    domain_end(&d, END_TRIPLE_FAULT, "vCPU %u", 1);
    domain_end(&d, END_POWEROFF, "late");
    assert_int_equal(d.end, END_TRIPLE_FAULT);
    assert_string_equal(d.end_why, "vCPU 1");
    assert_int_equal(told, 1);
    assert_string_equal(domain_state_name(&d), "ending");
    assert_int_equal(kicks, 2);
}

/* An end does not wait for the lock under which a domain is paused: whichever of the two writes
 * last, it has ended. */
static void pause_meets_the_end(void **state)
{
    (void)state;
    for (unsigned paused = 0; paused < 2; paused++) {
        set_up();
        domain_end(&d, END_KILLED, "why not");
        d.state = paused ? DOMAIN_PAUSED : DOMAIN_RUNNING; /* set_state() was between its lines */
        assert_string_equal(domain_state_name(&d), "ending");
        assert_false(domain_set_paused(&d, !paused));
        domain_unpause(&d);
        domain_pause(&d);
        assert_string_equal(domain_state_name(&d), "ending");
        assert_int_equal(kicks, 2);
    }
}

/* Kicked at the first and at the last. */
static void pauses_count(void **state)
{
    (void)state;
    set_up();
    assert_int_equal(domain_count_unpause(&d), -EINVAL);
    for (unsigned i = 0; i < 255; i++)
        assert_int_equal(domain_count_pause(&d), 0);
    assert_int_equal(domain_count_pause(&d), -EOVERFLOW);
    for (unsigned i = 0; i < 255; i++) {
        assert_int_equal(d.state, DOMAIN_PAUSED);
        assert_int_equal(kicks, 2);
        assert_int_equal(domain_count_unpause(&d), 0);
    }
    assert_int_equal(d.state, DOMAIN_RUNNING);
    assert_int_equal(kicks, 4);
}

/* His pause is one, and when he lets it run it runs. */
static void operator_does_not_count(void **state)
{
    (void)state;
    set_up();
    domain_pause(&d);
    domain_pause(&d);
    assert_int_equal(domain_count_unpause(&d), 0);
    assert_int_equal(d.state, DOMAIN_RUNNING);
    assert_int_equal(domain_count_pause(&d), 0);
    assert_int_equal(domain_count_pause(&d), 0);
    domain_unpause(&d);
    assert_int_equal(d.state, DOMAIN_RUNNING);
    assert_int_equal(domain_count_pause(&d), 0);
    assert_int_equal(domain_count_unpause(&d), 0);
    assert_int_equal(d.state, DOMAIN_RUNNING);
}

/* One that has ended is past that. */
static void pauses_after_the_end(void **state)
{
    (void)state;
    set_up();
    d.state = DOMAIN_PAUSED;
    domain_end(&d, END_DESTROYED, "by the operator");
    assert_int_equal(domain_count_pause(&d), 0);
    assert_int_equal(domain_count_unpause(&d), 0);
    assert_int_equal(d.state, DOMAIN_PAUSED);
}

static void reboot_comes_back(void **state)
{
    (void)state;
    set_up();
    domain_end(&d, END_REBOOT, "reset line");
    assert_true(domain_comes_back(&d));
}

static void crash_comes_back_where_it_is_to(void **state)
{
    (void)state;
    for (unsigned end = END_POWEROFF; end <= END_KILLED; end++) {
        set_up();
        d.restarts = 1u << END_TRIPLE_FAULT;
        fake_log_reset();
        domain_end(&d, end, "vCPU 0");
        assert_int_equal(domain_comes_back(&d), end == END_REBOOT || end == END_TRIPLE_FAULT);
        assert_int_equal(fake_log_has("vCPU 0; starts anew"), end == END_TRIPLE_FAULT);
    }
}

static void destroyed_stays_away(void **state)
{
    (void)state;
    set_up();
    domain_end(&d, END_REBOOT, "reset line");
    domain_end(&d, END_DESTROYED, "by the operator");
    assert_false(domain_comes_back(&d));
    set_up();
    domain_end(&d, END_DESTROYED, "by the operator");
    domain_end(&d, END_REBOOT, "reset line");
    assert_false(domain_comes_back(&d));
}

/* One that waits to come back hears that nobody wants it to. */
static void destroyed_is_told(void **state)
{
    static const struct domain_hooks hooks = { .ended = hear_end };

    (void)state;
    set_up();
    domain_set_hooks(&hooks);
    domain_end(&d, END_REBOOT, "reset line");
    d.vcpus_out = 1;
    domain_end(&d, END_DESTROYED, "by the operator");
    assert_int_equal(ends_heard, 0); /* the last vCPU will tell */
    d.vcpus_out = 2;
    domain_end(&d, END_DESTROYED, "by the operator");
    assert_int_equal(ends_heard, 1);
}

static void paused_while_building(void **state)
{
    (void)state;
    set_up();
    d.state = DOMAIN_BUILDING;
    domain_pause(&d);
    assert_int_equal(kicks, 0); /* its vCPUs are not to run yet */
    assert_true(d.start_paused);
    domain_unpause(&d);
    assert_false(d.start_paused);
    assert_int_equal(d.state, DOMAIN_BUILDING);
}

/* The next one from an id on, in the order of ids and not of places; of those that can be found. */
static void found_in_order(void **state)
{
    struct domain d[3] = { { .xen.id = 5 + MAX_DOMAINS }, { .xen.id = 6 }, { .xen.id = 7 } };

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        domain_list(&d[i]);
    assert_null(xen_domain_get_from(0));
    xen_domain_set_findable(&d[0].xen, true);
    xen_domain_set_findable(&d[2].xen, true);
    assert_int_equal(xen_domain_count(), 2);
    assert_ptr_equal(xen_domain_get_from(0), &d[2].xen);
    assert_ptr_equal(xen_domain_get_from(7), &d[2].xen);
    assert_ptr_equal(xen_domain_get_from(8), &d[0].xen);
    assert_null(xen_domain_get_from(6 + MAX_DOMAINS));
    assert_int_equal(d[2].xen.holders, 2);
    for (unsigned i = 0; i < 3; i++)
        domain_unlist(&d[i]);
}

static void found_by_id(void **state)
{
    struct domain a = { .xen.id = 5 }, b = { .xen.id = 6 };

    (void)state;
    domain_list(&a);
    domain_list(&b);
    assert_ptr_equal(domain_by_id(5), &a);
    assert_null(xen_domain_get(6)); /* by others only once it is built */
    xen_domain_set_findable(&b.xen, true);
    assert_ptr_equal(xen_domain_get(6), &b.xen);
    assert_true(xen_domain_is_held(&b.xen));
    xen_domain_set_findable(&b.xen, false);
    assert_null(xen_domain_get(6)); /* nor while it goes */
    xen_domain_put(&b.xen);
    assert_false(xen_domain_is_held(&b.xen));
    assert_null(domain_by_id(7));
    assert_null(domain_by_id(5 + MAX_DOMAINS));
    assert_false(xen_domain_id_fits(5 + MAX_DOMAINS));
    assert_true(xen_domain_id_fits(7));
    domain_unlist(&a);
    assert_null(domain_by_id(5));
    assert_true(xen_domain_id_fits(5 + MAX_DOMAINS));
    domain_unlist(&b);
    assert_null(domain_next(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_end_counts),
        cmocka_unit_test(pause_meets_the_end),
        cmocka_unit_test(reboot_comes_back),
        cmocka_unit_test(crash_comes_back_where_it_is_to),
        cmocka_unit_test(destroyed_stays_away),
        cmocka_unit_test(destroyed_is_told),
        cmocka_unit_test(paused_while_building),
        cmocka_unit_test(found_by_id),
        cmocka_unit_test(found_in_order),
        cmocka_unit_test(pauses_count),
        cmocka_unit_test(operator_does_not_count),
        cmocka_unit_test(pauses_after_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
