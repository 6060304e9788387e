/*
 * The ACPI tables that a guest of the hvm machine finds.
 *
 * A pure function of a handful of numbers into a buffer that the caller copies into the guest's
 * memory; where everything is comes from machine/pc.h, the devices from machine/dsdt.asl.
 * Source: ACPI specification, "ACPI Software Programming Model".
 */
#ifndef CAISSON_MACHINE_ACPI_GUEST_H
#define CAISSON_MACHINE_ACPI_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/addr.h"

struct acpi_guest_config {
    gpa_t where;           /* where the buffer will lie: below 4 GiB, 64-aligned */
    bool pvh;              /* the tables of a machine without a PC's devices */
    bool hpet;             /* it has an HPET; not on pvh */
    bool pci;              /* it has PCI devices; a pvh one has a bus only then */
    unsigned address_bits; /* of a guest-physical address; in the upper half PCI devices may be */
    unsigned vcpus;        /* 1..MAX_VCPUS; APIC IDs and processor UIDs are 0..vcpus-1 */
};

/* Enough for any configuration. */
#define ACPI_GUEST_MAX_SIZE 0x4000

/* Builds all tables at the start of buf. Returns the bytes used, or 0 if size does not suffice.
 * The RSDP is always first, at config->where. */
size_t acpi_guest_build(const struct acpi_guest_config *config, void *buf, size_t size);

/* machine/dsdt.asl and dsdt_pvh.asl as compiled by iasl; their headers know their lengths. */
extern const uint8_t dsdt_aml[], dsdt_pvh_aml[];

#endif
