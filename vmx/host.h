/*
 * The host-state area of the VMCS: what a VM exit loads.
 */
#ifndef CAISSON_VMX_HOST_H
#define CAISSON_VMX_HOST_H

/* Fills the host-state area of the current VMCS for the calling pCPU. */
void host_state_write(void);

#endif
