/* links: loader/image.c loader/image_bzimage.c loader/image_setup.c loader/image_multiboot.c loader/image_multiboot2.c loader/image_pvh.c loader/image_firmware.c loader/image_place.c loader/image_elf.c loader/image_flat.c loader/image_sections.c loader/image_tables.c decompress/decompress.c decompress/gzip.c decompress/inflate.c loader/memmap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Fuzzes the image loaders: whatever the file says, only RAM is written, and what is accepted
 * starts within RAM; and what firmware beside it is told lies there.
 *
 * The input: the kind of file; how many modules, and for each how long it and its words are; then
 * changes to a sound file of that kind, each an offset, a length and as many bytes. Of kind 0 the
 * rest is the file.
 */
#include "lib/assert.h"
#include "lib/log.h"
#include "tests/fakes/guest_ram.h"
#include "tests/fakes/log.h"
#include "tests/fuzz/input.h"

#define FILE_BYTES  8192
#define MODULES     4
#define MODULE_MOST 0x3000
#define WORDS_MOST  64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum file_kind {
    FILE_ANY,
    FILE_BZIMAGE,
    FILE_MULTIBOOT,
    FILE_ELF32,
    FILE_ELF64,
    FILE_MULTIBOOT2,
    FILE_ELF_SECTIONS,
    FILE_REAL_MODE,
    FILE_KINDS
};

/* The input, but no more of it than there is: a copy at the end of its own memory, for ASan. */
static uint8_t *file;
static size_t file_size;

static void set(size_t at, unsigned bytes, uint64_t value)
{
    memcpy(file + at, &value, bytes);
}

static void make_bzimage(void)
{
    set(0x1F1, 1, 1);
    set(0x1F4, 4, (FILE_BYTES - 1024) / 16);
    set(0x1FE, 2, 0xAA55);
    set(0x200, 2, 0x6AEB);
    memcpy(file + 0x202, "HdrS", 4);
    set(0x206, 2, 0x20F);
    set(0x22C, 4, 0x7FFFFFFF);
    set(0x230, 4, 0x200000);
    set(0x236, 2, 0x3F);
    set(0x238, 4, 2047);
    set(0x258, 8, 0x1000000);
    set(0x260, 4, 0x400000);
}

static void make_multiboot(size_t at, uint32_t flags)
{
    set(at, 4, 0x1BADB002);
    set(at + 4, 4, flags);
    set(at + 8, 4, 0u - 0x1BADB002 - flags);
    set(at + 12, 4, 0x100000 + at);
    set(at + 16, 4, 0x100000);
    set(at + 28, 4, 0x100040);
}

/* Its length as it is where a tag with an address and one with an entry stand in it. */
static void make_multiboot2(size_t at)
{
    set(at, 4, 0xE85250D6);
    set(at + 8, 4, 64);
    set(at + 12, 4, 0u - 0xE85250D6u - 64);
    set(at + 16, 2, 2);
    set(at + 20, 4, 24);
    set(at + 24, 4, 0x100000 + at);
    set(at + 28, 4, 0x100000);
    set(at + 40, 2, 3);
    set(at + 44, 4, 12);
    set(at + 48, 4, 0x100040);
    set(at + 60, 4, 8);
}

/* Of an ELF file of 32 bits: symbols and names behind the kernel. */
static void make_sections(void)
{
    set(32, 4, 0x1000);
    set(46, 2, 40);
    set(48, 2, 3);
    set(50, 2, 2);
    for (unsigned i = 1; i < 3; i++) {
        set(0x1000 + i * 40 + 4, 4, i + 1);
        set(0x1000 + i * 40 + 16, 4, 0x800);
        set(0x1000 + i * 40 + 20, 4, 0x100);
    }
}

/* One segment to load, and one of notes that names the PVH entry. */
static void make_elf(bool is_64bit)
{
    unsigned word = is_64bit ? 8 : 4, header = is_64bit ? 64 : 52, entry = is_64bit ? 56 : 32;
    size_t load = header, note = header + entry;

    memcpy(file, "\177ELF", 4);
    set(4, 1, is_64bit ? 2 : 1);
    set(5, 1, 1);
    set(16, 2, 2);
    set(18, 2, is_64bit ? 62 : 3);
    set(24, word, 0x100200);
    set(24 + word, word, header);
    set(is_64bit ? 54 : 42, 2, entry);
    set(is_64bit ? 56 : 44, 2, 2);
    set(load, 4, 1);
    set(load + (is_64bit ? 16 : 8), word, 0x100000);
    set(load + (is_64bit ? 24 : 12), word, 0x100000);
    set(load + (is_64bit ? 32 : 16), word, FILE_BYTES);
    set(load + (is_64bit ? 40 : 20), word, 2 * FILE_BYTES);
    set(note, 4, 4);
    set(note + (is_64bit ? 8 : 4), word, 0x180);
    set(note + (is_64bit ? 32 : 16), word, 20);
    set(0x180, 4, 4);
    set(0x184, 4, 4);
    set(0x188, 4, 18);
    memcpy(file + 0x18c, "Xen", 4);
    set(0x190, 4, 0x100200);
}

static void make_file(enum file_kind kind, struct input *in)
{
    const uint8_t *from;

    file_size = kind == FILE_ANY ? in->left : FILE_BYTES;
    file = calloc(1, file_size + 1);
    if (kind == FILE_ANY)
        memcpy(file, in->at, in->left);
    if (kind == FILE_BZIMAGE || kind == FILE_REAL_MODE)
        make_bzimage();
    if (kind == FILE_REAL_MODE) {
        set(0x206, 2, 0x204);
        set(0x211, 1, 1);
    }
    if (kind == FILE_MULTIBOOT)
        make_multiboot(0x40, 0x10003);
    if (kind == FILE_ELF32 || kind == FILE_ELF64) {
        make_elf(kind == FILE_ELF64);
        make_multiboot(0x800, 3);
    }
    if (kind == FILE_MULTIBOOT2)
        make_multiboot2(0x40);
    if (kind == FILE_ELF_SECTIONS) {
        make_elf(false);
        make_multiboot2(0x800);
        set(0x810, 2, 1); /* no addresses: what it asks for */
        make_sections();
    }
    while (kind != FILE_ANY && !input_ended(in)) {
        size_t at = input_number(in, 2) % file_size;
        size_t n = input_bytes(in, &from, input_byte(in) % 16);
        memcpy(file + at, from, n < file_size - at ? n : file_size - at);
    }
    file = realloc(file, file_size ? file_size : 1);
}

/* Modules of exactly their size, with words of exactly their length. */
static void make_module(struct image_module *m, struct input *in)
{
    size_t length = input_byte(in) % WORDS_MOST;
    char *words = calloc(1, length + 1);

    m->size = input_number(in, 2) % MODULE_MOST;
    m->data = calloc(1, m->size ? m->size : 1);
    memset(words, 'w', length);
    m->cmdline = words;
}

/* What firmware beside it would be told: parts that lie within RAM, of bytes that are there. */
static void check_plan(const struct image *image)
{
    static uint8_t setup[IMAGE_SETUP_MOST];
    struct image_plan plan;
    volatile uint8_t sum = 0;

    if (image_plan(image, GUEST_RAM_BYTES, setup, &plan))
        return;
    for (unsigned i = 0; i < IMAGE_PARTS; i++) {
        const uint8_t *bytes = plan.part[i].data;
        uint32_t n = plan.part[i].size;
        ASSERT((uint64_t)plan.part[i].at + n <= GUEST_RAM_BYTES);
        ASSERT(plan.part[i].at >= MEMMAP_EXTENDED || plan.part[i].at + n <= MEMMAP_EBDA);
        if (n)
            sum = (uint8_t)(sum + bytes[0] + bytes[n - 1]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };
    struct image_module modules[MODULES] = { 0 };
    struct image_start start;
    struct memmap map;
    uint8_t kind = input_byte(&in), count = input_byte(&in) % (MODULES + 1);

    ASSERT(memmap_build(&map, GUEST_RAM_BYTES) == 0);
    struct image_memory memory = guest_ram_memory(&map);
    static const uint8_t rsdp[IMAGE_RSDP_BYTES] = "RSD PTR";
    memory.rsdp = rsdp;
    for (unsigned i = 0; i < count; i++)
        make_module(&modules[i], &in);
    make_file(kind / 2 % FILE_KINDS, &in);
    fake_log_reset();
    struct image image = {
        .domain = "fuzz",
        .data = file,
        .size = file_size,
        .pvh = kind % 2,
        .cmdline = "console=ttyS0",
        .modules = modules,
        .module_count = count,
    };
    int err = image_load(&image, &memory, &start);
    ASSERT(fake_log_lines[LOG_ERROR] == (err ? 1 : 0)); /* who starts the domain adds nothing */
    if (!err) {
        uint64_t base = start.mode == START_REAL16 ? (uint64_t)start.cs << 4 : 0;
        ASSERT(memmap_is_ram(map.e820, map.e820_count, base + start.rip, 1));
    }
    check_plan(&image);
    for (unsigned i = 0; i < count; i++) {
        free((void *)modules[i].cmdline);
        free((void *)modules[i].data);
    }
    free(file);
    return 0;
}
