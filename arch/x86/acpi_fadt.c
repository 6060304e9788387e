/*
 * The FADT and the DSDT: how the machine is switched off and reset, and its timer.
 *
 * Source: ACPI specification, "Fixed ACPI Description Table (FADT)" and "\\_Sx (System States)".
 */
#include "arch/x86/acpi.h"
#include "arch/x86/acpi_table.h"
#include "lib/string.h"

#define GAS_SYSTEM_IO    1
#define FADT_RESET_VALID (1u << 10)
#define FADT_RESET_END   129

/* A register's I/O port: from its 64-bit generic address where that is given and in I/O space. */
static uint16_t fadt_port(const struct acpi_table *t, uint32_t old, uint32_t generic)
{
    uint64_t port = acpi_field(t, generic + 4, 8);

    if (port == 0)
        port = acpi_field(t, old, 4);
    else if (acpi_field(t, generic, 1) != GAS_SYSTEM_IO)
        return 0;
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* An integer of a package, as AML encodes small ones ("Data Objects Encoding"). Moves *at past
 * it. -1 for anything else. */
static int aml_small_integer(const struct acpi_table *t, uint32_t *at)
{
    uint64_t op = acpi_field(t, *at, 1);
    unsigned width = op == 0x0A ? 1 : op == 0x0B ? 2 : op == 0x0C ? 4 : 0;
    uint64_t value = width ? acpi_field(t, *at + 1, width) : op;

    if (*at + 1 + width > t->length || (width == 0 && op > 1) || value > 7)
        return -1;
    *at += 1 + width;
    return (int)value;
}

/* Reads the package of a Name(_S5_, Package () { a, b, ... }) whose PackageOp is at `at`. */
static bool read_s5_package(const struct acpi_table *t, uint32_t at)
{
    int a, b;

    if (acpi_field(t, at, 1) != 0x12)
        return false;
    at += 2 + (uint32_t)(acpi_field(t, at + 1, 1) >> 6); /* PackageOp, PkgLength of 1..4 bytes */
    if (acpi_field(t, at++, 1) < 1)                      /* NumElements */
        return false;
    a = aml_small_integer(t, &at);
    b = aml_small_integer(t, &at);
    if (a < 0)
        return false;
    acpi.s5_type_a = (uint8_t)a;
    acpi.s5_type_b = (uint8_t)(b < 0 ? a : b);
    return true;
}

/*
 * The sleep type of soft-off is in the DSDT's AML (or an SSDT's), but always as a constant: found
 * by its pattern, a NameOp and the four letters, perhaps with the root's backslash between them.
 */
static void find_s5(const struct acpi_table *dsdt)
{
    if (acpi.has_s5)
        return;
    for (uint32_t i = ACPI_HEADER_BYTES + 1; i + 4 < dsdt->length; i++) {
        const uint8_t *p = dsdt->bytes + i;

        if (memcmp(p, "_S5_", 4) != 0 || (p[-1] != 0x08 && !(p[-1] == '\\' && p[-2] == 0x08)))
            continue;
        acpi.has_s5 = read_s5_package(dsdt, i + 4);
        if (acpi.has_s5)
            return;
    }
}

/* Some firmware has it there. */
void acpi_read_ssdt(const struct acpi_table *t)
{
    find_s5(t);
}

/* Absent from tables of revision 1, which end before it. */
static void read_reset(const struct acpi_table *t)
{
    if (t->length < FADT_RESET_END || !(acpi_field(t, 112, 4) & FADT_RESET_VALID) ||
        acpi_field(t, 116, 1) != GAS_SYSTEM_IO || acpi_field(t, 120, 8) > UINT16_MAX)
        return;
    acpi.has_reset = true;
    acpi.reset_port = (uint16_t)acpi_field(t, 120, 8);
    acpi.reset_value = (uint8_t)acpi_field(t, 128, 1);
}

void acpi_read_fadt(const struct acpi_table *t)
{
    struct acpi_table dsdt;
    uint64_t at = acpi_field(t, 140, 8);

    acpi.pm1a_control = fadt_port(t, 64, 172);
    acpi.pm1b_control = fadt_port(t, 68, 184);
    acpi.pm_timer_port = acpi_field(t, 91, 1) == 4 ? fadt_port(t, 76, 208) : 0;
    acpi.smi_command = (uint16_t)acpi_field(t, 48, 4);
    acpi.acpi_enable = (uint8_t)acpi_field(t, 52, 1);
    read_reset(t);
    if (acpi_open(&dsdt, at ? at : acpi_field(t, 40, 4)) && acpi_is(&dsdt, "DSDT"))
        find_s5(&dsdt);
}
