/*
 * Caisson's own address space. All addresses of it are in this file.
 *
 *   0xffff8000_0000_0000  direct map of the heap: address + machine address
 *   0xffff9000_0000_0000  table of frames
 *   0xffffa000_0000_0000  device memory, firmware tables, boot modules: aspace_map()
 *   0xffffb000_0000_0000  stacks, each below a guard page: aspace_stack()
 *   0xffffc000_0000_0000  windows: mm/window.h
 *   0xffffffff_8000_0000  the image: text RX, rodata R, data RW+NX
 */
#ifndef CAISSON_MM_ASPACE_H
#define CAISSON_MM_ASPACE_H

#include <stddef.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/errno.h"

#define DIRECT_BASE  0xffff800000000000UL
#define FRAMES_BASE  0xffff900000000000UL
#define MAP_BASE     0xffffa00000000000UL
#define STACKS_BASE  0xffffb00000000000UL
#define WINDOW_BASE  0xffffc00000000000UL
#define IMAGE_BASE   0xffffffff80000000UL
#define STACK_PAGES  4

enum aspace_kind { ASPACE_RO, ASPACE_RW, ASPACE_UC /* device registers */, ASPACE_WC /* framebuffer */ };

/* Maps size bytes of machine memory that is nobody's (device, table, module); keeps the offset
 * within the page. NULL when out of memory. Boot and device set-up only; never unmapped. */
void *aspace_map(maddr_t start, size_t size, enum aspace_kind kind);

/* A new stack of STACK_PAGES pages with an unmapped page on either side; returns its top
 * (16-aligned), or NULL. */
void *aspace_stack(void);

/* The page table root, for CR3 of every CPU. */
maddr_t aspace_root(void);

#endif
