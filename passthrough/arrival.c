/*
 * A device's interrupts as they come, on whatever pCPU, and what becomes of them: each is noted, a
 * vCPU is told, and that one's run loop sends the guest's message to its local APICs.
 *
 * An interrupt takes time from whoever runs there. Whose device it is owes that time. It goes to
 * the pCPU that its vCPU was on when one came last, so that it comes in that one's own time if it
 * can. In the time of others a domain's devices are let send MOST_ABROAD in a millisecond, all
 * together, and a device MOST in any: beyond that all that it has to say is masked until the
 * millisecond is over. One that sends what is masked is shut out.
 *
 * What comes by its pin is masked by itself, until the guest has ended it (intx.c), and counts with
 * the others.
 */
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tsc.h"
#include "iommu/iommu.h"
#include "lib/log.h"
#include "passthrough/assigned.h"
#include "sched/sched.h"

#define MOST        64u /* interrupts of a device in a period */
#define MOST_ABROAD 8u  /* of a domain's devices, in the time of others */
/* And so many if it has yet to hear for each message that it is masked. */
#define MOST_AT_ALL (MOST + 2 * (ASSIGNED_MSI + 1))
#define PER_S       1000u /* periods */
#define LATE_PER_S  5000u /* in such a part of a second what is masked has come, or does not */
#define MOST_DEFIED 16u   /* periods in a row in which it came all the same */
#define MOVES_PER_S 100u  /* of a device's messages to other pCPUs: an IOMMU is waited for */
#define AROUND      1500u /* ticks to come here out of a guest, and to go back */

#define ACCOUNTS 64 /* domains */

/* What came abroad of late. Atomic: two pCPUs may count one too few. */
static struct account {
    uint64_t since; /* TSC */
    unsigned recent;
} accounts[ACCOUNTS];

static struct sched_unit *unit_of(const struct assigned *a, unsigned i)
{
    return a->owner.unit(a->owner.ctx, a->message[i].vcpu);
}

static void tell(const struct assigned *a, unsigned i)
{
    a->owner.tell(a->owner.ctx, a->message[i].vcpu);
}

/* ---- How many may come ---- */

/* Of the device, in this period. */
static unsigned count(struct assigned *a, uint64_t now)
{
    if (now - a->since >= tsc_hz / PER_S) {
        a->since = now;
        a->recent = 0;
    }
    return ++a->recent;
}

static bool is_welcome(const struct assigned *a, uint64_t now)
{
    struct account *c = &accounts[a->account];

    if (now - __atomic_load_n(&c->since, __ATOMIC_RELAXED) >= tsc_hz / PER_S) {
        __atomic_store_n(&c->since, now, __ATOMIC_RELAXED);
        __atomic_store_n(&c->recent, 0, __ATOMIC_RELAXED);
    }
    return __atomic_fetch_add(&c->recent, 1, __ATOMIC_RELAXED) < MOST_ABROAD;
}

/* Too many: it says no more until the period is over. */
static void hold(struct assigned *a, unsigned i, uint64_t now)
{
    for (unsigned n = 0; n < ASSIGNED_MESSAGES; n++)
        if (a->message[n].open)
            message_mask(a, n, true);
    a->held = true;
    a->held_at = now;
    a->release.unit = unit_of(a, i);
    timer_set(&a->release, now + tsc_hz / PER_S);
}

void arrival_let_go_on(struct timer *t)
{
    struct assigned *a = container_of(t, struct assigned, release);

    source_lock(a);
    a->held = false;
    a->defied = a->late ? a->defied + 1 : 0;
    a->late = false;
    for (unsigned i = 0; i < ASSIGNED_MESSAGES; i++) {
        /* The line may be of others too that are not stopped. */
        if (!a->message[i].open || (a->device->stopped && i != ASSIGNED_INTX))
            continue;
        message_mask(a, i, false);
        if (i == ASSIGNED_MSI) { /* what it had to say meanwhile may be lost */
            a->pending |= 1ul << i;
            tell(a, i);
        }
    }
    source_unlock(a);
}

/* Masks do not help against a device that does not heed them. */
static void stop(struct assigned *a)
{
    pci_stop(a->device);
    log_error("%s: %s: sends interrupts that are masked: it is stopped", a->owner.name,
              pci_name(&a->device->at).text);
}

/* ---- One has come ---- */

static bool take(struct assigned *a, unsigned i, bool abroad, uint64_t now)
{
    unsigned recent = count(a, now);
    bool welcome = !abroad || is_welcome(a, now);

    if (i == ASSIGNED_INTX) {
        a->up = true;
        message_mask(a, i, true);
    }
    if (a->message[i].open) {
        a->pending |= 1ul << i;
        tell(a, i);
    }
    if (a->held)
        a->late |= now - a->held_at > tsc_hz / LATE_PER_S;
    else if (recent > MOST || !welcome)
        hold(a, i, now);
    if (recent <= MOST_AT_ALL && a->defied < MOST_DEFIED)
        return true;
    if (!a->device->stopped)
        stop(a);
    return false;
}

/* In its own time it pays as it goes. */
bool arrival_come(struct assigned *a, unsigned i, uint64_t begun)
{
    struct sched_unit *u = unit_of(a, i);
    const struct sched_group *here = sched_group_here();
    bool more = take(a, i, here && here != u->group, begun);

    if (here != u->group)
        sched_unit_owes(u, rdtsc() - begun + AROUND);
    return more;
}

/* ---- It is sent on ---- */

/* What was on its way to the other pCPU may be lost there, so it is said once more; but a line that
 * is up is masked, and none is on its way. */
static void move(struct assigned *a, unsigned i, unsigned pcpu)
{
    struct message *m = &a->message[i];
    uint8_t vector = vector_take(a, i, pcpu);

    if (!vector)
        return;
    if (message_route(a, i, pcpu, vector)) {
        vector_give(pcpu, vector);
        return;
    }
    vector_give(m->pcpu, m->vector);
    m->pcpu = (uint8_t)pcpu;
    m->vector = vector;
    if (i == ASSIGNED_INTX)
        return;
    source_lock(a);
    a->pending |= 1ul << i;
    tell(a, i);
    source_unlock(a);
}

/* Only once in a while: who changes the vCPU at each interrupt has nothing of it. */
static void follow(struct assigned *a, unsigned i)
{
    unsigned pcpu = sched_unit_pcpu(unit_of(a, i));
    uint64_t now = rdtsc();

    if (pcpu == a->message[i].pcpu || now - a->moved < tsc_hz / MOVES_PER_S ||
        pci_is_stopped(a->device))
        return;
    a->moved = now;
    move(a, i, pcpu);
}

/* What that comes to. Which CPUs a line reaches is the board's affair: as many as may be. */
static unsigned send(struct assigned *a, unsigned i, unsigned most)
{
    if (i != ASSIGNED_INTX)
        return 1 + a->owner.deliver(a->owner.ctx, &a->message[i].means);
    vpci_raise(a->owner.bus, a->line, a->slot);
    return most;
}

unsigned arrival_settle(struct vpci_function *f, unsigned most)
{
    struct assigned *a = container_of(f, struct assigned, function);
    unsigned done = 0;

    source_lock(a);
    uint64_t pending = a->pending;
    a->pending = 0;
    source_unlock(a);
    for (; pending && done < most; pending &= pending - 1) {
        unsigned i = (unsigned)__builtin_ctzl(pending);
        done += send(a, i, most);
        follow(a, i);
    }
    if (!pending)
        return done;
    source_lock(a);
    a->pending |= pending;
    tell(a, (unsigned)__builtin_ctzl(pending));
    source_unlock(a);
    return done;
}
