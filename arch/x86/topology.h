/*
 * Which pCPUs are threads of one core, which cores share a package, and what caches there are.
 */
#ifndef CAISSON_ARCH_X86_TOPOLOGY_H
#define CAISSON_ARCH_X86_TOPOLOGY_H

#include <stdint.h>

/* Reads from CPUID how an APIC id is made up. Boot CPU. */
void topology_read(void);

/* Numbers that are equal for APIC ids of the same core, or package. */
uint32_t topology_core(uint32_t apic_id);
uint32_t topology_package(uint32_t apic_id);

/* Cores of the pCPUs that are online. */
unsigned topology_cores(void);

/* Into the log, about the pCPUs that are online. */
void topology_report(void);

#endif
