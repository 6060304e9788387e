/*
 * Who gets which interrupt vector of the machine.
 */
#include "arch/x86/irq.h"

#include <stdbool.h>
#include "arch/x86/lapic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/trap.h"
#include "lib/assert.h"
#include "lib/log.h"
#include "lib/spinlock.h"

static struct spinlock lock =
    SPINLOCK_RANK("irq vectors", LOCK_IRQ_VECTORS); /* for giving out vectors */
static irq_fn handlers[TRAP_VECTORS]; /* an entry is set once, before its vector fires */
static irq_message_fn message_handlers[TRAP_VECTORS]; /* the same: a vector has one or the other */
static bool warned[TRAP_VECTORS];
static struct irq_counts counts[MAX_PCPUS];

static int alloc(irq_fn fn, irq_message_fn message_fn)
{
    int v = VECTOR_FIRST;

    ASSERT(fn || message_fn);
    spin_lock(&lock);
    while (v <= VECTOR_LAST && (handlers[v] || message_handlers[v]))
        v++;
    if (v <= VECTOR_LAST) {
        handlers[v] = fn;
        message_handlers[v] = message_fn;
    }
    spin_unlock(&lock);
    return v <= VECTOR_LAST ? v : -ENOSPC;
}

int irq_alloc_vector(irq_fn fn)
{
    return alloc(fn, NULL);
}

int irq_alloc_message(irq_message_fn fn)
{
    return alloc(NULL, fn);
}

void irq_kick(unsigned cpu)
{
    ASSERT(cpu < MAX_PCPUS);
    lapic_send(percpu[cpu].apic_id, VECTOR_KICK);
}

void irq_notify_posted(unsigned cpu)
{
    ASSERT(cpu < MAX_PCPUS);
    lapic_send(percpu[cpu].apic_id, VECTOR_POSTED);
}

struct irq_counts irq_counts_of(unsigned cpu)
{
    ASSERT(cpu < MAX_PCPUS);
    return counts[cpu];
}

static void irq_count(unsigned vector)
{
    struct irq_counts *c = &counts[cpu_id()];

    if (vector == VECTOR_TIMER)
        c->timer++;
    else if (vector == VECTOR_KICK || vector == VECTOR_POSTED)
        c->kick++;
    else
        c->device++;
}

static void irq_unexpected(unsigned vector)
{
    if (!warned[vector])
        log_warn("interrupt with vector 0x%x came unasked; said once", vector);
    warned[vector] = true;
}

void irq_dispatch(unsigned vector)
{
    ASSERT(vector < TRAP_VECTORS);
    /* Below are the legacy PICs' spurious ones: masked, but nothing stops line 7 from glitching. */
    if (vector == VECTOR_SPURIOUS || vector < VECTOR_FIRST)
        return;
    irq_count(vector);
    if (vector == VECTOR_KICK || vector == VECTOR_TIMER || vector == VECTOR_POSTED)
        ; /* that it came is all there is to it */
    /* cppcheck-suppress arrayIndexOutOfBoundsCond; it does not know ASSERT */
    else if (handlers[vector])
        handlers[vector]();
    else if (message_handlers[vector])
        message_handlers[vector](vector);
    else
        irq_unexpected(vector);
    lapic_eoi();
}
