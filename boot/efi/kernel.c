/*
 * Loads caisson.elf, which is contained in us, as GRUB would: at a multiple of 2 MiB below 4 GiB,
 * its parts at the distances that the linker gave them.
 */
#include "boot/efi/kernel.h"
#include "boot/efi/firmware.h"
#include "lib/log.h"
#include "lib/string.h"

#define ALIGNMENT 0x200000UL
#define PT_LOAD   1

/* System V ABI, "Object Files": what is used of it. */
struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum;
};

struct elf_part {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

extern const uint8_t kernel_image[]; /* boot/efi/kernel_image.asm */

static const struct elf_header *header(void)
{
    return (const struct elf_header *)kernel_image;
}

static const struct elf_part *part(unsigned i)
{
    return (const struct elf_part *)(kernel_image + header()->phoff) + i;
}

/* Where it was linked for, first byte and end, in virtual addresses. */
static void find_extent(uint64_t *first, uint64_t *end)
{
    *first = UINT64_MAX;
    *end = 0;
    for (unsigned i = 0; i < header()->phnum; i++) {
        const struct elf_part *p = part(i);

        if (p->type != PT_LOAD)
            continue;
        *first = p->vaddr < *first ? p->vaddr : *first;
        *end = p->vaddr + p->memsz > *end ? p->vaddr + p->memsz : *end;
    }
}

static uint8_t *find_place(uint64_t size)
{
    UINTN pages = (size + EFI_PAGE_SIZE - 1) / EFI_PAGE_SIZE;

    for (EFI_PHYSICAL_ADDRESS at = ALIGNMENT; at + size < BELOW_4_GIB; at += ALIGNMENT) {
        if (boot_services->AllocatePages(AllocateAddress, EfiLoaderData, pages, &at) == EFI_SUCCESS)
            return (uint8_t *)at;
    }
    return NULL;
}

uint32_t kernel_load(void)
{
    uint64_t first, end;
    uint8_t *place;

    find_extent(&first, &end);
    place = find_place(end - first);
    if (!place) {
        log_error("no room for Caisson: %lu KiB below 4 GiB", (end - first) / 1024);
        return 0;
    }
    memset(place, 0, end - first);
    for (unsigned i = 0; i < header()->phnum; i++) {
        const struct elf_part *p = part(i);

        if (p->type == PT_LOAD)
            memcpy(place + (p->vaddr - first), kernel_image + p->offset, p->filesz);
    }
    return (uint32_t)(uintptr_t)(place + (header()->entry - first));
}
