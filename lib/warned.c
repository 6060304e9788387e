/*
 * What has been warned of. See lib/warned.h.
 */
#include "lib/warned.h"

bool warned_add(struct warned *w, uint32_t key)
{
    for (unsigned i = 0; i < w->count; i++)
        if (w->key[i] == key)
            return false;
    if (w->count == WARNED_MOST)
        return false;
    w->key[w->count++] = key;
    return true;
}
