/*
 * What the firmware knows of the machine: its name, the ACPI root pointer, the framebuffer.
 */
#ifndef CAISSON_BOOT_EFI_MACHINE_H
#define CAISSON_BOOT_EFI_MACHINE_H

#include "boot/boot_info.h"

void machine_describe(struct boot_info *out);

#endif
