/*
 * One domain after the other. See monitor/lifecycle.h.
 */
#include "monitor/lifecycle.h"
#include "lib/log.h"
#include "monitor/console.h"

static const struct domain_config *configs; /* boot only */
static unsigned count, current;
static void (*at_end)(void);

/* Creates and starts configs[current], or the first after it that can be; else it is the end. */
static void start_current(void)
{
    struct domain *d;

    for (; current < count; current++) {
        if (domain_create(&configs[current], &d))
            continue;
        console_attach(d);
        domain_start(d);
        return;
    }
    log_info("no domain left");
    at_end();
}

void lifecycle_begin(const struct domain_config *list, unsigned n, void (*fn)(void))
{
    configs = list;
    count = n;
    at_end = fn;
    start_current();
}

void lifecycle_ended(struct domain *d)
{
    if (d->end != END_REBOOT)
        current++;
    console_attach(NULL);
    domain_destroy(d);
    start_current();
}
