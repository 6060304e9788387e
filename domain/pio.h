/*
 * Port I/O instructions that left the guest: IN and OUT, INS and OUTS with their repetitions.
 */
#ifndef CAISSON_DOMAIN_PIO_H
#define CAISSON_DOMAIN_PIO_H

struct vcpu;
struct vmx_exit;

/* Carries the instruction out and steps over it, or gives the guest the fault that it is owed. */
void pio_handle(struct vcpu *v, const struct vmx_exit *e);

#endif
