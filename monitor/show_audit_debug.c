/*
 * The command audit, of debug builds.
 */
#include "create/audit.h"
#include "domain/domain.h"
#include "mm/audit.h"
#include "monitor/commands.h"
#include "create/list.h"
#include "monitor/domains.h"
#include "monitor/monitor.h"

/* The monitor's work only. */
static struct {
    uint16_t id; /* of the domain that is looked at; 0: the next one */
    struct audit so_far;
} looking;

static void begin_with(const struct domain *d)
{
    looking = (typeof(looking)){ .id = d->xen.id };
}

static enum command_progress audit_all_of_it(void)
{
    monitor_print("audit: %s\n", audit_machine() ? "all is as it should be"
                                                 : "the machine was too busy for the sums");
    return COMMAND_DONE;
}

/* A piece of a domain, if it is whole: what is half built or half gone is audited at its end. What
 * is wrong would be a panic. */
static enum command_progress audit_some(void)
{
    struct domain *d = looking.id ? domain_by_id(looking.id) : NULL;

    if (!d || !d->xen.findable) {
        d = domains_step();
        if (!d)
            return audit_all_of_it();
        begin_with(d);
        return COMMAND_MORE;
    }
    spin_lock(&d->lock);
    if (audit_domain(d, &looking.so_far, false))
        looking.id = 0;
    spin_unlock(&d->lock);
    return COMMAND_MORE;
}

void show_audit(const struct command_args *args)
{
    if (!domains_begin(args))
        return;
    looking.id = 0;
    command_go_on(audit_some);
}
