/*
 * One of Intel's IOMMUs: commands by register, and by a queue in memory.
 *
 * Whatever a table's change was, all that the unit keeps of such tables is forgotten. That is more
 * than most changes need, but they are rare, and a unit in caching mode, which also keeps what was
 * not present, wants the same as the others.
 *
 * Source: Intel Virtualization Technology for Directed I/O, Architecture Specification, "Queued
 * Invalidation Interface", "Global Command Register", "Write Buffer Flushing".
 */
#include "lib/log.h"
#include "iommu/vtd.h"
#include "mm/heap.h"

#define STAYING    0x96FFFFFFu /* bits of the status that are states: to be written as they are */
#define CACHE_LINE 64

#define QUEUE_BYTES   4096
#define COMMAND_BYTES 16
#define PLACES        (QUEUE_BYTES / COMMAND_BYTES)

/* Kinds of commands, each for all that there is. */
#define FORGET_CONTEXTS   (1ul | 1ul << 4)
#define FORGET_PAGES      (2ul | 1ul << 4 | 3ul << 6) /* after reads and writes that are under way */
#define FORGET_INTERRUPTS 4ul
#define FORGET_DOMAIN(d)  (2ul | 2ul << 4 | 3ul << 6 | (uint64_t)(d) << 16)
#define FORGET_PICKED(d)  (2ul | 3ul << 4 | 3ul << 6 | (uint64_t)(d) << 16) /* 2^order pages */
#define WAIT              (5ul | 1ul << 5 | 1ul << 32) /* ... and write a one to memory */

/* What the unit and we share: a page, and a word. */
struct vtd_queue {
    struct vtd_entry commands[PLACES];
    volatile uint32_t done;
    unsigned tail; /* ours */
};
#define QUEUE_ORDER 1

static bool wait_for(const struct vtd_unit *u, uint32_t bit, bool on)
{
    for (unsigned i = 0; i < VTD_PATIENCE; i++) {
        if (!!(vtd_read32(u, VTD_STATUS) & bit) == on)
            return true;
        cpu_relax();
    }
    return false;
}

/* One bit at a time; the others are written as they stand. */
bool vtd_command(const struct vtd_unit *u, uint32_t bit, bool on)
{
    uint32_t now = vtd_read32(u, VTD_STATUS) & STAYING & ~bit;

    vtd_write32(u, VTD_COMMAND, on ? now | bit : now);
    return wait_for(u, bit, on && bit != VTD_FLUSH);
}

void vtd_written(const struct vtd_unit *u, const void *at, uint32_t bytes)
{
    uintptr_t from = (uintptr_t)at / CACHE_LINE * CACHE_LINE, to = (uintptr_t)at + bytes;

    for (; !(u->ecap & VTD_ECAP_COHERENT) && from < to; from += CACHE_LINE)
        clflush((const void *)from);
}

/* ---- The queue ---- */

static void put(struct vtd_queue *q, uint64_t low, uint64_t high)
{
    q->commands[q->tail] = (struct vtd_entry){ low, high };
    q->tail = (q->tail + 1) % PLACES;
}

/* Commands that have been put there. False if it does not answer, from then on. */
static bool carry_out(struct vtd_unit *u)
{
    struct vtd_queue *q = u->queue;

    if (!u->on)
        return false;
    u->on = false;
    if (VTD_CAP_FLUSHES(u->cap) && !vtd_command(u, VTD_FLUSH, true))
        return false;
    q->done = 0;
    put(q, WAIT, heap_to_maddr((const void *)&q->done).v);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* it is all in memory before the unit hears of it */
    vtd_write32(u, VTD_QUEUE_TAIL, q->tail * COMMAND_BYTES);
    for (unsigned i = 0; i < VTD_PATIENCE && !q->done; i++)
        cpu_relax();
    u->on = q->done;
    return u->on;
}

/* A queue is taken away when it is empty, or if it gets no further. */
static bool end_other_queue(const struct vtd_unit *u)
{
    if (!(vtd_read32(u, VTD_STATUS) & VTD_QUEUES))
        return true;
    for (unsigned i = 0; i < VTD_PATIENCE; i++) {
        if (vtd_read32(u, VTD_QUEUE_HEAD) == vtd_read32(u, VTD_QUEUE_TAIL))
            break;
        cpu_relax();
    }
    return vtd_command(u, VTD_QUEUES, false);
}

bool vtd_queue_start(struct vtd_unit *u)
{
    u->queue = heap_pages(QUEUE_ORDER, OWNER_CAISSON);
    if (!u->queue || !end_other_queue(u))
        return false;
    vtd_write64(u, VTD_QUEUE_TAIL, 0);
    vtd_write64(u, VTD_QUEUE, heap_to_maddr(u->queue).v);
    u->on = vtd_command(u, VTD_QUEUES, true);
    return u->on;
}

bool vtd_forget(struct vtd_unit *u)
{
    put(u->queue, FORGET_CONTEXTS, 0);
    put(u->queue, FORGET_PAGES, 0);
    return carry_out(u);
}

#define ORDER_MOST 63 /* that of everything */

/* The order of the smallest block that has all of them, and all of the largest mapping that any may
 * have been in ("IOTLB Invalidate Descriptor", Address Mask); blocks are where their size lets
 * them. */
static unsigned order_of(uint64_t first, uint64_t frames)
{
    uint64_t last = frames > UINT64_MAX - first ? UINT64_MAX : first + frames - 1;
    unsigned order = iommu_order_least();

    while (order < ORDER_MOST && first >> order != last >> order)
        order++;
    return order;
}

bool vtd_forget_pages(struct vtd_unit *u, uint16_t domain, gfn_t start, uint64_t frames)
{
    unsigned order = order_of(start.v, frames);

    if (VTD_CAP_PICKS(u->cap) && order <= VTD_CAP_PICKS_ORDER(u->cap) && order < ORDER_MOST)
        put(u->queue, FORGET_PICKED(domain), gfn_to_gpa(gfn(start.v >> order << order)).v | order);
    else
        put(u->queue, FORGET_DOMAIN(domain), 0);
    return carry_out(u);
}

bool vtd_forget_interrupts(struct vtd_unit *u)
{
    put(u->queue, FORGET_INTERRUPTS, 0);
    return carry_out(u);
}
