/*
 * Model-specific registers, below what virt.h tells of them.
 */
#ifndef CAISSON_SVM_MSR_H
#define CAISSON_SVM_MSR_H

#define MSR_MAP_ORDER 1 /* of its pages */

void msr_map_fill(void *map); /* what exits and what does not */

#endif
