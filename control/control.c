/*
 * How each call of the control domain is decoded, and the form in which masks of pCPUs come and go.
 * See control/control.h.
 */
#include "control/control.h"
#include "lib/string.h"
#include "xen/pair.h"

#define BYTES_MOST 64 /* of a bitmap that are filled */

/* What the structures of all three calls begin with. */
struct head {
    uint32_t cmd;
    uint32_t interface_version;
};

int control_decode(struct vcpu *v, uint64_t at, void *op, size_t size, uint32_t version)
{
    const struct head *head = op;
    int err = pair_may_rule(&v->domain->xen);

    if (err)
        return err;
    if (gva_copy_in(&v->space, op, at, size))
        return -EFAULT;
    return head->interface_version == version ? 0 : -EACCES;
}

void control_handle(const struct domain *d, uint8_t out[XENVER_HANDLE_LEN])
{
    memset(out, 0, XENVER_HANDLE_LEN);
    if (d->bare)
        memcpy(out, d->config->uuid, XENVER_HANDLE_LEN);
    else if (!d->xen.control)
        memcpy(out, d->name, XENVER_HANDLE_LEN);
}

static uint64_t bits_below(uint32_t n)
{
    return n < 64 ? (1ul << n) - 1 : UINT64_MAX;
}

static size_t bytes_of(const struct xen_ctl_bitmap *b, size_t most)
{
    size_t n = (b->nr_bits + 7ul) / 8;

    return n < most ? n : most;
}

int control_read_mask(struct vcpu *v, const struct xen_ctl_bitmap *from, uint64_t *out)
{
    *out = 0;
    if (gva_copy_in(&v->space, out, from->bitmap, bytes_of(from, sizeof(*out))))
        return -EFAULT;
    *out &= bits_below(from->nr_bits);
    return 0;
}

int control_write_mask(struct vcpu *v, const struct xen_ctl_bitmap *to, uint64_t mask)
{
    uint64_t words[BYTES_MOST / 8] = { mask & bits_below(to->nr_bits) };

    return gva_copy_out(&v->space, to->bitmap, words, bytes_of(to, sizeof(words)));
}
