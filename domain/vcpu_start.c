/*
 * A vCPU takes the state that it is to begin with. See domain/vcpu.h.
 *
 * What can be told from the values alone has been checked by the call. The rest (a page directory
 * pointer that is no good, say) is only seen here, where nobody waits for an answer: the domain
 * ends then, as it would by a fault of a vCPU that has no handlers yet.
 */
#include "arch/x86/cpu.h"
#include "domain/domain.h"
#include "lib/assert.h"
#include "loader/image.h"

void vcpu_start_take(struct vcpu *v)
{
    v->begins = false;
    virt_reset(&v->virt);
    if (virt_start_put(&v->virt, &v->start)) {
        domain_end(v->domain, END_CRASH, "vCPU %u cannot begin as VCPUOP_initialise said", v->id);
        return;
    }
    virt_set_segment(&v->virt, SEG_TR, &v->start.segment[SEG_TR]);
    v->halted = false;
    v->waits_for_startup = false;
}

void vcpu_set_start(struct vcpu *v, const struct image_start *start)
{
    bool is_long = start->mode == START_LONG, is_real = start->mode == START_REAL16;
    struct virt_start *s = &v->start;
    int err;

    if (start->mode == START_RESET)
        return; /* as it was made */
    *s = (struct virt_start){ .gpr = { [GPR_RAX] = start->rax,
                                       [GPR_RBX] = start->rbx,
                                       [GPR_RSP] = start->rsp,
                                       [GPR_RSI] = start->rsi },
                              .rip = start->rip,
                              .rflags = RFLAGS_FIXED,
                              .cr0 = CR0_ET | (is_real ? 0 : CR0_PE) | (is_long ? CR0_PG : 0),
                              .cr3 = start->page_root.v,
                              .cr4 = is_long ? CR4_PAE : 0,
                              .efer = is_long ? EFER_LME : 0 };
    if (is_real)
        virt_start_real(s, start->cs, start->ds);
    else
        virt_start_flat(s, is_long, start->cs, start->ds);
    sched_clear_pcpu();
    vcpu_load(v);
    err = virt_start_put(&v->virt, s);
    ASSERT(!err);
    virt_set_segment(&v->virt, SEG_FS, &s->segment[SEG_DS]);
    virt_set_segment(&v->virt, SEG_GS, &s->segment[SEG_DS]);
    virt_set_gdt(&v->virt, start->gdt_base.v, start->gdt_limit);
    vcpu_leave(&v->unit);
}
