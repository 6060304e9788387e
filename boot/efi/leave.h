/*
 * The end of the firmware's services: the memory map, and ExitBootServices().
 */
#ifndef CAISSON_BOOT_EFI_LEAVE_H
#define CAISSON_BOOT_EFI_LEAVE_H

#include "boot/boot_info.h"
#include "lib/errno.h"

/* Fills the regions and leaves boot services, after which the machine is ours. 0, or -EINVAL
 * (logged, as far as there is still a console). */
int must_check leave_firmware(struct boot_info *out);

/* Enters Caisson with info, both below 4 GiB; wants a page there for the way. */
_Noreturn void leave_to(uint32_t entry, struct boot_info *info, void *page);

/* The page that leave_to() wants, executable; NULL if there is none (logged). */
void *leave_prepare(void);

#endif
