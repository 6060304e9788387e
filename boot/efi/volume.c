/*
 * Reads files through the firmware's own file system driver.
 */
#include "boot/efi/volume.h"
#include "boot/efi/config.h"

#define CHUNK (8UL << 20) /* no need to ask a firmware's driver for hundreds of MiB at once */

static EFI_FILE_HANDLE root;
static CHAR16 folder[MAX_PATH]; /* of caisson.efi, without the last backslash */

static bool is_separator(CHAR16 c)
{
    return c == '/' || c == '\\';
}

/* Appends what a node of a device path says of the file, which is not aligned; the new length. */
static UINTN add_node(UINTN at, const UINT8 *node, UINTN bytes)
{
    const UINT8 *name = node + SIZE_OF_FILEPATH_DEVICE_PATH;

    if (at && !is_separator(folder[at - 1]))
        folder[at++] = '\\';
    for (UINTN i = 0; i + 1 < bytes - SIZE_OF_FILEPATH_DEVICE_PATH && at < MAX_PATH - 2; i += 2) {
        CHAR16 c = (CHAR16)(name[i] | name[i + 1] << 8);
        if (!c)
            break;
        folder[at++] = is_separator(c) ? '\\' : c;
    }
    return at;
}

/* The path may come in several nodes, a folder and a file for instance. */
static void find_folder(const UINT8 *node)
{
    UINTN at = 0, bytes;

    for (; node && node[0] != END_DEVICE_PATH_TYPE; node += bytes) {
        bytes = node[2] | (UINTN)node[3] << 8;
        if (bytes < SIZE_OF_FILEPATH_DEVICE_PATH)
            break;
        if (node[0] == MEDIA_DEVICE_PATH && node[1] == MEDIA_FILEPATH_DP)
            at = add_node(at, node, bytes);
    }
    while (at && !is_separator(folder[at]))
        at--;
    folder[at] = 0;
}

EFI_STATUS volume_open(void)
{
    const EFI_LOADED_IMAGE *image = firmware_loaded_image();
    EFI_FILE_IO_INTERFACE *volume;

    volume = firmware_protocol(image->DeviceHandle, (EFI_GUID)EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID);
    if (!volume)
        return EFI_NOT_FOUND;
    find_folder((const UINT8 *)image->FilePath);
    return volume->OpenVolume(volume, &root);
}

/* The whole path, as UEFI spells it; out has room for the folder and a name. */
static void spell_path(const char *name, CHAR16 *out)
{
    UINTN n = 0;

    if (!is_separator((CHAR16)name[0])) {
        for (; folder[n]; n++)
            out[n] = folder[n];
        out[n++] = '\\';
    }
    for (; *name; name++)
        out[n++] = is_separator((CHAR16)*name) ? '\\' : (UINT8)*name;
    out[n] = 0;
}

/* Seeking to the end is the way to ask for the size that needs no buffer; folders refuse it. */
static EFI_STATUS size_of(EFI_FILE_HANDLE f, UINTN *size)
{
    EFI_STATUS status = f->SetPosition(f, ~0UL);

    if (status == EFI_SUCCESS)
        status = f->GetPosition(f, size);
    if (status == EFI_SUCCESS)
        status = f->SetPosition(f, 0);
    return status;
}

static EFI_STATUS read_all(EFI_FILE_HANDLE f, struct file *out)
{
    EFI_STATUS status = size_of(f, &out->size);
    UINT8 *bytes;

    if (status != EFI_SUCCESS)
        return status;
    bytes = firmware_pages(out->size, ANYWHERE);
    if (!bytes)
        return EFI_OUT_OF_RESOURCES;
    for (UINTN at = 0, n; at < out->size; at += n) {
        n = out->size - at < CHUNK ? out->size - at : CHUNK;
        status = f->Read(f, &n, bytes + at);
        if (status != EFI_SUCCESS || n == 0)
            return status ? status : EFI_DEVICE_ERROR;
    }
    out->bytes = bytes;
    return EFI_SUCCESS;
}

EFI_STATUS volume_read(const char *name, struct file *out)
{
    CHAR16 path[2 * MAX_PATH];
    EFI_FILE_HANDLE f;
    EFI_STATUS status;

    spell_path(name, path);
    status = root->Open(root, &f, path, EFI_FILE_MODE_READ, 0);
    if (status != EFI_SUCCESS)
        return status;
    status = read_all(f, out);
    f->Close(f);
    return status;
}
