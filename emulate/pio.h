/*
 * Port I/O instructions that left the guest: IN and OUT, INS and OUTS with their repetitions.
 */
#ifndef CAISSON_EMULATE_PIO_H
#define CAISSON_EMULATE_PIO_H

#include "domain/vcpu.h"

/* For exit_quick[]: what is no string instruction. */
enum exit_answer pio_quick(struct vcpu *v, const struct virt_exit *e);
/* The string instructions: carried out and stepped over, or the guest gets the fault it is owed. */
void pio_handle(struct vcpu *v, const struct virt_exit *e);

#endif
