/*
 * The machine's I/O APIC, for the few ISA devices that Caisson drives (irq_route_isa).
 */
#ifndef CAISSON_ARCH_X86_IOAPIC_H
#define CAISSON_ARCH_X86_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/errno.h"

/* mmio: acpi.ioapic mapped uncached, or NULL if there is none. Masks all its lines, and those of
 * the 8259s in any case. After acpi_read(), before lapic_init(). Boot CPU only. */
void ioapic_init(volatile void *mmio);

/* From now on what its lines send names an entry of an IOMMU's table, that of the pin's number: fn
 * fills it in before the line is opened, with the same vector and trigger as the line has. 0,
 * -ERANGE: no such CPU for this IOMMU; -ENODEV: it does not answer. Boot only, before the first
 * line is routed. */
typedef int (*ioapic_remap_fn)(uint8_t pin, uint8_t vector, uint32_t apic_id, bool level);
void ioapic_remap(ioapic_remap_fn fn);

/* ---- Lines of PCI devices, by the ISA number that firmware gave them ---- */

/* 0; -ENODEV: no pin is known for it; -EBUSY: Caisson has it, or another line of that pin; -EINVAL:
 * its interrupts are no level. */
int must_check ioapic_check_line(unsigned irq);
/* A line that is so comes to that CPU from now on, with that vector. It must be masked, and stays
 * so. 0; -ERANGE: no such CPU; -EBUSY: one is under way, not yet ended by the CPU that it came to:
 * it goes where it went; -ENODEV: the IOMMU does not answer, and none comes from now on. With an
 * IOMMU that remaps: iommu_route_line() has its lock. */
int must_check ioapic_route_line(unsigned irq, uint32_t apic_id, uint8_t vector);
/* One that was routed. From any CPU. */
void ioapic_mask_line(unsigned irq, bool masked);

#endif
