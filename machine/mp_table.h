/*
 * The tables of Intel's MultiProcessor Specification 1.4 that an hvm guest finds beside the MADT:
 * kernels that know no ACPI learn from them of the other CPUs and of the I/O APIC.
 *
 * A pure function into a buffer that the caller copies into the guest's memory; what is where comes
 * from machine/pc.h. Source: that specification, "MP Configuration Table".
 */
#ifndef CAISSON_MACHINE_MP_TABLE_H
#define CAISSON_MACHINE_MP_TABLE_H

#include <stddef.h>
#include <stdint.h>

#define MP_POINTER_SIZE 16     /* of the floating pointer structure */
#define MP_TABLE_MAX    0x600u /* enough for MAX_VCPUS, the pointer included */

struct mp_table_config {
    uint32_t where;    /* guest-physical address of the buffer, a multiple of 16 */
    unsigned vcpus;    /* 1..MAX_VCPUS; APIC IDs are 0..vcpus-1 */
    uint32_t identity; /* EAX of CPUID leaf 1: family, model, stepping */
};

/* The floating pointer structure, and the table that it points to right behind. Returns the bytes
 * used. The pointer may be copied to wherever else systems look for it. */
size_t mp_table_build(const struct mp_table_config *config, uint8_t buf[MP_TABLE_MAX]);

#endif
