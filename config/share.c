/*
 * Reads a domain's share of the CPUs. See config/share.h.
 */
#include "config/share.h"

static bool read_number(struct word value, uint64_t least, uint64_t most, unsigned *out)
{
    uint64_t n;

    if (!word_number(value, most, &n) || n < least)
        return false;
    *out = (unsigned)n;
    return true;
}

/* "3" or "1-4": adds to the mask. */
static bool read_range(struct word piece, uint64_t *mask)
{
    struct word first = piece, last = piece;
    uint64_t from, to;

    for (size_t i = 0; i < piece.length; i++) {
        if (piece.text[i] == '-') {
            first.length = i;
            last = (struct word){ piece.text + i + 1, piece.length - i - 1 };
            break;
        }
    }
    if (!word_number(first, MAX_PCPUS - 1, &from) || !word_number(last, MAX_PCPUS - 1, &to) ||
        to < from)
        return false;
    *mask |= (UINT64_MAX >> (63 - to)) & (UINT64_MAX << from);
    return true;
}

static bool read_cpus(struct word value, uint64_t *out)
{
    struct word piece;
    uint64_t mask = 0;

    if (word_is(value, "all")) {
        *out = UINT64_MAX;
        return true;
    }
    while (word_split(&value, &piece)) {
        if (!read_range(piece, &mask))
            return false;
    }
    *out = mask;
    return true;
}

bool share_read(struct share *s, struct word key, struct word value)
{
    if (word_is(key, "weight"))
        return read_number(value, 1, SHARE_MAX_WEIGHT, &s->weight);
    if (word_is(key, "cap"))
        return read_number(value, 0, SHARE_MAX_CAP, &s->cap);
    return word_is(key, "cpus") && read_cpus(value, &s->cpus);
}
