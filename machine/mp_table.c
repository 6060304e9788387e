/*
 * Writes the MP tables. See machine/mp_table.h.
 *
 * Entries follow each other by their type: processors, the bus, the I/O APIC, what its pins and
 * those of the local APICs are connected to; the same routes as in the MADT (machine/acpi_guest.c).
 */
#include "machine/mp_table.h"
#include "devices/vlapic.h"
#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/string.h"
#include "lib/checksum.h"
#include "machine/pc.h"

enum { PROCESSOR, BUS, IOAPIC, IO_INTERRUPT, LOCAL_INTERRUPT }; /* types of entries */
enum { INT, NMI, SMI, EXTINT };                                 /* of interrupts */

#define SPEC_REVISION  4    /* 1.4 */
#define VERSION        0x14 /* of the local APICs and of the I/O APIC, as far as it goes */
#define ENABLED        1u   /* of a processor, or an I/O APIC */
#define BOOT_PROCESSOR 2u
#define FEATURES       0x381u /* of CPUID, as the specification defines them: FPU, CX8, APIC */
#define LEVEL_HIGH     (1u | 3u << 2) /* else as the bus has it: ISA's edges */
#define ALL_APICS      0xFF
#define ISA_LINES      16
#define ISA_CASCADE    2 /* the second 8259's; no device has it */

struct pointer {
    char signature[4];
    uint32_t table;
    uint8_t paragraphs, revision, checksum, features[5];
} __attribute__((packed));

struct header {
    char signature[4];
    uint16_t length;
    uint8_t revision, checksum;
    char oem[8], product[12];
    uint32_t oem_table;
    uint16_t oem_size, entries;
    uint32_t lapic;
    uint32_t extended;
} __attribute__((packed));

struct processor {
    uint8_t type, id, version, flags;
    uint32_t identity, features, reserved[2];
} __attribute__((packed));

struct bus {
    uint8_t type, id;
    char name[6];
} __attribute__((packed));

struct ioapic {
    uint8_t type, id, version, flags;
    uint32_t address;
} __attribute__((packed));

struct interrupt {
    uint8_t type, kind;
    uint16_t flags;
    uint8_t bus, irq, apic, pin;
} __attribute__((packed));

_Static_assert(sizeof(struct pointer) == MP_POINTER_SIZE, "as the specification has it");
_Static_assert(sizeof(struct header) == 44 && sizeof(struct processor) == 20, "the same");
_Static_assert(sizeof(struct pointer) + sizeof(struct header) +
                       MAX_VCPUS * sizeof(struct processor) + sizeof(struct bus) +
                       sizeof(struct ioapic) + (ISA_LINES + 1) * sizeof(struct interrupt) <=
                   MP_TABLE_MAX,
               "MP_TABLE_MAX is enough");

/* Appends an entry. */
static void add(struct header *table, const void *entry, size_t size)
{
    memcpy((uint8_t *)table + table->length, entry, size);
    table->length += size;
    table->entries++;
}

static void add_processors(struct header *table, const struct mp_table_config *config)
{
    struct processor cpu = { .type = PROCESSOR,
                             .version = VERSION,
                             .flags = ENABLED | BOOT_PROCESSOR,
                             .identity = config->identity,
                             .features = FEATURES };

    for (; cpu.id < config->vcpus; cpu.id++, cpu.flags = ENABLED)
        add(table, &cpu, sizeof(cpu));
}

/* The timer's line arrives at another pin, the SCI is a level. */
static void add_isa(struct header *table)
{
    struct interrupt line = { .type = IO_INTERRUPT, .kind = INT, .apic = HVM_IOAPIC_ID };

    for (; line.irq < ISA_LINES; line.irq++) {
        line.pin = line.irq == HVM_PIT_IRQ ? HVM_PIT_GSI : line.irq;
        line.flags = line.irq == HVM_SCI_IRQ ? LEVEL_HIGH : 0;
        if (line.irq != ISA_CASCADE)
            add(table, &line, sizeof(line));
    }
}

/* The 8259 pair reaches the first CPU; NMI all. */
static void add_local(struct header *table)
{
    const struct interrupt pins[] = {
        { .type = LOCAL_INTERRUPT, .kind = EXTINT, .apic = 0, .pin = 0 },
        { .type = LOCAL_INTERRUPT, .kind = NMI, .apic = ALL_APICS, .pin = 1 },
    };

    add(table, &pins[0], sizeof(pins[0]));
    add(table, &pins[1], sizeof(pins[1]));
}

static void build_table(struct header *table, const struct mp_table_config *config)
{
    static const struct bus isa = { .type = BUS, .name = "ISA   " };
    static const struct ioapic ioapic = { IOAPIC, HVM_IOAPIC_ID, VERSION, ENABLED,
                                          HVM_IOAPIC_BASE };

    memcpy(table->signature, "PCMP", sizeof(table->signature));
    table->length = sizeof(*table);
    table->revision = SPEC_REVISION;
    memcpy(table->oem, "CAISSON ", sizeof(table->oem));
    memcpy(table->product, "HVM         ", sizeof(table->product));
    table->lapic = VLAPIC_DEFAULT_BASE;
    add_processors(table, config);
    add(table, &isa, sizeof(isa));
    add(table, &ioapic, sizeof(ioapic));
    add_isa(table);
    add_local(table);
    table->checksum = checksum(table, table->length);
}

size_t mp_table_build(const struct mp_table_config *config, uint8_t buf[MP_TABLE_MAX])
{
    struct pointer *p = (struct pointer *)buf;
    struct header *table = (struct header *)(buf + sizeof(*p));

    ASSERT(config->vcpus >= 1 && config->vcpus <= MAX_VCPUS);
    memset(buf, 0, sizeof(*p) + sizeof(*table));
    memcpy(p->signature, "_MP_", sizeof(p->signature));
    p->table = config->where + sizeof(*p);
    p->paragraphs = 1;
    p->revision = SPEC_REVISION;
    p->checksum = checksum(p, sizeof(*p));
    build_table(table, config);
    return sizeof(*p) + table->length;
}
