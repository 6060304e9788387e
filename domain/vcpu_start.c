/*
 * A vCPU takes the state that it is to begin with. See domain/vcpu_start.h.
 *
 * What can be told from the values alone has been checked by the call. The rest (a page directory
 * pointer that is no good, say) is only seen here, where nobody waits for an answer: the domain
 * ends then, as it would by a fault of a vCPU that has no handlers yet.
 */
#include "domain/vcpu_start.h"
#include "arch/x86/cpu.h"
#include "domain/domain.h"

/* In the order in which a CPU would accept them: long mode's CR3 may be above 4 GiB only when that
 * is on, PAE's entries are read when paging goes on. */
static int set_control(struct virt_vcpu *v, const struct vcpu_start *s)
{
    bool is_long = (s->efer & EFER_LME) && (s->cr0 & CR0_PG);
    int err = virt_set_efer(v, s->efer & ~EFER_LMA);

    if (!err)
        err = virt_set_cr4(v, s->cr4);
    if (!err && !is_long)
        err = virt_set_cr3(v, s->cr3);
    if (!err)
        err = virt_set_cr0(v, s->cr0);
    if (!err && is_long)
        err = virt_set_cr3(v, s->cr3);
    return err;
}

void vcpu_start_take(struct vcpu *v)
{
    static const enum seg segments[] = { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_TR };
    const struct vcpu_start *s = &v->start;

    v->begins = false;
    virt_reset(&v->virt);
    if (set_control(&v->virt, s)) {
        domain_end(v->domain, END_CRASH, "vCPU %u cannot begin as VCPUOP_initialise said", v->id);
        return;
    }
    for (unsigned i = 0; i < sizeof(segments) / sizeof(segments[0]); i++)
        virt_set_segment(&v->virt, segments[i], &s->segment[segments[i]]);
    for (enum gpr n = GPR_RAX; n <= GPR_RDI; n++)
        virt_set_gpr(&v->virt, n, s->gpr[n]);
    virt_set_rip(&v->virt, s->rip);
    virt_set_rflags(&v->virt, s->rflags);
    v->halted = false;
    v->waits_for_startup = false;
}
