/*
 * Debug registers and debug exceptions.
 */
#ifndef CAISSON_VMX_DEBUG_H
#define CAISSON_VMX_DEBUG_H

#include <stdint.h>

/* An intercepted #DB is the guest's after all: DR6 and DR7 as delivery would leave them. */
void debug_before_db(uint64_t qualification);
/* Makes the pending debug exceptions agree with TF and the shadows. */
void debug_sync_pending(void);

#endif
