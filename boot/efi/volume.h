/*
 * Files of the volume that caisson.efi was loaded from: of the EFI system partition, as a rule.
 *
 * A name that begins with / or \ goes from the volume's root, any other from the folder that
 * caisson.efi lies in.
 */
#ifndef CAISSON_BOOT_EFI_VOLUME_H
#define CAISSON_BOOT_EFI_VOLUME_H

#include "boot/efi/firmware.h"

struct file {
    const void *bytes; /* in pages of their own, that nobody gives back */
    UINTN size;
};

EFI_STATUS volume_open(void);

/* Reads a whole file. */
EFI_STATUS volume_read(const char *name, struct file *out);

#endif
