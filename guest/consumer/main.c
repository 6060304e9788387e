/*
 * The other end: finds guest/producer in domain `peer=N`, maps the pages that it lends, and checks
 * what comes. Without a xenstore to ask in it goes by convention: the ring is under the first free
 * grant reference, and the port is the only one that lets this domain in.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/event.h"
#include "guest/lib/grant.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/pvconsole.h"
#include "guest/lib/ring.h"
#include "guest/lib/start_info.h"
#include "guest/lib/trap.h"

static struct ring *const ring = (void *)GUEST_GRANT_MAPS;
static int64_t handles[1 + RING_PAGES];
static uint64_t sent_events;

void main(const void *boot_information);

static uint64_t place(unsigned i)
{
    return GUEST_GRANT_MAPS + i * 4096ul;
}

/* The producer may not have come so far yet. */
static uint32_t find_port(uint16_t peer)
{
    for (;;) {
        for (uint32_t port = 1; port < RING_PORTS; port++) {
            int64_t own = event_connect(peer, port);
            if (own > 0)
                return (uint32_t)own;
        }
        xen_sched(XEN_SCHED_YIELD);
    }
}

static bool map_ring(uint16_t peer)
{
    while ((handles[0] = grant_map(peer, GRANT_FIRST_REF, place(0))) < 0)
        xen_sched(XEN_SCHED_YIELD);
    for (unsigned i = 0; i < RING_PAGES && handles[i] >= 0; i++)
        handles[i + 1] = grant_map(peer, ring->refs[i], place(i + 1));
    return ring->magic == RING_MAGIC && handles[RING_PAGES] >= 0;
}

static bool unmap_ring(void)
{
    int64_t err = 0;

    for (unsigned i = 0; i <= RING_PAGES; i++)
        err |= grant_unmap((uint64_t)handles[i], place(i));
    return err == 0;
}

static bool is_empty(uint64_t n)
{
    return __atomic_load_n(&ring->prod, __ATOMIC_SEQ_CST) == n;
}

static void wait_for_page(uint32_t port, uint64_t n)
{
    while (is_empty(n)) {
        __atomic_store_n(&ring->consumer_waits, 1, __ATOMIC_SEQ_CST);
        if (is_empty(n))
            event_wait(port);
        __atomic_store_n(&ring->consumer_waits, 0, __ATOMIC_SEQ_CST);
    }
}

static uint64_t receive(uint32_t port)
{
    uint64_t sum = 0;

    for (uint64_t n = 0; n < RING_TOTAL; n++) {
        wait_for_page(port, n);
        const volatile uint64_t *page = (const uint64_t *)place((unsigned)(n % RING_PAGES) + 1);
        for (unsigned i = 0; i < RING_WORDS; i++)
            sum = ring_mix(sum, page[i]);
        bool last = n + 1 == RING_TOTAL;
        bool good = !last || sum == ring->checksum;
        if (!good)
            print("consumer: the producer's checksum is %#lx\n", ring->checksum);
        __atomic_store_n(&ring->cons, n + 1, __ATOMIC_SEQ_CST);
        if (__atomic_exchange_n(&ring->producer_waits, 0, __ATOMIC_SEQ_CST)) {
            event_send(port);
            sent_events++;
        }
        if (last)
            print("consumer: %lu MiB received, checksum %#lx is %s, %lu events\n", RING_TOTAL >> 8,
                  sum, good ? "right" : "WRONG", sent_events);
    }
    return sum;
}

void main(const void *boot_information)
{
    uint16_t peer = (uint16_t)start_number(boot_information, "peer", 1);

    trap_init();
    pvconsole_init();
    if (!event_init() || !grant_init()) {
        print("consumer: no event channels or grants here\n");
        xen_shutdown(XEN_SHUTDOWN_CRASH);
    }
    uint32_t port = find_port(peer);
    print("consumer: connected to domain %u by port %u\n", peer, port);
    if (!map_ring(peer)) {
        print("consumer: the ring cannot be mapped (%ld)\n", handles[0]);
        xen_shutdown(XEN_SHUTDOWN_CRASH);
    }
    event_send(port);
    receive(port);
    print("consumer: %s\n", unmap_ring() ? "all unmapped" : "something stays mapped");
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
