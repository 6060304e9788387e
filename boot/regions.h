/*
 * A memory map being put together: sorted, never overlapping, neighbours of one kind merged.
 * What comes later covers what came before; so callers put usable memory first.
 */
#ifndef CAISSON_BOOT_REGIONS_H
#define CAISSON_BOOT_REGIONS_H

#include "boot/boot_info.h"

/* The order in which to put the kinds of a map that may overlap itself: in doubt, the one that
 * keeps hands off. */
static const enum mem_kind regions_order[] = { MEM_USABLE, MEM_ACPI, MEM_NVS, MEM_RESERVED,
                                               MEM_BAD };
#define REGIONS_KINDS (sizeof(regions_order) / sizeof(regions_order[0]))

/* Says that [start, start + size) is of this kind, whatever was said of it before. A range beyond
 * the physical address space is cut. Never overflows: with no slot left memory is lost, not
 * invented, with a warning. */
void regions_put(struct boot_info *info, uint64_t start, uint64_t size, enum mem_kind kind);

#endif
