/* links: arch/x86/acpi.c arch/x86/acpi_madt.c arch/x86/acpi_fadt.c arch/x86/acpi_platform.c iommu/ivrs.c iommu/dmar.c lib/fmt.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Firmware that says anything at all: the input is changes to sound tables, each an offset, a
 * length and as many bytes; the first byte chooses the old root table or the new one.
 *
 * Checksums would hold a fuzzer up for ever, so the ones on its way are made right: the RSDP's, a
 * table's when it is mapped at its full length.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "arch/x86/acpi.h"
#include "iommu/amd.h"
#include "iommu/dmar.h"
#include "lib/assert.h"
#include "pci/pci.h"
#include "tests/fakes/log.h"
#include "tests/fuzz/input.h"

#define RSDP_BYTES   36
#define MAX_MAPPINGS 256
#define MEMORY       8192
#define ROOT         0x100
#define HEADER       36 /* bytes of a table's */
#define TABLE(n)     (0x400 + 0x200 * (n))
#define TABLE_BYTES  0x180
#define TABLES       8 /* the last one is not in the root table */

static uint8_t memory[MEMORY];
static void *mappings[MAX_MAPPINGS];
static unsigned mapping_count;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal(uint8_t *bytes, size_t length, size_t checksum_at)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[checksum_at] = (uint8_t)(bytes[checksum_at] - sum);
}

/* A copy of exactly that size, for ASan to guard. */
static const void *map(maddr_t start, size_t size)
{
    uint8_t *copy;

    if (start.v > MEMORY || size > MEMORY - start.v || mapping_count == MAX_MAPPINGS)
        return NULL;
    copy = malloc(size);
    memcpy(copy, memory + start.v, size);
    if (size >= RSDP_BYTES)
        seal(copy, size, 9);
    mappings[mapping_count++] = copy;
    return copy;
}

static void put(size_t at, unsigned bytes, uint64_t value)
{
    memcpy(memory + at, &value, bytes);
}

static void make_table(size_t at, const char *signature, uint32_t length)
{
    memcpy(memory + at, signature, 4);
    put(at + 4, 4, length);
}

/* A local and an I/O APIC, an override and an x2APIC; a FADT whose DSDT has an S5. */
static void make_bodies(void)
{
    static const uint8_t madt[] = { 0, 0, 0xe0, 0xfe, 1, 0,  0, 0, /* the header's rest */
                                    0, 8, 0,    0,    1, 0,  0, 0, 1, 12, 0, 0, 0, 0, 0xc0, 0xfe,
                                    0, 0, 0,    0,    2, 10, 0, 0, 2, 0,  0, 0, 0, 0, 9,    16,
                                    0, 0, 1,    0,    0, 0,  1, 0, 0, 0,  1, 0, 0, 0 };
    static const uint8_t s5[] = { 0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 5, 0x0a, 5 };

    /* A unit with two devices, one behind a bridge; a region; the rest is one of no known kind. */
    static const uint8_t dmar[] = {
        0,  0, 34, 0, 1, 0, 0, 0,    0, 0, 0xd9, 0xfe, 0, 0,    0,    0,    1, 10,
        0,  0, 0,  0, 2, 0, 1, 0,    3, 8, 0,    0,    0, 0xf0, 0,    0,    1, 0,
        32, 0, 0,  0, 0, 0, 0, 0x10, 0, 0, 0,    0,    0, 0,    0xff, 0x1f, 0, 0,
        0,  0, 0,  0, 2, 8, 0, 0,    0, 0, 2,    0,    9, 0,    0x0e, 1
    };

    memcpy(memory + TABLE(0) + HEADER, madt, sizeof(madt));
    memcpy(memory + TABLE(7) + HEADER, s5, sizeof(s5));
    put(TABLE(1) + 40, 4, TABLE(7));
    put(TABLE(1) + 48, 4, 0xb2);
    put(TABLE(1) + 64, 4, 0x604);
    put(TABLE(1) + 76, 4, 0x608);
    put(TABLE(6) + 48, 4, 0x01500010); /* a unit's block; nothing but padding in it */
    memcpy(memory + TABLE(5) + 48, dmar, sizeof(dmar));
}

static void make_tables(unsigned width)
{
    static const char *const signatures[] = { "APIC", "FACP", "SSDT", "MCFG",
                                              "HPET", "DMAR", "IVRS", "DSDT" };

    memset(memory, 0, sizeof(memory));
    make_table(ROOT, width == 8 ? "XSDT" : "RSDT", HEADER + (TABLES - 1) * width);
    for (unsigned i = 0; i < TABLES; i++) {
        make_table(TABLE(i), signatures[i], TABLE_BYTES);
        if (i < TABLES - 1)
            put(ROOT + HEADER + i * width, width, TABLE(i));
    }
    put(TABLE(0) + 4, 4, HEADER + 54); /* where its entries end */
    make_bodies();
}

/* What the IOMMU's reader calls: nothing may be out of any table that it has. */
uint8_t amd_add(const struct amd_unit *info)
{
    (void)info;
    return 1;
}

void amd_set(uint8_t unit, uint16_t from, uint16_t to, uint8_t settings)
{
    (void)unit;
    (void)from;
    (void)to;
    (void)settings;
}

void amd_alias(uint16_t from, uint16_t to, uint16_t other)
{
    (void)from;
    (void)to;
    (void)other;
}

void amd_keep(uint16_t from, uint16_t to)
{
    (void)from;
    (void)to;
}

void amd_let_ioapic(uint16_t bdf)
{
    (void)bdf;
}

static const struct config_segment segment;

/* Every device is a bridge to the next bus. */
struct pci_device *pci_find(uint16_t number, uint16_t bdf)
{
    static struct pci_device d;
    uint8_t bus = (uint8_t)(bdf >> 8);

    d = (struct pci_device){ .at = { &segment, bdf }, .secondary = (uint8_t)(bus + 1) };
    d.subordinate = d.secondary;
    return number ? NULL : &d;
}

/* What is told of a list is all inside it. */
static void look_through(const struct dmar_devices *list)
{
    const struct pci_device d = { .at = { &segment, 0x0110 } };
    uint16_t bdf = 0;
    uint8_t sum = 0;

    for (uint32_t i = 0; i < list->bytes; i++)
        sum = (uint8_t)(sum + list->at[i]);
    dmar_has(list, &d);
    dmar_ioapic(list, sum, &bdf);
}

void vtd_add(const struct dmar_unit *unit)
{
    look_through(&unit->devices);
}

void vtd_keep(const struct dmar_region *region)
{
    ASSERT(region->start < region->end && region->start % 4096 == 0 && region->end % 4096 == 0);
    look_through(&region->devices);
}

static void change(struct input *in)
{
    const uint8_t *from;

    while (!input_ended(in)) {
        size_t at = input_number(in, 2) % MEMORY;
        size_t n = input_bytes(in, &from, input_byte(in) % 16);
        memcpy(memory + at, from, n < MEMORY - at ? n : MEMORY - at);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    uint8_t rsdp[RSDP_BYTES] = { 0 }, old = input_byte(&in) & 1;
    uint64_t root = ROOT;

    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = old ? 0 : 2;
    rsdp[20] = RSDP_BYTES;
    memcpy(rsdp + 16, &root, 4);
    memcpy(rsdp + 24, &root, 8);
    seal(rsdp, 20, 8);
    seal(rsdp, RSDP_BYTES, 32);
    make_tables(old ? 4 : 8);
    change(&in);
    fake_log_reset();
    acpi_read(rsdp, map);
    if (acpi.ivrs)
        ivrs_read(acpi.ivrs, acpi.ivrs_bytes);
    if (acpi.dmar.there)
        dmar_read(acpi.dmar.bytes, acpi.dmar.length);
    ASSERT(acpi.cpu_count >= 1 && acpi.cpu_count <= MAX_PCPUS);
    while (mapping_count)
        free(mappings[--mapping_count]);
    return 0;
}
