/*
 * The firmware's ACPI tables: the few things that Caisson wants of them.
 */
#ifndef CAISSON_ARCH_X86_ACPI_H
#define CAISSON_ARCH_X86_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/x86/power.h"
#include "lib/addr.h"
#include "lib/errno.h"
#include "lib/limits.h"

#define ACPI_TABLES 32 /* kinds that are remembered, */
#define ACPI_MCFGS  8  /* segments of PCI configuration space, too */

struct acpi_info {
    unsigned cpu_count;     /* enabled entries of the MADT, at most MAX_PCPUS */
    unsigned cpus_left_out; /* the others */
    uint32_t apic_id[MAX_PCPUS];
    maddr_t lapic, ioapic; /* 0: none */
    uint8_t ioapic_id;
    uint32_t ioapic_gsi_base;
    struct acpi_isa {
        uint32_t gsi;
        uint16_t flags;     /* polarity and trigger as in the MADT */
    } isa[16];              /* where each ISA line really arrives */
    uint16_t pm_timer_port; /* 0: none */
    uint16_t pm1a_control, pm1b_control;
    uint16_t smi_command;         /* 0: ACPI mode needs no switching on */
    uint8_t acpi_enable;          /* what to write there */
    uint8_t s5_type_a, s5_type_b; /* SLP_TYP for soft-off; valid if has_s5 */
    bool has_s5;
    bool has_reset; /* FADT reset register, system I/O only */
    uint16_t reset_port;
    uint8_t reset_value;
    unsigned mcfg_count;
    struct acpi_mcfg {
        maddr_t base; /* where that of bus 0 is, or would be */
        uint16_t segment;
        uint8_t first_bus, last_bus;
    } mcfg[ACPI_MCFGS];  /* each bus once */
    const uint8_t *ivrs; /* AMD's IOMMUs: the whole table, for iommu/; NULL: none */
    uint32_t ivrs_bytes;
    struct {
        bool there, remaps_interrupts, refuses_x2apic;
        uint8_t address_bits;
        unsigned units, reserved_regions; /* DRHDs; RMRRs */
        const uint8_t *bytes;             /* Intel's IOMMUs: the whole table, for iommu/ */
        uint32_t length;
    } dmar;
    /* Seen and told of; not used yet. */
    unsigned table_count;
    char tables[ACPI_TABLES][4]; /* signatures */
    maddr_t hpet;                /* 0: none */
};
extern struct acpi_info acpi;

/* The MADT's "MPS INTI Flags": how a line signals. Zero in a field: as its bus does. */
#define ACPI_INTI_POLARITY 0x0003
#define ACPI_INTI_HIGH     0x0001
#define ACPI_INTI_LOW      0x0003
#define ACPI_INTI_TRIGGER  0x000C
#define ACPI_INTI_LEVEL    0x000C

/* Says, in a few log lines, what tables there are and what they told. */
void acpi_report(void);

/* Reads the tables that rsdp (36 bytes, or NULL) leads to; map makes a piece of machine memory
 * readable, or answers NULL. Without tables: one CPU, LAPIC at its default, ISA lines
 * 1:1. Checks checksums and lengths, logs and passes over what is broken. Boot only. */
void acpi_read(const uint8_t *rsdp, const void *(*map)(maddr_t start, size_t size));

#endif
