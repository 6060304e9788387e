/*
 * The tags of cached translations (SDM, "Virtual-Processor Identifiers (VPIDs)").
 */
#ifndef CAISSON_VMX_FLUSH_H
#define CAISSON_VMX_FLUSH_H

#include <stdint.h>
#include "lib/errno.h"

/* A VPID that no other vCPU has, or 0 where the CPU has no VPIDs. -ENOSPC: all are taken. */
int must_check flush_vpid_alloc(uint16_t *vpid);
void flush_vpid_free(uint16_t vpid);

#endif
