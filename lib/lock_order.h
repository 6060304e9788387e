/*
 * The order in which locks are taken: a CPU that holds one takes only later ones. docs/locking.md
 * says what each guards. Locks of one rank are taken in the order of their addresses.
 */
#ifndef CAISSON_LIB_LOCK_ORDER_H
#define CAISSON_LIB_LOCK_ORDER_H

enum lock_rank {
    LOCK_UNRANKED,
    LOCK_DOMAIN,  /* one domain's machine and state; two at most, see xen/pair.h */
    LOCK_DOMAINS, /* the list of domains */
    LOCK_ORDERS,  /* for bare domains */
    LOCK_P2M,
    LOCK_IOMMU,       /* who has which device, and the units */
    LOCK_PASSTHROUGH, /* interrupts of devices that are domains' own */
    LOCK_SCHED_QUEUE, /* of a pCPU; two at most */
    LOCK_SCHED_CORE,  /* of the threads of a core */
    LOCK_SCHED_GROUP,
    LOCK_TIMERS, /* of a pCPU */
    LOCK_IRQ_VECTORS,
    LOCK_VPIDS,
    LOCK_IOAPIC,     /* the machine's, its window */
    LOCK_PCI_CONFIG, /* ports 0xCF8 and 0xCFC */
    LOCK_ASPACE,
    LOCK_FRAMES,
    LOCK_CONSOLE, /* the operator's terminal */
    LOCK_LOG,
    LOCK_UART,   /* a sink of the log */
    LOCK_SCREEN, /* the same */
    LOCK_RANKS
};

#endif
