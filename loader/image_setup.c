/*
 * Loads a bzImage, or a zImage, by its real-mode entry: the setup code runs in the guest, asks a
 * BIOS for what it wants to know, and changes to protected mode by itself.
 *
 * Source: Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header", "Sample Boot
 * Configuration", "Running the Kernel". For protocols 2.00 to 2.09, which have neither a 64-bit
 * entry nor say how much memory the kernel wants; so the ramdisk goes to the top, as other loaders
 * have it, and from 2.02 on the setup code lies low. And for all protocols where the guest has a
 * BIOS, which loads by our plan: image_plan().
 */
#include "loader/image_bzimage.h"
#include "lib/log.h"
#include "lib/string.h"

#define ZIMAGE_AT      0x10000UL
#define SETUP_AT       0x10000UL
#define SETUP_AT_OLD   0x90000UL /* up to 2.01, and where a zImage is in the way */
#define CMDLINE_AT     0x20000UL
#define HEAP_TOP       0xE000UL
#define HEAP_TOP_OLD   0x9800UL /* the command line follows, within the segment */
#define HEAP_LEAST     0x1000UL /* with the stack */
#define HEAP_RESERVED  0x200UL  /* the field is so much less than the heap's end */
#define CMDLINE_OLD    255      /* bytes, up to 2.05 */
#define INITRD_MAX_OLD 0x37FFFFFFUL
#define BIOS_TOP       0x100000UL /* of the RAM below 4 GiB, which firmware keeps for itself */

enum { LOADED_HIGH = 1, CAN_USE_HEAP = 0x80 };
enum { OLD_CMDLINE_MAGIC = 0x20, OLD_CMDLINE_OFFSET = 0x22 };

struct layout {
    uint16_t version;
    uint64_t setup, setup_size;
    uint64_t heap_top; /* offset in the setup code's segment */
    uint64_t cmdline;
    size_t cmdline_max;
};

static void put16(struct bzimage *b, uint64_t to, uint64_t value)
{
    uint16_t v = (uint16_t)value;
    bzimage_put(b, to, &v, sizeof(v));
}

static struct layout lay_out(struct bzimage *b)
{
    uint16_t version = image_get16(b->file + VERSION);
    bool high = b->file[LOADFLAGS] & LOADED_HIGH, modern = version >= 0x202;
    struct layout l = { .version = version,
                        .setup = modern && high ? SETUP_AT : SETUP_AT_OLD,
                        .setup_size = (size_t)(b->payload - b->file),
                        .heap_top = modern && high ? HEAP_TOP : HEAP_TOP_OLD };

    b->load = high ? MEMMAP_EXTENDED : ZIMAGE_AT;
    b->init_size = b->payload_size;
    if (version >= 0x20A && image_get32(b->file + INIT_SIZE) > b->init_size)
        b->init_size = image_get32(b->file + INIT_SIZE);
    l.cmdline = modern && high ? CMDLINE_AT : l.setup + l.heap_top;
    l.cmdline_max = version >= 0x206 ? image_get32(b->file + CMDLINE_SIZE) : CMDLINE_OLD;
    return l;
}

static int check(const struct bzimage *b, const struct layout *l)
{
    if (b->image->pvh)
        return image_refuse(b->image, -EINVAL, "its real-mode entry wants a PC, type=hvm");
    if (l->setup_size > l->heap_top - HEAP_LEAST || l->setup_size > IMAGE_SETUP_MOST)
        return image_refuse(b->image, -ENOEXEC, "the setup code is too long");
    if (b->load == ZIMAGE_AT && b->payload_size > SETUP_AT_OLD - ZIMAGE_AT)
        return image_refuse(b->image, -ENOEXEC, "the kernel is too long for low memory");
    if (strlen(b->image->cmdline) > l->cmdline_max ||
        l->cmdline + strlen(b->image->cmdline) >= MEMMAP_EBDA)
        return image_refuse(b->image, -EINVAL, "the command line is longer than this kernel takes");
    return 0;
}

/* Up to 2.01 the setup code is told how much of its segment counts, and looks for two words. */
static void write_cmdline(struct bzimage *b, const struct layout *l)
{
    size_t n = strlen(b->image->cmdline) + 1;

    bzimage_put(b, l->cmdline, b->image->cmdline, n);
    if (l->version >= 0x202) {
        bzimage_put32(b, l->setup + CMDLINE_PTR, l->cmdline);
        return;
    }
    put16(b, l->setup + OLD_CMDLINE_MAGIC, 0xA33F);
    put16(b, l->setup + OLD_CMDLINE_OFFSET, l->heap_top);
    put16(b, l->setup + MOVE_SIZE, l->heap_top + n);
}

static void write_setup(struct bzimage *b, const struct layout *l)
{
    uint8_t type = BZIMAGE_LOADER_OTHER, flags = b->file[LOADFLAGS] | CAN_USE_HEAP;

    bzimage_put(b, l->setup, b->file, l->setup_size);
    bzimage_put(b, l->setup + LOADER_TYPE, &type, 1);
    if (l->version >= 0x201) {
        bzimage_put(b, l->setup + LOADFLAGS, &flags, 1);
        put16(b, l->setup + HEAP_END, l->heap_top - HEAP_RESERVED);
    }
    bzimage_put32(b, l->setup + RAMDISK_IMAGE, b->initrd);
    bzimage_put32(b, l->setup + RAMDISK_SIZE, b->initrd_size);
    write_cmdline(b, l);
}

static int write_all(struct bzimage *b, const struct layout *l)
{
    write_setup(b, l);
    bzimage_put(b, b->load, b->payload, b->payload_size);
    if (b->initrd_size)
        bzimage_put(b, b->initrd, b->image->modules[0].data, b->initrd_size);
    if (b->error)
        return image_refuse(b->image, b->error, "the guest's memory cannot hold the kernel");
    return 0;
}

/* Where everything is to be; nothing is written yet. */
static int prepare(struct bzimage *b, struct layout *l)
{
    uint16_t version = image_get16(b->file + VERSION);
    uint64_t max = INITRD_MAX_OLD;
    int error;

    if (version < 0x200)
        return image_refuse(b->image, -ENOEXEC, "older than boot protocol 2.00");
    if ((error = bzimage_find_payload(b)))
        return error;
    *l = lay_out(b);
    if (version >= 0x203)
        max = image_get32(b->file + INITRD_MAX);
    error = check(b, l);
    return error ? error : bzimage_place_initrd(b, max);
}

int bzimage_load_real(struct bzimage *b, struct image_start *out)
{
    struct layout l = { 0 };
    int error = prepare(b, &l);

    if (error || (error = write_all(b, &l)))
        return error;
    out->mode = START_REAL16;
    out->cs = (uint16_t)((l.setup >> 4) + 0x20);
    out->ds = (uint16_t)(l.setup >> 4);
    out->rsp = l.heap_top;
    log_info("%s: bzImage at 0x%llx, %zu KiB, by its real-mode entry, which wants a BIOS; ramdisk "
             "at 0x%llx, %llu KiB",
             b->image->domain, (unsigned long long)b->load, b->payload_size >> 10,
             (unsigned long long)b->initrd, (unsigned long long)b->initrd_size >> 10);
    return 0;
}

/* ---- By a BIOS ---- */

struct planner {
    uint64_t setup, setup_size; /* where it will lie */
    uint8_t *copy;
};

/* Takes what is written to the setup code; the rest is in the plan. */
static int write_copy(void *ctx, gpa_t to, const void *from, size_t n)
{
    struct planner *p = ctx;

    if (to.v >= p->setup && to.v - p->setup + n <= p->setup_size)
        memcpy(p->copy + (to.v - p->setup), from, n);
    return 0;
}

static void fill_plan(const struct bzimage *b, const struct layout *l, const uint8_t *setup,
                      struct image_plan *out)
{
    size_t words = strlen(b->image->cmdline) + 1;

    *out = (struct image_plan){
        .part = { [IMAGE_SETUP] = { (uint32_t)l->setup, (uint32_t)l->setup_size, setup },
                  [IMAGE_KERNEL] = { (uint32_t)b->load, (uint32_t)b->payload_size, b->payload },
                  [IMAGE_WORDS] = { (uint32_t)l->cmdline, (uint32_t)words, b->image->cmdline } },
        .stack = (uint16_t)l->heap_top
    };
    if (!b->initrd_size)
        return;
    out->part[IMAGE_RAMDISK].at = (uint32_t)b->initrd;
    out->part[IMAGE_RAMDISK].size = (uint32_t)b->initrd_size;
    out->part[IMAGE_RAMDISK].data = b->image->modules[0].data;
}

int image_plan(const struct image *image, uint64_t ram, uint8_t *setup, struct image_plan *out)
{
    const struct e820_entry map[] = {
        { 0, MEMMAP_EBDA, E820_RAM },
        { MEMMAP_EXTENDED, ram - MEMMAP_EXTENDED - BIOS_TOP, E820_RAM },
    };
    struct planner planner = { .copy = setup };
    struct image_memory memory = {
        .write = write_copy, .ctx = &planner, .e820 = map, .e820_count = 2
    };
    struct bzimage b = { .image = image, .memory = &memory, .file = image->data };
    struct layout l = { 0 };

    if (image_kind_of(image->data, image->size, false) != IMAGE_BZIMAGE ||
        image->size < HEADER_NEEDED)
        return image_refuse(image, -ENOEXEC, "firmware beside it starts bzImages only");
    int error = prepare(&b, &l);
    if (error)
        return error;
    if (!memmap_is_ram(map, 2, b.load, b.payload_size))
        return image_refuse(image, -ENOMEM, "too little memory for the kernel");
    planner.setup = l.setup;
    planner.setup_size = l.setup_size;
    write_setup(&b, &l);
    fill_plan(&b, &l, setup, out);
    log_info("%s: bzImage for its firmware to start, at 0x%llx, %zu KiB; ramdisk at 0x%llx, %llu "
             "KiB",
             image->domain, (unsigned long long)b.load, b.payload_size >> 10,
             (unsigned long long)b.initrd, (unsigned long long)b.initrd_size >> 10);
    return 0;
}
