/*
 * The words that a guest is started with: its Multiboot command line.
 * Source: Multiboot Specification 0.6.96, "Boot information format".
 */
#ifndef GUEST_WORDS_H
#define GUEST_WORDS_H

#include <stdbool.h>
#include <stdint.h>

struct boot_words {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
};

#define BOOT_HAS_CMDLINE 4u

/* Whether word is a part of the command line. */
static inline bool words_have(const void *boot_information, const char *word)
{
    const struct boot_words *b = boot_information;

    if (!(b->flags & BOOT_HAS_CMDLINE))
        return false;
    for (const char *from = (const char *)(uintptr_t)b->cmdline; *from; from++) {
        unsigned n = 0;
        while (word[n] && from[n] == word[n])
            n++;
        if (!word[n])
            return true;
    }
    return false;
}

#endif
