/*
 * The command `sched`: shows and sets the shares of domains.
 */
#include "arch/x86/percpu.h"
#include "config/share.h"
#include "domain/domain.h"
#include "monitor/commands.h"
#include "monitor/domains.h"
#include "monitor/monitor.h"

/* Weight and cap belong to the domain's group of the scheduler, the affinity to each of its vCPUs.
 */
static struct share share_of(const struct domain *d)
{
    return (struct share){ .weight = d->account->weight,
                           .cap = d->account->cap,
                           .cpus = d->xen.vcpu_count ? d->vcpus[0]->unit.affinity
                                                     : d->config->share.cpus };
}

/* 0, or -EINVAL if no pCPU of the mask runs vCPUs: then nothing is changed. */
static int share_set(struct domain *d, const struct share *s)
{
    bool moves = s->cpus != share_of(d).cpus;

    for (unsigned i = 0; moves && i < d->xen.vcpu_count; i++) {
        int err = sched_set_affinity(&d->vcpus[i]->unit, s->cpus);

        if (err)
            return err;
    }
    sched_group_set_weight(d->account, s->weight);
    sched_group_set_cap(d->account, s->cap);
    return 0;
}

static enum command_progress print(void)
{
    const struct domain *d = domains_step();

    if (!d)
        return COMMAND_DONE;
    struct share s = share_of(d);
    monitor_print("%-31s %5u %6u %5u ", d->name, d->xen.id, s.weight, s.cap);
    if (s.cpus == UINT64_MAX)
        monitor_print(" all\n");
    else
        monitor_print(" 0x%lx\n", s.cpus);
    return COMMAND_MORE;
}

static void set(struct domain *d, const struct command_args *args)
{
    struct share s = share_of(d);
    struct word key, value;

    for (unsigned i = 1; i < args->count; i++) {
        if (!word_key_value(args->word[i], &key, &value) || !share_read(&s, key, value)) {
            monitor_print("\"%.*s\": want weight=1 to 65535, cap=0 to %u percent, or cpus=LIST "
                          "like 0-2,5, or all\n",
                          WORD_ARGS(args->word[i]), SHARE_MAX_CAP);
            return;
        }
    }
    if (share_set(d, &s))
        monitor_print("%s: not changed: cpus= names no pCPU that runs guests (%d to %d do)\n",
                      d->name, sched_first_joined(), sched_last_joined());
}

void control_sched(const struct command_args *args)
{
    if (!domains_begin(args))
        return;
    if (args->count > 1)
        set(domains_find(args->word[0]), args);
    monitor_print("%-31s %5s %6s %5s  %s\n", "Name", "ID", "Weight", "Cap", "pCPUs");
    command_go_on(print);
}
