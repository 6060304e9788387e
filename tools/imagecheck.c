/* links: boot/options.c arch/x86/spec_wish.c config/domain_config.c config/share.c loader/image.c loader/image_bzimage.c loader/image_setup.c loader/image_multiboot.c loader/image_multiboot2.c loader/image_pvh.c loader/image_firmware.c loader/image_place.c loader/image_elf.c loader/image_flat.c loader/image_sections.c loader/image_tables.c decompress/decompress.c decompress/gzip.c decompress/inflate.c loader/memmap.c lib/word.c lib/fmt.c */
/*
 * Looks at what `make run` and `make image` are given before anything is made of it: what Caisson
 * would complain of on the machine, it complains of here. It is Caisson's own code that judges;
 * only the log and the guest's memory are stood in for.
 *
 *     imagecheck KERNEL=FILE INITRD=FILE MEM=SIZE VCPUS=N TYPE=hvm|pvh CMDLINE=WORDS OPTIONS=WORDS
 *
 * Names each fault by the word at fault. Exit code 1 if there was one.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "boot/options.h"
#include "config/domain_config.h"
#include "lib/assert.h"
#include "decompress/decompress.h"

#define OTHER_WORDS 128 /* bytes that our own words of a line take at most */

static const char *looked_at; /* an argument */
static unsigned faults;

/* Who calls `make` has written no module lines, so their number is left out. */
static void complain(const char *fmt, va_list args)
{
    static const char module[] = "module 1: ";
    char text[4096];
    bool numbered;

    vsnprintf(text, sizeof(text), fmt, args);
    numbered = strncmp(text, module, sizeof(module) - 1) == 0;
    fprintf(stderr, "image: %.80s: %s\n", looked_at, text + (numbered ? sizeof(module) - 1 : 0));
    faults++;
}

static void __attribute__((format(printf, 1, 2))) fault(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    complain(fmt, args);
    va_end(args);
}

void log_at(enum log_level level, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (level <= LOG_WARN)
        complain(fmt, args);
    va_end(args);
}

void panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    complain(fmt, args);
    va_end(args);
    exit(1);
}

void panic_assertion(const char *file, unsigned line, const char *what)
{
    panic("%s:%u: assertion failed: %s", file, line, what);
}

/* What stands behind "key=" among the arguments. */
static const char *value_of(char **argv, const char *key)
{
    size_t n = strlen(key);

    while (*++argv) {
        if (strncmp(*argv, key, n) == 0 && (*argv)[n] == '=') {
            looked_at = *argv;
            return *argv + n + 1;
        }
    }
    looked_at = key;
    return "";
}

/* A byte that a menu has no way to write, or more bytes than Caisson takes from GRUB, which puts a
 * backslash before some. */
static const char *text_of(char **argv, const char *key)
{
    const char *text = value_of(argv, key);
    size_t size = OTHER_WORDS;

    for (const char *p = text; *p; p++) {
        size += strchr("\\'\"", *p) ? 2 : 1;
        if (*p == '\n' || *p == '\r')
            return fault("has an end of line in it"), "";
    }
    if (size > MAX_CMDLINE)
        fault("too long: there is room for %d bytes", MAX_CMDLINE - OTHER_WORDS);
    return text;
}

struct file {
    void *data; /* NULL: none, or told of */
    size_t size;
};

static struct file file_of(char **argv, const char *key)
{
    const char *path = value_of(argv, key);
    struct file f = { NULL, 0 };
    struct stat about = { 0 };
    FILE *in = *path ? fopen(path, "rb") : NULL;

    if (!*path)
        return f;
    if (!in || fstat(fileno(in), &about) != 0)
        fault("%s", strerror(errno));
    else if (!S_ISREG(about.st_mode) || about.st_size == 0)
        fault("not a file with something in it");
    else
        f = (struct file){ malloc((size_t)about.st_size), (size_t)about.st_size };
    if (f.data && fread(f.data, 1, f.size, in) != f.size)
        fault("cannot be read");
    if (in)
        fclose(in);
    return f;
}

/* As Caisson does with kernels before it looks at them. */
static void unpack(struct file *f)
{
    const struct decompress_format *format = decompress_format_of(f->data, f->size);
    struct file out = { NULL, 0 };
    const char *why = NULL;
    void *work = NULL;

    if (!format)
        return;
    why = format->size(f->data, f->size, &out.size);
    if (!why) {
        out.data = malloc(out.size);
        work = malloc(DECOMPRESS_WORK);
        why = format->unpack(f->data, f->size, out.data, out.size, work);
    }
    if (why)
        fault("the kernel is packed by %s: %s", format->name, why);
    free(work);
    free(f->data);
    *f = out;
}

/* Linux takes a ramdisk as it is or packed by one of these (its init/initramfs.c,
 * lib/decompress.c). */
static void check_ramdisk(const struct file *kernel, const struct file *initrd)
{
    static const char *const starts[] = { "070701",
                                          "070702",
                                          "\x1f\x8b",
                                          "\xfd"
                                          "7zXZ",
                                          "BZh",
                                          "\x28\xb5\x2f\xfd",
                                          "\x02\x21\x4c\x18",
                                          "\x89LZO",
                                          "\x5d\x00" };
    static const uint8_t sizes[] = { 6, 6, 2, 5, 3, 4, 4, 4, 2 };

    const uint8_t *k = kernel->data;

    if (!initrd->data || image_kind_of(k, kernel->size, false) != IMAGE_BZIMAGE ||
        image_get16(k + 0x206) < 0x20A)
        return; /* other kernels, memdisk among them, know what they do with it */
    for (unsigned i = 0; i < sizeof(sizes); i++)
        if (initrd->size > sizes[i] && memcmp(initrd->data, starts[i], sizes[i]) == 0)
            return;
    fault("no ramdisk: neither a cpio archive nor one that is packed");
}

static int take(void *ctx, gpa_t to, const void *from, size_t n)
{
    (void)ctx, (void)to, (void)from, (void)n;
    return 0;
}

static int take_zeros(void *ctx, gpa_t to, size_t n)
{
    (void)ctx, (void)to, (void)n;
    return 0;
}

/* As Caisson does when the domain is created, into memory that only has a size. */
static void load(const struct image *image, uint64_t mem)
{
    struct image_memory memory = {
        .write = take,
        .zero = take_zeros,
    };
    struct image_start start;
    struct memmap map;

    if (memmap_build(&map, mem))
        return fault("no size of a domain");
    memory.e820 = map.e820;
    memory.e820_count = map.e820_count;
    if (image_load(image, &memory, &start) && !faults)
        fault("does not start");
}

/* A word of the domain's line, as Caisson reads it. */
static void check_word(char **argv, const char *key, const char *word, struct domain_config *out)
{
    char line[2 * MAX_CMDLINE];
    const char *value = text_of(argv, key);
    struct domain_config d;
    enum config_kind kind;

    snprintf(line, sizeof(line), "kernel %s=%s", word, value);
    if (config_parse(1, line, &kind, &d))
        return; /* has said why, with the word */
    if (strcmp(key, "MEM") == 0)
        out->mem = d.mem;
    if (strcmp(key, "TYPE") == 0)
        out->type = d.type;
}

/* Caisson itself would pass a wrong option over; here somebody can still mend it. */
static int refuse(void)
{
    fprintf(stderr, "image: nothing was made\n");
    return 1;
}

int main(int argc, char **argv)
{
    struct domain_config config = { 0 };
    struct options options;
    const char *cmdline;

    (void)argc;
    options_parse(text_of(argv, "OPTIONS"), &options);
    cmdline = text_of(argv, "CMDLINE");
    check_word(argv, "MEM", "mem", &config);
    check_word(argv, "VCPUS", "vcpus", &config);
    check_word(argv, "TYPE", "type", &config);
    if (faults)
        return refuse();

    struct file initrd = file_of(argv, "INITRD");
    struct image_module ramdisk = { initrd.data, initrd.size, "" };
    struct file kernel = file_of(argv, "KERNEL");
    if (!*value_of(argv, "KERNEL"))
        fault("names no file: a kernel is needed");
    if (kernel.data)
        unpack(&kernel);
    value_of(argv, "INITRD"); /* what comes now is about it */
    if (kernel.data)
        check_ramdisk(&kernel, &initrd);
    value_of(argv, "KERNEL");
    struct image image = { .domain = "domain linux",
                           .data = kernel.data,
                           .size = kernel.size,
                           .pvh = config.type == DOMAIN_PVH,
                           .cmdline = cmdline,
                           .modules = &ramdisk,
                           .module_count = initrd.data != NULL };
    if (kernel.data && !faults)
        load(&image, config.mem);
    free(kernel.data);
    free(initrd.data);
    return faults ? refuse() : 0;
}
