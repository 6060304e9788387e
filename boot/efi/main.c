/*
 * caisson.efi: the boot loader for those who need no other, a table of contents.
 *
 * The firmware starts it as \EFI\BOOT\BOOTX64.EFI, from its shell, or from a boot menu; it reads
 * caisson.cfg and the modules, asks for what boot_info.h wants to know, leaves the firmware's
 * services and enters Caisson where GRUB would have. Until then every fault ends in words on the
 * firmware's console and a return to whoever started it.
 */
#include "boot/boot_info.h"
#include "boot/efi/arguments.h"
#include "boot/efi/console.h"
#include "boot/efi/entry.h"
#include "boot/efi/firmware.h"
#include "boot/efi/kernel.h"
#include "boot/efi/leave.h"
#include "boot/efi/machine.h"
#include "boot/efi/volume.h"
#include "lib/log.h"
#include "lib/string.h"

#define SECONDS_TO_READ 30

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

static struct boot_info *new_info(void)
{
    struct boot_info *info = firmware_pages(sizeof(*info), BELOW_4_GIB);

    if (!info)
        log_error("too little memory below 4 GiB");
    else
        memset(info, 0, sizeof(*info));
    return info;
}

/* Returns only if it cannot be done, which has been told then. */
static void boot(const struct arguments *args)
{
    struct boot_info *info = new_info();
    EFI_STATUS status = volume_open();
    uint32_t kernel;
    void *page;

    if (status != EFI_SUCCESS)
        return log_error("cannot read the volume that caisson.efi came from: %s",
                         firmware_error(status));
    if (!info || entry_read(args, info) < 0)
        return;
    kernel = kernel_load();
    page = leave_prepare();
    if (!kernel || !page)
        return;
    machine_describe(info);
    log_info("leaving the firmware");
    if (leave_firmware(info) == 0)
        leave_to(kernel, info, page);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table)
{
    static struct arguments args;

    own_image = image;
    system_table = table;
    boot_services = table->BootServices;
    boot_services->SetWatchdogTimer(0, 0, 0, NULL); /* it is set to five minutes */
    if (arguments_read(&args) == 0)
        boot(&args);
    if (!args.in_shell)
        console_let_read(SECONDS_TO_READ);
    return EFI_LOAD_ERROR;
}
