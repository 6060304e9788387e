/*
 * How a vCPU comes into being, and goes. See create/create_vcpu.h; its life is domain/'s.
 */
#include "create/create_vcpu.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "domain/domain.h"
#include "domain/lapic.h"
#include "domain/msr.h"
#include "exits/exit.h"
#include "exits/run.h"
#include "lib/assert.h"
#include "loader/image.h"
#include "cpu/cpu_model.h"
#include "machine/pc.h"
#include "mm/heap.h"

#define VCPU_ORDER 1 /* pages for a struct vcpu, as a power of two */
_Static_assert(sizeof(struct vcpu) <= PAGE_SIZE << VCPU_ORDER, "a vCPU takes two pages");

/* A pvh guest needs no page of registers, and no decoder: its local APIC is in x2APIC mode from the
 * first instruction. */
static void set_x2apic(struct vlapic *l)
{
    uint64_t base = l->base | APICBASE_X2APIC;

    if (vlapic_msr_write(l, MSR_IA32_APICBASE, base, 0))
        panic("a local APIC refuses x2APIC mode");
}

/* The library's vCPU, with the page of its local APIC. */
static int create_virt(struct vcpu *v)
{
    struct domain *d = v->domain;

    v->lapic_page = heap_pages(0, d->xen.id);
    if (!v->lapic_page)
        return -ENOMEM;
    struct virt_vcpu_config config = {
        .slat = &d->p2m.slat,
        .io_bitmap = d->io_bitmap,
        .owner_id = d->xen.id,
        .xcr0_mask = cpu_model_xcr0_mask(),
        .cr4_mask = cpu_model_cr4_mask(),
        .apic_page = heap_to_maddr(v->lapic_page),
        .posted = heap_to_maddr(&v->lapic_page->posted),
        .apic_access = d->lapic_access ? heap_to_maddr(d->lapic_access) : maddr(0),
        .apic_base = gpa(VLAPIC_DEFAULT_BASE),
        .apic_ids = d->config->vcpus << d->apic_id_shift,
    };
    int err = virt_vcpu_create(&v->virt, &config);
    if (err)
        heap_free_pages(v->lapic_page, 0, d->xen.id);
    return err;
}

int vcpu_create(struct domain *d)
{
    unsigned id = d->xen.vcpu_count;
    struct vcpu *v = heap_pages(VCPU_ORDER, d->xen.id);
    if (!v)
        return -ENOMEM;
    v->domain = d;
    v->id = id;
    v->startup_page = -1;
    v->waits_for_startup = id != 0;
    int err = create_virt(v);
    if (err) {
        heap_free_pages(v, VCPU_ORDER, d->xen.id);
        return err;
    }
    v->space.virt = &v->virt; /* all else is zeroed, and there is much of it */
    v->space.p2m = &d->p2m;
    v->emulator.virt = &v->virt;
    v->emulator.space = &v->space;
    v->emulator.machine = &d->machine;
    v->emulator.lapic = &v->lapic;
    v->exit_actions = exit_actions;
    vcpu_init_lapic(v);
    if (d->type == DOMAIN_PVH)
        set_x2apic(&v->lapic);
    else if (id == 0)
        pc_set_virtual_wire(&v->lapic);
    msr_reset(v);
    v->rest.msr[STATE_PAT] = PAT_AFTER_RESET;
    d->vcpus[id] = v;
    pv_vcpu_init(&v->xen, &d->xen, &v->unit);
    timer_init_wake(&v->wake, &v->unit);
    sched_unit_init(&v->unit, d->account, d->config->share.cpus, vcpu_run, vcpu_leave);
    v->unit.attention = v->out = true;
    return 0;
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

void vcpu_destroy(struct vcpu *v)
{
    ASSERT(v->unit.going && !v->unit.loaded); /* the caller has seen to it */
    timer_cancel_sync(&v->wake);
    virt_vcpu_destroy(&v->virt);
    heap_free_pages(v->lapic_page, 0, v->domain->xen.id);
    heap_free_pages(v, VCPU_ORDER, v->domain->xen.id);
}
