/*
 * A vCPU's life: started, woken, reset. See domain/vcpu.h; its loop is in run.c, how it comes and
 * goes in create/create_vcpu.c.
 */
#include "domain/vcpu.h"
#include "arch/x86/cpu.h"
#include "cpu/cpu_model.h"
#include "machine/pc.h"
#include "domain/domain.h"
#include "domain/lapic.h"
#include "domain/msr.h"
#include "lib/assert.h"
#include "lib/likely.h"
#include "mm/heap.h"

/* Its state goes into this pCPU's registers and stays there until the scheduler calls leave(). */
void vcpu_load(struct vcpu *v)
{
    if (v->virt.loaded)
        return;
    virt_load(&v->virt);
    virt_set_tsc_offset(&v->virt, v->xen.tsc_offset);
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
    v->halted = v->deaf = false;
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

    for (unsigned i = 1; i < d->xen.vcpu_count; i++)
        if (sched_yield_to(&d->vcpus[(v->id + i) % d->xen.vcpu_count]->unit)) {
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

/* ---- What its local APIC asks of it ---- */

static void eoi_broadcast(void *ctx, uint8_t vector)
{
    struct domain *d = ctx;

    vioapic_eoi(&d->machine.ioapic, vector);
}

static void timer_moved(struct vlapic *l, uint64_t due)
{
    struct vcpu *v = container_of(l, struct vcpu, lapic);

    if (due == v->lapic_due.ns)
        return;
    moment_set(&v->lapic_due, v->domain->xen.tsc_zero, due);
    if (v->lapic_due.tsc != TIME_NEVER)
        lapic_set_due(v, due, v->lapic_due.tsc);
}

cold void vcpu_init_lapic(struct vcpu *v)
{
    v->lapic_bus = (struct vlapic_bus){ .ctx = v->domain,
                                        .send_ipi = lapic_message,
                                        .eoi = eoi_broadcast,
                                        .timer_moved = timer_moved,
                                        .address_bits = cpu_model_address_bits() };
    moment_init(&v->lapic_due);
    vlapic_init(&v->lapic, v->id << v->domain->apic_id_shift, cpu_model_crystal_hz(), &v->lapic_bus,
                v->lapic_page);
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
