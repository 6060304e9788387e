/*
 * What every way of booting boils down to. Filled by boot/multiboot2.c, or handed over whole by
 * caisson.efi (boot/efi/); read by main() and nobody else.
 */
#ifndef CAISSON_BOOT_BOOT_INFO_H
#define CAISSON_BOOT_BOOT_INFO_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/limits.h"
#include "lib/module.h"
#include "mm/frame.h"

/* In EAX at entry, with the machine address of a struct boot_info in EBX. */
#define BOOT_INFO_MAGIC 0xCA155013u

struct boot_framebuffer {
    maddr_t start;
    uint32_t pitch, width, height; /* bytes a line, pixels, pixels */
    uint8_t bpp;                   /* bits a pixel; 0: there is none, VGA text it is */
    struct boot_channel {
        uint8_t shift, bits;
    } red, green, blue;
};

struct boot_info {
    char loader_name[64];
    char cmdline[MAX_CMDLINE]; /* Caisson's own options */
    unsigned module_count, region_count;
    struct module modules[MAX_MODULES];
    struct mem_region regions[MAX_MEM_REGIONS]; /* sorted, not overlapping */
    uint8_t rsdp[36];                           /* copy of the ACPI root pointer */
    bool has_rsdp;
    bool efi; /* booted by UEFI firmware */
    struct boot_framebuffer framebuffer;
};

#endif
