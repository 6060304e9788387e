/*
 * The formats of packed files that are known. See decompress/decompress.h.
 */
#include "decompress/decompress.h"

static const struct decompress_format *const formats[] = { &decompress_gzip };

const struct decompress_format *decompress_format_of(const void *file, size_t n)
{
    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (formats[i]->is(file, n))
            return formats[i];
    return NULL;
}
