/*
 * A guest's instruction has reached a device: a port, device memory, or nothing at all.
 */
#ifndef CAISSON_DOMAIN_DEVICE_ACCESS_H
#define CAISSON_DOMAIN_DEVICE_ACCESS_H

#include "domain/vcpu.h"

/* IN and OUT, for exit_quick[]: EXIT_UNHANDLED if it is a string instruction. */
enum exit_answer device_access_port(struct vcpu *v, const struct virt_exit *e);
/* INS and OUTS, and the access to memory that e->memory tells of: the instruction is carried out
 * and stepped over, or the guest gets the fault that it is owed, or the domain its end. The
 * domain's lock is held. */
void device_access_string(struct vcpu *v, const struct virt_exit *e);
void device_access_memory(struct vcpu *v, const struct virt_exit *e);

#endif
