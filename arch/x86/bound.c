/*
 * Measuring how long Caisson takes. See arch/x86/bound.h.
 *
 * Holds are not charged for what span_pause() marks: 2 MiB that are cleared at their first touch,
 * 262,144 instructions in Bochs and some 50 us of a real processor's. The spans count that too.
 */
#include "arch/x86/bound.h"

#include <stddef.h>
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "arch/x86/symbol.h"
#include "lib/assert.h"
#include "lib/log.h"

#define HOLD_MOST 100000  /* what the holder does itself: waits for other locks are not counted */
#define SPAN_MOST 1000000 /* all of it */
#define SAID_MOST 16

static struct span {
    const char *what;
    const void *by;
    uint64_t since;  /* 0: none has begun */
    uint64_t paused; /* TSC at which a wait or a pause began */
    uint64_t passed; /* in pauses and waits, ever */
    /* Too long, and to be said when no lock is held. */
    const char *late;
    const void *late_by;
    uint64_t late_ticks;
} span[MAX_PCPUS]; /* each pCPU its own */

static bool on, strict;             /* boot only, but that a panic switches it off */
static const char *said[SAID_MOST]; /* atomic */

void bound_start(bool is_strict)
{
    strict = is_strict;
    __atomic_store_n(&on, true, __ATOMIC_RELEASE);
}

void bound_stop(void)
{
    __atomic_store_n(&on, false, __ATOMIC_RELEASE);
}

static bool is_on(void)
{
    return __atomic_load_n(&on, __ATOMIC_ACQUIRE);
}

/* The function in which that is; or "". */
static void name_of_path(const void *by, char name[SYMBOL_NAME])
{
    uint64_t offset;

    if (!by || !symbol_find((uint64_t)by, name, &offset))
        name[0] = '\0';
}

static void too_long(const char *name, const void *by, uint64_t ticks, uint64_t most)
{
    struct span *s = &span[cpu_id()];

    if (strict) {
        char path[SYMBOL_NAME];

        bound_stop();
        name_of_path(by, path);
        panic("%s%s%s took %lu instructions, at most %lu are allowed", name, path[0] ? " by " : "",
              path, ticks, most);
    }
    s->late = name;
    s->late_by = by;
    s->late_ticks = ticks;
}

/* ---- Locks ---- */

void bound_pause(void)
{
    span[cpu_id()].paused = rdtsc();
}

void bound_resume(void)
{
    struct span *s = &span[cpu_id()];

    s->passed += rdtsc() - s->paused;
}

/* The clock that goes by what this pCPU does itself. */
static uint32_t own_time(void)
{
    return (uint32_t)(rdtsc() - span[cpu_id()].passed);
}

void bound_taken(struct spinlock *lock)
{
    lock->since = is_on() ? own_time() | 1 : 0;
}

void bound_given(const struct spinlock *lock)
{
    uint32_t ticks = own_time() - lock->since;

    if (lock->since && is_on() && (int32_t)ticks > HOLD_MOST)
        too_long(lock->name, __builtin_return_address(0), ticks, HOLD_MOST);
}

/* ---- Spans ---- */

static bool is_news(const char *name)
{
    for (unsigned i = 0; i < SAID_MOST; i++) {
        const char *nothing = NULL;
        if (__atomic_compare_exchange_n(&said[i], &nothing, name, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return true;
        if (nothing == name)
            return false;
    }
    return false;
}

static void say_late(struct span *s)
{
    const char *what = s->late;
    char name[SYMBOL_NAME];

    s->late = NULL;
    if (!is_news(what))
        return;
    name_of_path(s->late_by, name);
    log_warn("pCPU %u: %s %s took %lu ticks, which is long; said once", cpu_id(), what, name,
             s->late_ticks);
}

void bound_begin(const char *what, const void *by, uint64_t since)
{
    struct span *s = &span[cpu_id()];

    if (s->late)
        say_late(s);
    s->what = what;
    s->by = by;
    s->since = since;
}

/* The name of a function is looked up only when it is needed. */
static const char *name_of(const struct span *s)
{
    static char name[MAX_PCPUS][SYMBOL_NAME];
    uint64_t offset;

    if (s->what)
        return s->what;
    return symbol_find((uint64_t)s->by, name[cpu_id()], &offset) ? name[cpu_id()] : "a unit";
}

void bound_end(void)
{
    struct span *s = &span[cpu_id()];
    uint64_t ticks = s->since ? rdtsc() - s->since : 0;

    s->since = 0;
    if (ticks > SPAN_MOST && is_on())
        too_long(name_of(s), s->by, ticks, SPAN_MOST);
}
