/* links: machine/acpi_guest.c gen/machine/dsdt.c gen/machine/dsdt_pvh.c tests/fakes/panic.c */
/*
 * A guest's ACPI tables: found as an operating system finds them, their sums, what they say, and
 * what iasl makes of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "devices/vhpet.h"
#include "devices/vlapic.h"
#include "devices/vpci.h"
#include "machine/acpi_guest.h"
#include "machine/acpi_tables.h"
#include "machine/pc.h"
#include "lib/limits.h"
#include "tests/fakes/panic.h"
#include "tests/unit/acpi_sum.h"

#define WHERE 0xE0000

static uint8_t buf[ACPI_GUEST_MAX_SIZE] __attribute__((aligned(64)));

static size_t build(unsigned vcpus)
{
    struct acpi_guest_config config = { .where = gpa(WHERE), .address_bits = 40, .vcpus = vcpus };

    memset(buf, 0xAA, sizeof(buf));
    return acpi_guest_build(&config, buf, sizeof(buf));
}

static size_t build_with_all(unsigned vcpus)
{
    struct acpi_guest_config config = {
        .where = gpa(WHERE), .address_bits = 40, .vcpus = vcpus, .hpet = true, .pci = true
    };

    memset(buf, 0xAA, sizeof(buf));
    return acpi_guest_build(&config, buf, sizeof(buf));
}

static void *at(uint64_t address)
{
    assert_true(address >= WHERE && address < WHERE + sizeof(buf));
    return buf + (address - WHERE);
}

/* Looks a table up in the XSDT, and finds the RSDT to say the same. */
static void *find(const char *signature)
{
    const struct acpi_rsdp *rsdp = (void *)buf;
    const struct acpi_header *xsdt = at(rsdp->xsdt), *rsdt = at(rsdp->rsdt);
    unsigned n = (xsdt->length - sizeof(*xsdt)) / 8;

    assert_int_equal((rsdt->length - sizeof(*rsdt)) / 4, n);
    for (unsigned i = 0; i < n; i++) {
        uint64_t wide;
        uint32_t narrow;
        struct acpi_header *h;

        memcpy(&wide, (uint8_t *)(xsdt + 1) + i * 8, 8);
        memcpy(&narrow, (uint8_t *)(rsdt + 1) + i * 4, 4);
        assert_int_equal(wide, narrow);
        h = at(wide);
        if (!memcmp(h->signature, signature, 4)) {
            assert_int_equal(acpi_sum(h, h->length), 0);
            return h;
        }
    }
    fail_msg("no table %s", signature);
    return NULL;
}

static void test_roots(void **state)
{
    const struct acpi_rsdp *rsdp = (void *)buf;
    struct acpi_header *h;

    (void)state;
    assert_true(build(1) > 0);
    assert_memory_equal(rsdp->signature, "RSD PTR ", 8);
    assert_int_equal(rsdp->revision, 2);
    assert_int_equal(acpi_sum(rsdp, 20), 0);
    assert_int_equal(acpi_sum(rsdp, 36), 0);
    h = at(rsdp->xsdt);
    assert_memory_equal(h->signature, "XSDT", 4);
    assert_int_equal(acpi_sum(h, h->length), 0);
    h = at(rsdp->rsdt);
    assert_memory_equal(h->signature, "RSDT", 4);
    assert_int_equal(acpi_sum(h, h->length), 0);
}

static void test_fadt(void **state)
{
    const struct acpi_fadt *f;
    const struct acpi_header *dsdt;
    const struct acpi_facs *facs;

    (void)state;
    build(1);
    f = find("FACP");
    assert_int_equal(f->header.length, 244);
    assert_int_equal(f->sci_irq, 9);
    assert_int_equal(f->smi_command, 0xB2);
    assert_int_equal(f->pm1a_event, 0x600);
    assert_int_equal(f->x_pm1a_event.address, 0x600);
    assert_int_equal(f->x_pm1a_event.bits, 32);
    assert_int_equal(f->pm1a_control, 0x604);
    assert_int_equal(f->pm_timer, 0x608);
    assert_int_equal(f->x_pm_timer.access, 3);
    assert_int_equal(f->reset_register.space, ACPI_SPACE_IO);
    assert_int_equal(f->reset_register.address, 0xCF9);
    assert_int_equal(f->reset_value, 6);
    assert_int_equal(f->flags & (1 << 10 | 1 << 8 | 1 << 4), 1 << 10 | 1 << 8);
    assert_int_equal(f->flags & (1 << 6), 0); /* the RTC's alarm is in PM1 status */
    assert_int_equal(f->boot_flags, 7);       /* 8042 and RTC there, no VGA */

    dsdt = at(f->x_dsdt);
    assert_int_equal(f->dsdt, f->x_dsdt);
    assert_memory_equal(dsdt->signature, "DSDT", 4);
    assert_int_equal(acpi_sum(dsdt, dsdt->length), 0);
    facs = at(f->x_facs);
    assert_memory_equal(facs->signature, "FACS", 4);
    assert_int_equal(f->x_facs % 64, 0);
    assert_int_equal(f->facs, 0); /* else an operating system takes it for a second one */
    assert_int_equal(facs->global_lock, 0);
}

struct madt_seen {
    unsigned lapics, ioapics, overrides, nmis;
};

static void see_entry(struct madt_seen *seen, const uint8_t *p)
{
    const struct madt_lapic *lapic = (const void *)p;
    const struct madt_ioapic *ioapic = (const void *)p;
    const struct madt_override *o = (const void *)p;
    const struct madt_nmi *nmi = (const void *)p;

    switch (p[0]) {
    case MADT_LAPIC:
        assert_int_equal(lapic->uid, seen->lapics);
        assert_int_equal(lapic->apic_id, seen->lapics);
        assert_int_equal(lapic->flags, 1);
        seen->lapics++;
        break;
    case MADT_IOAPIC:
        assert_int_equal(ioapic->address, HVM_IOAPIC_BASE);
        assert_int_equal(ioapic->gsi_base, 0);
        seen->ioapics++;
        break;
    case MADT_OVERRIDE:
        assert_true((o->irq == 0 && o->gsi == 2 && o->flags == 0) ||
                    (o->irq == 9 && o->gsi == 9 && o->flags == 0xD));
        seen->overrides++;
        break;
    case MADT_NMI:
        assert_int_equal(nmi->uid, 0xFF);
        assert_int_equal(nmi->lint, 1);
        seen->nmis++;
        break;
    default:
        fail_msg("MADT entry of type %u", p[0]);
    }
}

static void check_madt(unsigned vcpus)
{
    struct madt_seen seen = { 0 };
    const struct acpi_madt *madt;
    uint32_t offset = sizeof(*madt);

    assert_true(build(vcpus) > 0);
    madt = find("APIC");
    assert_int_equal(madt->lapic, VLAPIC_DEFAULT_BASE);
    assert_int_equal(madt->flags, MADT_PCAT_COMPAT);
    while (offset < madt->header.length) {
        const uint8_t *p = (const uint8_t *)madt + offset;

        assert_true(p[1] >= 6);
        see_entry(&seen, p);
        offset += p[1];
    }
    assert_int_equal(offset, madt->header.length);
    assert_int_equal(seen.lapics, vcpus);
    assert_int_equal(seen.ioapics, 1);
    assert_int_equal(seen.overrides, 2);
    assert_int_equal(seen.nmis, 1);
}

static void test_madt(void **state)
{
    (void)state;
    check_madt(1);
    check_madt(4);
    check_madt(MAX_VCPUS);
}

static bool has(const char *signature)
{
    const struct acpi_rsdp *rsdp = (void *)buf;
    const struct acpi_header *rsdt = at(rsdp->rsdt);

    for (uint32_t i = 0; i < (rsdt->length - sizeof(*rsdt)) / 4; i++) {
        uint32_t where;

        memcpy(&where, (const uint8_t *)(rsdt + 1) + 4 * i, 4);
        if (!memcmp(at(where), signature, 4))
            return true;
    }
    return false;
}

static void test_hpet(void **state)
{
    (void)state;
    assert_true(build_with_all(MAX_VCPUS) > 0);
    const struct acpi_hpet *h = find("HPET");
    assert_int_equal(h->header.length, 56);
    assert_int_equal(h->block_id, VHPET_ID);
    assert_int_equal(h->base.space, 0);
    assert_true(h->base.address == 0xFED00000);
    assert_int_equal(h->shortest_period, 250); /* 20 us */
    find("SSDT");
    build(1);
    assert_false(has("HPET"));
    assert_true(has("SSDT"));
}

/* With devices, also beside an HPET; without, neither table nor bus say more than before. */
static void test_mcfg(void **state)
{
    struct acpi_guest_config config = {
        .where = gpa(WHERE), .address_bits = 40, .vcpus = 2, .pci = true
    };

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        config.hpet = i == 1;
        config.pvh = i >= 2;
        config.pci = i != 3;
        assert_true(acpi_guest_build(&config, buf, sizeof(buf)) > 0);
        assert_int_equal(has("MCFG"), config.pci);
        assert_int_equal(has("HPET"), config.hpet);
        if (!config.pci)
            continue;
        const struct acpi_mcfg *m = find("MCFG");
        assert_int_equal(m->header.length, 60);
        assert_true(m->base == 0xC0000000);
        assert_int_equal(m->segment + m->first_bus + m->last_bus, 0);
    }
}

/* PCI's window above RAM is the upper half of all addresses. */
static void test_window(void **state)
{
    static const uint8_t begins[] = { 0x8A, 43, 0, 0 };
    struct acpi_guest_config config = { .where = gpa(WHERE), .vcpus = 1 };

    (void)state;
    for (config.address_bits = 36; config.address_bits <= 48; config.address_bits += 4) {
        const uint64_t half = 1ul << (config.address_bits - 1);
        uint64_t number[5];
        assert_true(acpi_guest_build(&config, buf, sizeof(buf)));
        const struct acpi_header *dsdt = at(((struct acpi_fadt *)find("FACP"))->x_dsdt);
        const uint8_t *aml = (const uint8_t *)dsdt;
        while (memcmp(aml, begins, sizeof(begins)))
            assert_true(++aml < (const uint8_t *)dsdt + dsdt->length - 46);
        memcpy(number, aml + 6, sizeof(number));
        assert_true(number[0] == 0 && number[3] == 0); /* granularity, translation */
        assert_true(number[1] == half && number[2] == 2 * half - 1 && number[4] == half);
        assert_int_equal(acpi_sum(dsdt, dsdt->length), 0);
    }
}

static void test_refuses(void **state)
{
    struct acpi_guest_config config = { .where = gpa(WHERE), .address_bits = 40, .vcpus = 2 };
    size_t size = build(2);

    (void)state;
    memset(buf, 0xAA, sizeof(buf));
    assert_int_equal(acpi_guest_build(&config, buf, size - 1), 0);
    assert_int_equal(buf[0], 0xAA);
    assert_int_equal(acpi_guest_build(&config, buf, 0), 0);
    assert_int_equal(acpi_guest_build(&config, buf, size), size);
    assert_int_equal(buf[size], 0xAA); /* nothing behind what was said */

    config.vcpus = 0;
    EXPECT_PANIC((void)!acpi_guest_build(&config, buf, sizeof(buf)));
    config.vcpus = MAX_VCPUS + 1;
    EXPECT_PANIC((void)!acpi_guest_build(&config, buf, sizeof(buf)));
}

/* ---- iasl ---- */

static char dir[] = "/tmp/test_acpi_guest.XXXXXX";

static void dump(const char *name, const void *table)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s.aml", dir, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(table, ((const struct acpi_header *)table)->length, 1, f), 1);
    fclose(f);
}

static int run(const char *command)
{
    char line[512];

    snprintf(line, sizeof(line), "cd %s && { %s; } > log 2>&1", dir, command);
    return system(line);
}

static const struct acpi_header *pvh_dsdt(bool pci)
{
    struct acpi_guest_config config = {
        .where = gpa(WHERE), .address_bits = 40, .vcpus = 1, .pvh = true, .pci = pci
    };

    assert_true(acpi_guest_build(&config, buf, sizeof(buf)));
    return at(((struct acpi_fadt *)find("FACP"))->x_dsdt);
}

/* The next number that acpiexec has printed. */
static unsigned long next_number(FILE *f)
{
    char line[256], *at;

    do
        assert_non_null(fgets(line, sizeof(line), f));
    while (!(at = strstr(line, "[Integer] = ")));
    return strtoul(at + strlen("[Integer] = "), NULL, 16);
}

/* Where ACPI's own interpreter finds each pin's interrupt, as the guest's does. */
static void check_routes(bool apic)
{
    char command[128];

    snprintf(command, sizeof(command),
             "acpiexec -b 'evaluate \\_PIC %u; evaluate \\_SB.PCI0._PRT' dsdt.aml", apic);
    assert_int_equal(run(command), 0);
    snprintf(command, sizeof(command), "%s/log", dir);
    FILE *f = fopen(command, "r");
    assert_non_null(f);
    for (unsigned i = 0; i < 4 * VPCI_SLOTS; i++) {
        unsigned slot = i / 4, pin = i % 4, line = VPCI_LINE_OF(slot, pin + 1);
        assert_int_equal(next_number(f), (VPCI_FIRST_SLOT + slot) << 16 | 0xFFFF);
        assert_int_equal(next_number(f), pin);
        assert_int_equal(next_number(f), 0);
        assert_int_equal(next_number(f), apic ? HVM_PCI_GSI + line : VPCI_ISA_IRQ(line));
    }
    fclose(f);
}

/* Disassembles every table, looks for a complaint or an undefined value, and for the words that
 * matter; then compiles what came out. */
static void test_iasl(void **state)
{
    (void)state;
    build_with_all(MAX_VCPUS);
    assert_non_null(mkdtemp(dir));
    dump("dsdt", at(((struct acpi_fadt *)find("FACP"))->x_dsdt));
    check_routes(false);
    check_routes(true);
    dump("facs", at(((struct acpi_fadt *)find("FACP"))->x_facs));
    dump("facp", find("FACP"));
    dump("apic", find("APIC"));
    dump("ssdt", find("SSDT"));
    dump("hpet", find("HPET"));
    dump("mcfg", find("MCFG"));

    assert_int_equal(
        run("(iasl -e ssdt.aml -d dsdt.aml && iasl -e dsdt.aml -d ssdt.aml) > words 2>&1"), 0);
    assert_int_not_equal(run("grep -iE 'error|warning|invalid' words"), 0);
    assert_int_equal(run("for t in facp apic facs hpet mcfg; do iasl -d $t.aml || exit 1; done"),
                     0);
    assert_int_not_equal(
        run("grep -liE 'invalid|incorrect|unknown|error' facp.dsl apic.dsl hpet.dsl mcfg.dsl"), 0);
    assert_int_equal(run("grep -q _S5 dsdt.dsl && grep -q PNP0501 dsdt.dsl"), 0);
    assert_int_equal(run("test $(grep -c ACPI0007 ssdt.dsl) = 64 && grep -q C03F ssdt.dsl"), 0);
    assert_int_equal(run("for t in dsdt ssdt facp apic hpet mcfg; do iasl $t.dsl || exit 1; done"),
                     0);
    assert_int_equal(pvh_dsdt(false)->length, sizeof(struct acpi_header) + 14);
    dump("pvh", pvh_dsdt(true));
    assert_int_equal(run("iasl -d pvh.aml && grep -q _S5 pvh.dsl && grep -q PCI0 pvh.dsl"), 0);
    assert_int_not_equal(run("grep PNP0501 pvh.dsl"), 0);
    snprintf((char *)buf, sizeof(buf), "rm -r %s", dir);
    assert_int_equal(system((char *)buf), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roots), cmocka_unit_test(test_fadt),    cmocka_unit_test(test_madt),
        cmocka_unit_test(test_hpet),  cmocka_unit_test(test_refuses), cmocka_unit_test(test_window),
        cmocka_unit_test(test_mcfg),  cmocka_unit_test(test_iasl),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
