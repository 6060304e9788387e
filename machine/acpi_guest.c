/*
 * Writes a guest's ACPI tables.
 *
 * First everything is given its place, which tells whether the buffer suffices; then each table is
 * filled in, which cannot fail. Tables point at each other by guest-physical address.
 */
#include "machine/acpi_guest.h"
#include "devices/vhpet.h"
#include "devices/vlapic.h"
#include "devices/vpm.h"
#include "machine/acpi_tables.h"
#include "lib/checksum.h"
#include "machine/pc.h"
#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/string.h"

#define XSDT_TABLES 5 /* FADT, MADT, SSDT; HPET, MCFG */

#define HPET_SHORTEST_NS 20000 /* what a guest can be given ticks in without falling behind */

/* FADT, "IA-PC Boot Architecture Flags". */
#define BOOT_LEGACY_DEVICES (1u << 0)
#define BOOT_8042           (1u << 1)
#define BOOT_NO_VGA         (1u << 2)
#define BOOT_NO_RTC         (1u << 5)

/* FADT, "Fixed Feature Flags". The power button and the RTC are in PM1 status, so
 * their bits are clear. */
#define FADT_WBINVD        (1u << 0)
#define FADT_C1            (1u << 2)
#define FADT_SLEEP_BUTTON  (1u << 5) /* not in PM1 status; there is none */
#define FADT_RTC_NOT_FIXED (1u << 6)
#define FADT_TIMER_32BIT   (1u << 8)
#define FADT_RESET         (1u << 10)
#define FADT_HW_REDUCED    (1u << 20) /* no PM1 block, no SCI: the sleep registers instead */

/* The DSDT of a machine without devices: Name (_S5, Package () { 5, 5, 0, 0 }). */
static const uint8_t pvh_aml[] = {
    0x08, '_', 'S', '5', '_', 0x12, 8, 4, 0x0A, VPM_SLP_TYP_S5, 0x0A, VPM_SLP_TYP_S5, 0, 0,
};

/* One processor in AML: Device (\_SB.C0xx) { Name (_HID, "ACPI0007") Name (_UID, xx) }. */
static const uint8_t processor_aml[] = {
    0x5B, 0x82, 33,                                      /* DeviceOp, PkgLength */
    '\\', 0x2E, '_', 'S', 'B', '_',  'C', '0', '0', '0', /* two-segment name */
    0x08, '_',  'H', 'I', 'D', 0x0D,                     /* NameOp, StringPrefix */
    'A',  'C',  'P', 'I', '0', '0',  '0', '7', 0,        /* the string */
    0x08, '_',  'U', 'I', 'D', 0x0A, 0,                  /* NameOp, BytePrefix */
};
#define PROCESSOR_DIGITS 11 /* offsets in it of what differs */
#define PROCESSOR_UID    (sizeof(processor_aml) - 1)

/* PCI0's window above 4 GiB (ACPI, "QWord Address Space Descriptor"): how it begins, and where its
 * first address stands, its last, and how many there are. */
static const uint8_t window_aml[] = { 0x8A, 43, 0, 0 };
#define WINDOW_FIRST 14
#define WINDOW_LAST  22
#define WINDOW_SIZE  38

struct layout {
    uint8_t *buf;
    uint64_t where; /* gpa of buf */
    unsigned vcpus, address_bits;
    bool pvh, hpet, pci;
    const uint8_t *dsdt_source; /* NULL: there is nothing to say but pvh_aml */
    size_t facs, dsdt, ssdt, fadt, madt, hpet_table, mcfg, rsdt, xsdt,
        end; /* offsets; the RSDP is at 0 */
};

/* ---- Places ---- */

static size_t dsdt_length(const struct layout *t)
{
    struct acpi_header header;

    if (!t->dsdt_source)
        return sizeof(header) + sizeof(pvh_aml);
    memcpy(&header, t->dsdt_source, sizeof(header));
    return header.length;
}

static size_t ssdt_length(unsigned vcpus)
{
    return sizeof(struct acpi_header) + vcpus * sizeof(processor_aml);
}

static size_t madt_length(const struct layout *t)
{
    size_t lapics = sizeof(struct acpi_madt) + t->vcpus * sizeof(struct madt_lapic);

    if (t->pvh)
        return lapics;
    return lapics + sizeof(struct madt_ioapic) + 2 * sizeof(struct madt_override) +
           sizeof(struct madt_nmi);
}

static unsigned table_count(const struct layout *t)
{
    return XSDT_TABLES - !t->hpet - !t->pci;
}

static size_t after(size_t offset, size_t length)
{
    return (offset + length + 15) & ~(size_t)15;
}

static void lay_out(struct layout *t)
{
    t->facs = 64; /* must be 64-aligned */
    t->dsdt = after(t->facs, sizeof(struct acpi_facs));
    t->ssdt = after(t->dsdt, dsdt_length(t));
    t->fadt = after(t->ssdt, ssdt_length(t->vcpus));
    t->madt = after(t->fadt, sizeof(struct acpi_fadt));
    t->hpet_table = after(t->madt, madt_length(t));
    t->mcfg = after(t->hpet_table, t->hpet ? sizeof(struct acpi_hpet) : 0);
    t->rsdt = after(t->mcfg, t->pci ? sizeof(struct acpi_mcfg) : 0);
    t->xsdt = after(t->rsdt, sizeof(struct acpi_header) + table_count(t) * sizeof(uint32_t));
    t->end = after(t->xsdt, sizeof(struct acpi_header) + table_count(t) * sizeof(uint64_t));
}

/* ---- Headers and sums ---- */

static void fill_header(struct acpi_header *h, const char *signature, size_t length, uint8_t rev)
{
    memcpy(h->signature, signature, sizeof(h->signature));
    h->length = length;
    h->revision = rev;
    memcpy(h->oem_id, "CAISSN", sizeof(h->oem_id));
    memcpy(h->oem_table_id, "HVM     ", sizeof(h->oem_table_id));
    h->oem_revision = 1;
    memcpy(h->creator_id, "CAIS", sizeof(h->creator_id));
    h->creator_revision = 1;
}

static void seal(struct acpi_header *h)
{
    h->checksum = 0;
    h->checksum = checksum(h, h->length);
}

/* ---- The tables ---- */

static void build_facs(const struct layout *t)
{
    struct acpi_facs *facs = (void *)(t->buf + t->facs);

    memcpy(facs->signature, "FACS", sizeof(facs->signature));
    facs->length = sizeof(*facs);
    facs->version = 2;
}

/* There is RAM in the lower half alone. */
static void place_window(uint8_t *aml, size_t length, unsigned address_bits)
{
    const uint64_t half = 1UL << (address_bits - 1), last = 2 * half - 1;
    size_t at = 0;

    /* The first byte by itself: to compare them all at each place cost a domain 9,000 instructions.
     */
    while (aml[at] != window_aml[0] || memcmp(aml + at, window_aml, sizeof(window_aml)) != 0) {
        at++;
        ASSERT(at + WINDOW_SIZE + sizeof(half) <= length);
    }
    memcpy(aml + at + WINDOW_FIRST, &half, sizeof(half));
    memcpy(aml + at + WINDOW_LAST, &last, sizeof(last));
    memcpy(aml + at + WINDOW_SIZE, &half, sizeof(half));
}

static void build_dsdt(const struct layout *t)
{
    struct acpi_header *h = (void *)(t->buf + t->dsdt);

    if (t->dsdt_source) {
        memcpy(h, t->dsdt_source, dsdt_length(t));
        place_window((uint8_t *)h, h->length, t->address_bits);
        seal(h);
        return;
    }
    fill_header(h, "DSDT", dsdt_length(t), 2);
    memcpy(h + 1, pvh_aml, sizeof(pvh_aml));
    seal(h);
}

static void build_ssdt(const struct layout *t)
{
    static const char digits[] = "0123456789ABCDEF";
    struct acpi_header *h = (void *)(t->buf + t->ssdt);
    uint8_t *aml = (uint8_t *)(h + 1);

    fill_header(h, "SSDT", ssdt_length(t->vcpus), 2);
    for (unsigned i = 0; i < t->vcpus; i++, aml += sizeof(processor_aml)) {
        memcpy(aml, processor_aml, sizeof(processor_aml));
        aml[PROCESSOR_DIGITS] = digits[i >> 4];
        aml[PROCESSOR_DIGITS + 1] = digits[i & 0xF];
        aml[PROCESSOR_UID] = i;
    }
    seal(h);
}

static struct acpi_address io_address(uint16_t port, uint8_t bytes)
{
    return (struct acpi_address){
        .space = ACPI_SPACE_IO,
        .bits = bytes * 8,
        .access = bytes == 4 ? 3 : bytes, /* PM1's event block is two words */
        .address = port,
    };
}

static void fill_pm(struct acpi_fadt *f)
{
    f->sci_irq = HVM_SCI_IRQ;
    f->smi_command = HVM_SMI_PORT;
    f->acpi_enable = VPM_ACPI_ENABLE;
    f->acpi_disable = VPM_ACPI_DISABLE;
    f->pm1a_event = HVM_PM_BASE + VPM_STATUS;
    f->pm1a_control = HVM_PM_BASE + VPM_CONTROL;
    f->pm_timer = HVM_PM_BASE + VPM_TIMER;
    f->pm1_event_length = 4;
    f->pm1_control_length = 2;
    f->pm_timer_length = 4;
    f->x_pm1a_event = io_address(f->pm1a_event, 4);
    f->x_pm1a_event.access = 2;
    f->x_pm1a_control = io_address(f->pm1a_control, 2);
    f->x_pm_timer = io_address(f->pm_timer, 4);
    f->c2_latency = 0xFFFF; /* no C2, no C3 */
    f->c3_latency = 0xFFFF;
}

/* A machine without the PC's devices (ACPI specification, "Hardware-Reduced ACPI"): its sleep
 * registers are the upper bytes of PM1's, which were made to fit. */
static void fill_pvh(struct acpi_fadt *f)
{
    f->sleep_control = io_address(HVM_PM_BASE + VPM_CONTROL + 1, 1);
    f->sleep_status = io_address(HVM_PM_BASE + VPM_STATUS + 1, 1);
    f->boot_flags = BOOT_NO_VGA | BOOT_NO_RTC;
    f->flags = FADT_WBINVD | FADT_SLEEP_BUTTON | FADT_RTC_NOT_FIXED | FADT_RESET | FADT_HW_REDUCED;
}

static void fill_hvm(struct acpi_fadt *f)
{
    fill_pm(f);
    f->century = HVM_RTC_CENTURY;
    f->boot_flags = BOOT_LEGACY_DEVICES | BOOT_8042 | BOOT_NO_VGA;
    f->flags = FADT_WBINVD | FADT_C1 | FADT_SLEEP_BUTTON | FADT_TIMER_32BIT | FADT_RESET;
}

static void build_fadt(const struct layout *t)
{
    struct acpi_fadt *f = (void *)(t->buf + t->fadt);

    fill_header(&f->header, "FACP", t->pvh ? sizeof(*f) : ACPI_FADT_4_SIZE, t->pvh ? 5 : 4);
    f->x_facs = t->where + t->facs; /* alone: by the specification only one of the two is given */
    f->dsdt = f->x_dsdt = t->where + t->dsdt;
    f->pm_profile = 1; /* desktop */
    if (t->pvh)
        fill_pvh(f);
    else
        fill_hvm(f);
    f->reset_register = io_address(HVM_RESET_PORT, 1);
    f->reset_value = HVM_RESET_VALUE;
    seal(&f->header);
}

/* The timer's ISA line 0 arrives at pin 2, where it is on every PC; the SCI is a level as the
 * specification wants it. All other ISA lines are 1:1. */
static void put_ioapic(uint8_t *at)
{
    static const struct madt_override overrides[2] = {
        { MADT_OVERRIDE, sizeof(overrides[0]), 0, HVM_PIT_IRQ, HVM_PIT_GSI, 0 },
        { MADT_OVERRIDE, sizeof(overrides[0]), 0, HVM_SCI_IRQ, HVM_SCI_IRQ,
          MADT_ACTIVE_HIGH | MADT_LEVEL },
    };
    static const struct madt_nmi nmi = { MADT_NMI, sizeof(nmi), 0xFF, 0, 1 };
    static const struct madt_ioapic ioapic = { MADT_IOAPIC, sizeof(ioapic),  HVM_IOAPIC_ID,
                                               0,           HVM_IOAPIC_BASE, 0 };

    memcpy(at, &ioapic, sizeof(ioapic));
    at += sizeof(ioapic);
    memcpy(at, overrides, sizeof(overrides));
    at += sizeof(overrides);
    memcpy(at, &nmi, sizeof(nmi));
}

static void build_madt(const struct layout *t)
{
    struct acpi_madt *madt = (void *)(t->buf + t->madt);
    struct madt_lapic *lapic = (void *)(madt + 1);
    uint8_t *rest = (uint8_t *)(lapic + t->vcpus);

    fill_header(&madt->header, "APIC", madt_length(t), 3);
    madt->lapic = VLAPIC_DEFAULT_BASE;
    madt->flags = t->pvh ? 0 : MADT_PCAT_COMPAT;
    for (unsigned i = 0; i < t->vcpus; i++)
        lapic[i] = (struct madt_lapic){ MADT_LAPIC, sizeof(*lapic), i, i, 1 };
    if (!t->pvh)
        put_ioapic(rest);
    seal(&madt->header);
}

static void build_hpet(const struct layout *t)
{
    struct acpi_hpet *h = (void *)(t->buf + t->hpet_table);

    if (!t->hpet)
        return;
    fill_header(&h->header, "HPET", sizeof(*h), 1);
    h->block_id = VHPET_ID;
    h->base = (struct acpi_address){ .bits = 64, .address = HVM_HPET_BASE };
    h->shortest_period = HPET_SHORTEST_NS / VHPET_TICK_NS;
    seal(&h->header);
}

/* One bus, whose devices have no registers beyond the first 256 bytes. */
static void build_mcfg(const struct layout *t)
{
    struct acpi_mcfg *m = (void *)(t->buf + t->mcfg);

    if (!t->pci)
        return;
    fill_header(&m->header, "MCFG", sizeof(*m), 1);
    m->base = HVM_ECAM_BASE;
    seal(&m->header);
}

/* RSDT and XSDT list the same tables, in 32 and in 64 bits. */
static void build_lists(const struct layout *t)
{
    const unsigned n = table_count(t);
    const uint64_t tables[XSDT_TABLES] = { t->where + t->fadt, t->where + t->madt,
                                           t->where + t->ssdt,
                                           t->where + (t->hpet ? t->hpet_table : t->mcfg),
                                           t->where + t->mcfg };
    struct acpi_header *rsdt = (void *)(t->buf + t->rsdt), *xsdt = (void *)(t->buf + t->xsdt);

    fill_header(rsdt, "RSDT", sizeof(*rsdt) + n * sizeof(uint32_t), 1);
    fill_header(xsdt, "XSDT", sizeof(*xsdt) + n * sizeof(uint64_t), 1);
    for (unsigned i = 0; i < n; i++) {
        uint32_t low = tables[i];

        memcpy((uint8_t *)(rsdt + 1) + i * sizeof(low), &low, sizeof(low));
    }
    memcpy(xsdt + 1, tables, n * sizeof(tables[0]));
    seal(rsdt);
    seal(xsdt);
}

static void build_rsdp(const struct layout *t)
{
    struct acpi_rsdp *rsdp = (void *)t->buf;

    memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
    memcpy(rsdp->oem_id, "CAISSN", sizeof(rsdp->oem_id));
    rsdp->revision = 2;
    rsdp->rsdt = t->where + t->rsdt;
    rsdp->length = sizeof(*rsdp);
    rsdp->xsdt = t->where + t->xsdt;
    rsdp->checksum = checksum(rsdp, 20); /* its part of ACPI 1.0 */
    rsdp->extended_checksum = checksum(rsdp, sizeof(*rsdp));
}

size_t acpi_guest_build(const struct acpi_guest_config *config, void *buf, size_t size)
{
    struct layout t = { .buf = buf,
                        .where = config->where.v,
                        .vcpus = config->vcpus,
                        .address_bits = config->address_bits,
                        .pvh = config->pvh,
                        .hpet = config->hpet,
                        .pci = config->pci,
                        .dsdt_source = !config->pvh  ? dsdt_aml
                                       : config->pci ? dsdt_pvh_aml
                                                     : NULL };

    ASSERT(t.vcpus >= 1 && t.vcpus <= MAX_VCPUS);
    ASSERT(t.where % 64 == 0 && t.where + ACPI_GUEST_MAX_SIZE <= 1UL << 32);
    lay_out(&t);
    if (t.end > size)
        return 0;

    memset(buf, 0, t.end);
    build_facs(&t);
    build_dsdt(&t);
    build_ssdt(&t);
    build_fadt(&t);
    build_madt(&t);
    build_hpet(&t);
    build_mcfg(&t);
    build_lists(&t);
    build_rsdp(&t);
    return t.end;
}
