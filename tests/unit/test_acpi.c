/* links: arch/x86/acpi.c arch/x86/acpi_madt.c arch/x86/acpi_fadt.c arch/x86/acpi_platform.c lib/fmt.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * The reader of the firmware's ACPI tables, on tables that the test writes: whole ones and broken
 * ones. What it maps is a copy of exactly the size it asked for, so that ASan sees each step
 * beyond.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "arch/x86/acpi.h"
#include "tests/fakes/log.h"

#define RSDP_AT     0x40
#define ROOT_AT     0x100
#define MADT_AT     0x200
#define FADT_AT     0x400
#define DSDT_AT     0x600
#define OTHER_AT    0x700
#define BIG_MADT_AT 0x800
#define MEMORY      0x1400
#define MAPPINGS    64

static uint8_t memory[MEMORY];
static void *mappings[MAPPINGS];
static unsigned mapping_count;
static uint8_t rsdp[36];

static const void *map(maddr_t start, size_t size)
{
    void *copy;

    if (start.v > MEMORY || size > MEMORY - start.v)
        return NULL;
    assert_true(mapping_count < MAPPINGS);
    copy = malloc(size);
    memcpy(copy, memory + start.v, size);
    mappings[mapping_count++] = copy;
    return copy;
}

static void put(uint32_t at, uint64_t value, unsigned width)
{
    memcpy(memory + at, &value, width);
}

/* Makes the bytes sum up to zero. */
static void seal(uint8_t *bytes, uint32_t length, uint32_t checksum_at)
{
    uint8_t sum = 0;

    bytes[checksum_at] = 0;
    for (uint32_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[checksum_at] = (uint8_t)-sum;
}

static void table(uint32_t at, const char *signature, uint32_t length)
{
    memcpy(memory + at, signature, 4);
    put(at + 4, length, 4);
}

static void seal_table(uint32_t at)
{
    uint32_t length;

    memcpy(&length, memory + at + 4, 4);
    seal(memory + at, length, 9);
}

static void make_rsdp(unsigned revision)
{
    uint32_t rsdt = revision >= 2 ? 0xFFFFFFF0u : ROOT_AT;
    uint64_t xsdt = ROOT_AT;

    memset(rsdp, 0, sizeof(rsdp));
    memcpy(rsdp, "RSD PTR ", 8);
    rsdp[15] = (uint8_t)revision;
    memcpy(rsdp + 16, &rsdt, 4);
    if (revision >= 2) {
        rsdp[20] = 36;
        memcpy(rsdp + 24, &xsdt, 8);
    }
    seal(rsdp, 20, 8);
    seal(rsdp, 36, 32);
}

static void make_root(const char *signature, unsigned width)
{
    table(ROOT_AT, signature, 36 + 2 * width);
    put(ROOT_AT + 36, FADT_AT, width);
    put(ROOT_AT + 36 + width, MADT_AT, width);
    seal_table(ROOT_AT);
}

static const uint8_t madt_body[] = {
    0x00, 0x00, 0xE0, 0xFE, 1, 0, 0,    0, /* LAPIC address, flags */
    0,    8,    0,    0,    1, 0, 0,    0, /* APIC id 0 */
    0,    8,    1,    2,    1, 0, 0,    0, /* APIC id 2 */
    0,    8,    2,    4,    0, 0, 0,    0, /* APIC id 4, disabled */
    9,    16,   0,    0,    2, 0, 0,    0,    1,    0, 0, 0,
    1,    0,    0,    0, /* x2APIC id 2, once more */
    9,    16,   0,    0,    0, 1, 0,    0,    1,    0, 0, 0,
    3,    0,    0,    0,                                     /* x2APIC id 256 */
    1,    12,   9,    0,    0, 0, 0xC1, 0xFE, 24,   0, 0, 0, /* I/O APIC, lines from 24 */
    1,    12,   8,    0,    0, 0, 0xC0, 0xFE, 0,    0, 0, 0, /* I/O APIC, lines from 0 */
    2,    10,   0,    0,    2, 0, 0,    0,    0,    0,       /* ISA 0 is line 2 */
    2,    10,   0,    9,    9, 0, 0,    0,    0x0D, 0,       /* ISA 9: low?, level */
    2,    10,   0,    200,  7, 0, 0,    0,    0,    0,       /* no such ISA line */
    0x7F, 4,    1,    2,                                     /* a kind nobody knows */
};

static void make_madt(void)
{
    table(MADT_AT, "APIC", 36 + sizeof(madt_body));
    memcpy(memory + MADT_AT + 36, madt_body, sizeof(madt_body));
    seal_table(MADT_AT);
}

static void make_fadt(void)
{
    table(FADT_AT, "FACP", 244);
    put(FADT_AT + 40, DSDT_AT, 4);
    put(FADT_AT + 48, 0xB2, 4);
    put(FADT_AT + 52, 0xF1, 1);
    put(FADT_AT + 64, 0x604, 4);
    put(FADT_AT + 76, 0x608, 4);
    put(FADT_AT + 91, 4, 1);
    put(FADT_AT + 112, 1u << 10, 4);
    put(FADT_AT + 116, 1, 1);
    put(FADT_AT + 120, 0xCF9, 8);
    put(FADT_AT + 128, 0x0F, 1);
    seal_table(FADT_AT);
}

static void make_dsdt(const uint8_t *aml, uint32_t size)
{
    table(DSDT_AT, "DSDT", 36 + size);
    memcpy(memory + DSDT_AT + 36, aml, size);
    seal_table(DSDT_AT);
}

static const uint8_t s5_aml[] = { 0x10, 0x20, 0x08, '_',  'S',  '5', '_', 0x12,
                                  0x06, 0x04, 0x0A, 0x05, 0x0A, 6,   0,   0 };

static int setup(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    fake_log_reset();
    make_rsdp(2);
    make_root("XSDT", 8);
    make_madt();
    make_fadt();
    make_dsdt(s5_aml, sizeof(s5_aml));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    while (mapping_count)
        free(mappings[--mapping_count]);
    return 0;
}

static void read_tables(void)
{
    acpi_read(rsdp, map);
}

static void assert_defaults(void)
{
    assert_int_equal(acpi.cpu_count, 1);
    assert_int_equal(acpi.lapic.v, 0xFEE00000);
    assert_int_equal(acpi.ioapic.v, 0);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(acpi.isa[i].gsi, i);
}

static void test_whole(void **state)
{
    (void)state;
    read_tables();
    assert_int_equal(acpi.cpu_count, 3);
    assert_int_equal(acpi.apic_id[0], 0);
    assert_int_equal(acpi.apic_id[1], 2);
    assert_int_equal(acpi.apic_id[2], 256);
    assert_int_equal(acpi.ioapic.v, 0xFEC00000);
    assert_int_equal(acpi.ioapic_gsi_base, 0);
    assert_int_equal(acpi.isa[0].gsi, 2);
    assert_int_equal(acpi.isa[9].flags, 0x0D);
    assert_int_equal(acpi.isa[7].gsi, 7);
    assert_int_equal(acpi.pm1a_control, 0x604);
    assert_int_equal(acpi.pm1b_control, 0);
    assert_int_equal(acpi.pm_timer_port, 0x608);
    assert_int_equal(acpi.smi_command, 0xB2);
    assert_int_equal(acpi.acpi_enable, 0xF1);
    assert_true(acpi.has_reset);
    assert_int_equal(acpi.reset_port, 0xCF9);
    assert_int_equal(acpi.reset_value, 0x0F);
    assert_true(acpi.has_s5);
    assert_int_equal(acpi.s5_type_a, 5);
    assert_int_equal(acpi.s5_type_b, 6);
    assert_int_equal(fake_log_lines[1], 0);
}

static void test_old_root(void **state)
{
    (void)state;
    make_rsdp(0);
    make_root("RSDT", 4);
    read_tables();
    assert_int_equal(acpi.cpu_count, 3);
    assert_true(acpi.has_s5);
}

static void test_no_rsdp(void **state)
{
    (void)state;
    acpi_read(NULL, map);
    assert_defaults();
    rsdp[8]++;
    read_tables();
    assert_defaults();
    memcpy(rsdp, "RSD PTX ", 8);
    seal(rsdp, 20, 8);
    read_tables();
    assert_defaults();
}

static void test_broken_xsdt_pointer_falls_back(void **state)
{
    (void)state;
    make_rsdp(2);
    rsdp[33]++; /* the sum over all 36 bytes is wrong, that over the first 20 is right */
    read_tables();
    assert_defaults();
}

static void test_root_of_another_kind(void **state)
{
    (void)state;
    make_root("RSDT", 8);
    read_tables();
    assert_defaults();
    assert_true(fake_log_has("where XSDT should be"));
}

static void test_wrong_checksum(void **state)
{
    (void)state;
    memory[MADT_AT + 9]++;
    read_tables();
    assert_int_equal(acpi.cpu_count, 1);
    assert_true(acpi.has_s5); /* the others still count */
    assert_true(fake_log_has("APIC has a wrong checksum"));
}

static void test_impossible_lengths(void **state)
{
    static const uint32_t lengths[] = { 0, 1, 35, 0x1000001, UINT32_MAX };

    (void)state;
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        put(MADT_AT + 4, lengths[i], 4);
        read_tables();
        assert_int_equal(acpi.cpu_count, 1);
        teardown(NULL);
    }
    assert_true(fake_log_has("impossible length"));
}

static void test_table_longer_than_memory(void **state)
{
    (void)state;
    put(MADT_AT + 4, MEMORY, 4);
    read_tables();
    assert_int_equal(acpi.cpu_count, 1);
}

static void test_madt_without_body(void **state)
{
    (void)state;
    for (uint32_t length = 36; length < 44; length++) {
        table(MADT_AT, "APIC", length);
        seal_table(MADT_AT);
        read_tables();
        assert_defaults();
        teardown(NULL);
    }
}

static void test_madt_entry_of_length(uint8_t length)
{
    memory[MADT_AT + 44 + 9] = length; /* the second entry's */
    seal_table(MADT_AT);
    read_tables();
    assert_int_equal(acpi.cpu_count, 1);
    assert_true(fake_log_has("APIC broken at byte 52"));
}

static void test_madt_zero_length_entry(void **state)
{
    (void)state;
    test_madt_entry_of_length(0);
}

static void test_madt_entry_beyond_end(void **state)
{
    (void)state;
    test_madt_entry_of_length(255);
}

static void test_madt_cut_anywhere(void **state)
{
    (void)state;
    for (uint32_t length = 44; length < 36 + sizeof(madt_body); length++) {
        table(MADT_AT, "APIC", length);
        seal_table(MADT_AT);
        read_tables();
        assert_in_range(acpi.cpu_count, 1, 3);
        teardown(NULL);
    }
}

static void test_madt_short_entry(void **state)
{
    (void)state;
    table(MADT_AT, "APIC", 44 + 4);
    memory[MADT_AT + 45] = 4; /* a LAPIC entry of half its length */
    seal_table(MADT_AT);
    read_tables();
    assert_int_equal(acpi.cpu_count, 1);
    assert_true(fake_log_has("too short"));
    assert_true(fake_log_has("no enabled CPU"));
}

static void test_more_cpus_than_limit(void **state)
{
    (void)state;
    put(ROOT_AT + 36 + 8, BIG_MADT_AT, 8);
    seal_table(ROOT_AT);
    table(BIG_MADT_AT, "APIC", 44 + 8 * (MAX_PCPUS + 2));
    for (uint32_t i = 0; i < MAX_PCPUS + 2; i++)
        put(BIG_MADT_AT + 44 + 8 * i, 0x0000000100000800 | (uint64_t)i << 24, 8);
    seal_table(BIG_MADT_AT);
    read_tables();
    assert_int_equal(acpi.cpu_count, MAX_PCPUS);
    assert_int_equal(acpi.apic_id[MAX_PCPUS - 1], MAX_PCPUS - 1);
    assert_int_equal(acpi.cpus_left_out, 2);
    assert_true(fake_log_has("2 more CPUs are left out, 64 is the limit"));
    assert_int_equal(fake_log_lines[1], 1);
}

/* A machine of 300 CPUs, as x2APIC entries whose ids leave gaps; among them some for nobody. */
static void test_many_x2apics(void **state)
{
    (void)state;
    put(ROOT_AT + 36 + 8, BIG_MADT_AT, 8);
    seal_table(ROOT_AT);
    table(BIG_MADT_AT, "APIC", 44 + 8 + 16 * 101);
    put(BIG_MADT_AT + 44, 0x00000001FF000800, 8); /* enabled, and nobody */
    for (uint32_t i = 0; i < 101; i++) {
        put(BIG_MADT_AT + 52 + 16 * i, 0x1009, 4);
        put(BIG_MADT_AT + 56 + 16 * i, i == 1 ? UINT32_MAX : 3 * i, 4);
        put(BIG_MADT_AT + 60 + 16 * i, 1, 4);
    }
    seal_table(BIG_MADT_AT);
    read_tables();
    assert_int_equal(acpi.cpu_count, MAX_PCPUS);
    assert_int_equal(acpi.apic_id[0], 0);
    assert_int_equal(acpi.apic_id[1], 6);
    assert_int_equal(acpi.apic_id[63], 64 * 3);
    assert_int_equal(acpi.cpus_left_out, 36);
}

/* Puts another table in the MADT's place. */
static void instead_of_madt(const char *signature, const uint8_t *body, uint32_t size)
{
    put(ROOT_AT + 36 + 8, OTHER_AT, 8);
    seal_table(ROOT_AT);
    memset(memory + OTHER_AT, 0, BIG_MADT_AT - OTHER_AT);
    table(OTHER_AT, signature, 36 + size);
    memcpy(memory + OTHER_AT + 36, body, size);
    seal_table(OTHER_AT);
    read_tables();
}

static void test_mcfg(void **state)
{
    static const uint8_t body[] = {
        0, 0, 0, 0,    0, 0, 0, 0,                               /* reserved */
        0, 0, 0, 0xB0, 0, 0, 0, 0, 0, 0, 0,    255,  0, 0, 0, 0, /* segment 0 */
        0, 0, 0, 0xC0, 1, 0, 0, 0, 1, 0, 0x10, 0x1F, 0, 0, 0, 0, /* segment 1 */
        0, 0, 0, 0xD0, 1, 0, 0, 0, 2, 0, 0,                      /* cut off */
    };

    (void)state;
    instead_of_madt("MCFG", body, sizeof(body));
    assert_int_equal(acpi.mcfg_count, 2);
    assert_int_equal(acpi.mcfg[0].base.v, 0xB0000000);
    assert_int_equal(acpi.mcfg[0].last_bus, 255);
    assert_int_equal(acpi.mcfg[1].base.v, 0x1C0000000);
    assert_int_equal(acpi.mcfg[1].segment, 1);
    assert_int_equal(acpi.mcfg[1].first_bus, 0x10);
    acpi_report();
    assert_true(fake_log_has("tables FACP MCFG"));
    assert_true(fake_log_has("segment 1, buses 16 to 31: configuration space at 0x1c0000000"));
    assert_true(fake_log_has("no DMA remapping"));
    assert_true(
        fake_log_has("MCFG has a wrong length of 87 bytes, what is behind entry 2 ignored"));
}

static void test_mcfg_without_entries(void **state)
{
    static const uint8_t body[8] = { 0 };

    (void)state;
    for (uint32_t size = 0; size < sizeof(body); size++) {
        instead_of_madt("MCFG", body, size);
        assert_int_equal(acpi.mcfg_count, 0);
        assert_true(fake_log_has("MCFG has a wrong length"));
        teardown(NULL);
        fake_log_reset();
    }
    instead_of_madt("MCFG", body, sizeof(body));
    assert_false(fake_log_has("MCFG"));
}

/* Each entry that cannot be is left out with a word, and the others count. */
static void test_mcfg_impossible_entries(void **state)
{
    static const uint8_t body[8 + 16 * 7] = {
        [8] = 0, 0,    0,    0xB0, 0,    0,    0,    0,
        0,       0,    0x10, 0x0F, 0,    0,    0,    0, /* ends too early */
        0,       0x10, 0,    0xB0, 0,    0,    0,    0,
        0,       0,    0,    0xFF, 0,    0,    0,    0, /* not aligned */
        0,       0,    0,    0,    0,    0,    0,    0,
        0,       0,    0,    0xFF, 0,    0,    0,    0, /* nowhere */
        0,       0,    0,    0xF0, 0xFF, 0xFF, 0x0F, 0,
        0,       0,    0,    0xFF, 0,    0,    0,    0, /* to the end, */
        0,       0,    0,    0xF1, 0xFF, 0xFF, 0x0F, 0,
        1,       0,    0,    0xFF, 0,    0,    0,    0, /* and beyond */
        0,       0,    0,    0xC0, 0,    0,    0,    0,
        0,       0,    0xFF, 0xFF, 0,    0,    0,    0, /* again */
        0,       0,    0,    0xC0, 0,    0,    0,    0,
        2,       0,    0xFF, 0xFF, 0,    0,    0,    0,
    };
    uint8_t many[8 + 16 * 9] = { 0 };

    (void)state;
    instead_of_madt("MCFG", body, sizeof(body));
    assert_int_equal(acpi.mcfg_count, 2);
    assert_int_equal(acpi.mcfg[0].base.v, 0xFFFFFF0000000);
    assert_int_equal(acpi.mcfg[1].segment, 2);
    assert_true(fake_log_has("MCFG: entry 0 ends before its first bus, ignored"));
    assert_true(fake_log_has("MCFG: entry 1 has an impossible address"));
    assert_true(fake_log_has("MCFG: entry 2 has an impossible address"));
    assert_true(fake_log_has("MCFG: entry 4 has an impossible address"));
    assert_true(fake_log_has("MCFG: entry 5 has buses of an earlier one"));
    teardown(NULL);
    for (unsigned i = 0; i < 9; i++) {
        many[8 + 16 * i + 2] = (uint8_t)(i << 4);
        many[8 + 16 * i + 3] = 0xC0;
        many[8 + 16 * i + 8] = (uint8_t)i;
    }
    instead_of_madt("MCFG", many, sizeof(many));
    assert_int_equal(acpi.mcfg_count, ACPI_MCFGS);
    assert_true(fake_log_has("MCFG: entry 8 is one too many, ignored"));
    many[8 + 16 + 2] = 0; /* the same place under another segment's name */
    instead_of_madt("MCFG", many, 8 + 16 * 3);
    assert_int_equal(acpi.mcfg_count, 2);
    assert_true(fake_log_has("MCFG: entry 1 has buses of an earlier one"));
}

static void test_hpet(void **state)
{
    static const uint8_t body[] = { 1, 2, 0x86, 0x80, 0, 64, 0, 0, 0, 0, 0xD0, 0xFE, 0, 0, 0, 0 };

    (void)state;
    instead_of_madt("HPET", body, sizeof(body));
    assert_int_equal(acpi.hpet.v, 0xFED00000);
    instead_of_madt("HPET", body, 10);
    assert_int_equal(acpi.hpet.v, 0);
}

static const uint8_t dmar_body[] = {
    38, 3, 0,  0, 0, 0, 0, 0, 0, 0, 0,    0,                /* 39 bits; interrupts, no x2APIC */
    0,  0, 16, 0, 1, 0, 0, 0, 0, 0, 0xD9, 0xFE, 0, 0, 0, 0, /* a unit */
    1,  0, 8,  0, 0, 0, 0, 0,                               /* a reserved region */
    0,  0, 16, 0, 0, 0, 0, 0, 0, 0, 0xD8, 0xFE, 0, 0, 0, 0, /* a unit */
};

static void test_dmar(void **state)
{
    (void)state;
    instead_of_madt("DMAR", dmar_body, sizeof(dmar_body));
    assert_true(acpi.dmar.there && acpi.dmar.remaps_interrupts && acpi.dmar.refuses_x2apic);
    assert_int_equal(acpi.dmar.address_bits, 39);
    assert_int_equal(acpi.dmar.units, 2);
    assert_int_equal(acpi.dmar.reserved_regions, 1);
    acpi_report();
    assert_true(fake_log_has("2 units, 1 reserved regions, 39 address bits, interrupts too, no"));
}

static void test_dmar_cut_anywhere(void **state)
{
    (void)state;
    for (uint32_t size = 0; size < sizeof(dmar_body); size++) {
        instead_of_madt("DMAR", dmar_body, size);
        assert_int_equal(acpi.dmar.there, size >= 12);
        assert_int_equal(acpi.dmar.units, size >= 28);
        teardown(NULL);
    }
    assert_true(fake_log_has("DMAR broken at byte"));
}

/* Where the DSDT does not say it. */
static void test_s5_in_an_ssdt(void **state)
{
    static const uint8_t nothing[] = { 0, 0 };

    (void)state;
    make_dsdt(nothing, sizeof(nothing));
    instead_of_madt("SSDT", s5_aml, sizeof(s5_aml));
    assert_true(acpi.has_s5);
    assert_int_equal(acpi.s5_type_a, 5);
    instead_of_madt("SSDT", nothing, sizeof(nothing));
    assert_false(acpi.has_s5);
    assert_true(fake_log_has("soft-off is not known"));
}

static void test_fadt_cut_anywhere(void **state)
{
    (void)state;
    for (uint32_t length = 36; length < 244; length++) {
        table(FADT_AT, "FACP", length);
        seal_table(FADT_AT);
        read_tables();
        assert_int_equal(acpi.pm1a_control, length >= 68 ? 0x604 : 0);
        assert_int_equal(acpi.has_reset, length >= 129);
        teardown(NULL);
    }
}

static void test_fadt_prefers_64_bit(void **state)
{
    (void)state;
    put(FADT_AT + 172, 1, 1);
    put(FADT_AT + 176, 0x1804, 8);
    put(FADT_AT + 208, 0, 1); /* the PM timer in memory: not ours */
    put(FADT_AT + 212, 0xFED80808, 8);
    seal_table(FADT_AT);
    read_tables();
    assert_int_equal(acpi.pm1a_control, 0x1804);
    assert_int_equal(acpi.pm_timer_port, 0);
}

static void test_reset_register_in_memory(void **state)
{
    (void)state;
    put(FADT_AT + 116, 0, 1);
    seal_table(FADT_AT);
    read_tables();
    assert_false(acpi.has_reset);
}

static void test_s5_forms(void **state)
{
    static const struct {
        uint8_t aml[16];
        uint8_t size;
        bool ok;
        uint8_t a, b;
    } forms[] = {
        { { 0, 8, '\\', '_', 'S', '5', '_', 0x12, 4, 2, 0, 1 }, 12, true, 0, 1 },
        { { 0, 8, '_', 'S', '5', '_', 0x12, 4, 1, 1 }, 10, true, 1, 1 },
        { { 0, 8, '_', 'S', '5', '_', 0x12, 0x47, 0, 2, 0x0B, 7, 0, 1 }, 14, true, 7, 1 },
        { { 0, 8, '_', 'S', '5', '_', 0x12, 4, 0 }, 9, false, 0, 0 },
        { { 0, 8, '_', 'S', '5', '_', 0x12, 4, 2, 0x0A, 8 }, 11, false, 0, 0 },
        { { 0, 8, '_', 'S', '5', '_', 0x12, 4, 2, 0x0A }, 10, false, 0, 0 },
        { { 0, 8, '_', 'S', '5', '_', 0x14, 4, 2, 1, 1 }, 11, false, 0, 0 },
        { { 0, 9, '_', 'S', '5', '_', 0x12, 4, 2, 1, 1 }, 11, false, 0, 0 },
        { { 0, 8, '_', 'S', '5', '_' }, 6, false, 0, 0 },
        { { 0 }, 0, false, 0, 0 },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        make_dsdt(forms[i].aml, forms[i].size);
        read_tables();
        assert_int_equal(acpi.has_s5, forms[i].ok);
        assert_int_equal(acpi.s5_type_a, forms[i].a);
        assert_int_equal(acpi.s5_type_b, forms[i].b);
        teardown(NULL);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_root, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_rsdp, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_xsdt_pointer_falls_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_root_of_another_kind, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_checksum, setup, teardown),
        cmocka_unit_test_setup_teardown(test_impossible_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_table_longer_than_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_madt_without_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_madt_zero_length_entry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_madt_entry_beyond_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_madt_cut_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_madt_short_entry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_cpus_than_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_x2apics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mcfg, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mcfg_without_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mcfg_impossible_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hpet, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dmar, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dmar_cut_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_s5_in_an_ssdt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fadt_cut_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fadt_prefers_64_bit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset_register_in_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_s5_forms, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
