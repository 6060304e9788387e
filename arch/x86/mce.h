/*
 * Machine checks: what the hardware finds wrong with itself.
 */
#ifndef CAISSON_ARCH_X86_MCE_H
#define CAISSON_ARCH_X86_MCE_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"

/* Tells of errors that the banks have kept since before the boot, and lets new ones be reported.
 * On every pCPU. */
void mce_init(void);

/* From the trap handler. Comes back if the machine can go on: then the error is told of as soon as
 * interrupts are let in. Else it panics. */
void mce_handle(void);
/* The same for one that came as a VM exit. True: what the guest was about to use is lost, at *where
 * in the machine's memory; the guest cannot go on. */
bool mce_handle_guests(maddr_t *where);

/* Tells of errors that raised no exception, as corrected ones do not, and forgets them. On each
 * pCPU now and then, not from a handler. */
void mce_poll(void);

/* What the architectural bits of a bank's status come to. */
enum mce_severity {
    MCE_NOTHING,
    MCE_CORRECTED,
    MCE_SURVIVED,
    MCE_CONSUMED,  /* data are lost that the interrupted code was about to use */
    MCE_ELSEWHERE, /* the same on another pCPU, which sees to it */
    MCE_FATAL
};
enum mce_severity mce_severity_of(uint64_t status, uint64_t mcg_cap, uint64_t mcg_status);

#endif
