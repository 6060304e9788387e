/*
 * Accesses to guest-physical addresses behind which there is no RAM: device registers or nothing.
 */
#ifndef CAISSON_EMULATE_MMIO_H
#define CAISSON_EMULATE_MMIO_H

struct vcpu;
struct virt_exit;

/* Carries out the instruction that made the access (e->memory) and steps over it; or gives the
 * guest its fault; or, if the decoder does not know the instruction, ends the domain and says so.
 */
void mmio_handle(struct vcpu *v, const struct virt_exit *e);

#endif
