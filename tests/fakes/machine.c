/*
 * Memory of a pretended machine.
 */
#define _GNU_SOURCE
#include "tests/fakes/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "arch/x86/cpu.h"
#include "mm/layout.h"

const struct aspace_image fake_machine_image = {
    .phys = { MACHINE_BASE },
    .text = IMAGE_BASE,
    .text_end = IMAGE_BASE + 0x1000,
    .rodata = IMAGE_BASE + 0x1000,
    .rodata_end = IMAGE_BASE + 0x2000,
    .data = IMAGE_BASE + 0x2000,
    .data_end = IMAGE_BASE + 0x3000,
};

static int memory = -1;

void fake_machine_alias(uint64_t va, uint64_t start, uint64_t size)
{
    void *p = mmap((void *)va, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory,
                   (off_t)(start - MACHINE_BASE));

    if (p == MAP_FAILED) {
        perror("mmap");
        abort();
    }
}

void fake_machine_map(void)
{
    if (memory >= 0)
        return;
    memory = memfd_create("machine", 0);
    if (memory < 0 || ftruncate(memory, MACHINE_SIZE) < 0)
        abort();
    fake_machine_alias(MACHINE_BASE, MACHINE_BASE, MACHINE_SIZE);
    fake_machine_alias(DIRECT_BASE + MACHINE_BASE, MACHINE_BASE, MACHINE_SIZE);
}

unsigned cpu_maddr_bits(void)
{
    return FAKE_MADDR_BITS;
}
