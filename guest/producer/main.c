/*
 * One end of a pair: fills pages that it has lent to another domain, 64 MiB in all, and tells the
 * checksum. `peer=N` on the command line is the consumer's domain id; the consumer has
 * guest/consumer and `peer=` this one's.
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

static struct ring ring __attribute__((aligned(4096)));
static uint64_t pages[RING_PAGES][RING_WORDS] __attribute__((aligned(4096)));
static uint64_t sent_events;

void main(const void *boot_information);

static void lend(uint16_t peer)
{
    for (uint32_t i = 0; i < RING_PAGES; i++) {
        ring.refs[i] = GRANT_FIRST_REF + 1 + i;
        grant_page(ring.refs[i], peer, pages[i]);
    }
    __atomic_store_n(&ring.magic, RING_MAGIC, __ATOMIC_RELEASE);
    grant_page(GRANT_FIRST_REF, peer, &ring);
}

static bool is_full(void)
{
    return ring.prod - __atomic_load_n(&ring.cons, __ATOMIC_SEQ_CST) == RING_PAGES;
}

static void wait_for_room(uint32_t port)
{
    while (is_full()) {
        __atomic_store_n(&ring.producer_waits, 1, __ATOMIC_SEQ_CST);
        if (is_full())
            event_wait(port);
        __atomic_store_n(&ring.producer_waits, 0, __ATOMIC_SEQ_CST);
    }
}

static uint64_t fill(uint64_t *page, uint64_t number, uint64_t sum)
{
    for (uint64_t i = 0; i < RING_WORDS; i++) {
        page[i] = number * 0x9E3779B97F4A7C15ul + i;
        sum = ring_mix(sum, page[i]);
    }
    return sum;
}

static void send(uint32_t port)
{
    uint64_t sum = 0, from = rdtsc();

    for (uint64_t n = 0; n < RING_TOTAL; n++) {
        wait_for_room(port);
        sum = fill(pages[n % RING_PAGES], n, sum);
        ring.checksum = sum;
        __atomic_store_n(&ring.prod, n + 1, __ATOMIC_SEQ_CST);
        if (__atomic_exchange_n(&ring.consumer_waits, 0, __ATOMIC_SEQ_CST)) {
            event_send(port);
            sent_events++;
        }
    }
    while (__atomic_load_n(&ring.cons, __ATOMIC_SEQ_CST) != RING_TOTAL) {
        __atomic_store_n(&ring.producer_waits, 1, __ATOMIC_SEQ_CST);
        if (ring.cons != RING_TOTAL)
            event_wait(port);
    }
    print("producer: %lu MiB sent, checksum %#lx, %lu events, %lu ticks a page\n", RING_TOTAL >> 8,
          sum, sent_events, (rdtsc() - from) / RING_TOTAL);
}

void main(const void *boot_information)
{
    uint16_t peer = (uint16_t)start_number(boot_information, "peer", 2);

    trap_init();
    pvconsole_init();
    int64_t port = event_init() && grant_init() ? event_alloc(peer) : -1;
    if (port < 0) {
        print("producer: no event channels or grants here (%ld)\n", port);
        xen_shutdown(XEN_SHUTDOWN_CRASH);
    }
    lend(peer);
    print("producer: port %ld and reference %u are for domain %u\n", port, GRANT_FIRST_REF, peer);
    event_wait((uint32_t)port);
    send((uint32_t)port);
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
