/*
 * See guest/hog/relay.h. Each vCPU polls for an event (SCHEDOP_poll), runs for a moment, and sends
 * the next one its event.
 */
#include "guest/hog/relay.h"

#include <stddef.h>
#include "guest/lib/cpu.h"
#include "guest/lib/event.h"
#include "guest/lib/print.h"
#include "guest/lib/vcpus.h"

#define STACK_BYTES 4096
#define RUN         100 /* ticks */

static uint8_t stacks[RELAY_MOST][STACK_BYTES] __attribute__((aligned(16)));
static uint32_t own[RELAY_MOST], next[RELAY_MOST]; /* ports */

static void take_turns(void *arg)
{
    uint64_t me = (uint64_t)arg;

    for (;;) {
        event_wait(own[me]);
        for (uint64_t end = rdtsc() + RUN; rdtsc() < end;)
            ;
        event_send(next[me]);
    }
}

static void connect(uint64_t from, uint64_t to)
{
    own[to] = (uint32_t)event_alloc(XEN_DOMID_SELF);
    int64_t port = event_connect(XEN_DOMID_SELF, own[to]);

    if (port < 0)
        print("hog: harmless: no port, %ld\n", port);
    next[from] = (uint32_t)port;
}

_Noreturn void relay_begin(void)
{
    uint64_t vcpus = vcpu_count();

    if (!event_init() || vcpus > RELAY_MOST)
        print("hog: harmless\n");
    for (uint64_t i = 0; i < vcpus; i++)
        connect(i, (i + 1) % vcpus);
    for (uint64_t i = 1; i < vcpus; i++)
        if (vcpu_begin(i, take_turns, (void *)i, stacks[i] + STACK_BYTES))
            print("hog: harmless: no vCPU %lu\n", i);
    event_send(next[vcpus - 1]);
    take_turns(NULL);
    __builtin_unreachable();
}
