/* links: lifecycle/keeper.c arch/x86/tsc.c lib/fmt.c lib/string.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * lifecycle/keeper.c: a domain's life in pieces, on its own account, and how long one waits that
 * reboots again and again. The domain, the scheduler and the console are stand-ins that count.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "create/create.h"
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "lib/log.h"
#include "create/firmware.h"
#include "create/id.h"
#include "lifecycle/keeper.h"
#include "lifecycle/lifecycle.h"
#include "tests/fakes/log.h"

#define HZ     1000000000UL
#define PIECES 5 /* of a building, and of a burial */

static struct domain d;
static struct keeper k;
static struct sched_group *charged;
static unsigned creations, pieces, built, ends, unneeded, opened, closed, unpaused, wakes, yields;
static unsigned decisions; /* whether it is firmware */
static int create_error, build_error;
static uint64_t piece_takes;
static bool bare; /* what is created is */
static bool drained;
static uint64_t timer_at;

#define ID 7
static bool came; /* it exists already, and is to come back */

int domain_create(const struct domain_config *c, struct sched_group *account, uint16_t before,
                  struct domain **out)
{
    assert_ptr_equal(c, &k.config);
    assert_true(c->kernel_is_rom);
    assert_int_equal(decisions, 1);                /* not again at a reboot */
    assert_int_equal(before, came ? ID : ID_NONE); /* one that comes back is still the same */
    if (create_error)
        return create_error;
    charged = account;
    d = (struct domain){
        .xen.id = ID, .state = DOMAIN_BUILDING, .name = "alpha", .xen.vcpu_count = 1, .bare = bare
    };
    creations++;
    pieces = 0;
    *out = &d;
    return 0;
}

int devices_choose(struct domain_config *config)
{
    assert_ptr_equal(config, &k.config);
    assert_false(came); /* not again at a reboot */
    return 0;
}

int domain_build(struct domain *domain)
{
    fake_tsc += piece_takes;
    if (++pieces < PIECES)
        return -EAGAIN;
    if (!build_error)
        domain->state = DOMAIN_RUNNING;
    pieces = 0;
    return build_error;
}

void firmware_decide(struct domain_config *config)
{
    config->kernel_is_rom = true;
    decisions++;
}

bool domain_destroy(struct domain *domain)
{
    assert_ptr_equal(domain, &d);
    fake_tsc += piece_takes;
    d.xen.findable = false;
    return ++pieces >= PIECES;
}

void domain_unpause(struct domain *domain)
{
    assert_false(domain->xen.findable);
    assert_int_equal(k.account.weight, k.config.share.weight);
    unpaused++;
}

void xen_domain_set_findable(struct xen_domain *x, bool findable)
{
    assert_ptr_equal(x, &d.xen);
    x->findable = findable;
}

static unsigned stopped; /* its devices were */
static uint64_t resets;  /* one of them until then */

void devices_stop(struct domain *domain)
{
    assert_ptr_equal(domain, &d);
    assert_int_equal(d.vcpus_out, d.xen.vcpu_count);
    stopped++;
}

uint64_t devices_due(const struct domain *domain)
{
    assert_ptr_equal(domain, &d);
    return resets;
}

static bool ruled; /* there is a control domain */
static unsigned orphaned;

struct xen_domain *xen_domain_by_id(uint16_t id)
{
    static struct xen_domain control;

    assert_int_equal(id, XEN_DOMID_CONTROL);
    return ruled ? &control : NULL;
}

void order_orphan_all(void)
{
    orphaned++;
}

void domain_end(struct domain *domain, enum domain_end end, const char *why, ...)
{
    (void)why;
    domain->end = end;
    domain->vcpus_out = domain->xen.vcpu_count;
}

static int console_open(struct domain *domain)
{
    (void)domain;
    opened++;
    return 0;
}

static bool console_drained(struct domain *domain)
{
    (void)domain;
    return drained;
}

static void console_close(struct domain *domain)
{
    (void)domain;
    closed++;
}

static const struct domain_hooks hooks = { .console_open = console_open,
                                           .console_drained = console_drained,
                                           .console_close = console_close };
const struct domain_hooks *domain_hooks = &hooks;

void sched_group_init(struct sched_group *g, unsigned weight, unsigned cap)
{
    *g = (struct sched_group){ .weight = weight, .cap = cap };
}

void sched_unit_init(struct sched_unit *u, struct sched_group *group, uint64_t affinity,
                     bool (*run)(struct sched_unit *u, uint64_t deadline),
                     void (*leave)(struct sched_unit *u))
{
    *u = (struct sched_unit){ .group = group, .affinity = affinity, .run = run, .leave = leave };
}

void sched_group_set_weight(struct sched_group *g, unsigned weight)
{
    g->weight = weight;
}

void sched_group_set_cap(struct sched_group *g, unsigned cap)
{
    g->cap = cap;
    g->used = 0;
}

int sched_unit_remove(struct sched_unit *u)
{
    (void)u;
    return 0;
}

void sched_unit_yield(struct sched_unit *u)
{
    assert_ptr_equal(u, &k.unit);
    yields++;
}

void sched_wake(struct sched_unit *u)
{
    assert_ptr_equal(u, &k.unit);
    wakes++;
}

void timer_init_wake(struct timer *t, struct sched_unit *u)
{
    *t = (struct timer){ .unit = u };
}

void timer_set(struct timer *t, uint64_t deadline)
{
    (void)t;
    timer_at = deadline;
}

void timer_cancel(struct timer *t)
{
    (void)t;
    timer_at = 0;
}

void lifecycle_note_built(struct keeper *keeper)
{
    assert_ptr_equal(keeper, &k);
    built++;
}

void lifecycle_note_end(const struct domain *domain)
{
    assert_ptr_equal(domain, &d);
    ends++;
}

void lifecycle_dismiss(struct keeper *keeper)
{
    assert_ptr_equal(keeper, &k);
    unneeded++;
}

static int set_up(void **state)
{
    (void)state;
    fake_log_reset();
    fake_tsc = 1000 * HZ;
    tsc_hz = HZ;
    tsc_set_rate(HZ);
    creations = built = ends = unneeded = opened = closed = unpaused = wakes = 0;
    create_error = build_error = 0;
    drained = true;
    came = bare = ruled = false;
    orphaned = stopped = 0;
    resets = 0;
    timer_at = 0;
    piece_takes = HZ / 10000; /* longer than others are to wait */
    return 0;
}

static struct keeper *fresh(void)
{
    decisions = 0;
    k = (struct keeper){ .config = { .name = "alpha", .share = { .weight = 77, .cap = 5 } } };
    return &k;
}

static void start(void)
{
    came = false;
    assert_int_equal(keeper_start_now(fresh()), 0);
    came = true;
}

/* Runs the keeper's unit until it blocks; how many turns that took. Others could go in between. */
static unsigned run(void)
{
    unsigned turns = 1, before = yields;

    while (k.unit.run(&k.unit, UINT64_MAX))
        assert_true(++turns < 100);
    assert_int_equal(yields - before, turns - 1);
    return turns;
}

/* ---- Tests ---- */

static void test_life_in_pieces(void **state)
{
    (void)state;
    start();
    assert_int_equal(opened, 1);
    assert_int_equal(unpaused, 1);
    assert_int_equal(run(), 1); /* nothing to do while it lives */
    domain_end(&d, END_POWEROFF, "it is so");
    assert_true(run() >= PIECES);
    assert_int_equal(ends, 1);
    assert_int_equal(closed, 1);
    assert_int_equal(unneeded, 1);
    assert_null(k.domain);
    assert_int_equal(creations, 1);
}

/* Short pieces come together: others go first now and then, not after each. */
static void test_short_pieces(void **state)
{
    (void)state;
    piece_takes = HZ / 200000;
    start();
    domain_end(&d, END_POWEROFF, "it is so");
    assert_true(run() < PIECES);
    assert_int_equal(unneeded, 1);
}

/* They do nothing more for one that has ended, however long it stays. */
static void test_devices_stop_at_once(void **state)
{
    (void)state;
    start();
    drained = false;
    domain_end(&d, END_POWEROFF, "it is so");
    assert_int_equal(run(), 1);
    assert_true(stopped);
    assert_int_equal(closed, 0);
    drained = true;
    assert_true(run() >= PIECES);
}

/* While a device is reset, the keeper sleeps. */
static void test_waits_for_a_reset(void **state)
{
    (void)state;
    start();
    domain_end(&d, END_POWEROFF, "it is so");
    resets = fake_tsc + HZ / 10;
    assert_int_equal(run(), 1); /* its end, and a piece */
    assert_int_equal(timer_at, resets);
    assert_non_null(k.domain);
    fake_tsc = resets;
    assert_true(run() >= PIECES - 1);
    assert_int_equal(unneeded, 1);
    resets = fake_tsc + HZ / 10;
    came = false;
    assert_int_equal(keeper_start(fresh()), 0);
    assert_int_equal(run(), 1);
    assert_int_equal(timer_at, resets);
    assert_int_equal(built, 0);
    resets = 0;
    assert_true(run() >= PIECES - 1);
    assert_int_equal(built, 1);
}

static void begin_bare(void)
{
    start();
    d.bare = true;
    ruled = true;
    drained = false; /* nobody waits for what it had to say */
}

/* It stays to be looked at, until it is not wanted any more; and does not come back. */
static void test_bare_one_rests(void **state)
{
    (void)state;
    begin_bare();
    domain_end(&d, END_REBOOT, "it is so");
    assert_int_equal(run(), 1);
    assert_int_equal(ends + closed, 0);
    assert_true(d.xen.findable);
    d.unwanted = true;
    assert_true(run() >= PIECES);
    assert_int_equal(closed, 1);
    assert_int_equal(creations, 1);
    assert_int_equal(unneeded, 1);
    assert_int_equal(orphaned, 0);
}

/* When nobody can look at it, it goes. */
static void test_bare_one_alone(void **state)
{
    (void)state;
    begin_bare();
    domain_end(&d, END_POWEROFF, "it is so");
    ruled = false;
    assert_true(run() >= PIECES);
    assert_int_equal(unneeded, 1);
}

/* A bare one waits to be let run. */
static void test_bare_one_is_paused(void **state)
{
    (void)state;
    bare = true;
    start();
    assert_int_equal(opened, 1);
    assert_int_equal(unpaused, 0);
}

static void test_control_domain_ends(void **state)
{
    (void)state;
    start();
    k.config.control = true;
    domain_end(&d, END_POWEROFF, "it is so");
    run();
    assert_int_equal(orphaned, 1);
}

/* What the operator has created is built by its own unit, so others go in between. */
static void test_start_in_pieces(void **state)
{
    (void)state;
    assert_int_equal(keeper_start(fresh()), 0);
    assert_int_equal(wakes, 1);
    assert_int_equal(pieces + opened + unpaused + built, 0);
    assert_int_equal(run(), PIECES);
    assert_int_equal(opened, 1);
    assert_int_equal(unpaused, 1);
    assert_int_equal(built, 1);
    build_error = -ENOMEM;
    assert_int_equal(keeper_start(fresh()), 0);
    assert_true(run() >= 2 * PIECES);
    assert_int_equal(built, 1);
    assert_int_equal(unneeded, 1);
    create_error = -EEXIST;
    assert_int_equal(keeper_start(fresh()), -EEXIST);
    assert_int_equal(wakes, 2);
}

/* The operator waits for what he has created: a small share begins to count when it starts. */
static void test_first_start_is_not_capped(void **state)
{
    (void)state;
    assert_int_equal(keeper_start(fresh()), 0);
    while (!unpaused) {
        assert_int_equal(k.account.cap, 0);
        assert_int_equal(k.account.weight, SCHED_DEFAULT_WEIGHT);
        k.unit.run(&k.unit, UINT64_MAX);
    }
    assert_int_equal(k.account.cap, 5);
    assert_int_equal(k.account.weight, 77);
}

/* All of it is charged to the account that its vCPUs have, and a reboot does not clear that. */
static void test_account_outlives_reboot(void **state)
{
    (void)state;
    start();
    assert_ptr_equal(charged, &k.account);
    assert_ptr_equal(k.unit.group, &k.account);
    assert_int_equal(k.account.cap, 5);
    k.account.used = 12345;
    k.account.cap = 3; /* the operator's, live */
    domain_end(&d, END_REBOOT, "it is so");
    assert_true(run() >= 2 * PIECES);
    assert_int_equal(creations, 2);
    assert_int_equal(unpaused, 2);
    assert_ptr_equal(charged, &k.account);
    assert_int_equal(k.account.used, 12345);
    assert_int_equal(k.account.cap, 3);
}

static void reboot_after(uint64_t ns)
{
    fake_tsc += ns;
    domain_end(&d, END_REBOOT, "it is so");
    run();
}

/* Lets it wait as long as it has to; how long that was. */
static uint64_t sit_out(void)
{
    uint64_t waited = timer_at - fake_tsc;

    if (!timer_at)
        return 0;
    fake_tsc = timer_at;
    sched_wake(k.wait.unit);
    assert_true(wakes > 0);
    run();
    return waited;
}

static void test_brief_lives_wait_longer(void **state)
{
    static const uint64_t ms[] = { 0, 125, 250, 500, 1000, 2000, 4000, 8000, 16000, 16000 };

    (void)state;
    start();
    for (unsigned i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
        reboot_after(HZ / 1000);
        assert_int_equal(sit_out(), ms[i] * (HZ / 1000));
        assert_int_equal(creations, i + 2);
    }
    assert_int_equal(fake_log_lines[LOG_WARN], 6); /* only waits of a second and more are told of */
    reboot_after(6 * HZ);
    assert_int_equal(sit_out(), 0); /* a long life clears it */
    reboot_after(HZ);
    assert_int_equal(sit_out(), 0);
    reboot_after(HZ);
    assert_int_equal(sit_out(), 125 * (HZ / 1000));
}

/* Who waits to come back can be told not to. */
static void test_destroyed_while_it_waits(void **state)
{
    (void)state;
    start();
    reboot_after(1);
    reboot_after(1);
    assert_true(timer_at);
    assert_int_equal(creations, 2);
    d.unwanted = true;
    run();
    assert_int_equal(creations, 2);
    assert_int_equal(unneeded, 1);
    assert_int_equal(timer_at, 0);
}

static void test_destroyed_while_it_is_built(void **state)
{
    (void)state;
    start();
    domain_end(&d, END_REBOOT, "it is so");
    while (creations == 1)
        assert_true(k.unit.run(&k.unit, UINT64_MAX));
    assert_true(k.unit.run(&k.unit, UINT64_MAX));
    d.end = END_DESTROYED;
    pieces = 0;
    run();
    assert_int_equal(unpaused, 1);
    assert_int_equal(unneeded, 1);
}

static void test_paused_while_it_is_built(void **state)
{
    (void)state;
    start();
    domain_end(&d, END_REBOOT, "it is so");
    while (creations == 1)
        assert_true(k.unit.run(&k.unit, UINT64_MAX));
    d.start_paused = true;
    run();
    assert_int_equal(opened, 2);
    assert_int_equal(unpaused, 1);
}

static void test_console_is_waited_for(void **state)
{
    (void)state;
    start();
    drained = false;
    domain_end(&d, END_POWEROFF, "it is so");
    assert_int_equal(run(), 1);
    assert_int_equal(closed, 0);
    drained = true;
    run();
    assert_int_equal(unneeded, 1);
}

static void test_errors(void **state)
{
    (void)state;
    create_error = -ENOMEM;
    assert_int_equal(keeper_start_now(fresh()), -ENOMEM);
    create_error = 0;
    build_error = -ENOEXEC;
    assert_int_equal(keeper_start_now(fresh()), -ENOEXEC);
    assert_null(k.domain);
    assert_int_equal(unneeded, 0); /* it was told by the answer */
    build_error = 0;
    start();
    build_error = -ENOMEM; /* of the second life */
    domain_end(&d, END_REBOOT, "it is so");
    run();
    assert_int_equal(unneeded, 1);
    build_error = 0;
    start();
    create_error = -ENOMEM;
    domain_end(&d, END_REBOOT, "it is so");
    run();
    assert_int_equal(unneeded, 2);
    assert_true(fake_log_has("alpha: rebooted, and could not be made again"));
}

#define TEST(fn) cmocka_unit_test_setup(fn, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_life_in_pieces),
        TEST(test_short_pieces),
        TEST(test_devices_stop_at_once),
        TEST(test_waits_for_a_reset),
        TEST(test_start_in_pieces),
        TEST(test_first_start_is_not_capped),
        TEST(test_account_outlives_reboot),
        TEST(test_brief_lives_wait_longer),
        TEST(test_destroyed_while_it_waits),
        TEST(test_destroyed_while_it_is_built),
        TEST(test_paused_while_it_is_built),
        TEST(test_console_is_waited_for),
        TEST(test_errors),
        TEST(test_bare_one_rests),
        TEST(test_bare_one_alone),
        TEST(test_bare_one_is_paused),
        TEST(test_control_domain_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
