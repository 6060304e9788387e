/*
 * A device's interrupts: MSI and MSI-X; that by its pin is told of as if it were one of them.
 *
 * The guest writes down which of its vCPUs is to get which vector. The device is told something
 * else: a message of Caisson's own, by way of the IOMMU's interrupt remapping, to a vector of the
 * machine's. So nothing that a guest writes here can be an interrupt of anybody else's. What
 * becomes of one that comes is passthrough/arrival.c's.
 *
 * Sources: PCI Local Bus Specification 3.0, "MSI Capability Structure", "MSI-X Capability and Table
 * Structures"; SDM, "Message Signalled Interrupts".
 */
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "iommu/iommu.h"
#include "lib/log.h"
#include "lib/nospec.h"
#include "passthrough/assigned.h"
#include "sched/sched.h"

/* A guest's message. */
#define ADDRESS_MASK    0xFFF00000u
#define ADDRESS_LOGICAL 4u
#define DEST_ALL        0xFFu
#define VECTOR_LEAST    16
#define MASKED          1u /* of its control word */

#define MSIX_ON  (1u << 31)
#define MSIX_ALL (1u << 30) /* are masked */

enum { WORD_ADDRESS, WORD_HIGH, WORD_DATA, WORD_CONTROL, WORDS };

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

static void mask_entry(const struct assigned *a, unsigned i, bool masked)
{
    mmio_write32(entry(a, i, WORD_CONTROL), masked ? MASKED : 0);
}

void message_mask(struct assigned *a, unsigned i, bool masked)
{
    if (i == ASSIGNED_INTX)
        intx_mask(a, masked);
    else if (i == ASSIGNED_MSI)
        mask_msi(a, masked);
    else
        mask_entry(a, i, masked);
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

/* ---- What the guest wants ---- */

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

    return a->shows_msix && assigned_field(a, at)->value & MSIX_ON;
}

/* Is that kind switched on? MSI-X goes first. */
static bool is_on(struct assigned *a, unsigned i)
{
    if (i != ASSIGNED_MSI)
        return msix_is_on(a) &&
               !(assigned_field(a, a->device->cap[PCI_CAP_MSIX])->value & MSIX_ALL);
    return !msix_is_on(a) && a->shows_msi && assigned_field(a, msi(a))->value & MSI_ON;
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

static void set_open(struct assigned *a, unsigned i, bool open)
{
    source_lock(a);
    if (open != a->message[i].open && !a->held)
        message_mask(a, i, !open);
    a->message[i].open = open;
    source_unlock(a);
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
    }
    set_open(a, i, wanted && m->routed);
}

/* Masked by its own bit it is still on. */
static void look_at_msi(struct assigned *a)
{
    if (!a->shows_msi)
        return;
    gather_msi(a);
    update(a, ASSIGNED_MSI);
    source_lock(a);
    if (a->msi_on && !is_on(a, ASSIGNED_MSI))
        switch_msi(a, false);
    source_unlock(a);
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

bool message_is_chosen(struct assigned *a)
{
    return msix_is_on(a) || is_on(a, ASSIGNED_MSI);
}

void message_begin(struct assigned *a)
{
    if (a->message[ASSIGNED_INTX].routed)
        set_open(a, ASSIGNED_INTX, true);
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
    i = index_nospec(i, a->message_count);
    a->message[i].word[word] = value & kept[word];
    update(a, (unsigned)i);
}

/* ---- Its beginning and its end ---- */

/* On this pCPU, or else on another. */
static void take_vector(struct assigned *a, unsigned i)
{
    struct message *m = &a->message[i];

    m->pcpu = (uint8_t)cpu_id();
    m->vector = vector_take(a, i, m->pcpu);
    for (unsigned p = 0; p < cpu_count && !m->vector; p++) {
        m->pcpu = (uint8_t)p;
        m->vector = vector_take(a, i, p);
    }
}

static void take_line(struct assigned *a)
{
    if (!intx_leads(a))
        return;
    take_vector(a, ASSIGNED_INTX);
    if (!a->message[ASSIGNED_INTX].vector)
        intx_close(a);
}

/* Of MSI-X's messages as many as there are vectors. */
static int take_vectors(struct assigned *a)
{
    unsigned wanted = a->message_count, got = 0;

    if (msi(a))
        take_vector(a, ASSIGNED_MSI);
    take_line(a);
    for (; got < wanted; got++) {
        take_vector(a, got);
        if (!a->message[got].vector)
            break;
    }
    a->message_count = got;
    if (got < wanted)
        log_warn("%s: pci=%s: the machine has interrupt vectors for %u of its %u messages",
                 a->owner.name, pci_name(&a->device->at).text, got, wanted);
    return got || a->message[ASSIGNED_MSI].vector || a->intx ? 0 : -ENOSPC;
}

/* A pvh domain's board has no lines at all, of which docs/guests.md tells once. */
static int open_line(struct assigned *a)
{
    const char *why = intx_open(a);
    const struct pci_name name = pci_name(&a->device->at);

    if (!why)
        return 0;
    if (!msi(a) && !a->message_count) {
        log_error("%s: pci=%s: it has no messages (MSI, MSI-X), and %s", a->owner.name, name.text,
                  why);
        return -ENODEV;
    }
    if (a->owner.bus->intx.set)
        log_info("%s: pci=%s: no INTx: %s", a->owner.name, name.text, why);
    return 0;
}

/* Masks all that the device has: also those entries that its guest is not shown. */
int message_open(struct assigned *a)
{
    int err = source_open(a);

    timer_init(&a->release, arrival_let_go_on);
    if (err)
        return err;
    for (unsigned i = 0; i < ASSIGNED_MESSAGES; i++)
        a->message[i].word[WORD_CONTROL] = MASKED;
    if (msi(a))
        switch_msi(a, false);
    if (a->device->cap[PCI_CAP_MSIX])
        switch_msix(a, false);
    for (unsigned i = 0; i < a->table.bytes / (4 * WORDS); i++)
        mask_entry(a, i, true);
    err = open_line(a);
    return err ? err : take_vectors(a);
}

int message_route(struct assigned *a, unsigned i, unsigned pcpu, uint8_t vector)
{
    struct msi_message out;
    int err = i == ASSIGNED_INTX ? intx_route(a, pcpu, vector)
                                 : iommu_route(a->device, i, percpu[pcpu].apic_id, vector, &out);

    if (err)
        return err;
    /* Where it goes is the IOMMU's affair: it is told once. */
    if (i != ASSIGNED_INTX && !a->message[i].routed)
        tell_device(a, i, &out);
    a->message[i].routed = true;
    return 0;
}

/* Its guest can find it. */
static bool is_wanted(const struct assigned *a, unsigned i)
{
    return a->message[i].vector && (i != ASSIGNED_MSI || a->shows_msi);
}

int message_route_next(struct assigned *a)
{
    unsigned i = 0;

    while (i < ASSIGNED_MESSAGES && (!is_wanted(a, i) || a->message[i].routed))
        i++;
    if (i == ASSIGNED_MESSAGES)
        return 0;
    int err = message_route(a, i, a->message[i].pcpu, a->message[i].vector);
    if (!err)
        return -EAGAIN;
    log_error("%s: pci=%s: its interrupts cannot be routed (error %d)", a->owner.name,
              pci_name(&a->device->at).text, -err);
    return err;
}

void message_stop(struct assigned *a)
{
    for (unsigned i = 0; i < ASSIGNED_MESSAGES; i++) {
        struct message *m = &a->message[i];
        if (!m->vector)
            continue;
        set_open(a, i, false);
        if (m->routed && i != ASSIGNED_INTX)
            iommu_unroute(a->device, i);
        vector_give(m->pcpu, m->vector);
        m->vector = 0;
        m->routed = false;
    }
    intx_close(a);
    source_close(a);
    timer_cancel_sync(&a->release);
}
