/*
 * A device's interrupts: MSI and MSI-X.
 *
 * The guest writes down which of its vCPUs is to get which vector. The device is told something
 * else: a message of Caisson's own, by way of the IOMMU's interrupt remapping, to a vector of the
 * machine's. When that comes, on whatever pCPU, it is noted, and a vCPU is told, which sends the
 * guest's message to its local APICs. So nothing that a guest writes here can be an interrupt of
 * anybody else's.
 *
 * A device may send many; each costs the pCPU that takes it something. Beyond MOST in a millisecond
 * the device is masked until that is over. One that sends what is masked is shut out.
 *
 * Sources: PCI Local Bus Specification 3.0, "MSI Capability Structure", "MSI-X Capability and Table
 * Structures"; SDM, "Message Signalled Interrupts".
 */
#include "arch/x86/insn.h"
#include "arch/x86/irq.h"
#include "arch/x86/lapic.h"
#include "arch/x86/tsc.h"
#include "iommu/iommu.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "passthrough/assigned.h"

#define MOST 64u /* interrupts of a device in a period */
/* And so many if it has yet to hear for each message that it is masked. */
#define MOST_AT_ALL (MOST + 2 * ASSIGNED_MESSAGES)
#define AT_ONCE     4 /* messages sent on with the domain's lock in hand: each may be for all vCPUs */
#define PER_S       1000u /* periods */
#define VECTORS     256

/* A guest's message. */
#define ADDRESS_MASK    0xFFF00000u
#define ADDRESS_LOGICAL 4u
#define DEST_ALL        0xFFu
#define VECTOR_LEAST    16
#define MASKED          1u /* of its control word */

#define MSIX_ON  (1u << 31)
#define MSIX_ALL (1u << 30) /* are masked */

enum { WORD_ADDRESS, WORD_HIGH, WORD_DATA, WORD_CONTROL, WORDS };

/* Guards what is below, and in struct assigned what is said there. Vectors that were given out once
 * stay ours. */
static struct spinlock lock = SPINLOCK_RANK("passthrough", LOCK_PASSTHROUGH);
static struct {
    struct assigned *a; /* NULL: nobody has it */
    uint8_t index;
    bool ours;
} vectors[VECTORS];

/* ---- The device's side ---- */

/* A word of its table. */
static volatile uint8_t *entry(const struct assigned *a, unsigned i, unsigned word)
{
    return registers_at(a, a->table.bar, a->table.at + (i * WORDS + word) * 4, 4);
}

static unsigned msi(const struct assigned *a)
{
    return a->device->cap[PCI_CAP_MSI];
}

/* As the guest sees it, which is as it was at first: the device is not asked again. */
static uint32_t msi_abilities(const struct assigned *a)
{
    return a->word[msi(a) / 4].value & (MSI_WIDE | MSI_MASKS);
}

/* Of its control nothing else can be written but how many messages it may send: one. */
static void switch_msi(struct assigned *a, bool on)
{
    a->msi_on = on;
    config_write32(&a->device->at, msi(a), on ? MSI_ON : 0);
}

static void switch_msix(const struct assigned *a, bool on)
{
    config_write32(&a->device->at, a->device->cap[PCI_CAP_MSIX], on ? MSIX_ON : 0);
}

/* A device whose MSI cannot be masked is kept from sending any. */
static void mask_msi(struct assigned *a, bool masked)
{
    uint32_t abilities = msi_abilities(a);

    if (abilities & MSI_MASKS)
        config_write32(&a->device->at, msi(a) + msi_data(abilities) + 4, masked);
    if (!masked || !(abilities & MSI_MASKS))
        switch_msi(a, !masked);
}

static void mask(struct assigned *a, unsigned i, bool masked)
{
    if (i == ASSIGNED_MSI)
        mask_msi(a, masked);
    else
        mmio_write32(entry(a, i, WORD_CONTROL), masked ? MASKED : 0);
}

static void tell_device(const struct assigned *a, unsigned i, const struct msi_message *m)
{
    if (i == ASSIGNED_MSI) {
        pci_tell_message(a->device, msi_abilities(a), m);
        return;
    }
    mmio_write32(entry(a, i, WORD_ADDRESS), (uint32_t)m->address);
    mmio_write32(entry(a, i, WORD_HIGH), (uint32_t)(m->address >> 32));
    mmio_write32(entry(a, i, WORD_DATA), m->data);
}

/* ---- An interrupt has come ---- */

static void let_go_on(struct timer *t)
{
    struct assigned *a = container_of(t, struct assigned, release);

    spin_lock(&lock);
    for (unsigned i = 0; i < ASSIGNED_MESSAGES && !a->device->stopped; i++) {
        if (!(a->held & 1u << i) || !a->message[i].open)
            continue;
        mask(a, i, false);
        if (i == ASSIGNED_MSI) { /* what it had to say meanwhile may be lost */
            a->pending |= 1u << i;
            a->owner.tell(a->owner.ctx, a->message[i].vcpu);
        }
    }
    a->held = 0;
    spin_unlock(&lock);
}

/* How many have come in this period. */
static unsigned count(struct assigned *a)
{
    uint64_t now = rdtsc();

    if (now - a->since >= tsc_hz / PER_S) {
        a->since = now;
        a->recent = 0;
    }
    return ++a->recent;
}

/* Too many: it waits until the period is over. */
static void hold(struct assigned *a, unsigned i)
{
    mask(a, i, true);
    a->held |= 1u << i;
    timer_set(&a->release, a->since + tsc_hz / PER_S);
}

/* Masks do not help against a device that does not heed them. */
static void stop(struct assigned *a)
{
    pci_stop(a->device);
    log_error("%s: %s: sends interrupts that are masked: it is stopped", a->owner.name,
              pci_name(&a->device->at).text);
}

/* False: no more of these. */
static bool come(struct assigned *a, unsigned i)
{
    unsigned recent = count(a);

    if (a->message[i].open) {
        a->pending |= 1u << i;
        if (recent > MOST && !(a->held & 1u << i))
            hold(a, i);
        a->owner.tell(a->owner.ctx, a->message[i].vcpu);
    }
    if (recent <= MOST_AT_ALL)
        return true;
    if (!a->device->stopped)
        stop(a);
    return false;
}

/* One that comes when nobody has its vector any more was on its way. Without our lock the IOMMU is
 * told: its own comes before. The device's next owner is a reset away. */
static void interrupt(unsigned vector)
{
    struct pci_device *shut = NULL;
    unsigned index = 0;

    spin_lock(&lock);
    struct assigned *a = vectors[vector].a;
    if (a) {
        index = vectors[vector].index;
        shut = come(a, index) ? NULL : a->device;
    }
    spin_unlock(&lock);
    if (shut)
        iommu_unroute(shut, index);
}

void message_settle(struct vpci_function *f)
{
    struct assigned *a = container_of(f, struct assigned, function);
    uint32_t rest, pending;

    spin_lock(&lock);
    rest = pending = a->pending;
    for (unsigned i = 0; i < AT_ONCE; i++)
        rest &= rest - 1; /* of 0 nothing is left */
    a->pending = rest;
    if (rest)
        a->owner.tell(a->owner.ctx, a->message[__builtin_ctz(rest)].vcpu);
    spin_unlock(&lock);
    for (pending &= ~rest; pending; pending &= pending - 1)
        a->owner.deliver(a->owner.ctx, &a->message[__builtin_ctz(pending)].means);
}

/* ---- What the guest wants ---- */

static bool is_shown(struct assigned *a, unsigned at)
{
    return at && assigned_field(a, at)->kept; /* its switch, if it is in the guest's list at all */
}

/* The guest's words of MSI, as if they were an entry of a table. */
static void gather_msi(struct assigned *a)
{
    uint32_t *word = a->message[ASSIGNED_MSI].word;
    unsigned at = msi(a), data = at + msi_data(assigned_field(a, at)->value);

    word[WORD_ADDRESS] = assigned_field(a, at + 4)->value;
    word[WORD_HIGH] =
        assigned_field(a, at)->value & MSI_WIDE ? assigned_field(a, at + 8)->value : 0;
    word[WORD_DATA] = assigned_field(a, data)->value;
    word[WORD_CONTROL] =
        assigned_field(a, at)->value & MSI_MASKS ? assigned_field(a, data + 4)->value : 0;
}

static bool msix_is_on(struct assigned *a)
{
    unsigned at = a->device->cap[PCI_CAP_MSIX];

    return is_shown(a, at) && assigned_field(a, at)->value & MSIX_ON;
}

/* Is that kind switched on? MSI-X goes first. */
static bool is_on(struct assigned *a, unsigned i)
{
    if (i != ASSIGNED_MSI)
        return msix_is_on(a) &&
               !(assigned_field(a, a->device->cap[PCI_CAP_MSIX])->value & MSIX_ALL);
    return !msix_is_on(a) && is_shown(a, msi(a)) && assigned_field(a, msi(a))->value & MSI_ON;
}

/* No more than interrupts of its own vCPUs: no NMI, no INIT. Each comes as an edge. */
static bool read_meaning(const uint32_t word[WORDS], struct apic_message *m)
{
    *m = (struct apic_message){ .dest = word[WORD_ADDRESS] >> 12 & 0xFF,
                                .mode = word[WORD_DATA] >> 8 & 7,
                                .shorthand = APIC_TO_DEST,
                                .vector = (uint8_t)word[WORD_DATA],
                                .logical = word[WORD_ADDRESS] & ADDRESS_LOGICAL };
    if (m->dest == DEST_ALL && !m->logical)
        m->dest = APIC_DEST_ALL;
    return !word[WORD_HIGH] && (word[WORD_ADDRESS] & ADDRESS_MASK) == MSI_ADDRESS &&
           (m->mode == APIC_FIXED || m->mode == APIC_LOWEST) && m->vector >= VECTOR_LEAST;
}

static void complain(struct assigned *a, const char *why)
{
    if (!a->complained)
        log_warn("%s: %s: %s", a->owner.name, pci_name(&a->device->at).text, why);
    a->complained = true;
}

/* A vector of ours that is free, or one more; 0: none is left. */
static uint8_t take_vector(struct assigned *a, unsigned i)
{
    int v = VECTOR_FIRST;

    spin_lock(&lock);
    while (v <= VECTOR_LAST && (!vectors[v].ours || vectors[v].a))
        v++;
    if (v > VECTOR_LAST)
        v = irq_alloc_message(interrupt);
    if (v > 0) {
        vectors[v].a = a;
        vectors[v].index = (uint8_t)i;
        vectors[v].ours = true;
    }
    spin_unlock(&lock);
    return v > 0 ? (uint8_t)v : 0;
}

/* Has the device a message that comes to us? Once it has, it keeps it. Without one it says what it
 * was told by somebody else. */
static bool has_route(struct assigned *a, unsigned i)
{
    struct message *m = &a->message[i];
    struct msi_message out;

    if (m->routed)
        return true;
    if (!m->vector)
        m->vector = take_vector(a, i); /* message_stop() gives it back, whatever comes now */
    if (!m->vector) {
        complain(a, "the machine has no interrupt vectors left for it");
        return false;
    }
    if (iommu_route(a->device, i, lapic_id(), m->vector, &out)) {
        complain(a, "its interrupts cannot be routed");
        return false;
    }
    tell_device(a, i, &out);
    m->routed = true;
    return true;
}

static void set_open(struct assigned *a, unsigned i, bool open)
{
    spin_lock(&lock);
    if (open != a->message[i].open && !(a->held & 1u << i))
        mask(a, i, !open);
    a->message[i].open = open;
    spin_unlock(&lock);
}

static void update(struct assigned *a, unsigned i)
{
    struct message *m = &a->message[i];
    struct apic_message means;
    bool wanted = is_on(a, i) && !(m->word[WORD_CONTROL] & MASKED) && !a->device->stopped;

    if (wanted && !read_meaning(m->word, &means)) {
        complain(a, "its guest gave it a message that is no interrupt of a vCPU's");
        wanted = false;
    }
    if (wanted) {
        m->means = means;
        m->vcpu = (uint8_t)a->owner.addressee(a->owner.ctx, &means);
        wanted = has_route(a, i);
    }
    set_open(a, i, wanted);
}

/* Masked by its own bit it is still on. */
static void look_at_msi(struct assigned *a)
{
    if (!is_shown(a, msi(a)))
        return;
    gather_msi(a);
    update(a, ASSIGNED_MSI);
    spin_lock(&lock);
    if (a->msi_on && !is_on(a, ASSIGNED_MSI))
        switch_msi(a, false);
    spin_unlock(&lock);
}

static void look_at_msix(struct assigned *a)
{
    bool on = msix_is_on(a);

    if (on != a->msix_on)
        switch_msix(a, on);
    a->msix_on = on;
    for (unsigned i = 0; i < a->message_count; i++)
        update(a, i);
}

/* A device is not to have both on: what it does then is its own affair. So the one that is off now
 * comes first. */
void message_look(struct assigned *a)
{
    if (msix_is_on(a))
        look_at_msi(a);
    if (a->message_count)
        look_at_msix(a);
    if (!msix_is_on(a))
        look_at_msi(a);
}

uint32_t message_read(const struct assigned *a, uint64_t offset)
{
    uint64_t i = offset / (4 * WORDS);

    return i < a->message_count ? a->message[i].word[offset / 4 % WORDS] : 0;
}

void message_write(struct assigned *a, uint64_t offset, uint32_t value)
{
    static const uint32_t kept[WORDS] = { ~3u, UINT32_MAX, UINT32_MAX, MASKED };
    uint64_t i = offset / (4 * WORDS);
    unsigned word = offset / 4 % WORDS;

    if (i >= a->message_count)
        return;
    a->message[i].word[word] = value & kept[word];
    update(a, (unsigned)i);
}

/* ---- Its beginning and its end ---- */

/* Masks all that the device has: also those entries that its guest is not shown. */
void message_open(struct assigned *a)
{
    timer_init(&a->release, let_go_on);
    for (unsigned i = 0; i < ASSIGNED_MESSAGES; i++)
        a->message[i].word[WORD_CONTROL] = MASKED;
    if (msi(a))
        switch_msi(a, false);
    if (a->device->cap[PCI_CAP_MSIX])
        switch_msix(a, false);
    for (unsigned i = 0; i < a->table.bytes / (4 * WORDS); i++)
        mask(a, i, true);
}

void message_stop(struct assigned *a)
{
    for (unsigned i = 0; i < ASSIGNED_MESSAGES; i++) {
        struct message *m = &a->message[i];
        if (!m->vector)
            continue;
        set_open(a, i, false);
        iommu_unroute(a->device, i);
        spin_lock(&lock);
        vectors[m->vector].a = NULL;
        spin_unlock(&lock);
        m->vector = 0;
        m->routed = false;
    }
    timer_cancel_sync(&a->release);
}
