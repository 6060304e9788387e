/*
 * Model-specific registers, below what virt.h tells of them.
 */
#ifndef CAISSON_SVM_MSR_H
#define CAISSON_SVM_MSR_H

#include <stdbool.h>

#define MSR_MAP_ORDER 1 /* of its pages */

void msr_map_fill(void *map); /* what exits and what does not */
/* The x2APIC's: all exit, or those pass that x2AVIC, which is on then, answers without harm. */
void msr_map_x2apic(void *map, bool pass);

#endif
