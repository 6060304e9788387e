/*
 * A vCPU's first state, put in. See virt/start.h.
 */
#include "virt/start.h"
#include "arch/x86/cpu.h"

/* In the order in which a CPU would accept them: long mode's CR3 may be above 4 GiB only when that
 * is on, PAE's entries are read when paging goes on. */
static int set_control(struct virt_vcpu *v, const struct virt_start *s)
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

int virt_start_put(struct virt_vcpu *v, const struct virt_start *s)
{
    static const enum seg segments[] = { SEG_ES, SEG_CS, SEG_SS, SEG_DS };
    int err = set_control(v, s);

    if (err)
        return err;
    for (unsigned i = 0; i < sizeof(segments) / sizeof(segments[0]); i++)
        virt_set_segment(v, segments[i], &s->segment[segments[i]]);
    for (enum gpr n = GPR_RAX; n <= GPR_RDI; n++)
        virt_set_gpr(v, n, s->gpr[n]);
    virt_set_rip(v, s->rip);
    virt_set_rflags(v, s->rflags);
    return 0;
}
