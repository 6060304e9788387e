/*
 * The bytes of a guest's instruction, from whoever knows its memory. See virt/virt.h.
 */
#include "lib/assert.h"
#include "virt/virt.h"

static virt_fetch_fn *fetch; /* boot only */

void virt_set_fetch(virt_fetch_fn *fn)
{
    fetch = fn;
}

unsigned virt_fetch(struct virt_vcpu *v, uint8_t bytes[15])
{
    ASSERT(fetch);
    return fetch(v, bytes);
}
