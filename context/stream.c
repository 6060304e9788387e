/*
 * The bytes of a saved state, into a caller's buffer and out of it. See context/stream.h.
 */
#include "context/stream.h"

int stream_put(struct stream *s, const void *what, uint32_t n)
{
    uint32_t done = s->done;

    s->done += n;
    if (!s->at)
        return 0;
    if (s->done > s->size)
        return -ENOSPC;
    return gva_copy_out(&s->v->space, s->at + done, what, n) ? -EFAULT : 0;
}

int stream_put_type(struct stream *s, uint16_t type, unsigned i, uint32_t n)
{
    struct hvm_save_descriptor d = { .typecode = type, .instance = (uint16_t)i, .length = n };

    return stream_put(s, &d, sizeof(d));
}

int stream_put_record(struct stream *s, uint16_t type, const struct vcpu *of, const void *what,
                      uint32_t n)
{
    int err = stream_put_type(s, type, of->id, n);

    return err ? err : stream_put(s, what, n);
}

int stream_skip(struct stream *s, uint32_t n)
{
    if (s->done > s->size || n > s->size - s->done)
        return -ENODATA;
    s->done += n;
    return 0;
}

int stream_get(struct stream *s, void *what, uint32_t n)
{
    uint64_t from = s->at + s->done;
    int err = stream_skip(s, n);

    if (err)
        return err;
    return gva_copy_in(&s->v->space, what, from, n) ? -EFAULT : 0;
}

int stream_get_record(struct stream *s, const struct hvm_save_descriptor *r, void *what, uint32_t n)
{
    return r->length == n ? stream_get(s, what, n) : -EINVAL;
}
