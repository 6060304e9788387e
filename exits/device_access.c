/*
 * Accesses to devices: IN and OUT are carried out here, all else by emulate/, which says what
 * became of it. See exits/device_access.h.
 */
#include "exits/device_access.h"
#include "domain/domain.h"
#include "emulate/mmio.h"
#include "emulate/string_insn.h"
#include "guestmem/gmem.h"
#include "lib/fmt.h"
#include "lib/likely.h"

/* ---- Ports ---- */

static inline void read_port(struct vcpu *v, const struct virt_io *io)
{
    uint32_t value = machine_port_read(&v->domain->machine, io->port, io->size);

    virt_set_accumulator(&v->virt, value, io->size);
}

static inline void write_port(struct vcpu *v, const struct virt_io *io)
{
    machine_port_write(&v->domain->machine, io->port, io->size,
                       (uint32_t)virt_gpr(&v->virt, GPR_RAX));
}

/* A device that has something for the vCPU has raised its attention. */
enum exit_answer device_access_port(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);

    if (unlikely(e->io.string))
        return EXIT_UNHANDLED;
    spin_lock(&v->domain->lock);
    if (e->io.in)
        read_port(v, &e->io);
    else
        write_port(v, &e->io);
    spin_unlock(&v->domain->lock);
    return vcpu_wants_look(v) ? EXIT_LOOK : EXIT_NEXT;
}

/* ---- What emulate/ could not do ---- */

static void end_at_unknown(struct vcpu *v, gpa_t device)
{
    const struct emulator *e = &v->emulator;
    char text[3 * DECODE_MAX_BYTES + 1] = "";

    for (unsigned i = 0; i < e->unknown_count; i++)
        fmt_sn(text + 3 * i, 4, " %02x", e->unknown[i]);
    domain_end(v->domain, END_KILLED,
               "instruction at 0x%lx on device memory 0x%lx is not one that is emulated:%s",
               virt_rip(&v->virt), device.v, text);
}

/* err: emulate/emulator.h. device: where the access was, of an instruction on memory. */
static void act_on(struct vcpu *v, int err, gpa_t device)
{
    const struct gva_fault *fault = &v->space.fault;

    if (err) /* it has not come to its end: there is nothing to trap after */
        v->emulator.breakpoints.met = 0;
    if (err == -EFAULT)
        vcpu_fault(v, virt_inject_pf(&v->virt, fault->address, fault->error));
    else if (err == -EACCES)
        vcpu_fault(v, virt_inject_with(&v->virt, v->emulator.vector, v->emulator.error));
    else if (err == -ENOMEM)
        domain_end(v->domain, END_KILLED, "no memory left for its RAM");
    else if (err == -EOPNOTSUPP)
        end_at_unknown(v, device);
}

/* ---- String instructions on ports, and memory ---- */

void device_access_string(struct virt_vcpu *virt, const struct virt_exit *e)
{
    struct vcpu *v = vcpu_of(virt);
    struct virt_io io = e->io;
    struct virt_io_string s = virt_io_string(&v->virt, io);
    struct decode insn = { .op = io.in ? DECODE_INS : DECODE_OUTS,
                           .size = (uint8_t)io.size,
                           .addr_size = s.addr_size,
                           .segment = (uint8_t)s.seg,
                           .rep = io.rep };
    int done = string_insn_emulate(&v->emulator, &insn);

    if (done > 0)
        virt_skip(&v->virt);
    else if (!done)
        string_insn_pause(&v->emulator);
    else
        act_on(v, done, gpa(0));
}

/* From a large mapping, perhaps, which becomes small ones. From a device it reads all ones, which
 * is no instruction. */
static void fetched(struct vcpu *v, const struct virt_exit *e)
{
    int err = e->memory.present ? p2m_execute(&v->domain->p2m, gpa_to_gfn(e->memory.gpa)) : -EFAULT;

    if (err == -ENOMEM)
        domain_end(v->domain, END_KILLED, "no memory left for its page tables");
    else if (err)
        vcpu_ud(v);
}

cold void device_access_no_insn(struct vcpu *v, const struct virt_exit *e)
{
    if (e->memory.page_walk) { /* page tables where only ones are read: reserved bits are set */
        uint32_t error = GVA_PRESENT | GVA_RESERVED | (e->memory.write ? GVA_WRITE : 0);
        vcpu_fault(v, virt_inject_pf(&v->virt, e->memory.gva, error));
    } else if (e->memory.fetch) {
        fetched(v, e);
    } else { /* what stands at RIP has nothing to do with it */
        domain_end(v->domain, END_KILLED, "an event is delivered through device memory at 0x%lx",
                   e->memory.gpa.v);
    }
}

void device_access_done(struct vcpu *v, int done, gpa_t device)
{
    if (done > 0) /* it may have written where it only read, for all the exit told */
        v->unit.attention = true;
    else
        act_on(v, done, device);
}

unsigned device_access_fetch(struct virt_vcpu *virt, uint8_t bytes[DECODE_MAX_BYTES])
{
    struct vcpu *v = vcpu_of(virt);

    spin_lock(&v->domain->lock);
    unsigned count = insn_cache_bytes(&v->emulator, bytes);
    spin_unlock(&v->domain->lock);
    return count;
}

int device_access_read(struct virt_vcpu *v, gpa_t from, void *to, size_t n)
{
    return gmem_read(&vcpu_of(v)->domain->p2m, from, to, n);
}
