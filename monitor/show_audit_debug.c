/*
 * The command audit, of debug builds.
 */
#include "domain/audit.h"
#include "domain/domain.h"
#include "mm/audit.h"
#include "monitor/commands.h"
#include "monitor/monitor.h"

static void audit_one(struct domain *d)
{
    struct audit a = { 0 };
    bool done = !d->findable; /* half of it is not there yet, or no more; its end audits it */

    while (!done) {
        spin_lock(&d->lock);
        done = audit_domain(d, &a, false);
        spin_unlock(&d->lock);
        audit_goes_on();
    }
}

/* What is wrong would be a panic. */
void show_audit(const struct command_args *args)
{
    (void)args;
    for (struct domain *d = domain_next(NULL); d; d = domain_next(d))
        audit_one(d);
    monitor_print("audit: %s\n", audit_machine() ? "all is as it should be"
                                                 : "the machine was too busy for the sums");
}
