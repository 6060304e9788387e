/*
 * How many lines the control domain may cause. See lifecycle/throttle.h.
 */
#include "lifecycle/throttle.h"
#include <stdint.h>
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "create/create.h"
#include "lib/log.h"
#include "lib/string.h"

struct budget {
    unsigned left;
    uint64_t counted; /* TSC up to which `left` has grown */
    int missed;
};

/* What is not shown fills the log's memory only, and is not what the rest is left out for. Under
 * the log's lock. */
static struct source {
    const char *begins;
    struct budget hidden, seen;
} sources[] = { { .begins = BARE_NAME }, { .begins = CONTROL_KEY }, { .begins = CONTROL_REFUSED } };

#define SOURCES (sizeof(sources) / sizeof(sources[0]))

static void grow(struct budget *b, uint64_t now)
{
    uint64_t each = tsc_hz / THROTTLE_PER_S, more = (now - b->counted) / each;

    if (more >= THROTTLE_MOST - b->left) {
        b->left = THROTTLE_MOST;
        b->counted = now;
    } else {
        b->left += (unsigned)more;
        b->counted += more * each;
    }
}

static int spend(struct budget *b)
{
    int before = b->missed;

    grow(b, rdtsc());
    if (!b->left) {
        b->missed++;
        return -1;
    }
    b->left--;
    b->missed = 0;
    return before;
}

static int throttle(const char *text, bool shown)
{
    for (struct source *s = sources; s < sources + SOURCES; s++)
        if (strncmp(text, s->begins, strlen(s->begins)) == 0)
            return spend(shown ? &s->seen : &s->hidden);
    return 0;
}

void throttle_begin(void)
{
    const struct budget full = { .left = THROTTLE_MOST, .counted = rdtsc() };

    for (unsigned i = 0; i < SOURCES; i++)
        sources[i].hidden = sources[i].seen = full;
    log_set_gate(throttle);
}
