/*
 * Attacks by memory: it goes and comes, in the smallest pieces.
 */
#include "guest/attacker/attack.h"
#include "guest/lib/hypercall.h"
#include "include/public/memory.h"

static uint64_t list[LIST_FRAMES];

static int64_t change(uint64_t op, uint64_t n)
{
    struct xen_memory_reservation arg = { .extent_start = (uint64_t)list,
                                          .nr_extents = n,
                                          .domid = XEN_DOMID_SELF };

    return hypercall(XEN_HYPERCALL_MEMORY_OP, op, (uint64_t)&arg, 0);
}

/* 2 MiB frame by frame, there and back. */
void attack_balloon(void)
{
    for (uint64_t i = 0; i < LIST_FRAMES; i++)
        list[i] = (SPARE + i * PAGE) >> 12;
    change(XENMEM_DECREASE_RESERVATION, LIST_FRAMES);
    change(XENMEM_INCREASE_RESERVATION, LIST_FRAMES);
    change(XENMEM_POPULATE_PHYSMAP, LIST_FRAMES);
    for (uint64_t i = 0; i < LIST_FRAMES; i++)
        *(volatile uint8_t *)(SPARE + i * PAGE) = 1;
}

/* One frame of each large page, so that each is split; another one each time. */
void attack_split(void)
{
    static uint64_t which;
    uint64_t n = 0;

    which = (which + 7) % (BIG_PAGE / PAGE);
    for (uint64_t at = SPARE; at < SPARE_END; at += BIG_PAGE)
        list[n++] = (at + which * PAGE) >> 12;
    change(XENMEM_DECREASE_RESERVATION, n);
    change(XENMEM_POPULATE_PHYSMAP, n);
}

/* What comes is used at once, on another CPU, if it is there. */
void attack_touch(void)
{
    struct xen_add_to_physmap move = { .domid = XEN_DOMID_SELF, .space = XENMAPSPACE_GMFN };
    static uint64_t n;

    n = (n + 1) % LIST_FRAMES;
    move.idx = (SPARE_END - BIG_PAGE + n * PAGE) >> 12;
    move.gpfn = move.idx + 1;
    hypercall(XEN_HYPERCALL_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, (uint64_t)&move, 0);
}
