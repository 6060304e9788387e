/*
 * A boot module: bytes that the boot loader left in memory, with the words of its menu line. In
 * lib/, since boot/ finds them, config/ reads their lines, and neither knows the other's room.
 */
#ifndef CAISSON_LIB_MODULE_H
#define CAISSON_LIB_MODULE_H

#include <stddef.h>
#include "lib/addr.h"
#include "lib/limits.h"

struct module {
    maddr_t start;
    size_t size;            /* bytes */
    const void *data;       /* mapped read-only; NULL as long as only the boot loader knows it */
    char line[MAX_CMDLINE]; /* the words of the module2 line, file name included where GRUB gives it
                             */
};

#endif
