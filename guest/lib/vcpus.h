/*
 * More vCPUs, by Xen's own calls: one says where a vCPU begins, one lets it go.
 */
#ifndef GUEST_VCPUS_H
#define GUEST_VCPUS_H

#include <stdint.h>

/* Lets vCPU id begin with fn(arg) on the stack that ends at stack_top, in 64-bit mode with
 * interrupts off. It goes down for good when fn returns. 0 or Xen's error. */
int64_t vcpu_begin(uint64_t id, void (*fn)(void *arg), void *arg, void *stack_top);
/* How many the domain has, whether they run or not. */
uint64_t vcpu_count(void);

#endif
