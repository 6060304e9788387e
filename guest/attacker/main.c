/*
 * A guest that is after its neighbour: each word of the command line is an attack, which all its
 * vCPUs, or the first and the others each with its own, carry out until the domain is destroyed.
 * guest/victim measures what it feels of it.
 */
#include "guest/attacker/attack.h"
#include "guest/lib/event.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/pvconsole.h"
#include "guest/lib/trap.h"
#include "guest/lib/vcpus.h"
#include "guest/lib/words.h"
#include "include/public/event_channel.h"

#define STACK_BYTES 8192
#define MOST_VCPUS  64
#define LAST_ID     255

uint16_t attack_own, attack_victim;

static const struct attack {
    const char *word;
    void (*begin)(void); /* on each vCPU; NULL: nothing */
    void (*first)(void); /* vCPU 0's step */
    void (*others)(void);
} attacks[] = {
    { "=spin", NULL, NULL, NULL },
    { "=bind", NULL, attack_bind, attack_bind },
    { "=hold", attack_rtc_begin, attack_bind, attack_rtc },
    { "=send", attack_send_begin, attack_send, attack_send },
    { "=held-send", attack_send_begin, attack_send, attack_rtc },
    { "=grant", attack_grant_begin, attack_grant, attack_grant },
    { "=calls", attack_calls_begin, attack_calls, attack_calls },
    { "=reboot", NULL, attack_reboot, NULL },
    { "=console", NULL, attack_console, attack_console },
    { "=serial", NULL, attack_serial, attack_console },
    { "=timers", attack_timers_begin, attack_timers, attack_timers },
    { "=sleepers", attack_sleepers_begin, attack_sleepers, attack_sleepers },
    { "=ipis", attack_ipis_begin, attack_ipis, attack_ipis },
    { "=startups", NULL, attack_startups, NULL },
    { "=balloon", NULL, attack_balloon, attack_touch },
    { "=split", NULL, attack_split, attack_touch },
    { "=rtc", attack_rtc_begin, attack_rtc, attack_ports },
    { "=exits", NULL, attack_exits, attack_pause },
};

void main(const void *boot_information);

static const struct attack *chosen;
static uint8_t stacks[MOST_VCPUS][STACK_BYTES] __attribute__((aligned(16)));

static const struct attack *choose(const void *boot_information)
{
    for (unsigned i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
        if (words_have(boot_information, attacks[i].word))
            return &attacks[i];
    return &attacks[0];
}

/* What the status of a port of this domain's is to us: 0 for our own, -ESRCH where there is none.
 */
static int64_t ask(uint16_t id)
{
    struct xen_evtchn_status arg = { .dom = id, .port = 1 };

    return hypercall(XEN_HYPERCALL_EVENT_CHANNEL_OP, EVTCHNOP_STATUS, (uint64_t)&arg, 0);
}

static void find_own(void)
{
    while (++attack_own < LAST_ID && ask(attack_own))
        ;
}

/* The victim is the domain that awaits everybody at the port of his id. It may be still to come. */
static void find_victim(void)
{
    for (uint16_t id = 1;; id = id % LAST_ID + 1) {
        int64_t port = id == attack_own ? -1 : event_connect(id, attack_own);
        if (port < 0)
            continue;
        event_close((uint32_t)port);
        attack_victim = id;
        return;
    }
}

static void carry_out(void (*step)(void))
{
    if (chosen->begin)
        chosen->begin();
    while (step)
        step();
    for (;;)
        ;
}

static void other(void *arg)
{
    (void)arg;
    trap_init();
    carry_out(chosen->others);
}

void main(const void *boot_information)
{
    uint64_t vcpus = vcpu_count();

    trap_init();
    chosen = choose(boot_information);
    event_init();
    find_own();
    if (chosen->first != attack_reboot)
        find_victim();
    print("attacker: %u after %u by %s\n", attack_own, attack_victim, chosen->word + 1);
    for (unsigned i = 1; i < vcpus && i < MOST_VCPUS; i++)
        vcpu_begin(i, other, NULL, stacks[i] + STACK_BYTES);
    carry_out(chosen->first);
}
