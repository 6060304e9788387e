/*
 * Model-specific registers, below what virt.h tells of them.
 */
#ifndef CAISSON_VMX_MSR_H
#define CAISSON_VMX_MSR_H

#include <stdbool.h>
#include <stdint.h>

void msr_bitmap_fill(void *bitmap); /* one page: what exits and what does not */
/* Lets one register through or no more. */
void msr_bitmap_set(void *bitmap, uint32_t msr, bool write, bool exits);

#endif
