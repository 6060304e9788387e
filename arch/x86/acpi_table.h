/*
 * One ACPI table, for the files that read them; the rest of Caisson includes acpi.h.
 */
#ifndef CAISSON_ARCH_X86_ACPI_TABLE_H
#define CAISSON_ARCH_X86_ACPI_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#define ACPI_HEADER_BYTES 36

/* A table, or an entry of one, mapped as far as its length says. */
struct acpi_table {
    const uint8_t *bytes;
    uint32_t length;
};

/* A little-endian number of `width` bytes; zero where the table does not reach that far. */
uint64_t acpi_field(const struct acpi_table *t, uint32_t offset, unsigned width);

/* Maps the table at `at` and checks it. False, and a line in the log, if there is no such table. */
bool acpi_open(struct acpi_table *t, uint64_t at);

bool acpi_is(const struct acpi_table *t, const char *signature);

/* Entry by entry from `offset` on: a type and a length, of `width` bytes each. False at the end, or
 * (logged) where an entry has an impossible length. Moves *offset on. */
bool acpi_next_entry(const struct acpi_table *t, uint32_t *offset, unsigned width,
                     struct acpi_table *entry);

/* Each takes what Caisson wants of its table into `acpi`. */
void acpi_read_madt(const struct acpi_table *t);
void acpi_read_fadt(const struct acpi_table *t);
void acpi_read_ssdt(const struct acpi_table *t);
void acpi_read_mcfg(const struct acpi_table *t);
void acpi_read_hpet(const struct acpi_table *t);
void acpi_read_dmar(const struct acpi_table *t);
void acpi_read_ivrs(const struct acpi_table *t);

#endif
