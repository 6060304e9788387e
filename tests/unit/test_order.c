/* links: lifecycle/order.c lib/string.c tests/fakes/panic.c */
/*
 * lifecycle/order.c: domains that the control domain asks for. Keepers and domains are stand-ins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "domain/domain.h"
#include "create/id.h"
#include "lifecycle/keeper.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/order.h"

#define MANY 40

static struct keeper keepers[MANY];
static unsigned made, dropped, looks;
static int start_error;
static bool no_memory;

void lifecycle_look(void)
{
    looks++;
}

struct keeper *lifecycle_new_keeper(const char *whose)
{
    (void)whose;
    if (no_memory)
        return NULL;
    assert_true(made < MANY);
    memset(&keepers[made], 0, sizeof(keepers[made]));
    return &keepers[made++];
}

void lifecycle_drop(struct keeper *k)
{
    (void)k;
    dropped++;
}

int keeper_start(struct keeper *k)
{
    assert_true(k->config.bare);
    assert_int_equal(k->config.type, DOMAIN_PVH);
    assert_null(k->config.kernel);
    return start_error;
}

static unsigned domain_count;

unsigned xen_domain_count(void)
{
    return domain_count;
}

/* ---- Domains, for the end of the control domain ---- */

#define DOMAINS 8
static struct domain domains[DOMAINS];
static unsigned ended;

struct domain *domain_next(const struct domain *after)
{
    const struct domain *d = after ? after + 1 : domains;

    return d < domains + DOMAINS ? (struct domain *)d : NULL;
}

void domain_end(struct domain *d, enum domain_end end, const char *why, ...)
{
    (void)why;
    assert_int_equal(end, END_DESTROYED);
    ended |= 1u << (d - domains);
}

/* ---- */

static int setup(void **state)
{
    (void)state;
    memset(domains, 0, sizeof(domains));
    order_orphan_all();
    for (unsigned i = 0; i < made; i++)
        order_settle(&keepers[i], ID_NONE);
    order_orphan_all();
    made = dropped = looks = 0;
    start_error = 0;
    no_memory = false;
    ended = 0;
    domain_count = 1;
    return 0;
}

static struct order order(unsigned n, uint32_t vcpus)
{
    struct order o = { .vcpus = vcpus };

    memcpy(o.uuid, &n, sizeof(n));
    return o;
}

static int ask(unsigned n, uint16_t *id)
{
    struct order o = order(n, 2);

    return order_domain(&o, id);
}

static void test_made(void **state)
{
    uint16_t id = 5;

    (void)state;
    assert_false(order_take());
    assert_int_equal(ask(1, &id), -EAGAIN);
    assert_int_equal(looks, 1);
    assert_int_equal(ask(1, &id), -EAGAIN); /* the same one, again */
    assert_int_equal(looks, 1);
    assert_true(order_take());
    assert_int_equal(keepers[0].config.vcpus, 2);
    assert_memory_equal(keepers[0].config.uuid, &(unsigned){ 1 }, sizeof(unsigned));
    assert_false(order_take());
    assert_int_equal(ask(1, &id), -EAGAIN);
    order_settle(&keepers[0], 9);
    assert_int_equal(ask(1, &id), 0);
    assert_int_equal(id, 9);
    assert_int_equal(ask(1, &id), -EAGAIN); /* and the next one of that name */
    assert_int_equal(looks, 2);
}

/* They do not get each other's. */
static void test_two(void **state)
{
    uint16_t id;

    (void)state;
    assert_int_equal(ask(1, &id), -EAGAIN);
    assert_int_equal(ask(2, &id), -EAGAIN);
    while (order_take())
        ;
    assert_int_equal(made, 2);
    order_settle(&keepers[1], 12);
    assert_int_equal(ask(1, &id), -EAGAIN);
    order_settle(&keepers[0], 11);
    assert_int_equal(ask(1, &id), 0);
    assert_int_equal(id, 11);
    assert_int_equal(ask(2, &id), 0);
    assert_int_equal(id, 12);
}

static void test_errors(void **state)
{
    uint16_t id;

    (void)state;
    start_error = -ENOSPC;
    assert_int_equal(ask(1, &id), -EAGAIN);
    assert_true(order_take());
    assert_int_equal(ask(1, &id), -ENOSPC);
    assert_int_equal(dropped, 1);
    no_memory = true;
    assert_int_equal(ask(1, &id), -EAGAIN);
    assert_true(order_take());
    assert_int_equal(ask(1, &id), -ENOMEM);
    no_memory = false;
    start_error = -EAGAIN; /* it looks for an id */
    assert_int_equal(ask(1, &id), -EAGAIN);
    assert_true(order_take());
    assert_true(order_take());
    assert_int_equal(dropped, 3);
    assert_int_equal(ask(1, &id), -EAGAIN);
    start_error = 0;
    assert_true(order_take());
    order_settle(&keepers[made - 1], ID_NONE); /* it could not be built */
    assert_int_equal(ask(1, &id), -ENOMEM);
}

/* Answers that nobody comes for give way, and no longer hold than their domain. */
static void test_abandoned(void **state)
{
    uint16_t id = 0;

    (void)state;
    for (unsigned n = 0; n < 20; n++) {
        assert_int_equal(ask(n, &id), -EAGAIN);
        assert_true(order_take());
        order_settle(&keepers[n], (uint16_t)(n + 1));
    }
    assert_int_equal(ask(19, &id), 0);
    assert_int_equal(id, 20);
    order_settle(&keepers[18], ID_NONE); /* destroyed meanwhile */
    assert_int_equal(ask(18, &id), -EAGAIN);
    assert_int_equal(made, 20);
}

/* More than there is room for: they wait, and their callers with them. */
static void test_crowd(void **state)
{
    uint16_t id;
    unsigned taken = 0;

    (void)state;
    for (unsigned n = 0; n < 20; n++)
        assert_int_equal(ask(n, &id), -EAGAIN);
    while (order_take())
        taken++;
    assert_true(taken > 1 && taken < 20);
    assert_int_equal(ask(19, &id), -EAGAIN);
    assert_false(order_take());
    order_settle(&keepers[0], 1);
    assert_int_equal(ask(0, &id), 0);
    assert_int_equal(ask(19, &id), -EAGAIN);
    assert_true(order_take());
}

/* It ends: what is not running goes, one at a turn; what runs, or is the menu's, lives on. */
static void test_orphans(void **state)
{
    uint16_t id;

    (void)state;
    for (unsigned i = 1; i < DOMAINS; i++)
        domains[i] = (struct domain){
            .bare = i < 6, .started = i != 1, .state = DOMAIN_RUNNING, .xen.id = 1
        };
    domains[2].end = END_CRASH;
    domains[3].suspended = true;
    domains[4].state = DOMAIN_PAUSED;
    domains[6].state = DOMAIN_PAUSED;
    domains[6].end = END_CRASH;
    assert_int_equal(ask(1, &id), -EAGAIN);
    assert_int_equal(ask(2, &id), -EAGAIN);
    assert_true(order_take()); /* its domain is 1, say */
    looks = 0;
    order_orphan_all();
    assert_int_equal(ended, 0);
    assert_int_equal(looks, 1);
    for (unsigned i = 1; i < 5; i++) {
        assert_true(order_take());
        assert_int_equal(ended, (2u << i) - 2);
    }
    assert_false(order_take());
    assert_int_equal(ended, 0x1e);
}

/* Two orders of one name; and the answer to one is no other domain's affair. */
static void test_one_name(void **state)
{
    struct order one = { .vcpus = 1 }, two = { .vcpus = 2 };
    uint16_t id = 0;

    (void)state;
    assert_int_equal(order_domain(&one, &id), -EAGAIN);
    assert_int_equal(order_domain(&two, &id), -EAGAIN);
    while (order_take())
        ;
    order_settle(&keepers[1], 9);
    order_settle(&keepers[0], ID_NONE); /* it could not be built */
    assert_int_equal(order_domain(&two, &id), 0);
    assert_int_equal(id, 9);
    assert_int_equal(order_domain(&one, &id), -ENOMEM);
}

/* With as many domains as there can be, the boot CPU is not asked. */
static void test_full(void **state)
{
    uint16_t id;

    (void)state;
    assert_int_equal(ask(1, &id), -EAGAIN);
    domain_count = MAX_DOMAINS;
    looks = 0;
    assert_int_equal(ask(2, &id), -ENOSPC);
    assert_int_equal(looks, 0);
    assert_true(order_take()); /* the last one */
    order_settle(&keepers[0], 128);
    assert_int_equal(ask(1, &id), 0);
    assert_false(order_take());
}

/* Those of the menu are none of its business. */
static void test_others(void **state)
{
    struct keeper menus = { 0 };
    uint16_t id;

    (void)state;
    assert_int_equal(ask(0, &id), -EAGAIN);
    assert_true(order_take());
    order_settle(&menus, 3);
    assert_int_equal(ask(0, &id), -EAGAIN);
    order_settle(&keepers[0], 4);
    order_settle(&menus, ID_NONE);
    assert_int_equal(ask(0, &id), 0);
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_made),      TEST(test_two),      TEST(test_errors),
        TEST(test_abandoned), TEST(test_crowd),    TEST(test_orphans),
        TEST(test_others),    TEST(test_one_name), TEST(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
