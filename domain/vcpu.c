/*
 * A vCPU's life: made, started, woken, reset, unmade. See domain/vcpu.h; its loop is in run.c.
 */
#include "domain/vcpu.h"
#include "arch/x86/cpu.h"
#include "machine/cpu_model.h"
#include "machine/pc.h"
#include "domain/domain.h"
#include "domain/lapic.h"
#include "domain/msr.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "mm/heap.h"

#define VCPU_ORDER 1 /* pages for a struct vcpu, as a power of two */
_Static_assert(sizeof(struct vcpu) <= PAGE_SIZE << VCPU_ORDER, "a vCPU takes two pages");

/* Its state goes into the registers of this pCPU and stays there until the scheduler calls leave().
 */
void vcpu_load(struct vcpu *v)
{
    if (v->virt.loaded)
        return;
    virt_load(&v->virt);
    virt_set_tsc_offset(&v->virt, v->tsc_offset);
}

void vcpu_leave(struct sched_unit *u)
{
    struct vcpu *v = container_of(u, struct vcpu, unit);

    if (v->virt.loaded)
        virt_unload(&v->virt);
}

/* ---- INIT and STARTUP ---- */

void vcpu_init_signal(struct vcpu *v)
{
    v->init_pending = true;
    v->startup_page = -1;
}

void vcpu_startup_signal(struct vcpu *v, uint8_t page)
{
    if (v->init_pending || v->waits_for_startup)
        v->startup_page = page;
}

/* The first vCPU starts at the reset vector then, where this machine has no firmware: it will fault
 * and end the domain, as a machine without a BIOS would hang. */
cold void vcpu_take_init(struct vcpu *v)
{
    v->init_pending = false;
    virt_reset(&v->virt);
    vlapic_init_signal(&v->lapic);
    v->halted = false;
    v->initialised = v->begins = false;
    v->waits_for_startup = v->id != 0;
}

/* Real mode, at the start of the page that the STARTUP names. */
cold void vcpu_take_startup(struct vcpu *v)
{
    struct segment cs;

    virt_segment(&v->virt, SEG_CS, &cs);
    cs.selector = (uint16_t)(v->startup_page << 8);
    cs.base = (uint64_t)v->startup_page << PAGE_SHIFT;
    virt_set_segment(&v->virt, SEG_CS, &cs);
    virt_set_rip(&v->virt, 0);
    v->waits_for_startup = false;
    v->down = false;
    v->startup_page = -1;
}

/* ---- Waking it ---- */

void vcpu_request_dump(struct vcpu *v, enum vcpu_dump what)
{
    v->dumped = 0;
    v->dump = what;
    vcpu_kick(v);
}

void vcpu_spins(struct vcpu *v)
{
    struct domain *d = v->domain;

    for (unsigned i = 1; i < d->vcpu_count; i++)
        if (sched_yield_to(&d->vcpus[(v->id + i) % d->vcpu_count]->unit)) {
            v->virt.deadline = 0;
            return;
        }
    vcpu_give_way(v);
}

void vcpu_give_way(struct vcpu *v)
{
    sched_unit_yield(&v->unit);
    v->virt.deadline = 0;
}

static void eoi_broadcast(void *ctx, uint8_t vector)
{
    struct domain *d = ctx;

    vioapic_eoi(&d->machine.ioapic, vector);
}

static void timer_moved(struct vlapic *l, uint64_t due)
{
    struct vcpu *v = container_of(l, struct vcpu, lapic);

    moment_set(&v->lapic_due, v->domain->xen.tsc_zero, due);
}

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

    v->lapic_page = heap_pages(0, d->id);
    if (!v->lapic_page)
        return -ENOMEM;
    struct virt_vcpu_config config = {
        .slat = &d->p2m.slat,
        .io_bitmap = d->io_bitmap,
        .owner_id = d->id,
        .xcr0_mask = cpu_model_xcr0_mask(),
        .cr4_mask = cpu_model_cr4_mask(),
        .apic_page = heap_to_maddr(v->lapic_page),
        .posted = heap_to_maddr(&v->lapic_page->posted),
        .apic_access = d->lapic_access ? heap_to_maddr(d->lapic_access) : maddr(0),
        .apic_base = gpa(VLAPIC_DEFAULT_BASE),
    };
    int err = virt_vcpu_create(&v->virt, &config);
    if (err)
        heap_free_pages(v->lapic_page, 0, d->id);
    return err;
}

int vcpu_create(struct domain *d, unsigned id, struct vcpu **out)
{
    struct vcpu *v = heap_pages(VCPU_ORDER, d->id);
    if (!v)
        return -ENOMEM;
    v->domain = d;
    v->id = id;
    v->startup_page = -1;
    v->waits_for_startup = id != 0;
    int err = create_virt(v);
    if (err) {
        heap_free_pages(v, VCPU_ORDER, d->id);
        return err;
    }
    v->space = (struct gva_space){ .virt = &v->virt, .p2m = &d->p2m };
    v->emulator = (struct emulator){
        .virt = &v->virt, .space = &v->space, .machine = &d->machine, .lapic = &v->lapic
    };
    v->exit_actions = exit_actions;
    v->lapic_bus = (struct vlapic_bus){ .ctx = d,
                                        .send_ipi = lapic_message,
                                        .eoi = eoi_broadcast,
                                        .timer_moved = timer_moved,
                                        .address_bits = cpu_model_address_bits() };
    moment_init(&v->lapic_due);
    vlapic_init(&v->lapic, id << d->apic_id_shift, cpu_model_crystal_hz(), &v->lapic_bus,
                v->lapic_page);
    if (d->type == DOMAIN_PVH)
        set_x2apic(&v->lapic);
    else if (id == 0)
        pc_set_virtual_wire(&v->lapic);
    v->tsc_offset = -d->xen.tsc_zero;
    msr_reset(v);
    pv_vcpu_init(&v->xen, &d->xen, &v->unit, v->tsc_offset);
    timer_init_wake(&v->wake, &v->unit);
    sched_unit_init(&v->unit, d->account, d->config->share.cpus, vcpu_run, vcpu_leave);
    v->unit.attention = true;
    *out = v;
    return 0;
}

bool vcpu_retire(struct vcpu *v)
{
    return sched_unit_remove(&v->unit) == 0;
}

cold void vcpu_destroy(struct vcpu *v)
{
    bool retired = vcpu_retire(v);

    ASSERT(retired); /* it never ran, or the caller has seen to it */
    timer_cancel_sync(&v->wake);
    virt_vcpu_destroy(&v->virt);
    heap_free_pages(v->lapic_page, 0, v->domain->id);
    heap_free_pages(v, VCPU_ORDER, v->domain->id);
}

void vcpu_fault(struct vcpu *v, bool delivered)
{
    if (!delivered)
        domain_end(v->domain, END_TRIPLE_FAULT, "vCPU %u", v->id);
}

void vcpu_gp(struct vcpu *v)
{
    vcpu_fault(v, virt_inject_exception(&v->virt, VECTOR_GP));
}

void vcpu_ud(struct vcpu *v)
{
    vcpu_fault(v, virt_inject_exception(&v->virt, VECTOR_UD));
}
