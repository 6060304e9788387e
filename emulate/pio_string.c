/*
 * INS and OUTS, with their repetitions. See emulate/pio.h. Source: SDM volume 2, INS, OUTS, REP.
 */
#include "arch/x86/cpu.h"
#include "sched/batch.h"
#include "domain/domain.h"
#include "guestmem/gva.h"
#include "emulate/operand.h"
#include "emulate/pio.h"
#include "domain/vcpu.h"
#include "vmx/fast.h"

#define STRING_BATCH 256 /* repetitions of one exit; then the guest runs the rest of them again */

/* One repetition. 0, or what operand_access() answers. */
static int string_step(struct vcpu *v, struct virt_io io, gva_t at)
{
    struct machine *m = &v->domain->machine;
    unsigned size = virt_io_size(io);
    uint64_t value = 0;

    if (!io.in) {
        int err = operand_access(v, at, &value, size, false);
        if (!err)
            machine_port_write(m, io.port, size, (uint32_t)value);
        return err;
    }
    int err = operand_probe_write(v, at, size); /* a fault comes before the device is read */
    if (err)
        return err;
    value = operand_truncate(machine_port_read(m, io.port, size), size);
    return operand_access(v, at, &value, size, true);
}

void pio_handle(struct vcpu *v, const struct virt_exit *e)
{
    (void)e;
    struct virt_io io = virt_io(&v->virt);
    struct virt_io_string s = virt_io_string(&v->virt, io);
    uint64_t *pointer = &v->virt.gpr[io.in ? GPR_RDI : GPR_RSI], *rcx = &v->virt.gpr[GPR_RCX];
    unsigned size = virt_io_size(io), width = s.addr_size;
    int64_t step = virt_rflags(&v->virt) & RFLAGS_DF ? -(int64_t)size : size;
    uint64_t count = io.rep ? operand_truncate(*rcx, width) : 1;
    struct batch b = { .most = STRING_BATCH };

    while (count && !v->domain->end && batch_more(&b)) {
        uint64_t offset = *pointer;
        gva_t at;
        if (operand_linear(v, s.seg, operand_truncate(offset, width), size, io.in, &at))
            return;
        int err = string_step(v, io, at);
        if (err) {
            operand_fault(v, err);
            return;
        }
        *pointer = operand_merge(offset, offset + (uint64_t)step, width);
        count--;
        if (io.rep)
            *rcx = operand_merge(*rcx, count, width);
    }
    if (!count)
        virt_skip(&v->virt);
}
