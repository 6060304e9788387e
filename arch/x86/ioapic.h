/*
 * The machine's I/O APIC, for the few ISA devices that Caisson drives (irq_route_isa).
 */
#ifndef CAISSON_ARCH_X86_IOAPIC_H
#define CAISSON_ARCH_X86_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

/* mmio: acpi.ioapic mapped uncached, or NULL if there is none. Masks all its lines, and those of
 * the 8259s in any case. After acpi_read(), before lapic_init(). Boot CPU only. */
void ioapic_init(volatile void *mmio);

/* From now on what its lines send names an entry of an IOMMU's table, that of the pin's number: fn
 * fills it in before the line is opened, with the same vector and trigger as the line has. Boot
 * only, before the first line is routed. */
typedef void (*ioapic_remap_fn)(uint8_t pin, uint8_t vector, uint32_t apic_id, bool level);
void ioapic_remap(ioapic_remap_fn fn);

#endif
