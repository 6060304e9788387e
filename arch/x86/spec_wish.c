/*
 * The word spec= of the command line. Its names are those of Xen's spec-ctrl= where that has them.
 */
#include "arch/x86/spec.h"

const char spec_names[SPEC_WORDS][11] = {
    [SPEC_IBRS] = "ibrs",
    [SPEC_STIBP] = "stibp",
    [SPEC_SSBD] = "ssbd",
    [SPEC_IBPB] = "ibpb",
    [SPEC_RSB] = "rsb",
    [SPEC_BHI] = "bhi",
    [SPEC_L1D] = "l1d",
    [SPEC_VERW] = "verw",
    [SPEC_EPT] = "ept",
    [SPEC_CLEAR] = "clear",
    [SPEC_IBPB_ENTRY] = "ibpb-entry",
};

static int word_number_of(struct word w)
{
    for (int i = 0; i < SPEC_WORDS; i++)
        if (word_is(w, spec_names[i]))
            return i;
    return -1;
}

static bool read_one(struct word w, uint16_t *set, const char *prefix, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (w.length <= length || w.text[i] != prefix[i])
            return false;
    int n = word_number_of((struct word){ w.text + length, w.length - length });
    if (n >= 0)
        *set |= (uint16_t)1u << n;
    return n >= 0;
}

bool spec_wish_read(struct word value, struct spec_wish *out)
{
    struct spec_wish wish = { 0 };
    bool off = false;
    struct word w;

    while (word_split(&value, &w)) {
        if (word_is(w, "auto"))
            wish.automatic = true;
        else if (word_is(w, "off"))
            off = true;
        else if (!read_one(w, &wish.with, "", 0) && !read_one(w, &wish.without, "no-", 3))
            return false;
    }
    wish.automatic |= !off && !wish.with;
    *out = wish;
    return true;
}
