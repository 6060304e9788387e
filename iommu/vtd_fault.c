/*
 * Who tries to get through Intel's IOMMU.
 *
 * A unit remembers some faults in registers, and no further ones until these are cleared. What it
 * then has to say to a CPU is an interrupt of its own, which goes through no table.
 *
 * Source: Intel Virtualization Technology for Directed I/O, Architecture Specification, "Fault
 * Logging", "Fault Event Interrupt", "Fault Recording Registers".
 */
#include "arch/x86/lapic.h"
#include "iommu/vtd.h"
#include "lib/log.h"
#include "pci/pci.h"

#define RECORD_NAME       8  /* where in it the device's name is, */
#define RECORD_TOP        12 /* and the rest, which is cleared by writing its highest bit */
#define RECORD_INDEX      48 /* of an interrupt, instead of an address */
#define TOP_VALID         (1u << 31)
#define TOP_IS_READ       (1u << 30)
#define TOP_REASON(t)     ((t)&0xFF)
#define REASON_INTERRUPT  0x20 /* the first that is about an interrupt; seven of them are */
#define REASON_INTERRUPTS 0x27
#define FAULTS_CLEAR      0x7D /* bits that are cleared by writing ones */
#define FAULTS_OTHER      0x70 /* of the queue: nothing that a device has done */
#define FAULTS_ALL        0x7F
#define LOOKS             2048 /* at registers, for one interrupt; there are 256 at most */
#define MASKED            (1u << 31)

static enum iommu_try what(uint32_t top)
{
    if (TOP_REASON(top) >= REASON_INTERRUPT && TOP_REASON(top) < REASON_INTERRUPTS)
        return IOMMU_INTERRUPT;
    return top & TOP_IS_READ ? IOMMU_READ : IOMMU_WRITE;
}

/* What one register remembers. */
static void take_fault(struct vtd_unit *u, unsigned reg)
{
    uint32_t top = vtd_read32(u, reg + RECORD_TOP);
    uint64_t address = vtd_read64(u, reg);
    uint16_t bdf = (uint16_t)vtd_read32(u, reg + RECORD_NAME);

    if (!(top & TOP_VALID))
        return;
    vtd_write32(u, reg + RECORD_TOP, TOP_VALID);
    iommu_note_fault(u->info.devices.segment, bdf, what(top),
                     what(top) == IOMMU_INTERRUPT ? address >> RECORD_INDEX : address);
}

/* It interrupts when the first register fills, so all are emptied, also of what comes meanwhile. If
 * they fill faster than that, who fills them is blocked before long: a domain's device after 64 of
 * them (iommu.c), another one after the first. If there is no end to it all the same, no more is
 * told until a device behind the unit is taken from its domain, and all stays blocked. */
void vtd_take_faults(struct vtd_unit *u)
{
    uint32_t faults = vtd_read32(u, VTD_FAULTS);
    unsigned first = VTD_CAP_FAULT_REGS(u->cap), count = VTD_CAP_FAULTS(u->cap);

    if (faults & FAULTS_OTHER)
        log_error("iommu: VT-d at 0x%lx: status 0x%x", u->info.base.v, faults);
    for (unsigned looks = 0; faults & FAULTS_ALL && looks < LOOKS; looks += count) {
        for (unsigned i = 0; i < count; i++)
            take_fault(u, first + i * VTD_RECORD_BYTES);
        vtd_write32(u, VTD_FAULTS, FAULTS_CLEAR);
        faults = vtd_read32(u, VTD_FAULTS);
    }
    if (!(faults & FAULTS_ALL))
        return;
    bool heard = !(vtd_read32(u, VTD_FAULT_CONTROL) & MASKED);
    vtd_write32(u, VTD_FAULT_CONTROL, MASKED);
    if (heard)
        __atomic_store_n(&u->unheard, true, __ATOMIC_SEQ_CST);
    log_error("iommu: VT-d at 0x%lx: too many faults: blocked, and no longer told of",
              u->info.base.v);
}

/* What has come meanwhile interrupts at once. The boot CPU may be about to mask it again. */
void vtd_hear_again(struct vtd_unit *u)
{
    if (__atomic_exchange_n(&u->unheard, false, __ATOMIC_SEQ_CST))
        vtd_write32(u, VTD_FAULT_CONTROL, 0);
}

void vtd_fault_start(const struct vtd_unit *u, int vector)
{
    uint32_t id = lapic_id();

    vtd_write32(u, VTD_FAULT_CONTROL, MASKED);
    for (unsigned i = 0; i < VTD_CAP_FAULTS(u->cap); i++)
        vtd_write32(u, VTD_CAP_FAULT_REGS(u->cap) + i * VTD_RECORD_BYTES + RECORD_TOP, TOP_VALID);
    vtd_write32(u, VTD_FAULTS, FAULTS_CLEAR);
    if (vector < 0 || (id > UINT8_MAX && !VTD_ECAP_HAS_X2APIC(u->ecap))) {
        log_warn("iommu: no interrupt for the unit at 0x%lx", u->info.base.v);
        return;
    }
    vtd_write32(u, VTD_FAULT_DATA, (uint32_t)vector);
    vtd_write32(u, VTD_FAULT_ADDRESS, MSI_ADDRESS | MSI_TO_CPU(id & 0xFF));
    vtd_write32(u, VTD_FAULT_UPPER, id & ~0xFFu);
    vtd_write32(u, VTD_FAULT_CONTROL, 0);
}
