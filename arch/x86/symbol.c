/*
 * Names for code addresses.
 *
 * tools/symbols.awk makes the table from the names of a first link: sorted by address, text only.
 * It comes after the text and moves none of it. In that first link it is empty.
 *
 * It is as small as it can simply be, since it is read for a backtrace only and from the front: how
 * far each function is from the last one (16 bits), how many letters its name has in common with
 * the last one's (8 bits), and the rest of the name.
 */
#include "arch/x86/symbol.h"

extern const uint8_t symbol_start[], symbol_end[]; /* linker.ld */
extern const uint8_t text_start[], text_end[];

static uint64_t distance(const uint8_t *entry)
{
    return entry[0] | entry[1] << 8;
}

/* Turns the last entry's name into this one's; returns the next entry. */
static const uint8_t *name_of(const uint8_t *entry, char *name)
{
    const uint8_t *rest = entry + 3;

    name += entry[2];
    do
        *name++ = *rest;
    while (*rest++);
    return rest;
}

bool symbol_find(uint64_t address, char name[SYMBOL_NAME], uint64_t *offset)
{
    const uint8_t *entry = symbol_start;
    uint64_t start = (uint64_t)text_start;

    if (address < start || address >= (uint64_t)text_end || entry == symbol_end)
        return false;
    while (entry < symbol_end && start + distance(entry) <= address) {
        start += distance(entry);
        entry = name_of(entry, name);
    }
    *offset = address - start;
    return true;
}
