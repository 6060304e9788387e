/*
 * Port I/O. See domain/pio.h. Source: SDM volume 2, IN, OUT, INS, OUTS; "Exit Qualification for
 * I/O Instructions".
 */
#include "domain/pio.h"
#include "arch/x86/cpu.h"
#include "domain/domain.h"
#include "domain/gva.h"
#include "domain/operand.h"
#include "domain/vcpu.h"
#include "lib/likely.h"
#include "vmx/fast.h"

/* One exit carries out at most this many repetitions, then the guest runs the rest of the
 * instruction again: so no count of the guest's holds the pCPU up. */
#define STRING_BATCH 256

static void single(struct vcpu *v, const struct vmx_exit *e)
{
    struct machine_hvm *m = &v->domain->machine;
    uint64_t rax = vmx_gpr(&v->vmx, GPR_RAX);
    uint32_t value;

    if (!e->io.in) {
        machine_port_write(m, e->io.port, e->io.size, (uint32_t)rax);
        return;
    }
    value = machine_port_read(m, e->io.port, e->io.size);
    if (likely(e->io.size == 1))
        rax = (rax & ~0xfful) | (uint8_t)value;
    else
        rax = operand_merge(rax, value, e->io.size);
    vmx_set_gpr(&v->vmx, GPR_RAX, rax);
}

/* A device that has something for the vCPU has raised its attention. */
enum exit_answer pio_quick(struct vcpu *v, const struct vmx_exit *e)
{
    struct domain *d = v->domain;

    if (unlikely(e->io.string))
        return EXIT_REST;
    spin_lock(&d->lock);
    single(v, e);
    spin_unlock(&d->lock);
    vmx_skip(&v->vmx);
    return vcpu_wants_look(v) ? EXIT_LOOK : EXIT_DONE;
}

/* May the guest write these bytes? Both ends, since they may lie in two pages. */
static int probe_write(struct vcpu *v, gva_t at, unsigned size, struct gva_fault *fault)
{
    uint32_t access = GVA_WRITE | (vmx_cpl(&v->vmx) == 3 ? GVA_USER : 0);
    gpa_t where;
    int err = gva_translate(v, at, access, &where, fault);

    if (err || (at.v & ~PAGE_MASK) + size <= PAGE_SIZE)
        return err;
    return gva_translate(v, gva((at.v | ~PAGE_MASK) + 1), access, &where, fault);
}

/* One repetition. 0, or what operand_access() answers. */
static int string_step(struct vcpu *v, const struct vmx_exit *e, gva_t at, struct gva_fault *fault)
{
    struct machine_hvm *m = &v->domain->machine;
    uint64_t value = 0;

    if (!e->io.in) {
        int err = operand_access(v, at, &value, e->io.size, false, fault);
        if (!err)
            machine_port_write(m, e->io.port, e->io.size, (uint32_t)value);
        return err;
    }
    int err = probe_write(v, at, e->io.size, fault); /* a fault comes before the device is read */
    if (err)
        return err;
    value = machine_port_read(m, e->io.port, e->io.size);
    return operand_access(v, at, &value, e->io.size, true, fault);
}

void pio_handle(struct vcpu *v, const struct vmx_exit *e)
{
    enum gpr pointer = e->io.in ? GPR_RDI : GPR_RSI;
    enum seg seg = e->io.in ? SEG_ES : e->io.seg;
    unsigned width = e->io.addr_size;
    int64_t step = vmx_rflags(&v->vmx) & RFLAGS_DF ? -(int64_t)e->io.size : e->io.size;
    uint64_t count = e->io.rep ? operand_truncate(vmx_gpr(&v->vmx, GPR_RCX), width) : 1;

    for (unsigned i = 0; i < STRING_BATCH && count && !v->domain->end; i++) {
        uint64_t offset = vmx_gpr(&v->vmx, pointer);
        gva_t at;
        struct gva_fault fault = { 0 };
        if (operand_linear(v, seg, operand_truncate(offset, width), e->io.size, e->io.in, &at))
            return;
        int err = string_step(v, e, at, &fault);
        if (err) {
            operand_fault(v, err, &fault);
            return;
        }
        vmx_set_gpr(&v->vmx, pointer, operand_merge(offset, offset + (uint64_t)step, width));
        count--;
        if (e->io.rep)
            vmx_set_gpr(&v->vmx, GPR_RCX, operand_merge(vmx_gpr(&v->vmx, GPR_RCX), count, width));
    }
    if (!count)
        vmx_skip(&v->vmx);
}
