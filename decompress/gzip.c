/*
 * gzip, as RFC 1952 has it: a header, one DEFLATE stream, the CRC and the length of what was
 * packed.
 *
 * A file may have several such members by the RFC; gzip and GRUB's kernels have one. Whether the
 * length is right can only be seen in the end, but it cannot be more than DEFLATE makes of so few
 * bytes: a copy of 258 takes two bits at least.
 */
#include "decompress/decompress.h"
#include "decompress/inflate.h"
#include "lib/assert.h"
#include "lib/string.h"

#define HEADER_BYTES  10
#define TRAILER_BYTES 8
#define MOST_RATIO    1032

enum { FLAG_HCRC = 2, FLAG_EXTRA = 4, FLAG_NAME = 8, FLAG_COMMENT = 16, FLAGS_KNOWN = 0x1F };

static bool is_gzip(const uint8_t *file, size_t n)
{
    return n >= HEADER_BYTES + TRAILER_BYTES && file[0] == 0x1F && file[1] == 0x8B;
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

/* RFC 1952, "CRC-32": ISO 3309's, four bits at a time. */
static uint32_t crc32(const uint8_t *p, size_t n)
{
    static const uint32_t four[] = { 0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC,
                                     0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
                                     0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
                                     0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C };
    uint32_t crc = ~0u;

    for (; n; n--, p++) {
        crc ^= *p;
        crc = crc >> 4 ^ four[crc & 15];
        crc = crc >> 4 ^ four[crc & 15];
    }
    return ~crc;
}

/* Behind the final NUL of a text; n: there is none. */
static size_t skip_text(const uint8_t *file, size_t n, size_t at)
{
    while (at < n && file[at])
        at++;
    return at < n ? at + 1 : n;
}

/* Where the stream begins; may be n or more, where the file ends within its header. */
static size_t skip_header(const uint8_t *file, size_t n)
{
    size_t at = HEADER_BYTES;

    if (file[3] & FLAG_EXTRA)
        at += 2 + (file[at] | file[at + 1] << 8);
    if (file[3] & FLAG_NAME)
        at = skip_text(file, n, at);
    if (file[3] & FLAG_COMMENT)
        at = skip_text(file, n, at);
    return file[3] & FLAG_HCRC ? at + 2 : at;
}

static const char *gzip_size(const uint8_t *file, size_t n, size_t *out)
{
    size_t at = skip_header(file, n);

    if (file[2] != 8 || file[3] & ~FLAGS_KNOWN)
        return "it is packed in a way that is not known";
    if (at > n - TRAILER_BYTES)
        return "it ends within its header";
    *out = get32(file + n - 4);
    if (*out == 0)
        return "it is empty";
    if (*out > (n - TRAILER_BYTES - at) * MOST_RATIO)
        return "it is longer by its end than it can be";
    return NULL;
}

static const char *gzip_unpack(const uint8_t *file, size_t n, void *to, size_t size, void *work)
{
    size_t at = skip_header(file, n), left = n - TRAILER_BYTES - at, taken;

    ASSERT(sizeof(struct inflate) <= DECOMPRESS_WORK);
    const char *fault = inflate_whole(work, file + at, left, to, size, &taken);

    if (fault)
        return fault;
    if (taken != left)
        return "there is more behind its end";
    if (crc32(to, size) != get32(file + n - TRAILER_BYTES))
        return "its checksum is wrong";
    return NULL;
}

const struct decompress_format decompress_gzip = { "gzip", is_gzip, gzip_size, gzip_unpack };
