/*
 * Exit reasons, as numbers and as the typed exits that vmx.h promises.
 */
#ifndef CAISSON_VMX_EXIT_H
#define CAISSON_VMX_EXIT_H

#include <stdint.h>

struct vmx_exit;

/* SDM, appendix "VMX Basic Exit Reasons": those that are named in code. */
#define REASON_EXCEPTION     0
#define REASON_EXTINT        1
#define REASON_IRQ_WINDOW    7
#define REASON_NMI_WINDOW    8
#define REASON_EPT_VIOLATION 48
#define REASON_TIMER         52
#define REASON_ENTRY_FAILED  (1u << 31)

/* Fills *exit from the current VMCS. */
void exit_decode(uint32_t reason, struct vmx_exit *exit);

#endif
