/*
 * Names for code addresses.
 *
 * tools/symbols.awk makes the table from the names of a first link: sorted, text only. It comes
 * after the text and moves none of it. In that first link it is empty.
 */
#include "arch/x86/symbol.h"

#include <stddef.h>

struct symbol {
    uint64_t address;
    const char *name;
};
extern const struct symbol symbol_start[], symbol_end[]; /* linker.ld */
extern const uint8_t text_start[], text_end[];

const char *symbol_find(uint64_t address, uint64_t *offset)
{
    const struct symbol *low = symbol_start, *high = symbol_end;

    if (address < (uint64_t)text_start || address >= (uint64_t)text_end)
        return NULL;
    while (low < high) {
        const struct symbol *middle = low + (high - low) / 2;

        if (middle->address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == symbol_start)
        return NULL;
    *offset = address - low[-1].address;
    return low[-1].name;
}
