/*
 * The firmware's ACPI tables: the few things that Caisson wants of them.
 */
#ifndef CAISSON_ARCH_X86_ACPI_H
#define CAISSON_ARCH_X86_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/errno.h"
#include "lib/limits.h"

struct acpi_info {
    unsigned cpu_count;              /* enabled entries of the MADT, at most MAX_PCPUS */
    uint32_t apic_id[MAX_PCPUS];
    maddr_t lapic, ioapic;           /* 0: none */
    uint32_t ioapic_gsi_base;
    struct {
        uint32_t gsi;
        uint16_t flags;              /* polarity and trigger as in the MADT */
    } isa[16];                       /* where each ISA line really arrives */
    uint16_t pm_timer_port;          /* 0: none */
    uint16_t pm1a_control, pm1b_control;
    uint8_t s5_type_a, s5_type_b;    /* SLP_TYP for soft-off; valid if has_s5 */
    bool has_s5;
    bool has_reset;                  /* FADT reset register, system I/O only */
    uint16_t reset_port;
    uint8_t reset_value;
};
extern struct acpi_info acpi;

/* Reads the tables that rsdp (36 bytes) leads to; map makes a piece of machine memory readable.
 * Without tables: one CPU, LAPIC at its default, ISA lines 1:1. Checks checksums and lengths, logs
 * and passes over what is broken. Boot only. */
void acpi_read(const uint8_t *rsdp, const void *(*map)(maddr_t start, size_t size));

/* Ends the machine, whatever of it works: ACPI, then the emulators' doors, then HLT. */
_Noreturn void machine_power_off(void);
_Noreturn void machine_reboot(void);
_Noreturn void machine_halt(void);

#endif
