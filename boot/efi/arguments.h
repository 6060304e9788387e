/*
 * What caisson.efi is told by whoever starts it: the words behind its name in the UEFI shell, the
 * options= of a systemd-boot entry, the rest of GRUB's chainloader line.
 */
#ifndef CAISSON_BOOT_EFI_ARGUMENTS_H
#define CAISSON_BOOT_EFI_ARGUMENTS_H

#include <stdbool.h>
#include "boot/efi/config.h"

struct arguments {
    bool in_shell;
    char config[MAX_PATH];   /* config=FILE, or empty */
    char words[MAX_CMDLINE]; /* all others: they come behind those of the file's multiboot2 line */
};

/* 0, or -EINVAL (logged). */
int must_check arguments_read(struct arguments *out);

#endif
