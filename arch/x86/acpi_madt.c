/*
 * The MADT: which CPUs there are, and where their interrupt controllers.
 *
 * Source: ACPI specification, "Multiple APIC Description Table (MADT)".
 */
#include "arch/x86/acpi.h"
#include "arch/x86/acpi_table.h"
#include "lib/log.h"

#define MADT_ENTRIES        44
#define MADT_CPU_ENABLED    1u
#define APIC_ID_EVERYBODY   0xFFu /* in xAPIC mode; no CPU has it */
#define X2APIC_ID_EVERYBODY 0xFFFFFFFFu

static void add_cpu(uint32_t apic_id, uint32_t flags)
{
    if (!(flags & MADT_CPU_ENABLED))
        return;
    for (unsigned i = 0; i < acpi.cpu_count; i++) {
        if (acpi.apic_id[i] == apic_id)
            return;
    }
    if (acpi.cpu_count < MAX_PCPUS)
        acpi.apic_id[acpi.cpu_count++] = apic_id;
    else
        acpi.cpus_left_out++;
}

/* Firmware fills up with entries for nobody. */
static void read_lapic(const struct acpi_table *e)
{
    uint32_t id = (uint32_t)acpi_field(e, 3, 1);

    if (id != APIC_ID_EVERYBODY)
        add_cpu(id, (uint32_t)acpi_field(e, 4, 4));
}

static void read_x2apic(const struct acpi_table *e)
{
    uint32_t id = (uint32_t)acpi_field(e, 4, 4);

    if (id != X2APIC_ID_EVERYBODY)
        add_cpu(id, (uint32_t)acpi_field(e, 8, 4));
}

/* Of several I/O APICs only the one with the lowest lines matters: the ISA lines end there. */
static void read_ioapic(const struct acpi_table *e)
{
    uint32_t base = (uint32_t)acpi_field(e, 8, 4);

    if (acpi.ioapic.v != 0 && acpi.ioapic_gsi_base <= base)
        return;
    acpi.ioapic = maddr(acpi_field(e, 4, 4));
    acpi.ioapic_id = (uint8_t)acpi_field(e, 2, 1);
    acpi.ioapic_gsi_base = base;
}

static void read_override(const struct acpi_table *e)
{
    uint64_t line = acpi_field(e, 3, 1);

    if (acpi_field(e, 2, 1) != 0 || line >= 16)
        return;
    acpi.isa[line].gsi = (uint32_t)acpi_field(e, 4, 4);
    acpi.isa[line].flags = (uint16_t)acpi_field(e, 8, 2);
}

static void read_lapic_address(const struct acpi_table *e)
{
    acpi.lapic = maddr(acpi_field(e, 4, 8));
}

static const struct {
    uint8_t type, length;
    void (*read)(const struct acpi_table *entry);
} madt_kinds[] = {
    { 0, 8, read_lapic },          /* Processor Local APIC */
    { 1, 12, read_ioapic },        /* I/O APIC */
    { 2, 10, read_override },      /* Interrupt Source Override */
    { 5, 12, read_lapic_address }, /* Local APIC Address Override */
    { 9, 16, read_x2apic },        /* Processor Local x2APIC */
};

static void read_madt_entry(const struct acpi_table *e)
{
    for (unsigned i = 0; i < sizeof(madt_kinds) / sizeof(madt_kinds[0]); i++) {
        if (madt_kinds[i].type != e->bytes[0])
            continue;
        if (e->length >= madt_kinds[i].length)
            madt_kinds[i].read(e);
        else
            log_warn("acpi: MADT entry of type %u is too short, ignored", e->bytes[0]);
    }
}

void acpi_read_madt(const struct acpi_table *t)
{
    uint32_t offset = MADT_ENTRIES;
    struct acpi_table entry;

    if (t->length < MADT_ENTRIES) {
        log_warn("acpi: MADT without a body, ignored");
        return;
    }
    acpi.lapic = maddr(acpi_field(t, 36, 4));
    acpi.cpu_count = acpi.cpus_left_out = 0;
    while (acpi_next_entry(t, &offset, 1, &entry))
        read_madt_entry(&entry);
}
