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

#include "arch/x86/insn.h"
#include "lib/log.h"
#include "lib/string.h"

#define HEADER_BYTES     36
#define TABLE_MAX        (16u << 20) /* longer than any honest table */
#define LAPIC_DEFAULT    0xFEE00000u
#define MADT_ENTRIES     44
#define GAS_SYSTEM_IO    1
#define FADT_RESET_VALID (1u << 10)
#define FADT_RESET_END   129
#define MADT_CPU_ENABLED 1u

struct acpi_info acpi;

/* A table, mapped as far as its length says. */
struct table {
    const uint8_t *bytes;
    uint32_t length;
};

static const void *(*map_memory)(maddr_t start, size_t size);

/* A little-endian number of `width` bytes; zero where the table does not reach that far. */
static uint64_t field(const struct table *t, uint32_t offset, unsigned width)
{
    uint64_t value = 0;

    if (offset > t->length || t->length - offset < width)
        return 0;
    for (unsigned i = width; i > 0; i--)
        value = value << 8 | t->bytes[offset + i - 1];
    return value;
}

static bool sum_is_zero(const uint8_t *bytes, uint32_t length)
{
    uint8_t sum = 0;

    for (uint32_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum == 0;
}

/* Maps the table at `at` and checks it. False, and a line in the log, if there is no such table. */
static bool table_open(struct table *t, uint64_t at)
{
    *t = (struct table){ at ? map_memory(maddr(at), HEADER_BYTES) : NULL, HEADER_BYTES };
    if (!t->bytes) {
        log_warn("acpi: no table can be read at 0x%llx", (unsigned long long)at);
        return false;
    }
    t->length = (uint32_t)field(t, 4, 4);
    if (t->length < HEADER_BYTES || t->length > TABLE_MAX) {
        log_warn("acpi: table %.4s has an impossible length of %u bytes", (const char *)t->bytes,
                 t->length);
        return false;
    }
    t->bytes = map_memory(maddr(at), t->length);
    if (!t->bytes)
        return false;
    if (!sum_is_zero(t->bytes, t->length)) {
        log_warn("acpi: table %.4s has a wrong checksum, ignored", (const char *)t->bytes);
        return false;
    }
    return true;
}

static bool table_is(const struct table *t, const char *signature)
{
    return memcmp(t->bytes, signature, 4) == 0;
}

/* ---- MADT: CPUs and interrupt controllers ---- */

static void add_cpu(uint32_t apic_id, uint32_t flags)
{
    if (!(flags & MADT_CPU_ENABLED))
        return;
    for (unsigned i = 0; i < acpi.cpu_count; i++) {
        if (acpi.apic_id[i] == apic_id)
            return;
    }
    if (acpi.cpu_count == MAX_PCPUS) {
        log_warn("acpi: CPU with APIC id %u left out, %u is the limit", apic_id, MAX_PCPUS);
        return;
    }
    acpi.apic_id[acpi.cpu_count++] = apic_id;
}

static void read_lapic(const struct table *e)
{
    add_cpu((uint32_t)field(e, 3, 1), (uint32_t)field(e, 4, 4));
}

static void read_x2apic(const struct table *e)
{
    add_cpu((uint32_t)field(e, 4, 4), (uint32_t)field(e, 8, 4));
}

/* Of several I/O APICs only the one with the lowest lines matters: the ISA lines end there. */
static void read_ioapic(const struct table *e)
{
    uint32_t base = (uint32_t)field(e, 8, 4);

    if (acpi.ioapic.v != 0 && acpi.ioapic_gsi_base <= base)
        return;
    acpi.ioapic = maddr(field(e, 4, 4));
    acpi.ioapic_gsi_base = base;
}

static void read_override(const struct table *e)
{
    uint64_t line = field(e, 3, 1);

    if (field(e, 2, 1) != 0 || line >= 16)
        return;
    acpi.isa[line].gsi = (uint32_t)field(e, 4, 4);
    acpi.isa[line].flags = (uint16_t)field(e, 8, 2);
}

static void read_lapic_address(const struct table *e)
{
    acpi.lapic = maddr(field(e, 4, 8));
}

static const struct {
    uint8_t type, length;
    void (*read)(const struct table *entry);
} madt_kinds[] = {
    { 0, 8, read_lapic },          /* Processor Local APIC */
    { 1, 12, read_ioapic },        /* I/O APIC */
    { 2, 10, read_override },      /* Interrupt Source Override */
    { 5, 12, read_lapic_address }, /* Local APIC Address Override */
    { 9, 16, read_x2apic },        /* Processor Local x2APIC */
};

static void read_madt_entry(const struct table *e)
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

static void read_madt(const struct table *t)
{
    uint32_t offset = MADT_ENTRIES;

    if (t->length < MADT_ENTRIES) {
        log_warn("acpi: MADT without a body, ignored");
        return;
    }
    acpi.lapic = maddr(field(t, 36, 4));
    acpi.cpu_count = 0;
    while (t->length - offset >= 2) {
        uint32_t length = t->bytes[offset + 1];

        if (length < 2 || length > t->length - offset) {
            log_warn("acpi: MADT broken at byte %u, the rest ignored", offset);
            break;
        }
        read_madt_entry(&(struct table){ t->bytes + offset, length });
        offset += length;
    }
}

/* ---- FADT and DSDT: power ---- */

/* A register's I/O port: from its 64-bit generic address where that is given and in I/O space. */
static uint16_t fadt_port(const struct table *t, uint32_t old, uint32_t generic)
{
    uint64_t port = field(t, generic + 4, 8);

    if (port == 0)
        port = field(t, old, 4);
    else if (field(t, generic, 1) != GAS_SYSTEM_IO)
        return 0;
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* An integer of a package, as AML encodes small ones ("Data Objects Encoding"). Moves *at past
 * it. -1 for anything else. */
static int aml_small_integer(const struct table *t, uint32_t *at)
{
    uint64_t op = field(t, *at, 1);
    unsigned width = op == 0x0A ? 1 : op == 0x0B ? 2 : op == 0x0C ? 4 : 0;
    uint64_t value = width ? field(t, *at + 1, width) : op;

    if (*at + 1 + width > t->length || (width == 0 && op > 1) || value > 7)
        return -1;
    *at += 1 + width;
    return (int)value;
}

/* Reads the package of a Name(_S5_, Package () { a, b, ... }) whose PackageOp is at `at`. */
static bool read_s5_package(const struct table *t, uint32_t at)
{
    int a, b;

    if (field(t, at, 1) != 0x12)
        return false;
    at += 2 + (uint32_t)(field(t, at + 1, 1) >> 6); /* PackageOp, PkgLength of 1..4 bytes */
    if (field(t, at++, 1) < 1)                      /* NumElements */
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
 * The sleep type of soft-off is in the DSDT's AML, but always as a constant: found by its pattern,
 * a NameOp and the four letters, perhaps with the root's backslash between them.
 */
static void find_s5(const struct table *dsdt)
{
    for (uint32_t i = HEADER_BYTES + 1; i + 4 < dsdt->length; i++) {
        const uint8_t *p = dsdt->bytes + i;

        if (memcmp(p, "_S5_", 4) != 0 || (p[-1] != 0x08 && !(p[-1] == '\\' && p[-2] == 0x08)))
            continue;
        acpi.has_s5 = read_s5_package(dsdt, i + 4);
        if (acpi.has_s5)
            return;
    }
    log_warn("acpi: no _S5 in the DSDT, soft-off is not known");
}

/* Absent from tables of revision 1, which end before it. */
static void read_reset(const struct table *t)
{
    if (t->length < FADT_RESET_END || !(field(t, 112, 4) & FADT_RESET_VALID) ||
        field(t, 116, 1) != GAS_SYSTEM_IO || field(t, 120, 8) > UINT16_MAX)
        return;
    acpi.has_reset = true;
    acpi.reset_port = (uint16_t)field(t, 120, 8);
    acpi.reset_value = (uint8_t)field(t, 128, 1);
}

static void read_fadt(const struct table *t)
{
    struct table dsdt;
    uint64_t at = field(t, 140, 8);

    acpi.pm1a_control = fadt_port(t, 64, 172);
    acpi.pm1b_control = fadt_port(t, 68, 184);
    acpi.pm_timer_port = field(t, 91, 1) == 4 ? fadt_port(t, 76, 208) : 0;
    acpi.smi_command = (uint16_t)field(t, 48, 4);
    acpi.acpi_enable = (uint8_t)field(t, 52, 1);
    read_reset(t);
    if (table_open(&dsdt, at ? at : field(t, 40, 4)) && table_is(&dsdt, "DSDT"))
        find_s5(&dsdt);
}

/* ---- The way to them ---- */

static void read_table(uint64_t at)
{
    struct table t;

    if (!table_open(&t, at))
        return;
    if (table_is(&t, "APIC"))
        read_madt(&t);
    else if (table_is(&t, "FACP"))
        read_fadt(&t);
}

/* The root table: RSDT with addresses of 4 bytes, XSDT with 8. False if there is none. */
static bool read_root(uint64_t at, const char *signature, unsigned width)
{
    struct table root;

    if (at == 0 || !table_open(&root, at))
        return false;
    if (!table_is(&root, signature)) {
        log_warn("acpi: %.4s found where %s should be", (const char *)root.bytes, signature);
        return false;
    }
    for (uint32_t offset = HEADER_BYTES; root.length - offset >= width; offset += width)
        read_table(field(&root, offset, width));
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

static bool read_rsdp(const struct table *rsdp)
{
    if (memcmp(rsdp->bytes, "RSD PTR ", 8) != 0 || !sum_is_zero(rsdp->bytes, 20))
        return false;
    if (rsdp->bytes[15] >= 2 && sum_is_zero(rsdp->bytes, 36) &&
        read_root(field(rsdp, 24, 8), "XSDT", 8))
        return true;
    return read_root(field(rsdp, 16, 4), "RSDT", 4);
}

void acpi_read(const uint8_t *rsdp, const void *(*map)(maddr_t start, size_t size))
{
    map_memory = map;
    set_defaults();
    if (!rsdp || !read_rsdp(&(struct table){ rsdp, 36 }))
        log_warn("acpi: no usable tables, one CPU assumed");
    if (acpi.cpu_count == 0) {
        log_warn("acpi: the MADT lists no enabled CPU, one assumed");
        acpi.apic_id[0] = cpuid(1, 0).ebx >> 24;
        acpi.cpu_count = 1;
    }
    log_info("acpi: %u CPU%s, LAPIC at 0x%llx, I/O APIC at 0x%llx, PM timer at port 0x%x, S5 %s",
             acpi.cpu_count, acpi.cpu_count == 1 ? "" : "s", (unsigned long long)acpi.lapic.v,
             (unsigned long long)acpi.ioapic.v, acpi.pm_timer_port,
             acpi.has_s5 ? "known" : "unknown");
}
