/*
 * A guest's instruction has reached a device: a port, device memory, or nothing at all.
 */
#ifndef CAISSON_EXITS_DEVICE_ACCESS_H
#define CAISSON_EXITS_DEVICE_ACCESS_H

#include "domain/vcpu.h"
#include "emulate/mmio.h"
#include "lib/likely.h"

/* IN and OUT, a quick action: EXIT_UNHANDLED if it is a string instruction. */
enum exit_answer device_access_port(struct virt_vcpu *v, const struct virt_exit *e);
/* INS and OUTS: carried out and stepped over, or the guest gets the fault that it is owed, or the
 * domain its end. The domain's lock is held, here and below. */
void device_access_string(struct virt_vcpu *v, const struct virt_exit *e);

/* For virt_set_fetch(); takes the domain's lock. */
unsigned device_access_fetch(struct virt_vcpu *v, uint8_t bytes[DECODE_MAX_BYTES]);
/* For virt_set_read(): RAM, and no device's registers. With the domain's lock or without. */
int device_access_read(struct virt_vcpu *v, gpa_t from, void *to, size_t n);

/* For device_access_memory(): an access that no instruction's operand made; and what is to be done
 * after mmio_emulate() unless it answered 0. */
void device_access_no_insn(struct vcpu *v, const struct virt_exit *e);
void device_access_done(struct vcpu *v, int done, gpa_t device);

/* The same for the access to memory that e->memory tells of. In line: most are plain moves. */
static inline void device_access_memory(struct vcpu *v, const struct virt_exit *e)
{
    if (unlikely(e->memory.page_walk || e->memory.fetch || e->memory.delivery)) {
        device_access_no_insn(v, e);
        return;
    }
    int done = mmio_emulate(&v->emulator, e->memory.gpa);
    if (unlikely(done))
        device_access_done(v, done, e->memory.gpa);
}

#endif
