/*
 * Forgetting cached translations (APM volume 2, "TLB Control", "Address Space Identifier").
 *
 * Each pCPU gives out its ASIDs by itself, one after another. None is given out twice between two
 * flushes of its whole TLB, so whoever has a new one has nothing cached: to forget is to take
 * another. When all are used up the whole TLB is flushed, and they begin anew.
 */
#ifndef CAISSON_SVM_FLUSH_H
#define CAISSON_SVM_FLUSH_H

#include <stdint.h>
#include "arch/x86/percpu.h"
#include "lib/likely.h"
#include "svm/vcpu.h"

#define FLUSH_NO_ASID UINT64_MAX /* no pCPU's generation */

struct flush_asids {
    uint64_t generation; /* of the ASIDs that are good here */
    uint32_t next;       /* the next one to be given out; 0: flush first */
};
extern struct flush_asids flush_asids[MAX_PCPUS]; /* each pCPU its own entry */

/* The entry that was to flush has failed: the next one is to. */
void flush_failed(void);
void flush_renew(struct svm_vcpu *s);

/* Immediately before an entry. */
static inline void flush_prepare(struct svm_vcpu *s)
{
    if (unlikely(s->asid_generation != flush_asids[cpu_id()].generation))
        flush_renew(s);
}

#endif
