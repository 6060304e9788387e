/*
 * A domain's share of the CPUs. See monitor/share.h.
 *
 * Weight and cap belong to the domain's group of the scheduler, the affinity to each of its vCPUs.
 */
#include "monitor/share.h"

struct share share_of(const struct domain *d)
{
    return (struct share){ .weight = d->account->weight,
                           .cap = d->account->cap,
                           .cpus = d->vcpu_count ? d->vcpus[0]->unit.affinity : d->config->cpus };
}

int share_set(struct domain *d, const struct share *s)
{
    bool moves = s->cpus != share_of(d).cpus;

    for (unsigned i = 0; moves && i < d->vcpu_count; i++) {
        int err = sched_set_affinity(&d->vcpus[i]->unit, s->cpus);

        if (err)
            return err;
    }
    sched_group_set_weight(d->account, s->weight);
    sched_group_set_cap(d->account, s->cap);
    return 0;
}
