/*
 * One domain's life from its creation to its burial, and again. See lifecycle/keeper.h.
 */
#include "lifecycle/keeper.h"
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "lib/log.h"
#include "create/create.h"
#include "create/devices.h"
#include "create/firmware.h"
#include "create/id.h"
#include "lifecycle/lifecycle.h"
#include "lifecycle/order.h"

#define FIRST_WAIT_NS 125000000UL /* after the second brief life; then twice as long each time */
#define NS_PER_S      1000000000UL
#define STAY_NS       30000UL

/* ---- Its devices ---- */

/* While one is reset there is nothing to do. False: it is woken again when that is over. */
static bool goes_on(struct keeper *k)
{
    uint64_t due = devices_due(k->domain);

    if (due <= rdtsc())
        return true;
    timer_set(&k->wait, due);
    return false;
}

/* ---- Its start ---- */

/* It is built. The first time was the operator's own work, who waits for it: its weight and cap
 * begin to count now. What is used of the cap outlives a reboot. */
static void begin(struct keeper *k)
{
    struct domain *d = k->domain;

    if (!k->born) {
        sched_group_set_weight(&k->account, k->config.share.weight);
        sched_group_set_cap(&k->account, k->config.share.cap);
    }
    k->born = rdtsc();
    if (domain_hooks->console_open(d))
        domain_end(d, END_KILLED, "no memory for its console");
    if (!d->start_paused && !d->bare)
        domain_unpause(d);
    xen_domain_set_findable(&d->xen, true); /* what others do to it comes after all that */
}

/* A piece of its building. True: go on; else it is woken again, if it is not yet built. */
static bool build(struct keeper *k)
{
    struct domain *d = k->domain;
    int err = d->end ? -ENOENT : domain_build(d); /* the operator may not want it any more */

    if (!err) {
        begin(k);
        lifecycle_note_built(k);
        return false;
    }
    k->buried = err != -EAGAIN;
    return k->buried || goes_on(k);
}

/* ---- Its end ---- */

/* How long one waits that has lived briefly `brief` times in a row. */
static uint64_t wait_ns(unsigned brief)
{
    uint64_t ns = brief < 2 ? 0 : FIRST_WAIT_NS << (brief - 2 < 16 ? brief - 2 : 16);

    return ns < KEEPER_LONGEST * NS_PER_S ? ns : KEEPER_LONGEST * NS_PER_S;
}

static void decide_when(struct keeper *k, uint64_t now)
{
    bool brief = now - k->born < KEEPER_BRIEF_S * tsc_hz;

    k->brief = brief ? k->brief + 1 : 0;
    uint64_t ns = wait_ns(k->brief);
    k->back = now + tsc_from_ns(ns);
    if (ns >= NS_PER_S)
        log_warn("%s: reboots again and again: goes on in %lu s", k->domain->name, ns / NS_PER_S);
}

/* Has one that rebooted to wait? Then its timer runs. */
static bool waits(struct keeper *k)
{
    uint64_t now = rdtsc();

    if (!domain_comes_back(k->domain))
        return false;
    if (!k->back)
        decide_when(k, now);
    if (now >= k->back)
        return false;
    timer_set(&k->wait, k->back);
    return true;
}

/* Does it stay, to be looked at until the control domain destroys it? What that one has not yet let
 * run goes with it. */
static bool awaits_control(const struct domain *d)
{
    return d->bare && !__atomic_load_n(&d->unwanted, __ATOMIC_ACQUIRE) &&
           xen_domain_by_id(XEN_DOMID_CONTROL);
}

/* A bare one is waited for by who destroys it: what it had to say, it has said. */
static bool said_all(struct domain *d)
{
    return d->bare || domain_hooks->console_drained(d);
}

/* All its vCPUs have left it: its devices stop, its console goes, and its burial begins, unless it
 * is to wait. True: go on; else it is woken again. */
static bool close_down(struct keeper *k)
{
    struct domain *d = k->domain;

    if (d->vcpus_out != d->xen.vcpu_count)
        return false;
    devices_stop(d);
    if (awaits_control(d) || waits(k) || !said_all(d))
        return false;
    timer_cancel(&k->wait);
    lifecycle_note_end(d);
    domain_hooks->console_close(d);
    k->buried = true;
    return true;
}

/* A piece of its burial. True: go on; else it is woken again, or gone. */
static bool bury(struct keeper *k)
{
    bool comes_back = domain_comes_back(k->domain);
    uint16_t id = k->domain->xen.id;

    if (!domain_destroy(k->domain))
        return goes_on(k);
    k->domain = NULL;
    k->buried = false;
    k->back = 0;
    if (k->config.control)
        order_orphan_all();
    if (comes_back) {
        if (!domain_create(&k->config, &k->account, id, &k->domain))
            return true;
        log_error("%s: rebooted, and could not be made again", k->config.name);
    }
    lifecycle_dismiss(k);
    return false;
}

/* ---- The unit ---- */

static bool keep_some(struct keeper *k)
{
    if (!k->domain)
        return false;
    if (k->buried)
        return bury(k);
    return k->domain->state == DOMAIN_BUILDING ? build(k) : close_down(k);
}

/* A piece is short, and after STAY_NS others go first: who shares this pCPU is not kept from it for
 * a whole slice. */
static bool keep(struct sched_unit *u, uint64_t deadline)
{
    uint64_t until = rdtsc() + tsc_from_ns(STAY_NS);
    bool more;

    (void)deadline;
    do
        more = keep_some(LIST_ENTRY(u, struct keeper, unit));
    while (more && rdtsc() < until);
    if (more)
        sched_unit_yield(u);
    return more;
}

void keeper_wake(struct keeper *k)
{
    sched_wake(&k->unit);
}

bool keeper_dismiss(struct keeper *k)
{
    timer_cancel(&k->wait);
    return sched_unit_remove(&k->unit) == 0;
}

static int create(struct keeper *k)
{
    firmware_decide(&k->config);
    sched_group_init(&k->account, SCHED_DEFAULT_WEIGHT, 0);
    k->account.apart = true; /* its vCPUs, and what is done on its behalf */
    sched_unit_init(&k->unit, &k->account, 1, keep, sched_leave_nothing);
    timer_init_wake(&k->wait, &k->unit);
    int err = devices_choose(&k->config);
    return err ? err : domain_create(&k->config, &k->account, ID_NONE, &k->domain);
}

int keeper_start(struct keeper *k)
{
    int err = create(k);

    if (!err)
        keeper_wake(k);
    return err;
}

int keeper_start_now(struct keeper *k)
{
    int err = create(k);

    if (err)
        return err;
    do
        err = domain_build(k->domain);
    while (err == -EAGAIN);
    if (!err) {
        begin(k);
        return 0;
    }
    while (!domain_destroy(k->domain))
        ;
    k->domain = NULL;
    return err;
}
