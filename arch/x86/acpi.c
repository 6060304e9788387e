/*
 * The firmware's ACPI tables: how many CPUs, where the APICs are, how to switch off.
 *
 * Caisson interprets no AML. The static tables are read field by field through accessors that
 * check the length, since firmware is known for tables that are shorter than their revision says,
 * and what is broken is logged and passed over: a machine with poor tables boots with less.
 *
 * Source: ACPI specification 6.4, "ACPI Software Programming Model".
 */
#include "arch/x86/acpi.h"

#include "arch/x86/acpi_table.h"
#include "arch/x86/insn.h"
#include "lib/checksum.h"
#include "lib/log.h"
#include "lib/string.h"

#define TABLE_MAX     (16u << 20) /* longer than any honest table */
#define LAPIC_DEFAULT 0xFEE00000u

struct acpi_info acpi;

static const void *(*map_memory)(maddr_t start, size_t size);

uint64_t acpi_field(const struct acpi_table *t, uint32_t offset, unsigned width)
{
    uint64_t value = 0;

    if (offset > t->length || t->length - offset < width)
        return 0;
    for (unsigned i = width; i > 0; i--)
        value = value << 8 | t->bytes[offset + i - 1];
    return value;
}

bool acpi_open(struct acpi_table *t, uint64_t at)
{
    *t = (struct acpi_table){ at ? map_memory(maddr(at), ACPI_HEADER_BYTES) : NULL,
                              ACPI_HEADER_BYTES };
    if (!t->bytes) {
        log_warn("acpi: no table can be read at 0x%llx", (unsigned long long)at);
        return false;
    }
    t->length = (uint32_t)acpi_field(t, 4, 4);
    if (t->length < ACPI_HEADER_BYTES || t->length > TABLE_MAX) {
        log_warn("acpi: table %.4s has an impossible length of %u bytes", (const char *)t->bytes,
                 t->length);
        return false;
    }
    t->bytes = map_memory(maddr(at), t->length);
    if (!t->bytes)
        return false;
    if (checksum(t->bytes, t->length)) {
        log_warn("acpi: table %.4s has a wrong checksum, ignored", (const char *)t->bytes);
        return false;
    }
    return true;
}

bool acpi_is(const struct acpi_table *t, const char *signature)
{
    return memcmp(t->bytes, signature, 4) == 0;
}

bool acpi_next_entry(const struct acpi_table *t, uint32_t *offset, unsigned width,
                     struct acpi_table *entry)
{
    uint32_t length;

    if (*offset > t->length || t->length - *offset < 2 * width)
        return false;
    length = (uint32_t)acpi_field(t, *offset + width, width);
    if (length < 2 * width || length > t->length - *offset) {
        log_warn("acpi: %.4s broken at byte %u, the rest ignored", (const char *)t->bytes, *offset);
        return false;
    }
    *entry = (struct acpi_table){ t->bytes + *offset, length };
    *offset += length;
    return true;
}

/* ---- The way to them ---- */

static const struct {
    const char *signature;
    void (*read)(const struct acpi_table *t);
} readers[] = {
    { "APIC", acpi_read_madt }, { "FACP", acpi_read_fadt }, { "SSDT", acpi_read_ssdt },
    { "MCFG", acpi_read_mcfg }, { "HPET", acpi_read_hpet }, { "DMAR", acpi_read_dmar },
    { "IVRS", acpi_read_ivrs },
};

/* For the report: what there is, each kind once. */
static void note_table(const struct acpi_table *t)
{
    for (unsigned i = 0; i < acpi.table_count; i++) {
        if (acpi_is(t, acpi.tables[i]))
            return;
    }
    if (acpi.table_count < ACPI_TABLES)
        memcpy(acpi.tables[acpi.table_count++], t->bytes, 4);
}

static void read_table(uint64_t at)
{
    struct acpi_table t;

    if (!acpi_open(&t, at))
        return;
    note_table(&t);
    for (unsigned i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        if (acpi_is(&t, readers[i].signature))
            readers[i].read(&t);
    }
}

/* The root table: RSDT with addresses of 4 bytes, XSDT with 8. False if there is none. */
static bool read_root(uint64_t at, const char *signature, unsigned width)
{
    struct acpi_table root;

    if (at == 0 || !acpi_open(&root, at))
        return false;
    if (!acpi_is(&root, signature)) {
        log_warn("acpi: %.4s found where %s should be", (const char *)root.bytes, signature);
        return false;
    }
    for (uint32_t offset = ACPI_HEADER_BYTES; root.length - offset >= width; offset += width)
        read_table(acpi_field(&root, offset, width));
    return true;
}

/* What holds on any PC without tables. */
static void set_defaults(void)
{
    acpi = (struct acpi_info){ .cpu_count = 1, .lapic = { LAPIC_DEFAULT } };
    acpi.apic_id[0] = cpuid(1, 0).ebx >> 24;
    for (unsigned i = 0; i < 16; i++)
        acpi.isa[i].gsi = i;
}

static bool read_rsdp(const struct acpi_table *rsdp)
{
    if (memcmp(rsdp->bytes, "RSD PTR ", 8) != 0 || checksum(rsdp->bytes, 20))
        return false;
    if (rsdp->bytes[15] >= 2 && !checksum(rsdp->bytes, 36) &&
        read_root(acpi_field(rsdp, 24, 8), "XSDT", 8))
        return true;
    return read_root(acpi_field(rsdp, 16, 4), "RSDT", 4);
}

void acpi_read(const uint8_t *rsdp, const void *(*map)(maddr_t start, size_t size))
{
    map_memory = map;
    set_defaults();
    if (!rsdp || !read_rsdp(&(struct acpi_table){ rsdp, 36 }))
        log_warn("acpi: no usable tables, one CPU assumed");
    if (acpi.cpu_count == 0) {
        log_warn("acpi: the MADT lists no enabled CPU, one assumed");
        acpi.apic_id[0] = cpuid(1, 0).ebx >> 24;
        acpi.cpu_count = 1;
    }
    if (acpi.cpus_left_out)
        log_warn("acpi: %u more CPUs are left out, %u is the limit", acpi.cpus_left_out, MAX_PCPUS);
    if (!acpi.has_s5)
        log_warn("acpi: no \\_S5 in DSDT or SSDTs, soft-off is not known");
    log_info("acpi: %u CPU%s, LAPIC at 0x%llx, I/O APIC at 0x%llx, PM timer at port 0x%x, S5 %s",
             acpi.cpu_count, acpi.cpu_count == 1 ? "" : "s", (unsigned long long)acpi.lapic.v,
             (unsigned long long)acpi.ioapic.v, acpi.pm_timer_port,
             acpi.has_s5 ? "known" : "unknown");
}
