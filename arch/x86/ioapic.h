/*
 * The machine's I/O APIC, for the few ISA devices that Caisson drives (irq_route_isa).
 */
#ifndef CAISSON_ARCH_X86_IOAPIC_H
#define CAISSON_ARCH_X86_IOAPIC_H

/* mmio: acpi.ioapic mapped uncached, or NULL if there is none. Masks all its lines, and those of
 * the 8259s in any case. After acpi_read(), before lapic_init(). Boot CPU only. */
void ioapic_init(volatile void *mmio);

#endif
