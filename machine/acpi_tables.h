/*
 * The tables of the ACPI specification as they lie in memory: those that a guest is given.
 *
 * Source: ACPI specification 4.0, "ACPI System Description Tables". Fields have the names of the
 * specification, in our spelling.
 */
#ifndef CAISSON_MACHINE_ACPI_TABLES_H
#define CAISSON_MACHINE_ACPI_TABLES_H

#include <stdint.h>

#define packed __attribute__((packed))

struct packed acpi_rsdp {
    char signature[8];
    uint8_t checksum; /* of the first 20 bytes */
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum; /* of all */
    uint8_t reserved[3];
};

struct packed acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision;
    uint8_t checksum; /* makes the sum of all bytes 0 */
    char oem_id[6];
    char oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
};

/* "Generic Address Structure" */
struct packed acpi_address {
    uint8_t space; /* 0: memory; 1: system I/O */
    uint8_t bits;
    uint8_t offset;
    uint8_t access; /* 1 byte, 2 word, 3 dword */
    uint64_t address;
};
#define ACPI_SPACE_IO 1

/* "Firmware ACPI Control Structure (FACS)": no header, no checksum */
struct packed acpi_facs {
    char signature[4];
    uint32_t length;
    uint32_t hardware_signature;
    uint32_t waking_vector;
    uint32_t global_lock;
    uint32_t flags;
    uint64_t x_waking_vector;
    uint8_t version;
    uint8_t reserved[31];
};

/* "Fixed ACPI Description Table (FADT)" */
struct packed acpi_fadt {
    struct acpi_header header;
    uint32_t facs, dsdt;
    uint8_t reserved0;
    uint8_t pm_profile;
    uint16_t sci_irq;
    uint32_t smi_command;
    uint8_t acpi_enable, acpi_disable, s4bios_request, pstate_control;
    uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
    uint8_t pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length;
    uint8_t gpe0_length, gpe1_length, gpe1_base, cst_control;
    uint16_t c2_latency, c3_latency, flush_size, flush_stride;
    uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
    uint16_t boot_flags;
    uint8_t reserved1;
    uint32_t flags;
    struct acpi_address reset_register;
    uint8_t reset_value;
    uint8_t reserved2[3];
    uint64_t x_facs, x_dsdt;
    struct acpi_address x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control,
        x_pm_timer, x_gpe0, x_gpe1;
    struct acpi_address sleep_control, sleep_status; /* from revision 5 on */
};
#define ACPI_FADT_4_SIZE 244 /* of revision 4 */

/* "Multiple APIC Description Table (MADT)", and its entries */
struct packed acpi_madt {
    struct acpi_header header;
    uint32_t lapic;
    uint32_t flags;
};
#define MADT_PCAT_COMPAT 1u /* there are two 8259 too */

struct packed madt_lapic {
    uint8_t type, length, uid, apic_id;
    uint32_t flags; /* bit 0: enabled */
};

struct packed madt_ioapic {
    uint8_t type, length, id, reserved;
    uint32_t address, gsi_base;
};

struct packed madt_override {
    uint8_t type, length, bus, irq;
    uint32_t gsi;
    uint16_t flags;
};

struct packed madt_nmi {
    uint8_t type, length, uid; /* 0xFF: all processors */
    uint16_t flags;
    uint8_t lint;
};

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_NMI = 4 };
#define MADT_ACTIVE_HIGH (1u << 0)
#define MADT_LEVEL       (3u << 2)

/* IA-PC HPET Specification, "The ACPI 2.0 HPET Description Table (HPET)" */
struct packed acpi_hpet {
    struct acpi_header header;
    uint32_t block_id; /* the lower half of its capabilities */
    struct acpi_address base;
    uint8_t number;
    uint16_t shortest_period; /* ticks, of a periodic timer */
    uint8_t page_protection;
};

/* PCI Firmware Specification, "MCFG Table Description", with one segment */
struct packed acpi_mcfg {
    struct acpi_header header;
    uint64_t reserved;
    uint64_t base; /* of bus 0 */
    uint16_t segment;
    uint8_t first_bus, last_bus;
    uint32_t reserved2;
};

_Static_assert(sizeof(struct acpi_rsdp) == 36, "RSDP as in the specification");
_Static_assert(sizeof(struct acpi_header) == 36, "header as in the specification");
_Static_assert(sizeof(struct acpi_facs) == 64, "FACS as in the specification");
_Static_assert(sizeof(struct acpi_fadt) == 268, "FADT as in the specification");
_Static_assert(sizeof(struct acpi_hpet) == 56, "HPET as in its specification");
_Static_assert(sizeof(struct acpi_mcfg) == 60, "MCFG as in its specification");
_Static_assert(sizeof(struct acpi_madt) == 44, "MADT as in the specification");

#endif
