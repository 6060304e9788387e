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
#include "lib/assert.h"
#include "loader/image.h"

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

static int put(struct virt_vcpu *v, const struct vcpu_start *s)
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

void vcpu_start_take(struct vcpu *v)
{
    v->begins = false;
    virt_reset(&v->virt);
    if (put(&v->virt, &v->start)) {
        domain_end(v->domain, END_CRASH, "vCPU %u cannot begin as VCPUOP_initialise said", v->id);
        return;
    }
    virt_set_segment(&v->virt, SEG_TR, &v->start.segment[SEG_TR]);
    v->halted = false;
    v->waits_for_startup = false;
}

void vcpu_set_start(struct vcpu *v, const struct image_start *start)
{
    bool is_long = start->mode == START_LONG;
    struct vcpu_start *s = &v->start;
    int err;

    *s = (struct vcpu_start){ .gpr = { [GPR_RAX] = start->rax,
                                       [GPR_RBX] = start->rbx,
                                       [GPR_RSP] = start->rsp,
                                       [GPR_RSI] = start->rsi },
                              .rip = start->rip,
                              .rflags = RFLAGS_FIXED,
                              .cr0 = CR0_PE | CR0_ET | (is_long ? CR0_PG : 0),
                              .cr3 = start->page_root.v,
                              .cr4 = is_long ? CR4_PAE : 0,
                              .efer = is_long ? EFER_LME : 0 };
    vcpu_start_flat(s, is_long, start->cs, start->ds);
    sched_clear_pcpu();
    vcpu_load(v);
    err = put(&v->virt, s);
    ASSERT(!err);
    virt_set_segment(&v->virt, SEG_FS, &s->segment[SEG_DS]);
    virt_set_segment(&v->virt, SEG_GS, &s->segment[SEG_DS]);
    virt_set_gdt(&v->virt, start->gdt_base.v, start->gdt_limit);
    vcpu_leave(&v->unit);
}
