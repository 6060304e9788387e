/* links: arch/x86/acpi.c arch/x86/acpi_madt.c arch/x86/acpi_fadt.c arch/x86/acpi_platform.c lib/fmt.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Firmware that says anything at all: the input is the RSDP followed by the machine's memory.
 *
 * Checksums would hold a fuzzer up for ever, so the ones on its way are made right: the RSDP's in
 * its copy, a table's when it is mapped at its full length.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "arch/x86/acpi.h"
#include "lib/assert.h"
#include "tests/fakes/log.h"

#define RSDP_BYTES   36
#define MAX_MAPPINGS 256

static const uint8_t *memory;
static size_t memory_size;
static void *mappings[MAX_MAPPINGS];
static unsigned mapping_count;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void seal(uint8_t *bytes, size_t length, size_t checksum_at)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[checksum_at] = (uint8_t)(bytes[checksum_at] - sum);
}

/* A copy of exactly that size, for ASan to guard. */
static const void *map(maddr_t start, size_t size)
{
    uint8_t *copy;

    if (start.v > memory_size || size > memory_size - start.v || mapping_count == MAX_MAPPINGS)
        return NULL;
    copy = malloc(size);
    memcpy(copy, memory + start.v, size);
    if (size >= RSDP_BYTES)
        seal(copy, size, 9);
    mappings[mapping_count++] = copy;
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t rsdp[RSDP_BYTES];

    if (size < RSDP_BYTES)
        return 0;
    memcpy(rsdp, data, RSDP_BYTES);
    memcpy(rsdp, "RSD PTR ", 8);
    seal(rsdp, 20, 8);
    seal(rsdp, RSDP_BYTES, 32);
    memory = data;
    memory_size = size;
    fake_log_reset();
    acpi_read(rsdp, map);
    ASSERT(acpi.cpu_count >= 1 && acpi.cpu_count <= MAX_PCPUS);
    while (mapping_count)
        free(mappings[--mapping_count]);
    return 0;
}
