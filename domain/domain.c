/*
 * What a domain is asked and told while it exists: time, states, its end. See domain/domain.h;
 * how it comes and goes is in lifecycle/.
 */
#include "domain/domain.h"
#include "arch/x86/insn.h"
#include "lib/fmt.h"
#include "lib/log.h"

#define PAUSES_MOST 255 /* as in Xen */

const struct domain_hooks *domain_hooks;

void domain_set_hooks(const struct domain_hooks *hooks)
{
    domain_hooks = hooks;
}

/* ---- Its end ---- */

const char *domain_end_name(enum domain_end end)
{
    static const char *const name[] = {
        [END_NOT] = "running",         [END_POWEROFF] = "powered off",
        [END_REBOOT] = "rebooted",     [END_TRIPLE_FAULT] = "triple fault",
        [END_CRASH] = "crashed",       [END_KILLED] = "killed",
        [END_DESTROYED] = "destroyed",
    };
    return name[end];
}

void domain_end(struct domain *d, enum domain_end end, const char *why, ...)
{
    va_list args;

    if (end == END_DESTROYED)
        __atomic_store_n(&d->unwanted, true, __ATOMIC_RELEASE);
    if (__atomic_exchange_n(&d->end_claimed, true, __ATOMIC_ACQ_REL)) {
        if (end == END_DESTROYED && d->state != DOMAIN_BUILDING &&
            d->vcpus_out == d->xen.vcpu_count)
            domain_hooks->ended(d); /* it may wait to come back */
        return;
    }
    va_start(args, why);
    fmt_vsn(d->end_why, sizeof(d->end_why), why, args);
    va_end(args);
    __atomic_thread_fence(__ATOMIC_RELEASE); /* the reason is there before the end is seen */
    d->end = end;
    if (end == END_POWEROFF || end == END_REBOOT || end == END_DESTROYED)
        log_info("%s: %s (%s)", d->name, domain_end_name(end), d->end_why);
    else
        log_error("%s: %s: %s%s", d->name, domain_end_name(end), d->end_why,
                  domain_comes_back(d) ? "; starts anew" : "");
    if (d->state == DOMAIN_BUILDING)
        return;
    domain_kick(d);
    domain_tell_control(XEN_VIRQ_DOM_EXC);
}

/* ---- Its states ---- */

const char *domain_state_name(const struct domain *d)
{
    static const char *const name[] = {
        [DOMAIN_BUILDING] = "building",
        [DOMAIN_PAUSED] = "paused",
        [DOMAIN_RUNNING] = "running",
    };
    return d->end ? "ending" : name[d->state];
}

/* One that is still being made has no vCPUs to kick: it would run by that. */
bool domain_set_paused(struct domain *d, bool paused)
{
    enum domain_state from = paused ? DOMAIN_RUNNING : DOMAIN_PAUSED;

    if (d->state == DOMAIN_BUILDING)
        d->start_paused = paused;
    if (d->end || d->state != from)
        return false;
    d->started |= !paused;
    d->more_pauses = 0;
    d->state = paused ? DOMAIN_PAUSED : DOMAIN_RUNNING;
    domain_kick(d);
    return true;
}

int domain_count_pause(struct domain *d)
{
    if (d->end || d->state != DOMAIN_PAUSED) {
        domain_set_paused(d, true);
        return 0;
    }
    if (d->more_pauses == PAUSES_MOST - 1)
        return -EOVERFLOW;
    d->more_pauses++;
    return 0;
}

int domain_count_unpause(struct domain *d)
{
    if (d->end)
        return 0;
    if (d->state == DOMAIN_PAUSED && d->more_pauses) {
        d->more_pauses--;
        return 0;
    }
    return domain_set_paused(d, false) ? 0 : -EINVAL;
}

void domain_pause(struct domain *d)
{
    spin_lock(&d->lock);
    domain_set_paused(d, true);
    spin_unlock(&d->lock);
}

void domain_unpause(struct domain *d)
{
    spin_lock(&d->lock);
    domain_set_paused(d, false);
    spin_unlock(&d->lock);
}

/* One that has not begun has no other than what it is to begin with. */
static void forget_states(struct domain *d)
{
    for (unsigned i = 0; i < d->xen.vcpu_count; i++)
        d->vcpus[i]->whole &= d->vcpus[i]->begins;
}

void domain_suspend(struct domain *d)
{
    d->suspended = true;
    d->suspended_at = rdtsc();
    forget_states(d);
    domain_kick(d);
    domain_tell_control(XEN_VIRQ_DOM_EXC);
}

bool domain_is_saved(const struct domain *d)
{
    for (unsigned i = 0; i < d->xen.vcpu_count; i++)
        if (!d->vcpus[i]->whole)
            return false;
    return d->suspended;
}

void domain_resume(struct domain *d)
{
    if (!d->suspended)
        return;
    d->suspended = false;
    forget_states(d);
    domain_kick(d);
}

void domain_power_button(struct domain *d)
{
    spin_lock(&d->lock);
    vpm_power_button(&d->machine.pm);
    spin_unlock(&d->lock);
}
