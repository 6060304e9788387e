/*
 * IN and OUT. See domain/pio.h. Source: SDM volume 2, IN and OUT.
 */
#include "domain/pio.h"
#include "domain/domain.h"
#include "domain/vcpu.h"
#include "lib/likely.h"
#include "vmx/fast.h"

static inline void read_port(struct vcpu *v, struct vmx_io io)
{
    uint32_t value = machine_port_read(&v->domain->machine, io.port, vmx_io_size(io));

    vmx_set_accumulator(&v->vmx, value, vmx_io_size(io));
}

static inline void write_port(struct vcpu *v, struct vmx_io io)
{
    machine_port_write(&v->domain->machine, io.port, vmx_io_size(io),
                       (uint32_t)vmx_gpr(&v->vmx, GPR_RAX));
}

/* A device that has something for the vCPU has raised its attention. */
enum exit_answer pio_quick(struct vcpu *v, const struct vmx_exit *e)
{
    struct vmx_io io = vmx_io(&v->vmx);

    (void)e;
    if (unlikely(io.string))
        return EXIT_REST;
    spin_lock(&v->domain->lock);
    if (io.in)
        read_port(v, io);
    else
        write_port(v, io);
    spin_unlock(&v->domain->lock);
    vmx_skip(&v->vmx);
    return vcpu_wants_look(v) ? EXIT_LOOK : EXIT_DONE;
}
