/*
 * What the machine has besides CPUs: HPET, PCI configuration space in memory, DMA remapping.
 *
 * Sources: IA-PC HPET specification, "The ACPI 2.0 HPET Description Table (HPET)"; PCI firmware
 * specification, "MCFG Table Description"; Intel VT for Directed I/O, "DMA Remapping Reporting
 * Structure".
 */
#include "arch/x86/acpi.h"
#include "arch/x86/acpi_table.h"
#include "lib/fmt.h"
#include "lib/log.h"

#define HPET_ADDRESS 44 /* of its generic address: the 64 bits */

#define MCFG_ENTRIES     44
#define MCFG_ENTRY_BYTES 16
#define MCFG_BUS_SHIFT   20 /* bytes of a bus */
#define ADDRESS_BITS     52 /* SDM, "Physical-Address Width": no CPU has more */

#define DMAR_ENTRIES    48
#define DMAR_INTERRUPTS (1u << 0)
#define DMAR_NO_X2APIC  (1u << 1)
#define DMAR_UNIT       0
#define DMAR_RESERVED   1

void acpi_read_hpet(const struct acpi_table *t)
{
    acpi.hpet = maddr(acpi_field(t, HPET_ADDRESS, 8));
}

static uint64_t bus_address(const struct acpi_mcfg *m, unsigned bus)
{
    return (m->base.v >> MCFG_BUS_SHIFT) + bus;
}

/* In buses, or in memory: the same devices under two names. */
static bool overlaps(const struct acpi_mcfg *a, const struct acpi_mcfg *b)
{
    return (a->segment == b->segment && a->first_bus <= b->last_bus &&
            b->first_bus <= a->last_bus) ||
           (bus_address(a, a->first_bus) <= bus_address(b, b->last_bus) &&
            bus_address(b, b->first_bus) <= bus_address(a, a->last_bus));
}

/* What is wrong with an entry, or NULL. */
static const char *mcfg_fault(const struct acpi_mcfg *m)
{
    uint64_t base = m->base.v >> MCFG_BUS_SHIFT;

    if (m->first_bus > m->last_bus)
        return "ends before its first bus";
    if (!base || base << MCFG_BUS_SHIFT != m->base.v ||
        base + m->last_bus >= 1UL << (ADDRESS_BITS - MCFG_BUS_SHIFT))
        return "has an impossible address";
    for (unsigned i = 0; i < acpi.mcfg_count; i++) {
        if (overlaps(&acpi.mcfg[i], m))
            return "has buses of an earlier one";
    }
    return acpi.mcfg_count == ACPI_MCFGS ? "is one too many" : NULL;
}

void acpi_read_mcfg(const struct acpi_table *t)
{
    uint32_t at = MCFG_ENTRIES, n = 0;

    for (; at + MCFG_ENTRY_BYTES <= t->length; at += MCFG_ENTRY_BYTES, n++) {
        struct acpi_mcfg m = { .base = maddr(acpi_field(t, at, 8)),
                               .segment = (uint16_t)acpi_field(t, at + 8, 2),
                               .first_bus = (uint8_t)acpi_field(t, at + 10, 1),
                               .last_bus = (uint8_t)acpi_field(t, at + 11, 1) };
        const char *fault = mcfg_fault(&m);

        if (fault)
            log_warn("acpi: MCFG: entry %u %s, ignored", n, fault);
        else
            acpi.mcfg[acpi.mcfg_count++] = m;
    }
    if (at != t->length)
        log_warn("acpi: MCFG has a wrong length of %u bytes, what is behind entry %u ignored",
                 t->length, n);
}

void acpi_read_dmar(const struct acpi_table *t)
{
    uint32_t offset = DMAR_ENTRIES, flags = (uint32_t)acpi_field(t, 37, 1);
    struct acpi_table entry;

    if (t->length < DMAR_ENTRIES) {
        log_warn("acpi: DMAR without a body, ignored");
        return;
    }
    acpi.dmar.there = true;
    acpi.dmar.bytes = t->bytes;
    acpi.dmar.length = t->length;
    acpi.dmar.address_bits = (uint8_t)(acpi_field(t, 36, 1) + 1);
    acpi.dmar.remaps_interrupts = flags & DMAR_INTERRUPTS;
    acpi.dmar.refuses_x2apic = flags & DMAR_NO_X2APIC;
    while (acpi_next_entry(t, &offset, 2, &entry)) {
        acpi.dmar.units += acpi_field(&entry, 0, 2) == DMAR_UNIT;
        acpi.dmar.reserved_regions += acpi_field(&entry, 0, 2) == DMAR_RESERVED;
    }
}

void acpi_read_ivrs(const struct acpi_table *t)
{
    acpi.ivrs = t->bytes;
    acpi.ivrs_bytes = t->length;
}

/* ---- Telling of it ---- */

static void report_tables(void)
{
    char text[ACPI_TABLES * 5 + 1] = "";
    size_t used = 0;

    for (unsigned i = 0; i < acpi.table_count; i++)
        used += fmt_sn(text + used, sizeof(text) - used, " %.4s", acpi.tables[i]);
    log_info("report: acpi: tables%s", acpi.table_count ? text : ": none");
}

static void report_power(void)
{
    log_info("report: acpi: PM1 at 0x%x, S5 %s, reset register %s (port 0x%x, value 0x%x)",
             acpi.pm1a_control, acpi.has_s5 ? "known" : "unknown",
             acpi.has_reset ? "known" : "unknown", acpi.reset_port, acpi.reset_value);
}

void acpi_report(void)
{
    report_tables();
    report_power();
    log_info("report: acpi: PM timer at port 0x%x, HPET at 0x%lx", acpi.pm_timer_port, acpi.hpet.v);
    for (unsigned i = 0; i < acpi.mcfg_count; i++)
        log_info("report: acpi: PCI segment %u, buses %u to %u: configuration space at 0x%lx",
                 acpi.mcfg[i].segment, acpi.mcfg[i].first_bus, acpi.mcfg[i].last_bus,
                 acpi.mcfg[i].base.v);
    if (acpi.dmar.there)
        log_info("report: acpi: DMA remapping: %u units, %u reserved regions, %u address bits%s%s",
                 acpi.dmar.units, acpi.dmar.reserved_regions, acpi.dmar.address_bits,
                 acpi.dmar.remaps_interrupts ? ", interrupts too" : "",
                 acpi.dmar.refuses_x2apic ? ", no x2APIC wanted" : "");
    else
        log_info("report: acpi: no DMA remapping (DMAR)");
}
