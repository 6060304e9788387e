/*
 * Sources: QEMU, docs/specs/fw_cfg, "Data Items" and "File Directory"; SeaBIOS,
 * docs/Runtime_config, has the files' names; the script is that of QEMU's bios-linker-loader.
 */
#include "machine/firmware_items.h"
#include "machine/acpi_tables.h"
#include "machine/pc.h"
#include "lib/assert.h"
#include "lib/checksum.h"
#include "lib/string.h"

enum item_key {
    KEY_SIGNATURE = 0x00,
    KEY_FEATURES = 0x01,
    KEY_CPUS = 0x05,
    KEY_BOOT_MENU = 0x0E,
    KEY_MOST_CPUS = 0x0F,
    KEY_DIRECTORY = 0x19,
    KEY_FILES = 0x20
};

/* machine/boot_rom.nasm */
extern const unsigned char boot_rom[];
extern const size_t boot_rom_size;
#define BOOT_ROM_STACK   0x1C
#define BOOT_ROM_PNP     0x20
#define BOOT_ROM_PNP_SUM 0x29
#define BOOT_ROM_SUM     0x1FF

#define FEATURES 3 /* the ports, and DMA */

#define FILE_TABLES "etc/acpi/tables"
#define FILE_RSDP   "etc/acpi/rsdp"
#define FILE_FLOPPY "floppyimg/ramdisk"
#define FILE_KERNEL "genroms/kernel"

static uint32_t big32(uint32_t v)
{
    return __builtin_bswap32(v);
}

static void add_item(struct firmware_items *f, uint16_t key, const void *data, uint64_t size)
{
    ASSERT(f->count < FIRMWARE_ITEMS);
    f->items[f->count++] = (struct vfwcfg_item){ key, data, size };
}

static void add_file(struct firmware_items *f, const char *name, const void *data, uint64_t size)
{
    unsigned n = big32(f->directory.count);

    ASSERT(n < FIRMWARE_FILES && size <= UINT32_MAX);
    struct firmware_file *file = &f->directory.file[n];
    uint16_t key = (uint16_t)(KEY_FILES + n);
    file->size = big32((uint32_t)size);
    file->key = __builtin_bswap16(key);
    str_copy(file->name, name, sizeof(file->name));
    f->directory.count = big32(n + 1);
    add_item(f, key, data, size);
}

/* ---- The script that places the ACPI tables ---- */

enum { ALLOCATE = 1, ADD_POINTER = 2, ADD_CHECKSUM = 3 };
enum { ZONE_HIGH = 1, ZONE_F_SEGMENT = 2 };

#define NAME_BYTES 56

static uint8_t *command(struct firmware_items *f, uint32_t what, const char *file)
{
    ASSERT(f->commands < FIRMWARE_SCRIPT);
    uint8_t *c = f->script[f->commands++];

    memcpy(c, &what, sizeof(what));
    str_copy((char *)c + 4, file, NAME_BYTES);
    return c + 4 + NAME_BYTES;
}

static void allocate(struct firmware_items *f, const char *file, uint32_t align, uint8_t zone)
{
    uint8_t *c = command(f, ALLOCATE, file);

    memcpy(c, &align, sizeof(align));
    c[4] = zone;
}

/* The pointer at `offset` counts from the tables' beginning so far. */
static void add_pointer(struct firmware_items *f, const char *file, uint32_t offset, uint8_t size)
{
    uint8_t *c = command(f, ADD_POINTER, file);

    str_copy((char *)c, FILE_TABLES, NAME_BYTES);
    memcpy(c + NAME_BYTES, &offset, sizeof(offset));
    c[NAME_BYTES + 4] = size;
}

/* Both files have the same bytes. What is there now has to be 0: EDK II puts the sum of all in its
 * place, where SeaBIOS subtracts it. */
static void add_checksum(struct firmware_items *f, const char *file, uint32_t offset,
                         uint32_t start, uint32_t length)
{
    const uint32_t operands[] = { offset, start, length };

    f->acpi[offset] = 0;
    memcpy(command(f, ADD_CHECKSUM, file), operands, sizeof(operands));
}

static void add_table_checksum(struct firmware_items *f, uint32_t table)
{
    const struct acpi_header *h = (const void *)(f->acpi + table);

    add_checksum(f, FILE_TABLES, table + offsetof(struct acpi_header, checksum), table, h->length);
}

/* RSDT or XSDT: all that it lists. */
static void add_list(struct firmware_items *f, uint32_t table, uint8_t size)
{
    const struct acpi_header *h = (const void *)(f->acpi + table);

    for (uint32_t at = sizeof(*h); at < h->length; at += size)
        add_pointer(f, FILE_TABLES, table + at, size);
    add_table_checksum(f, table);
}

static void add_fadt(struct firmware_items *f, uint32_t table)
{
    add_pointer(f, FILE_TABLES, table + offsetof(struct acpi_fadt, dsdt), 4);
    add_pointer(f, FILE_TABLES, table + offsetof(struct acpi_fadt, x_facs), 8);
    add_pointer(f, FILE_TABLES, table + offsetof(struct acpi_fadt, x_dsdt), 8);
    add_table_checksum(f, table);
}

/* The tables were built for address 0. The FADT is the first that they list. */
static void build_script(struct firmware_items *f)
{
    const struct acpi_rsdp *rsdp = (const void *)f->acpi;
    uint32_t fadt;

    memcpy(&fadt, f->acpi + rsdp->rsdt + sizeof(struct acpi_header), sizeof(fadt));
    allocate(f, FILE_TABLES, 64, ZONE_HIGH);
    allocate(f, FILE_RSDP, 16, ZONE_F_SEGMENT);
    add_fadt(f, fadt);
    add_list(f, rsdp->rsdt, 4);
    add_list(f, (uint32_t)rsdp->xsdt, 8);
    add_pointer(f, FILE_RSDP, offsetof(struct acpi_rsdp, rsdt), 4);
    add_pointer(f, FILE_RSDP, offsetof(struct acpi_rsdp, xsdt), 8);
    add_checksum(f, FILE_RSDP, offsetof(struct acpi_rsdp, checksum), 0, 20);
    add_checksum(f, FILE_RSDP, offsetof(struct acpi_rsdp, extended_checksum), 0, sizeof(*rsdp));
}

/* ---- The items ---- */

static void build_acpi(struct firmware_items *f, const struct firmware_board *board)
{
    struct acpi_guest_config config = { .where = gpa(0),
                                        .vcpus = board->vcpus,
                                        .address_bits = board->address_bits,
                                        .hpet = board->hpet };
    size_t size = acpi_guest_build(&config, f->acpi, sizeof(f->acpi));

    ASSERT(size);
    build_script(f);
    add_file(f, FILE_RSDP, f->acpi, sizeof(struct acpi_rsdp));
    add_file(f, FILE_TABLES, f->acpi, size);
    add_file(f, "etc/table-loader", f->script, (uint64_t)f->commands * FIRMWARE_COMMAND);
}

/* RAM alone: what of it firmware takes is its own affair. */
static void build_memory(struct firmware_items *f, const struct firmware_board *board)
{
    f->e820[0] = (struct e820_entry){ 0, board->ram_low, E820_RAM };
    f->e820[1] = (struct e820_entry){ 1UL << 32, board->ram_above, E820_RAM };
    add_file(f, "etc/e820", f->e820, board->ram_above ? sizeof(f->e820) : sizeof(f->e820[0]));
}

/* ---- A kernel beside the firmware ---- */

/* QEMU, docs/specs/fw_cfg; of each part address, size and bytes. */
static const uint16_t part_keys[FIRMWARE_PARTS][3] = {
    { 0x16, 0x17, 0x18 },
    { 0x07, 0x08, 0x11 },
    { 0x0A, 0x0B, 0x12 },
    { 0x13, 0x14, 0x15 },
};

/* The ROM that has firmware start it. */
static void build_boot_rom(struct firmware_items *f, uint16_t stack)
{
    uint8_t *rom = f->boot_rom;

    ASSERT(boot_rom_size == sizeof(f->boot_rom));
    memcpy(rom, boot_rom, sizeof(f->boot_rom));
    memcpy(rom + BOOT_ROM_STACK, &stack, sizeof(stack));
    rom[BOOT_ROM_PNP_SUM] = checksum(rom + BOOT_ROM_PNP, 0x20);
    rom[BOOT_ROM_SUM] = checksum(rom, sizeof(f->boot_rom));
    add_file(f, FILE_KERNEL, rom, sizeof(f->boot_rom));
}

static void build_kernel(struct firmware_items *f, const struct firmware_board *board)
{
    memcpy(f->part, board->kernel, sizeof(f->part));
    for (unsigned i = 0; i < FIRMWARE_PARTS; i++) {
        add_item(f, part_keys[i][0], &f->part[i].at, sizeof(f->part[i].at));
        add_item(f, part_keys[i][1], &f->part[i].size, sizeof(f->part[i].size));
        add_item(f, part_keys[i][2], f->part[i].data, f->part[i].size);
    }
    build_boot_rom(f, board->kernel_stack);
}

/* What it is to boot, and that it is to be tried before what firmware finds by itself. */
static void build_boot(struct firmware_items *f, const struct firmware_board *board)
{
    static const char floppy_first[] = "/rom@" FILE_FLOPPY, kernel_first[] = "/rom@" FILE_KERNEL;

    if (board->kernel) {
        build_kernel(f, board);
        add_file(f, "bootorder", kernel_first, sizeof(kernel_first));
    } else if (board->floppy) {
        add_file(f, FILE_FLOPPY, board->floppy, board->floppy_size);
        add_file(f, "bootorder", floppy_first, sizeof(floppy_first));
    }
}

void firmware_items_build(struct firmware_items *f, const struct firmware_board *board)
{
    memset(f, 0, sizeof(*f));
    f->features = FEATURES;
    f->vcpus = (uint16_t)board->vcpus;
    f->shows_menu = !board->kernel; /* nothing is to be chosen */
    f->console = HVM_COM1_PORT;
    add_item(f, KEY_SIGNATURE, "QEMU", 4);
    add_item(f, KEY_FEATURES, &f->features, sizeof(f->features));
    add_item(f, KEY_CPUS, &f->vcpus, sizeof(f->vcpus));
    add_item(f, KEY_MOST_CPUS, &f->vcpus, sizeof(f->vcpus));
    add_item(f, KEY_BOOT_MENU, &f->shows_menu, sizeof(f->shows_menu));
    build_acpi(f, board);
    build_memory(f, board);
    add_file(f, "etc/sercon-port", &f->console, sizeof(f->console));
    build_boot(f, board);
    add_item(f, KEY_DIRECTORY, &f->directory,
             sizeof(f->directory.count) +
                 (uint64_t)big32(f->directory.count) * sizeof(struct firmware_file));
}
