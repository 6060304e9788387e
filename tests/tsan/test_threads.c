/* clang-format off */
/* links: sched/sched.c sched/core.c sched/balance.c sched/unit.c sched/queue.c sched/watch.c sched/policy.c sched/group.c sched/timer.c lib/lockdep.c mm/frame.c mm/account.c mm/frame_map.c mm/block.c mm/buddy.c mm/fill_release.c lib/bitmap.c lib/spinlock.c tests/fakes/window.c tests/fakes/log.c tests/fakes/panic.c tests/fakes/locate.c */
/* clang-format on */
/*
 * Real threads as pCPUs under ThreadSanitizer: the scheduler's loop with units that run, sleep and
 * are moved and removed by another thread; locks; timers; the frame allocator. The order of
 * locks is checked all the while. Whatever is not guarded by a lock or an atomic shows as a race.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "lib/lockdep.h"
#include "mm/frame.h"
#include "sched/sched.h"
#include "sched/timer.h"
#include "tests/fakes/machine.h"

#define CPUS        3
#define UNITS       12
#define SECONDS     2
#define PATIENCE_NS 60000000000ul

__thread unsigned thread_cpu;
struct percpu percpu[MAX_PCPUS];

/* ---- A pretended machine --------------------------------------------------------------------
 */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t kick;
    bool pending;
} cpus[CPUS + 1];

uint64_t rdtsc(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t tsc_from_ns(uint64_t ns)
{
    return ns;
}

void irq_kick(unsigned cpu)
{
    pthread_mutex_lock(&cpus[cpu].lock);
    cpus[cpu].pending = true;
    pthread_cond_signal(&cpus[cpu].kick);
    pthread_mutex_unlock(&cpus[cpu].lock);
}

uint64_t tsc_hz = 1000000000;

/* Timers are late by up to a millisecond, that is all. */
void lapic_timer_set(uint64_t deadline)
{
    (void)deadline;
}

void irq_wait(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    pthread_mutex_lock(&cpus[thread_cpu].lock);
    if (!cpus[thread_cpu].pending)
        pthread_cond_timedwait(&cpus[thread_cpu].kick, &cpus[thread_cpu].lock, &t);
    cpus[thread_cpu].pending = false;
    pthread_mutex_unlock(&cpus[thread_cpu].lock);
}

static unsigned which_cpu(void)
{
    return thread_cpu;
}

static bool stop;

static bool stopped(void)
{
    return __atomic_load_n(&stop, __ATOMIC_RELAXED);
}

static void start_threads(void *(*fn)(void *), pthread_t *threads)
{
    lockdep_start(which_cpu);
    __atomic_store_n(&stop, false, __ATOMIC_RELAXED);
    for (uintptr_t i = 0; i < CPUS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fn, (void *)i), 0);
}

static void stop_threads(pthread_t *threads)
{
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < CPUS; i++)
        pthread_join(threads[i], NULL);
}

/* ---- The scheduler --------------------------------------------------------------------------
 */

/* What is in the registers is plain memory: two pCPUs at it at once are a race, and so is a leave()
 * that another pCPU's run() does not see. */
struct load {
    struct sched_unit unit;
    struct sched_group group;
    struct timer alarm;
    uint64_t registers;
    int on;
    unsigned seed;
};

static struct load *loads[UNITS];
static unsigned rests; /* in place */

static bool load_run(struct sched_unit *u, uint64_t deadline)
{
    struct load *l = (struct load *)u;
    uint64_t end = rdtsc() + 20000 + l->seed % 100000;

    l->seed = l->seed * 1103515245 + 12345;
    assert_true(l->on < 0 || l->on == (int)thread_cpu);
    l->on = (int)thread_cpu;
    while (rdtsc() < end && rdtsc() < deadline && !sched_deadline_changed())
        l->registers++;
    if (l->seed & 0x10000)
        sched_wake(&loads[l->seed % 3]->unit); /* never removed */
    if (l->seed & 0x20000)
        return true;
    end = rdtsc() + l->seed % (l->seed & 0x40000 ? 300000 : 10000000);
    while (sched_is_alone() && sched_halt_in_place(end)) {
        l->registers++;
        __atomic_fetch_add(&rests, 1, __ATOMIC_RELAXED);
        if (rdtsc() >= end)
            return true;
    }
    timer_set(&l->alarm, end);
    return false;
}

static void load_leave(struct sched_unit *u)
{
    struct load *l = (struct load *)u;

    assert_int_equal(l->on, thread_cpu);
    l->registers++;
    l->on = -1;
}

static void load_alarm(struct timer *t)
{
    sched_wake(&LIST_ENTRY(t, struct load, alarm)->unit);
}

static struct load *load_new(unsigned seed)
{
    struct load *l = calloc(1, sizeof(*l));

    l->on = -1;
    l->seed = seed;
    sched_group_init(&l->group, 256, seed % 3 ? 0 : 40);
    l->group.apart = seed % 4;
    timer_init(&l->alarm, load_alarm);
    sched_unit_init(&l->unit, &l->group, (1 << CPUS) - 1, load_run, load_leave);
    return l;
}

/* Freed for real, so that whoever still looks at it is caught. */
static void load_free(struct load *l)
{
    while (sched_unit_remove(&l->unit))
        usleep(50);
    timer_cancel_sync(&l->alarm);
    free(l);
}

/* The first two are threads of one core; core_watch() looks after them. */
static uint32_t core_number(unsigned pcpu)
{
    return pcpu / 2;
}

static void *sched_thread(void *arg)
{
    thread_cpu = (unsigned)(uintptr_t)arg;
    while (thread_cpu != 0 && !sched_joined())
        cpu_relax();
    if (!sched_joined())
        sched_start();
    sched_join();
    while (!stopped())
        sched_turn();
    return NULL;
}

static void disturb(unsigned *seed, uint64_t *removed)
{
    unsigned n = (unsigned)rand_r(seed) % UNITS;
    struct load *l = loads[n];

    switch (rand_r(seed) % 6) {
    case 0:
    case 1:
        assert_int_equal(sched_set_affinity(&l->unit, 1 + rand_r(seed) % ((1 << CPUS) - 1)), 0);
        break;
    case 2:
        sched_group_set_cap(&l->group, rand_r(seed) % 2 * 30);
        break;
    case 3:
        if (n < 3)
            break;
        load_free(l);
        loads[n] = load_new((unsigned)rand_r(seed));
        sched_wake(&loads[n]->unit);
        ++*removed;
        break;
    default:
        sched_wake(&l->unit);
    }
}

/* On a loaded host all of it may take longer to come about. */
static bool has_seen_all(uint64_t removed)
{
    return removed > 0 && __atomic_load_n(&rests, __ATOMIC_RELAXED) > 0;
}

static void test_scheduler(void **state)
{
    pthread_t threads[CPUS];
    uint64_t end = rdtsc() + SECONDS * 1000000000UL, removed = 0, ran = 0;
    unsigned seed = 1;

    (void)state;
    thread_cpu = CPUS; /* takes no part, but has its own locks */
    sched_use_cores(core_number);
    for (unsigned i = 0; i < UNITS; i++)
        loads[i] = load_new(i);
    start_threads(sched_thread, threads);
    while (__builtin_popcountl(sched_joined()) < CPUS)
        cpu_relax();
    while (rdtsc() < end || (!has_seen_all(removed) && rdtsc() < end + PATIENCE_NS)) {
        disturb(&seed, &removed);
        usleep(50); /* the threads may share one core */
    }
    for (unsigned i = UNITS; i-- > 0;)
        while (sched_unit_remove(&loads[i]->unit))
            cpu_relax();
    for (unsigned i = 0; i < UNITS; i++) {
        ran += loads[i]->unit.stats.ran;
        assert_int_equal(loads[i]->group.active, 0);
        load_free(loads[i]);
    }
    stop_threads(threads);
    print_message("%lu removals, %lu ms run\n", removed, ran / 1000000);
    assert_true(has_seen_all(removed) && ran > 1000000);
}

/* ---- Timers ---------------------------------------------------------------------------------
 */

#define ALARMS 20000

/* After timer_cancel_sync() has returned, what its function uses is the caller's again: plain
 * memory, so that a function that comes later is a race. */
static struct {
    struct timer timer;
    uint64_t used;
    unsigned begun, set, over; /* rounds; atomic */
} alarm_clock;

static void alarm_fires(struct timer *t)
{
    (void)t;
    alarm_clock.used++;
}

static void round_wait(const unsigned *counter, unsigned round)
{
    while (__atomic_load_n(counter, __ATOMIC_ACQUIRE) != round)
        cpu_relax();
}

static void *alarm_thread(void *arg)
{
    thread_cpu = (unsigned)(uintptr_t)arg;
    for (unsigned i = 1; thread_cpu == 1 && i <= ALARMS; i++) {
        round_wait(&alarm_clock.begun, i);
        timer_set(&alarm_clock.timer, 1);
        __atomic_store_n(&alarm_clock.set, i, __ATOMIC_RELEASE);
        timer_run(2);
        __atomic_store_n(&alarm_clock.over, i, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void test_cancel_sync(void **state)
{
    pthread_t threads[CPUS];
    uint64_t fired = 0;

    (void)state;
    thread_cpu = CPUS;
    timer_init(&alarm_clock.timer, alarm_fires);
    start_threads(alarm_thread, threads);
    for (unsigned i = 1; i <= ALARMS; i++) {
        __atomic_store_n(&alarm_clock.begun, i, __ATOMIC_RELEASE);
        round_wait(&alarm_clock.set, i);
        for (unsigned n = i % 64; n; n--)
            cpu_relax();
        timer_cancel_sync(&alarm_clock.timer);
        fired += alarm_clock.used;
        alarm_clock.used = 0;
        round_wait(&alarm_clock.over, i);
        assert_int_equal(alarm_clock.used, 0);
    }
    stop_threads(threads);
    print_message("%lu of %u alarms fired\n", fired, ALARMS);
    assert_true(fired > 0);
}

/* ---- Frames ---------------------------------------------------------------------------------
 */

static void *frame_thread(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg, seed = me;
    mfn_t have[64];
    unsigned n = 0;

    thread_cpu = me;
    while (!stopped() || n) {
        if (!stopped() && n < 64 && rand_r(&seed) % 2) {
            assert_int_equal(frame_alloc(0, (uint16_t)me, &have[n++]), 0);
        } else if (n) {
            assert_int_equal(frame_owner(have[--n]), me);
            frame_free(have[n], 0, (uint16_t)me);
        }
    }
    return NULL;
}

static void test_frames(void **state)
{
    static const struct mem_region whole[] = { { { MACHINE_BASE }, MACHINE_SIZE, MEM_USABLE } };
    struct timespec half = { .tv_nsec = 500000000 };
    pthread_t threads[CPUS];

    (void)state;
    void *memory = mmap((void *)MACHINE_BASE, MACHINE_SIZE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    assert_int_equal(memory, MACHINE_BASE);
    assert_int_equal(frame_init(whole, 1, NULL, 0), 0);
    uint64_t before = frame_count(OWNER_FREE);
    start_threads(frame_thread, threads);
    nanosleep(&half, NULL);
    stop_threads(threads);
    assert_int_equal(frame_count(OWNER_FREE), before);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scheduler),
        cmocka_unit_test(test_cancel_sync),
        cmocka_unit_test(test_frames),
    };

    for (unsigned i = 0; i <= CPUS; i++) {
        pthread_mutex_init(&cpus[i].lock, NULL);
        pthread_cond_init(&cpus[i].kick, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
