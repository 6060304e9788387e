/*
 * A boot module: bytes that the boot loader left in memory, with the words of its menu line.
 */
#ifndef CAISSON_LOADER_MODULE_H
#define CAISSON_LOADER_MODULE_H

#include <stddef.h>

struct module {
    const void *data; /* mapped read-only */
    size_t size;      /* bytes */
    const char *line; /* all words behind the file's name, NUL-terminated */
    unsigned index;   /* 1 for the first module2 line, as people count */
};

#endif
