/*
 * Forgetting cached translations. See svm/flush.h.
 */
#include "svm/flush.h"

#include "svm/caps.h"
#include "virt/cr.h"
#include "virt/slat.h"

struct flush_asids flush_asids[MAX_PCPUS];

void flush_renew(struct svm_vcpu *s)
{
    struct flush_asids *here = &flush_asids[cpu_id()];

    if (here->next == 0 || here->next >= svm_caps.asids) {
        here->next = 1;
        here->generation++;
        s->vmcb->tlb_control = TLB_FLUSH_ALL;
    }
    s->vmcb->asid = here->next++;
    s->asid_generation = here->generation;
    vmcb_dirty(s->vmcb, CLEAN_ASID);
}

/* A CPU that can flush one ASID keeps it. (One that is no longer good is renewed anyway.) */
void virt_flush_vcpu(struct virt_vcpu *v)
{
    struct svm_vcpu *s = svm_of(v);

    if (svm_has(FEATURE_FLUSH_ASID))
        s->vmcb->tlb_control = TLB_FLUSH_ASID;
    else
        s->asid_generation = FLUSH_NO_ASID;
}

void flush_failed(void)
{
    flush_asids[cpu_id()].next = 0;
}

/* Nested translations are cached with the ASID of the vCPU that used them, and nobody keeps which
 * of this pCPU's ASIDs are those of one domain: all vCPUs take new ones. */
void virt_flush_slat(const struct slat *ept)
{
    (void)ept;
    flush_asids[cpu_id()].generation++;
}
