/*
 * Which interrupt vector of which pCPU is whose.
 *
 * A vector has a meaning of its own on each pCPU, so there are some 190 for devices for each pCPU
 * of the machine. A device has one for each message that it can ever send, from its beginning to
 * its end: nobody can take so many that another's device is left without. One that goes to another
 * pCPU takes one there and leaves one here.
 *
 * What such an interrupt may touch is guarded by a lock for each device, which outlives it: nobody
 * waits for what another domain's device is being told.
 */
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/percpu.h"
#include "iommu/iommu.h"
#include "lib/spinlock.h"
#include "mm/heap.h"
#include "passthrough/assigned.h"

#define SOURCES 64 /* devices that domains have */
#define VECTORS (VECTOR_LAST + 1 - VECTOR_FIRST)

/* A device that sends interrupts. a: its lock, and the boot CPU changes it; NULL: nobody. */
static struct source {
    struct spinlock lock;
    struct assigned *a;
} sources[SOURCES] = {
    [0 ... SOURCES - 1] = { .lock = SPINLOCK_RANK("passthrough", LOCK_PASSTHROUGH) },
};

/* For giving out. A vector of which one pCPU has once made use is kept for this on all. */
static struct spinlock lock = SPINLOCK_RANK("device vectors", LOCK_PASSTHROUGH);
static bool ours[VECTORS];
/* By pCPU. 0: nobody's, see meaning_of(); atomic. Made for the first device, and never unmade. */
static uint16_t (*meanings)[VECTORS];

static uint16_t meaning_of(const struct assigned *a, unsigned i)
{
    return (uint16_t)(1 + a->source * ASSIGNED_MESSAGES + i);
}

/* ---- An interrupt has come ---- */

/* One that comes when nobody has its vector any more was on its way. Without the lock the IOMMU is
 * told: its own comes before. The device's next owner is a reset away. */
static void interrupt(unsigned vector)
{
    uint64_t begun = rdtsc();
    unsigned meaning =
        __atomic_load_n(&meanings[cpu_id()][vector - VECTOR_FIRST], __ATOMIC_RELAXED);
    struct pci_device *shut = NULL;

    if (!meaning--)
        return;
    struct source *s = &sources[meaning / ASSIGNED_MESSAGES];
    spin_lock(&s->lock);
    if (s->a && !arrival_come(s->a, meaning % ASSIGNED_MESSAGES, begun))
        shut = s->a->device;
    spin_unlock(&s->lock);
    if (shut)
        iommu_unroute(shut, meaning % ASSIGNED_MESSAGES);
}

/* ---- Who has which ---- */

static void set_meaning(unsigned pcpu, unsigned n, uint16_t meaning)
{
    __atomic_store_n(&meanings[pcpu][n], meaning, __ATOMIC_RELAXED);
}

/* One that is free on this pCPU, or one more of the machine's; less than 0: there is none. */
static int find_free(unsigned pcpu)
{
    unsigned n = 0;

    while (n < VECTORS && !(ours[n] && !meanings[pcpu][n]))
        n++;
    return n < VECTORS ? (int)n : irq_alloc_message(interrupt) - VECTOR_FIRST;
}

uint8_t vector_take(const struct assigned *a, unsigned i, unsigned pcpu)
{
    spin_lock(&lock);
    int n = find_free(pcpu);
    if (n >= 0) {
        ours[n] = true;
        set_meaning(pcpu, (unsigned)n, meaning_of(a, i));
    }
    spin_unlock(&lock);
    return n >= 0 ? (uint8_t)(VECTOR_FIRST + n) : 0;
}

void vector_give(unsigned pcpu, uint8_t vector)
{
    spin_lock(&lock);
    set_meaning(pcpu, vector - VECTOR_FIRST, 0);
    spin_unlock(&lock);
}

/* ---- Devices ---- */

/* The first one of the same domain; a itself if there is none. */
static unsigned account_of(const struct assigned *a)
{
    unsigned n = 0;

    while (!sources[n].a || sources[n].a->owner.id != a->owner.id)
        n++;
    return n;
}

static bool make_meanings(void)
{
    if (!meanings)
        meanings = heap_pages(heap_order(cpu_count * sizeof(*meanings)), OWNER_CAISSON);
    return meanings;
}

int source_open(struct assigned *a)
{
    unsigned n = 0;

    while (n < SOURCES && sources[n].a)
        n++;
    if (n == SOURCES)
        return -ENOSPC;
    if (!make_meanings())
        return -ENOMEM;
    a->source = n;
    spin_lock(&sources[n].lock);
    sources[n].a = a;
    spin_unlock(&sources[n].lock);
    a->account = account_of(a);
    return 0;
}

void source_close(struct assigned *a)
{
    struct source *s = &sources[a->source];

    if (s->a != a)
        return;
    spin_lock(&s->lock);
    s->a = NULL;
    spin_unlock(&s->lock);
}

void source_lock(const struct assigned *a)
{
    spin_lock(&sources[a->source].lock);
}

void source_unlock(const struct assigned *a)
{
    spin_unlock(&sources[a->source].lock);
}
