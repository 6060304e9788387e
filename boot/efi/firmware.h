/*
 * The firmware as caisson.efi sees it: set once by efi_main(), used by everybody here.
 *
 * gnu-efi brings the declarations of the UEFI specification, the entry from the firmware and the
 * relocation of the image; of its library of helpers nothing is used.
 */
#ifndef CAISSON_BOOT_EFI_FIRMWARE_H
#define CAISSON_BOOT_EFI_FIRMWARE_H

#include <efi.h>
#include <efishell.h>

extern EFI_SYSTEM_TABLE *system_table;
extern EFI_BOOT_SERVICES *boot_services;
extern EFI_HANDLE own_image;

/* The image as the firmware loaded it: from where, with which load options. Never NULL. */
EFI_LOADED_IMAGE *firmware_loaded_image(void);

/* A protocol of a handle, or NULL. */
void *firmware_protocol(EFI_HANDLE handle, EFI_GUID guid);

/* Whole pages for size bytes, none above `highest`; NULL if there are none. They are the boot
 * loader's data, free for anybody's use once Caisson runs. */
void *firmware_pages(UINTN size, EFI_PHYSICAL_ADDRESS highest);
#define ANYWHERE    (~0UL)
#define BELOW_4_GIB 0xFFFFFFFFUL

/* What a status means, in words. */
const char *firmware_error(EFI_STATUS status);

#endif
