/*
 * The hypervisor itself: caisson.elf is a part of caisson.efi, so that one file is enough and the
 * two always fit each other.
 */
#ifndef CAISSON_BOOT_EFI_KERNEL_H
#define CAISSON_BOOT_EFI_KERNEL_H

#include <stdint.h>

/* Puts it where it can run, as low as the firmware lets us. The machine address of its entry, or 0
 * (logged). */
uint32_t kernel_load(void);

#endif
