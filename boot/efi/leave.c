/*
 * UEFI Specification, "EFI_BOOT_SERVICES.ExitBootServices()": the map must be the newest one, which
 * its key proves. An event of the firmware may change it between the two calls; then both are made
 * again, and nothing else may be called any more.
 */
#include "boot/efi/leave.h"
#include "boot/efi/console.h"
#include "boot/efi/firmware.h"
#include "boot/efi_memory.h"
#include "lib/log.h"
#include "lib/string.h"

#define TRIES 8
#define SLACK                                                                                      \
    4096 /* bytes for what allocating the buffer, and others meanwhile, add to the map             \
          */

/* boot/efi/jump.asm: a flat piece that runs wherever it is copied to. */
extern const uint8_t jump_start[], jump_end[];
typedef void jump_fn(uint32_t entry, uint32_t info, uint32_t magic, void *page);

struct map {
    UINT8 *buffer;
    UINTN room, size, key, step;
};

static EFI_STATUS get_map(struct map *m)
{
    UINT32 version;

    m->size = m->room;
    return boot_services->GetMemoryMap(&m->size, (EFI_MEMORY_DESCRIPTOR *)m->buffer, &m->key,
                                       &m->step, &version);
}

static EFI_STATUS make_room(struct map *m)
{
    EFI_STATUS status = get_map(m);

    if (status != EFI_BUFFER_TOO_SMALL)
        return status;
    m->room = m->size + SLACK;
    m->buffer = firmware_pages(m->room, ANYWHERE);
    return m->buffer ? EFI_SUCCESS : EFI_OUT_OF_RESOURCES;
}

static void fill_regions(struct boot_info *out, const struct map *m)
{
    struct efi_memory_map map = { m->buffer, m->size, m->step, false };

    out->region_count = 0;
    efi_memory_put_all(out, &map);
}

static EFI_STATUS try_to_leave(struct boot_info *out, struct map *m)
{
    EFI_STATUS status = get_map(m);

    if (status != EFI_SUCCESS)
        return status;
    fill_regions(out, m);
    return boot_services->ExitBootServices(own_image, m->key);
}

int leave_firmware(struct boot_info *out)
{
    struct map m = { NULL, 0, 0, 0, 0 };
    EFI_STATUS status = make_room(&m);

    console_silence(true);
    for (unsigned i = 0; i < TRIES && status == EFI_SUCCESS; i++) {
        status = try_to_leave(out, &m);
        if (status == EFI_SUCCESS)
            return 0;
        if (status == EFI_INVALID_PARAMETER)
            status = EFI_SUCCESS; /* the key was old */
    }
    console_silence(false);
    log_error("cannot leave the firmware's services: %s",
              status ? firmware_error(status) : "its memory map never rests");
    return -EINVAL;
}

void *leave_prepare(void)
{
    EFI_PHYSICAL_ADDRESS at = BELOW_4_GIB;

    if (boot_services->AllocatePages(AllocateMaxAddress, EfiLoaderCode, 1, &at)) {
        log_error("no page of memory below 4 GiB");
        return NULL;
    }
    return memcpy((void *)at, jump_start, (size_t)(jump_end - jump_start));
}

void leave_to(uint32_t entry, struct boot_info *info, void *page)
{
    ((jump_fn *)(uintptr_t)page)(entry, (uint32_t)(uintptr_t)info, BOOT_INFO_MAGIC, page);
    __builtin_unreachable();
}
