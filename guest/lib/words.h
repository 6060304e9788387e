/*
 * The words that a guest is started with: its command line, by either loader's entry.
 */
#ifndef GUEST_WORDS_H
#define GUEST_WORDS_H

#include <stdbool.h>
#include "guest/lib/start_info.h"

/* Whether word is a part of the command line. */
static inline bool words_have(const void *boot_information, const char *word)
{
    for (const char *from = start_cmdline(boot_information); *from; from++) {
        unsigned n = 0;
        while (word[n] && from[n] == word[n])
            n++;
        if (!word[n])
            return true;
    }
    return false;
}

#endif
