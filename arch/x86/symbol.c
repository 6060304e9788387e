/*
 * Names for code addresses.
 *
 * tools/symbols makes the table from the names of a first link: sorted by address, text only.
 * It comes after the text and moves none of it. In that first link it is empty.
 *
 * It is small, since it is read for a backtrace only and from the front. First PAIRS times two
 * bytes: what the letters from PAIR on stand for, each a letter or a pair before it. Then for each
 * function how many letters its name has in common with the last one's (at most KEPT_MOST, which
 * is less than any letter), how far it is from the last one (ULEB128, as in DWARF), and the rest of
 * the name, which ends where the next function begins.
 */
#include "arch/x86/symbol.h"

#include <stddef.h>

#define PAIRS     128
#define PAIR      0x80
#define KEPT_MOST ('0' - 1)

extern const uint8_t symbol_start[], symbol_end[]; /* linker.ld */
extern const uint8_t text_start[], text_end[];

static const uint8_t *distance_of(const uint8_t *entry, uint64_t *distance)
{
    unsigned shift = 0;

    for (*distance = 0; *entry & 0x80; shift += 7)
        *distance |= (uint64_t)(*entry++ & 0x7F) << shift;
    *distance |= (uint64_t)*entry++ << shift;
    return entry;
}

/* Writes what a letter of the table stands for; returns where the next one goes. */
static char *spell(char *name, uint8_t letter)
{
    if (letter >= PAIR) {
        const uint8_t *pair = symbol_start + (size_t)2 * (letter - PAIR);
        return spell(spell(name, pair[0]), pair[1]);
    }
    *name = (char)letter;
    return name + 1;
}

/* Writes the rest of a name; returns the next entry. */
static const uint8_t *name_of(const uint8_t *entry, char *name)
{
    while (entry != symbol_end && *entry > KEPT_MOST)
        name = spell(name, *entry++);
    *name = 0;
    return entry;
}

bool symbol_find(uint64_t address, char name[SYMBOL_NAME], uint64_t *offset)
{
    const uint8_t *entry = symbol_start + (size_t)2 * PAIRS;
    uint64_t start = (uint64_t)text_start, distance;

    if (address < start || address >= (uint64_t)text_end || entry > symbol_end)
        return false;
    while (entry != symbol_end) {
        uint8_t kept = *entry;
        entry = distance_of(entry + 1, &distance);
        if (start + distance > address)
            break;
        start += distance;
        entry = name_of(entry, name + kept);
    }
    *offset = address - start;
    return true;
}
