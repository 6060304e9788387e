/*
 * The records of a domain's saved state: what context.c's files share. Not for other rooms.
 *
 * Both domains' locks are held, and v is on no pCPU. Each answers 0 or a negative errno. A record
 * that is taken in part leaves a domain that has not begun, and can be destroyed.
 */
#ifndef CAISSON_CONTROL_CONTEXT_H
#define CAISSON_CONTROL_CONTEXT_H

#include "domain/domain.h"
#include "include/public/hvm/save.h"

/* Of what is written down of a vCPU (domain/state.c). */
static inline uint64_t *context_gpr(struct vcpu *v, enum gpr n)
{
    return n < GPR_R8 ? &v->start.gpr[n] : &v->rest.gpr[n - GPR_R8];
}

/* Where records go to, or come from. */
struct stream {
    struct vcpu *v; /* the caller */
    uint64_t at;    /* 0: they are only counted */
    uint32_t size, done;
};

int must_check stream_put(struct stream *s, const void *what, uint32_t n);
int must_check stream_get(struct stream *s, void *what, uint32_t n);
/* A record's descriptor; and all of one that is n bytes long. */
int must_check stream_put_type(struct stream *s, uint16_t type, unsigned i, uint32_t n);
int must_check stream_put_record(struct stream *s, uint16_t type, const struct vcpu *of,
                                 const void *what, uint32_t n);
/* The body of the record that r describes, which must be n bytes long; else -EINVAL. */
int must_check stream_get_record(struct stream *s, const struct hvm_save_descriptor *r, void *what,
                                 uint32_t n);

/* One for each type of record: put writes those that v has, take reads one. */
int must_check context_put_cpu(struct stream *s, struct vcpu *v);
int must_check context_put_lapic(struct stream *s, struct vcpu *v);
int must_check context_put_lapic_regs(struct stream *s, struct vcpu *v);
int must_check context_put_mtrr(struct stream *s, struct vcpu *v);
int must_check context_put_xsave(struct stream *s, struct vcpu *v);
int must_check context_put_tsc_adjust(struct stream *s, struct vcpu *v);
int must_check context_put_msr(struct stream *s, struct vcpu *v);
int must_check context_take_cpu(struct stream *s, const struct hvm_save_descriptor *r,
                                struct vcpu *v);
int must_check context_take_lapic(struct stream *s, const struct hvm_save_descriptor *r,
                                  struct vcpu *v);
int must_check context_take_lapic_regs(struct stream *s, const struct hvm_save_descriptor *r,
                                       struct vcpu *v);
int must_check context_take_mtrr(struct stream *s, const struct hvm_save_descriptor *r,
                                 struct vcpu *v);
int must_check context_take_xsave(struct stream *s, const struct hvm_save_descriptor *r,
                                  struct vcpu *v);
int must_check context_take_tsc_adjust(struct stream *s, const struct hvm_save_descriptor *r,
                                       struct vcpu *v);
int must_check context_take_msr(struct stream *s, const struct hvm_save_descriptor *r,
                                struct vcpu *v);

#endif
