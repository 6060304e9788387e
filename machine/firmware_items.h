/*
 * What a guest's own firmware is told by fw_cfg (devices/vfwcfg.h): memory, CPUs, ACPI tables with
 * the script that places them, its console, and a medium or a kernel to boot, before all else.
 *
 * A pure function of a handful of numbers into one block, which the device then reads from.
 */
#ifndef CAISSON_MACHINE_FIRMWARE_ITEMS_H
#define CAISSON_MACHINE_FIRMWARE_ITEMS_H

#include <stdbool.h>
#include <stdint.h>
#include "devices/vfwcfg.h"
#include "include/public/e820.h"
#include "machine/acpi_guest.h"

#define FIRMWARE_FILES   7
#define FIRMWARE_PARTS   4 /* of a kernel: setup code, kernel, ramdisk, command line */
#define FIRMWARE_ITEMS   (FIRMWARE_FILES + 6 + 3 * FIRMWARE_PARTS)
#define FIRMWARE_SCRIPT  32 /* commands of the ACPI tables' script */
#define FIRMWARE_COMMAND 128

/* "etc/e820" and what else is named, as the file directory has it; big endian. */
struct firmware_file {
    uint32_t size;
    uint16_t key, reserved;
    char name[56];
};

/* A part of a kernel: where it goes, and what it is. */
struct firmware_part {
    uint32_t at, size;
    const void *data;
};

struct firmware_items {
    struct vfwcfg_item items[FIRMWARE_ITEMS];
    unsigned count;
    uint32_t features;
    uint16_t vcpus, shows_menu;
    uint64_t console; /* port */
    struct e820_entry e820[2];
    struct {
        uint32_t count; /* big endian */
        struct firmware_file file[FIRMWARE_FILES];
    } directory;
    struct firmware_part part[FIRMWARE_PARTS];
    uint8_t boot_rom[512];
    uint8_t script[FIRMWARE_SCRIPT][FIRMWARE_COMMAND];
    unsigned commands;
    uint8_t acpi[ACPI_GUEST_MAX_SIZE] __attribute__((aligned(64))); /* the RSDP first */
};

struct firmware_board {
    unsigned vcpus, address_bits; /* of a guest-physical address */
    bool hpet;
    uint64_t ram_low, ram_above; /* bytes of RAM below 4 GiB, and from there on */
    const void *floppy;          /* image of one to boot from, which stays; NULL: none */
    uint64_t floppy_size;
    const struct firmware_part *kernel; /* its parts, in the order above; NULL: there is none */
    uint16_t kernel_stack;              /* of its setup code, within the segment of that */
};

void firmware_items_build(struct firmware_items *f, const struct firmware_board *board);

#endif
