/*
 * A domain's saved state as bytes: records, each behind a descriptor (include/public/hvm/save.h),
 * in memory of the control domain's, which may hold anything and change at any moment.
 *
 * Each answers 0 or a negative errno: -EFAULT, -ENOSPC, -ENODATA, -EINVAL.
 */
#ifndef CAISSON_CONTEXT_STREAM_H
#define CAISSON_CONTEXT_STREAM_H

#include "domain/vcpu.h"
#include "include/public/hvm/save.h"
#include "lib/likely.h"

/* Where records go to, or come from. */
struct stream {
    struct vcpu *v; /* the caller */
    uint64_t at;    /* 0: they are only counted */
    uint32_t size, done;
};

int must_check stream_put(struct stream *s, const void *what, uint32_t n);
int must_check stream_get(struct stream *s, void *what, uint32_t n);
/* n bytes are passed over. */
int must_check stream_skip(struct stream *s, uint32_t n);
/* A record's descriptor; and all of one that is n bytes long. */
int must_check stream_put_type(struct stream *s, uint16_t type, unsigned i, uint32_t n);
int must_check stream_put_record(struct stream *s, uint16_t type, const struct vcpu *of,
                                 const void *what, uint32_t n);
/* The body of the record that r describes, which must be n bytes long; else -EINVAL. */
int must_check stream_get_record(struct stream *s, const struct hvm_save_descriptor *r, void *what,
                                 uint32_t n);

#endif
