/*
 * Asks the firmware what a boot loader would tell in tags. The video mode is left as it is:
 * whatever the firmware chose is on the screen already.
 */
#include "boot/efi/machine.h"
#include "boot/efi/firmware.h"
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/string.h"

#define RSDP_V1_BYTES 20

static void name_loader(struct boot_info *out)
{
    char vendor[32];
    UINTN n = 0;

    for (const CHAR16 *v = system_table->FirmwareVendor; v && v[n] && n < sizeof(vendor) - 1; n++)
        vendor[n] = v[n] >= ' ' && v[n] <= '~' ? (char)v[n] : '?';
    vendor[n] = '\0';
    fmt_sn(out->loader_name, sizeof(out->loader_name), "caisson.efi, UEFI %u.%u by %s",
           system_table->Hdr.Revision >> 16, (system_table->Hdr.Revision & 0xFFFF) / 10, vendor);
}

static const void *find_table(EFI_GUID guid)
{
    for (UINTN i = 0; i < system_table->NumberOfTableEntries; i++) {
        const EFI_CONFIGURATION_TABLE *t = &system_table->ConfigurationTable[i];

        if (memcmp(&t->VendorGuid, &guid, sizeof(guid)) == 0)
            return t->VendorTable;
    }
    return NULL;
}

/* Its checksum is looked at by whoever reads the tables. */
static void find_rsdp(struct boot_info *out)
{
    const void *v2 = find_table((EFI_GUID)ACPI_20_TABLE_GUID);
    const void *v1 = find_table((EFI_GUID)ACPI_TABLE_GUID);

    if (v2)
        memcpy(out->rsdp, v2, sizeof(out->rsdp));
    else if (v1)
        memcpy(out->rsdp, v1, RSDP_V1_BYTES);
    out->has_rsdp = v2 || v1;
}

/* A mask with a gap in it is none that anybody has. */
static struct boot_channel channel(UINT32 mask)
{
    struct boot_channel c = { 0, 0 };

    if (mask) {
        c.shift = (uint8_t)__builtin_ctz(mask);
        c.bits = (uint8_t)(32 - __builtin_clz(mask) - c.shift);
    }
    return c;
}

/* The masks of the pixel formats that have none; the fourth byte is of no use. */
static EFI_PIXEL_BITMASK masks_of(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode)
{
    switch (mode->PixelFormat) {
    case PixelRedGreenBlueReserved8BitPerColor:
        return (EFI_PIXEL_BITMASK){ 0xFF, 0xFF00, 0xFF0000, 0xFF000000 };
    case PixelBlueGreenRedReserved8BitPerColor:
        return (EFI_PIXEL_BITMASK){ 0xFF0000, 0xFF00, 0xFF, 0xFF000000 };
    default:
        return mode->PixelInformation;
    }
}

/* UEFI, "EFI_GRAPHICS_OUTPUT_PROTOCOL": a pixel has the bytes that its highest bit needs. False if
 * this screen has no pixels in memory. */
static bool read_mode(const EFI_GRAPHICS_OUTPUT_PROTOCOL *gop, struct boot_framebuffer *fb)
{
    const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode = gop->Mode->Info;
    EFI_PIXEL_BITMASK m = masks_of(mode);
    UINT32 all = m.RedMask | m.GreenMask | m.BlueMask | m.ReservedMask;
    UINT32 bytes = all ? (39U - (UINT32)__builtin_clz(all)) / 8 : 0;

    *fb = (struct boot_framebuffer){ .start = maddr(gop->Mode->FrameBufferBase),
                                     .pitch = mode->PixelsPerScanLine * bytes,
                                     .width = mode->HorizontalResolution,
                                     .height = mode->VerticalResolution,
                                     .bpp = (uint8_t)(8 * bytes),
                                     .red = channel(m.RedMask),
                                     .green = channel(m.GreenMask),
                                     .blue = channel(m.BlueMask) };
    return mode->PixelFormat < PixelBltOnly && fb->start.v && fb->width && fb->height && all;
}

/* The first screen that has its pixels in memory. */
static void find_framebuffer(struct boot_info *out)
{
    EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
    EFI_HANDLE *handles;
    UINTN count;
    bool found = false;

    if (boot_services->LocateHandleBuffer(ByProtocol, &guid, NULL, &count, &handles))
        count = 0;
    for (UINTN i = 0; i < count && !found; i++) {
        const EFI_GRAPHICS_OUTPUT_PROTOCOL *gop = firmware_protocol(handles[i], guid);

        found = gop && gop->Mode && gop->Mode->Info && read_mode(gop, &out->framebuffer);
    }
    if (!found)
        out->framebuffer = (struct boot_framebuffer){ .bpp = 0 };
}

void machine_describe(struct boot_info *out)
{
    out->efi = true;
    name_loader(out);
    find_rsdp(out);
    if (!out->has_rsdp)
        log_warn("this firmware has no ACPI tables");
    find_framebuffer(out);
}
