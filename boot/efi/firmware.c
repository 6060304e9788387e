/*
 * The few services of the firmware that more than one of us needs.
 */
#include "boot/efi/firmware.h"

EFI_SYSTEM_TABLE *system_table;
EFI_BOOT_SERVICES *boot_services;
EFI_HANDLE own_image;

EFI_LOADED_IMAGE *firmware_loaded_image(void)
{
    return firmware_protocol(own_image, (EFI_GUID)EFI_LOADED_IMAGE_PROTOCOL_GUID);
}

void *firmware_protocol(EFI_HANDLE handle, EFI_GUID guid)
{
    void *interface = NULL;

    return boot_services->HandleProtocol(handle, &guid, &interface) == EFI_SUCCESS ? interface : NULL;
}

void *firmware_pages(UINTN size, EFI_PHYSICAL_ADDRESS highest)
{
    EFI_PHYSICAL_ADDRESS at = highest;
    UINTN pages = (size + EFI_PAGE_SIZE - 1) / EFI_PAGE_SIZE;

    if (boot_services->AllocatePages(AllocateMaxAddress, EfiLoaderData, pages ? pages : 1, &at))
        return NULL;
    return (void *)at;
}

const char *firmware_error(EFI_STATUS status)
{
    switch (status) {
    case EFI_NOT_FOUND:
        return "not found";
    case EFI_NO_MEDIA:
    case EFI_MEDIA_CHANGED:
        return "the medium is gone";
    case EFI_DEVICE_ERROR:
        return "the device failed";
    case EFI_VOLUME_CORRUPTED:
        return "the file system is damaged";
    case EFI_ACCESS_DENIED:
        return "access denied";
    case EFI_OUT_OF_RESOURCES:
        return "too little memory";
    case EFI_UNSUPPORTED:
        return "not a plain file";
    case EFI_INVALID_PARAMETER:
        return "invalid parameter";
    default:
        return "the firmware gives no reason";
    }
}
