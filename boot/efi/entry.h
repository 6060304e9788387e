/*
 * What is to be booted: caisson.cfg, the arguments and the modules, put into a struct boot_info.
 */
#ifndef CAISSON_BOOT_EFI_ENTRY_H
#define CAISSON_BOOT_EFI_ENTRY_H

#include "boot/boot_info.h"
#include "boot/efi/arguments.h"

/* Fills cmdline and modules. 0, or -EINVAL: then the console has the file, line and word at fault.
 */
int must_check entry_read(const struct arguments *args, struct boot_info *out);

#endif
