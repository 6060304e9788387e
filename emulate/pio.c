/*
 * IN and OUT. See emulate/pio.h. Source: SDM volume 2, IN and OUT.
 */
#include "emulate/pio.h"
#include "domain/domain.h"
#include "domain/vcpu.h"
#include "lib/likely.h"
#include "vmx/fast.h"

static inline void read_port(struct vcpu *v, struct virt_io io)
{
    uint32_t value = machine_port_read(&v->domain->machine, io.port, virt_io_size(io));

    virt_set_accumulator(&v->virt, value, virt_io_size(io));
}

static inline void write_port(struct vcpu *v, struct virt_io io)
{
    machine_port_write(&v->domain->machine, io.port, virt_io_size(io),
                       (uint32_t)virt_gpr(&v->virt, GPR_RAX));
}

/* A device that has something for the vCPU has raised its attention. */
enum exit_answer pio_quick(struct vcpu *v, const struct virt_exit *e)
{
    struct virt_io io = virt_io(&v->virt);

    (void)e;
    if (unlikely(io.string))
        return EXIT_UNHANDLED;
    spin_lock(&v->domain->lock);
    if (io.in)
        read_port(v, io);
    else
        write_port(v, io);
    spin_unlock(&v->domain->lock);
    virt_skip(&v->virt);
    return vcpu_wants_look(v) ? EXIT_LOOK : EXIT_DONE;
}
