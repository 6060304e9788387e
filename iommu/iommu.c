/*
 * Which IOMMU the machine has, and who has which device. See iommu/iommu.h.
 */
#include "iommu/iommu.h"

#include "arch/x86/acpi.h"
#include "arch/x86/insn.h"
#include "arch/x86/ioapic.h"
#include "arch/x86/tsc.h"
#include "iommu/amd.h"
#include "iommu/driver.h"
#include "iommu/vtd.h"
#include "lib/lock_order.h"
#include "lib/log.h"
#include "lib/spinlock.h"

#define FAULTS_S    60 /* seconds after which a domain's device begins anew */
#define FAULTS_TOLD 4  /* of it, within these, */
#define FAULTS_MOST 64 /* and then it is stopped */

static const struct iommu_driver *driver; /* NULL: there is none. Boot only */
static struct spinlock lock = SPINLOCK_RANK("iommu", LOCK_IOMMU);
static struct iommu_use uses[IOMMU_USES]; /* the lock */

void iommu_start(void)
{
    driver = NULL;
    if (acpi.ivrs)
        driver = amd_start(acpi.ivrs, acpi.ivrs_bytes);
    else if (acpi.dmar.there)
        driver = vtd_start(acpi.dmar.bytes, acpi.dmar.length);
    if (driver)
        pci_send_up();
}

bool iommu_is_on(void)
{
    return driver;
}

bool iommu_has_registers(uint64_t start, uint64_t end)
{
    return driver && driver->has_registers(start, end);
}

void iommu_share(void)
{
    if (driver)
        driver->share();
}

/* ---- Who has what ---- */

/* Of this device; NULL: no domain has it. A free place for NULL. */
static struct iommu_use *use_of(const struct pci_device *d)
{
    for (struct iommu_use *u = uses; u < uses + IOMMU_USES; u++) {
        if (u->device == d)
            return u;
    }
    return NULL;
}

/* The next one that owner has, after this one or the first; NULL behind the last. */
static struct iommu_use *next_of(uint16_t owner, const struct iommu_use *after)
{
    for (struct iommu_use *u = after ? uses + (after - uses) + 1 : uses; u < uses + IOMMU_USES;
         u++) {
        if (u->device && u->owner == owner)
            return u;
    }
    return NULL;
}

static bool is_tag(uint16_t tag)
{
    for (struct iommu_use *u = uses; u < uses + IOMMU_USES; u++) {
        if (u->device && u->tag == tag)
            return true;
    }
    return false;
}

/* That of the owner's other devices, or a free one: there are as many as there are places. */
static uint16_t tag_for(uint16_t owner)
{
    const struct iommu_use *other = next_of(owner, NULL);
    uint16_t tag = 1;

    if (other)
        return other->tag;
    while (is_tag(tag))
        tag++;
    return tag;
}

static int refuse(const struct pci_device *d, int err, const char *why)
{
    log_warn("iommu: %s %s", pci_name(&d->at).text, why);
    return err;
}

/* Whoever cannot be kept apart from it must be its owner's too, or nobody's. */
static int check_others(const struct pci_device *d, uint16_t owner)
{
    for (const struct pci_device *o = pci_next(NULL); o; o = pci_next(o)) {
        const struct iommu_use *u = use_of(o);
        if (!o->used_as && !(u && (o == d || u->owner != owner)))
            continue;
        if (o == d)
            return refuse(o, -EBUSY, "is in use");
        if (!pci_is_apart(d, o))
            return refuse(o, -EBUSY, "is in use, and the other cannot be kept apart from it");
    }
    return 0;
}

static int check(const struct pci_device *d, uint16_t owner)
{
    if (d->header)
        return refuse(d, -EOPNOTSUPP, "is a bridge");
    if (pci_is_conventional(d))
        return refuse(d, -EOPNOTSUPP, "sends in the name of a bridge to conventional PCI");
    return check_others(d, owner);
}

static int attach(struct pci_device *d, struct slat *s, uint16_t owner)
{
    struct iommu_use *place = use_of(NULL);

    if (!place)
        return -ENOSPC;
    struct iommu_use u = { .device = d, .tables = s, .owner = owner, .tag = tag_for(owner) };
    int err = check(d, owner);
    if (!err)
        err = driver->attach(&u);
    if (err)
        return err;
    *place = u;
    s->devices++;
    d->stopped = false;
    return 0;
}

int iommu_attach(struct pci_device *d, struct slat *s, uint16_t owner)
{
    if (!driver)
        return -ENODEV;
    spin_lock(&lock);
    int err = attach(d, s, owner);
    spin_unlock(&lock);
    if (err)
        log_warn("iommu: %s cannot be given away (error %d)", pci_name(&d->at).text, -err);
    return err;
}

static void detach(struct iommu_use *u)
{
    if (!driver->detach(u)) {
        log_error("iommu: no answer when %s was taken back: its domain's memory is not used again",
                  pci_name(&u->device->at).text);
        u->tables->lost = true;
    }
    u->tables->devices--;
    *u = (struct iommu_use){ 0 };
}

/* A device that is slow to answer is waited for without the lock. */
void iommu_detach(struct pci_device *d)
{
    spin_lock(&lock);
    struct iommu_use *u = use_of(d);
    spin_unlock(&lock);
    if (!u)
        return;
    pci_stop(d);
    spin_lock(&lock);
    detach(u);
    spin_unlock(&lock);
}

/* ---- What they reach ---- */

/* What cannot be told to forget is kept from asking. */
static void give_up(const struct iommu_use *dead)
{
    dead->tables->lost = true;
    for (struct iommu_use *u = next_of(dead->owner, NULL); u; u = next_of(dead->owner, u)) {
        if (u->unit != dead->unit || u->device->stopped)
            continue;
        log_error("iommu: no answer: %s of domain %u is stopped", pci_name(&u->device->at).text,
                  u->owner);
        pci_stop(u->device);
    }
}

/* Another one of the same domain is behind the same unit, and comes before it. */
static bool is_second(const struct iommu_use *u)
{
    const struct iommu_use *other = next_of(u->owner, NULL);

    while (other->unit != u->unit)
        other = next_of(u->owner, other);
    return other != u;
}

void iommu_flush(uint16_t owner, gfn_t start, uint64_t frames)
{
    spin_lock(&lock);
    for (struct iommu_use *u = next_of(owner, NULL); u; u = next_of(owner, u))
        if (!is_second(u) && !driver->flush(u, start, frames))
            give_up(u);
    spin_unlock(&lock);
}

static int route(struct iommu_use *u, unsigned index, uint32_t apic_id, uint8_t vector,
                 struct msi_message *out)
{
    if (!u || u->faults >= FAULTS_MOST || pci_is_stopped(u->device))
        return -ENODEV;
    if (index >= IOMMU_ROUTES)
        return -EINVAL;
    int err = driver->route(u, index, apic_id, vector, out);
    if (err == -ENODEV) /* a unit that is late may learn of it yet */
        driver->unroute(u, index);
    return err;
}

int iommu_route(struct pci_device *d, unsigned index, uint32_t apic_id, uint8_t vector,
                struct msi_message *out)
{
    spin_lock(&lock);
    int err = route(use_of(d), index, apic_id, vector, out);
    spin_unlock(&lock);
    return err;
}

void iommu_unroute(struct pci_device *d, unsigned index)
{
    spin_lock(&lock);
    struct iommu_use *u = use_of(d);
    if (u && index < IOMMU_ROUTES)
        driver->unroute(u, index);
    spin_unlock(&lock);
}

int iommu_route_line(unsigned irq, uint32_t apic_id, uint8_t vector)
{
    spin_lock(&lock);
    int err = ioapic_route_line(irq, apic_id, vector);
    spin_unlock(&lock);
    return err;
}

/* ---- What they try ---- */

static const char *const verbs[] = {
    [IOMMU_READ] = "read from",
    [IOMMU_WRITE] = "wrote to",
    [IOMMU_INTERRUPT] = "sent interrupt",
};

/* AGAIN: it had been stopped before. */
enum verdict { GOES_ON, STOP, AGAIN };

/* One that no domain has has no business of its own: it is stopped at once, and nothing more is
 * heard of it, also if it does not stop. What Caisson uses goes on. NULL: the walk has not found
 * it. */
static enum verdict note_stray(struct pci_device *d, uint16_t bdf, const char *verb,
                               uint64_t address)
{
    driver->silence(bdf);
    if (!d || d->faults++)
        return AGAIN;
    log_warn("iommu: %s %s 0x%lx, which it was not given: blocked%s", pci_name(&d->at).text, verb,
             address, d->used_as ? "" : ", and stopped");
    return d->used_as ? GOES_ON : STOP;
}

/* A domain's may have a bug in its driver, and fault now and then; but it may not keep us busy. */
static enum verdict note_of_domain(struct iommu_use *u, const char *verb, uint64_t address)
{
    struct pci_device *d = u->device;
    uint64_t now = rdtsc();

    if (now - u->since >= FAULTS_S * tsc_hz && u->faults < FAULTS_MOST) {
        u->since = now;
        u->faults = 0;
    }
    d->faults++;
    u->faults++;
    if (u->faults <= FAULTS_TOLD)
        log_warn("iommu: %s of domain %u %s 0x%lx, which it was not given: blocked",
                 pci_name(&d->at).text, u->owner, verb, address);
    if (u->faults != FAULTS_MOST)
        return u->faults > FAULTS_MOST ? AGAIN : GOES_ON;
    log_warn("iommu: %s of domain %u has tried %u times: stopped", pci_name(&d->at).text, u->owner,
             u->faults);
    driver->block(u);
    return STOP;
}

bool iommu_note_fault(uint16_t segment, uint16_t bdf, enum iommu_try what, uint64_t address)
{
    struct pci_device *d = pci_find(segment, bdf);

    spin_lock(&lock);
    struct iommu_use *u = d ? use_of(d) : NULL;
    enum verdict v =
        u ? note_of_domain(u, verbs[what], address) : note_stray(d, bdf, verbs[what], address);
    spin_unlock(&lock);
    if (v == STOP) /* the boot CPU is here, which alone gives devices to others */
        pci_stop(d);
    return v == AGAIN;
}
