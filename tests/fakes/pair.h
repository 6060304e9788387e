/*
 * Two domains for host tests of the calls between domains. Their RAM is real (p2m on the heap of
 * tests/fakes), the rest stands in: pointers in arguments are the test's own addresses, upcalls and
 * ended polls are counted, locks are the real ones.
 */
#ifndef CAISSON_TESTS_FAKES_PAIR_H
#define CAISSON_TESTS_FAKES_PAIR_H

#include "domain/domain.h"

#define PAIR_DOMAINS 3
#define PAIR_VCPUS   4
#define PAIR_RAM     64 /* frames of each, from 0 */

struct pair_domain {
    struct domain d;
    struct vcpu v[PAIR_VCPUS];
    /* Pages, so that they can be watched (tests/fakes/race.h). */
    union {
        struct xen_vcpu_info info[PAIR_VCPUS];
        uint8_t info_page[PAGE_SIZE];
    } __attribute__((aligned(PAGE_SIZE)));
    union {
        struct xen_shared_info shared;
        uint8_t shared_page[PAGE_SIZE];
    } __attribute__((aligned(PAGE_SIZE)));
    unsigned upcalls[PAIR_VCPUS], polls;
    bool gone;
};
extern struct pair_domain pair[PAIR_DOMAINS];

/* Fresh domains with ids 1, 2, 3, their events set up; pair_stop() ends those that are left and
 * fails if a frame or an object of any is missing or was left behind. For cmocka. */
int pair_start(void **state);
int pair_stop(void **state);
/* As domain_destroy() would. */
void pair_destroy(unsigned i);
/* Which vCPU of a domain makes its calls. */
extern unsigned pair_vcpu;
/* A call of domain i; continued until it is done. The domain's lock is held in it. */
int64_t pair_call(unsigned i, int64_t (*fn)(struct vcpu *v, uint64_t *args), uint64_t op, void *arg,
                  uint64_t count);
/* Arguments at or above this address cannot be read; at or above the other, not written. */
extern uint64_t pair_unreadable, pair_unwritable;
/* How often something was written to a caller's memory: each such time may be a walk of its page
 * tables. */
extern unsigned pair_writes;
/* Callers are 32-bit code. */
extern bool pair_is_32bit;
/* Called when a domain's lock is let go to take two in order: what another CPU does meanwhile. */
extern void (*pair_meanwhile)(void);
/* How often the last call was carried out until it was done: pieces of a long one. */
extern unsigned pair_rounds;
/* How often a domain's lock has been taken. */
uint32_t pair_locked(unsigned i);
/* A frame of its RAM by gfn, as bytes. NULL where nothing is. */
uint8_t *pair_ram(unsigned i, uint64_t g);

#endif
