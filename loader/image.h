/*
 * Boot images: what kind a file is, and how it gets into a guest's memory.
 *
 * The loaders take bytes from strangers. Every number of the file is checked against the file's
 * size and the guest's RAM before use; a refusal is one log line that names what is wrong. They
 * see the guest's memory only through struct image_memory, so host tests give them an array.
 */
#ifndef CAISSON_LOADER_IMAGE_H
#define CAISSON_LOADER_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "loader/memmap.h"
#include "lib/addr.h"
#include "lib/errno.h"
#include "lib/string.h"

enum image_kind {
    IMAGE_UNKNOWN,
    IMAGE_BZIMAGE,
    IMAGE_MULTIBOOT,
    IMAGE_MULTIBOOT2,
    IMAGE_PVH,
    IMAGE_ELF, /* none of the others */
    IMAGE_FIRMWARE,
    IMAGE_KINDS
};
extern const char *const image_kind_name[IMAGE_KINDS];

#define IMAGE_RSDP_BYTES 36 /* ACPI 2.0's */

/* The guest's memory, before it runs. write and zero return 0 or a negative errno, which ends
 * the loading; the memory starts out zeroed. */
struct image_memory {
    int (*write)(void *ctx, gpa_t to, const void *from, size_t n);
    int (*zero)(void *ctx, gpa_t to, size_t n);
    void *ctx;
    const struct e820_entry *e820;
    unsigned e820_count;
    gpa_t acpi_rsdp;     /* 0: no ACPI tables */
    const uint8_t *rsdp; /* a copy of what is there, IMAGE_RSDP_BYTES; or NULL */
};

/* A further file for the guest: the ramdisk, or a multiboot module. */
struct image_module {
    const void *data;
    size_t size;
    const char *cmdline; /* its words; "" for none. Never NULL */
};

/* What is to be loaded. */
struct image {
    const char *domain; /* name, for the log */
    const void *data;   /* the kernel's file */
    size_t size;
    bool pvh;            /* prefer the PVH entry where there are several */
    bool control;        /* the start information says that it is the control domain */
    const char *cmdline; /* never NULL */
    const struct image_module *modules;
    unsigned module_count;
    const struct image_module *roms; /* firmware that starts instead, from 4 GiB down */
    unsigned rom_count;
};

/* How the first vCPU is to start. Interrupts off, RFLAGS 2, registers not named here zero. */
enum image_mode {
    START_LONG,        /* 64-bit, paging on: CR3 = page_root, GDT and selectors as below */
    START_RESET,       /* as after a reset: nothing of the below */
    START_REAL16,      /* CS and DS are segments, of 64 KiB; ES = SS = FS = GS = DS */
    START_PROTECTED32, /* 32-bit, paging off: flat 4 GiB segments, the GDT as below if gdt_limit */
};
struct image_start {
    enum image_mode mode;
    uint64_t rip, rsp, rax, rbx, rsi;
    gpa_t page_root; /* START_LONG only */
    gpa_t gdt_base;
    uint16_t gdt_limit; /* 0: there is none */
    uint16_t cs, ds;    /* selectors; ES = SS = FS = GS = DS */
    bool programs_pc; /* it is known to program timer and interrupt controllers before it uses them
                       */
};

/* pvh: where a file is of several kinds, prefer that one. */
enum image_kind image_kind_of(const void *data, size_t size, bool pvh);

/* Recognises and loads. 0; -ENOEXEC not an image that can be started, -ENOMEM too little guest
 * memory, -EINVAL the words or modules do not suit it; logged. Or what write/zero answered. */
int must_check image_load(const struct image *image, const struct image_memory *memory,
                          struct image_start *out);

/* For the loaders: logs why this image is none that can be loaded, and returns error. */
int image_refuse(const struct image *image, int error, const char *why);
/* For the loaders: memory->write and ->zero, after a check that all of it is RAM (-ENOMEM). n may
 * be 0. A little-endian number of a file, at an offset that the caller has checked. */
int must_check image_write(const struct image_memory *memory, uint64_t to, const void *from,
                           size_t n);
int must_check image_zero(const struct image_memory *memory, uint64_t to, size_t n);
static inline uint16_t image_get16(const void *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint32_t image_get32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t image_get64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* Where in the file a header of multiboot1, of multiboot2 stands, or -1. */
long image_multiboot_header(const void *data, size_t size);
long image_multiboot2_header(const void *data, size_t size);

/* The loaders; image_load() chooses. The one for multiboot1 takes ELF files without a header. */
int must_check image_bzimage_load(const struct image *image, const struct image_memory *memory,
                                  struct image_start *out);
int must_check image_multiboot_load(const struct image *image, const struct image_memory *memory,
                                    struct image_start *out);
int must_check image_multiboot2_load(const struct image *image, const struct image_memory *memory,
                                     struct image_start *out);
int must_check image_pvh_load(const struct image *image, const struct image_memory *memory,
                              struct image_start *out);
int must_check image_firmware_load(const struct image *image, const struct image_memory *memory,
                                   struct image_start *out);
/* Is it a PC's ROM? */
#define IMAGE_ROM_MOST 0x1000000UL /* bytes, in all */
bool image_is_firmware(const void *data, size_t size);
/* A kernel as a PC's firmware is to load it that lies beside it, by fw_cfg. */
enum { IMAGE_SETUP, IMAGE_KERNEL, IMAGE_RAMDISK, IMAGE_WORDS, IMAGE_PARTS };
struct image_plan {
    struct {
        uint32_t at; /* where it goes */
        uint32_t size;
        const void *data;
    } part[IMAGE_PARTS];
    uint16_t stack; /* of the setup code, within its segment */
};
#define IMAGE_SETUP_MOST 0xD000u /* bytes of the setup code */
/* ram: bytes of RAM below 4 GiB. setup: room for IMAGE_SETUP_MOST bytes, which stays as the plan
 * does. 0; -ENOEXEC, -EINVAL, -ENOMEM; logged. */
int must_check image_plan(const struct image *image, uint64_t ram, uint8_t *setup,
                          struct image_plan *out);
/* Has it the note that names a PVH entry? Is it an ELF executable for x86? */
bool image_is_pvh(const void *data, size_t size);
bool image_is_elf(const void *data, size_t size);

#endif
