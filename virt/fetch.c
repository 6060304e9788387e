/*
 * The bytes of a guest's instruction, and others of its memory, from whoever knows it. See
 * virt/virt.h.
 */
#include "lib/assert.h"
#include "virt/virt.h"

static virt_fetch_fn *fetch; /* boot only */
static virt_read_fn *read;   /* the same */

void virt_set_fetch(virt_fetch_fn *fn)
{
    fetch = fn;
}

unsigned virt_fetch(struct virt_vcpu *v, uint8_t bytes[15])
{
    ASSERT(fetch);
    return fetch(v, bytes);
}

void virt_set_read(virt_read_fn *fn)
{
    read = fn;
}

int virt_read(struct virt_vcpu *v, gpa_t from, void *to, size_t n)
{
    ASSERT(read);
    return read(v, from, to, n);
}
