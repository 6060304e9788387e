/*
 * INS and OUTS, with their repetitions. See domain/pio.h. Source: SDM volume 2, INS, OUTS, REP.
 */
#include "arch/x86/cpu.h"
#include "domain/batch.h"
#include "domain/domain.h"
#include "domain/gva.h"
#include "domain/operand.h"
#include "domain/pio.h"
#include "domain/vcpu.h"
#include "vmx/fast.h"

#define STRING_BATCH 256 /* repetitions of one exit; then the guest runs the rest of them again */

/* One repetition. 0, or what operand_access() answers. */
static int string_step(struct vcpu *v, struct vmx_io io, gva_t at, struct gva_fault *fault)
{
    struct machine_hvm *m = &v->domain->machine;
    unsigned size = vmx_io_size(io);
    uint64_t value = 0;

    if (!io.in) {
        int err = operand_access(v, at, &value, size, false, fault);
        if (!err)
            machine_port_write(m, io.port, size, (uint32_t)value);
        return err;
    }
    int err = operand_probe_write(v, at, size, fault); /* a fault comes before the device is read */
    if (err)
        return err;
    value = operand_truncate(machine_port_read(m, io.port, size), size);
    return operand_access(v, at, &value, size, true, fault);
}

void pio_handle(struct vcpu *v, const struct vmx_exit *e)
{
    (void)e;
    struct vmx_io io = vmx_io(&v->vmx);
    struct vmx_io_string s = vmx_io_string(&v->vmx, io);
    uint64_t *pointer = &v->vmx.gpr[io.in ? GPR_RDI : GPR_RSI], *rcx = &v->vmx.gpr[GPR_RCX];
    unsigned size = vmx_io_size(io), width = s.addr_size;
    int64_t step = vmx_rflags(&v->vmx) & RFLAGS_DF ? -(int64_t)size : size;
    uint64_t count = io.rep ? operand_truncate(*rcx, width) : 1;
    struct batch b = { .most = STRING_BATCH };

    while (count && !v->domain->end && batch_more(&b)) {
        uint64_t offset = *pointer;
        gva_t at;
        struct gva_fault fault = { 0 };
        if (operand_linear(v, s.seg, operand_truncate(offset, width), size, io.in, &at))
            return;
        int err = string_step(v, io, at, &fault);
        if (err) {
            operand_fault(v, err, &fault);
            return;
        }
        *pointer = operand_merge(offset, offset + (uint64_t)step, width);
        count--;
        if (io.rep)
            *rcx = operand_merge(*rcx, count, width);
    }
    if (!count)
        vmx_skip(&v->vmx);
}
