/* links: xen/pair.c lib/spinlock.c tests/fakes/panic.c libs: -lpthread */
/*
 * The locks of two domains, with real threads as pCPUs: nobody waits for one with the other in
 * hand, and all the same everybody gets both.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "xen/pair.h"

#define PATIENCE 50000000 /* tries; a lock that is free is got at one of the first */
#define CALLS    1000

static struct spinlock locks[3];
static struct xen_domain d[3]; /* in the order of their addresses */

struct xen_domain *xen_domain_get(uint16_t id)
{
    if (id >= 3)
        return NULL;
    xen_domain_hold(&d[id]);
    return &d[id];
}

void xen_domain_hold(struct xen_domain *o)
{
    __atomic_fetch_add(&o->holders, 1, __ATOMIC_RELAXED);
}

void xen_domain_put(struct xen_domain *o)
{
    __atomic_fetch_sub(&o->holders, 1, __ATOMIC_RELAXED);
}

static int setup(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        d[i] = (struct xen_domain){ .id = (uint16_t)i, .lock = &locks[i] };
    return 0;
}

static bool get(struct xen_domain *o)
{
    for (unsigned n = 0; n < PATIENCE; n++) {
        if (spin_try(o->lock))
            return true;
        sched_yield();
    }
    return false;
}

static void test_find(void **state)
{
    (void)state;
    spin_lock(d[1].lock);
    assert_null(pair_find(&d[1], 7));
    assert_ptr_equal(pair_find(&d[1], 1), &d[1]);
    pair_forget(&d[1], &d[1]);
    assert_int_equal(d[1].holders, 0);
    assert_ptr_equal(pair_find(&d[1], 2), &d[2]);
    assert_int_equal(d[2].holders, 1);
    assert_false(spin_is_locked(d[2].lock));
    pair_forget(&d[1], &d[2]);
    assert_int_equal(d[2].holders, 0);
    spin_unlock(d[1].lock);
}

/* ---- Nobody waits with a lock in hand ---- */

static struct xen_domain *caller, *called;
static bool caller_has_own;

/* A vCPU of the caller's, which calls upon the other one. */
static void *call(void *arg)
{
    (void)arg;
    spin_lock(caller->lock);
    __atomic_store_n(&caller_has_own, true, __ATOMIC_RELEASE);
    pair_lock_linked(caller, called);
    pair_unlock(caller, called);
    spin_unlock(caller->lock);
    return NULL;
}

/* Both locks are busy, the called one's first. While the call waits for that, its own domain's is
 * free; while it waits for its own, the other's is. */
static void busy(struct xen_domain *a, struct xen_domain *b)
{
    pthread_t thread;

    caller = a;
    called = b;
    caller_has_own = false;
    spin_lock(b->lock);
    assert_int_equal(pthread_create(&thread, NULL, call, NULL), 0);
    while (!__atomic_load_n(&caller_has_own, __ATOMIC_ACQUIRE))
        sched_yield();
    assert_true(get(a));
    spin_unlock(b->lock);
    for (unsigned n = 0; n < 100; n++) { /* the victim's own calls */
        assert_true(get(b));
        spin_unlock(b->lock);
        sched_yield();
    }
    spin_unlock(a->lock);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_false(spin_is_locked(a->lock) || spin_is_locked(b->lock));
    assert_int_equal(b->holders, 0);
}

static void test_no_wait_with_a_lock(void **state)
{
    (void)state;
    busy(&d[0], &d[1]);
    busy(&d[1], &d[0]);
}

/* ---- Everybody gets both ---- */

static uint64_t counted[3]; /* each under its domain's lock */

static void *calls(void *arg)
{
    struct xen_domain *mine = &d[(uintptr_t)arg % 3], *other = &d[((uintptr_t)arg + 1) % 3];

    for (unsigned n = 0; n < CALLS; n++) {
        spin_lock(mine->lock);
        pair_lock_linked(mine, other);
        counted[mine->id]++;
        counted[other->id]++;
        pair_unlock(mine, other);
        spin_unlock(mine->lock);
    }
    return NULL;
}

/* Three in a circle, two vCPUs of each. */
static void test_in_a_circle(void **state)
{
    pthread_t thread[6];

    (void)state;
    for (uintptr_t i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, calls, (void *)i), 0);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(counted[i], 4 * CALLS);
}

/* One may rule, and no other, nor itself. */
static void test_rights(void **state)
{
    static const uint16_t whose[] = { 0, 1, 2, XEN_DOMID_SELF };
    struct xen_domain *found = NULL;

    (void)state;
    d[1].control = true;
    spin_lock(&locks[0]);
    spin_lock(&locks[1]);
    assert_int_equal(pair_may_rule(&d[0]), -EPERM);
    assert_int_equal(pair_may_rule(&d[1]), 0);
    for (unsigned i = 0; i < sizeof(whose) / sizeof(whose[0]); i++) {
        assert_int_equal(pair_target(&d[0], whose[i], PAIR_RULE, &found), -EPERM);
        assert_int_equal(pair_target(&d[1], whose[i], PAIR_RULE, &found), 0);
        assert_ptr_equal(found, &d[whose[i] == XEN_DOMID_SELF ? 1 : whose[i]]);
        pair_forget(&d[1], found);
    }
    assert_int_equal(pair_target(&d[1], 5, PAIR_RULE, &found), -ESRCH);
    assert_int_equal(pair_target(&d[1], 2, PAIR_CONTROL, &found), -EPERM); /* not yet */
    spin_unlock(&locks[1]);
    spin_unlock(&locks[0]);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(d[i].holders, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_find, setup),
        cmocka_unit_test_setup(test_rights, setup),
        cmocka_unit_test_setup(test_no_wait_with_a_lock, setup),
        cmocka_unit_test_setup(test_in_a_circle, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
