/*
 * Measuring how long Caisson takes. See arch/x86/bound.h.
 *
 * What takes longer than all may is named below with the reason, and a limit of its own: that table
 * is to become shorter.
 */
#include "arch/x86/bound.h"

#include <stddef.h>
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "arch/x86/symbol.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "lib/string.h"

#define HOLD_MOST 100000
#define SPAN_MOST 1000000
#define SAID_MOST 16

struct exception {
    const char *name;
    uint32_t most;
};

static const struct exception holds[] = {
    /* 2 MiB of RAM are cleared at their first touch, 8 bytes an instruction; the domain's lock is
     * held when Caisson touches them itself. A real processor needs some 50 us. */
    { "p2m", 300000 },
    { "domain", 400000 },
};
static const struct exception spans[] = {
    { "idle", SPAN_MOST }, /* none yet */
};

static struct span {
    const char *what;
    const void *by;
    uint64_t since; /* 0: none has begun */
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

static uint64_t limit_of(const struct exception *e, size_t count, const char *name, uint64_t most)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(e[i].name, name) == 0)
            return e[i].most;
    return most;
}

static void too_long(const char *name, const void *by, uint64_t ticks, uint64_t most)
{
    struct span *s = &span[cpu_id()];

    if (strict) {
        bound_stop();
        panic("%s took %lu instructions, at most %lu are allowed", name, ticks, most);
    }
    s->late = name;
    s->late_by = by;
    s->late_ticks = ticks;
}

/* ---- Locks ---- */

void bound_taken(struct spinlock *lock)
{
    lock->since = is_on() ? (uint32_t)rdtsc() | 1 : 0;
}

void bound_given(const struct spinlock *lock)
{
    if (!lock->since || !is_on())
        return;
    uint32_t ticks = (uint32_t)rdtsc() - lock->since;
    if (ticks <= HOLD_MOST)
        return;
    uint64_t most = limit_of(holds, sizeof(holds) / sizeof(holds[0]), lock->name, HOLD_MOST);
    if (ticks > most)
        too_long(lock->name, __builtin_return_address(0), ticks, most);
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
    uint64_t offset;

    s->late = NULL;
    if (!is_news(what))
        return;
    if (!s->late_by || !symbol_find((uint64_t)s->late_by, name, &offset))
        name[0] = '\0';
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
    if (ticks <= SPAN_MOST || !is_on())
        return;
    const char *name = name_of(s);
    uint64_t most = limit_of(spans, sizeof(spans) / sizeof(spans[0]), name, SPAN_MOST);
    if (ticks > most)
        too_long(name, s->by, ticks, most);
}
