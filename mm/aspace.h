/*
 * Caisson's own address space. Which address is what stands in mm/layout.h.
 *
 * Built once by aspace_init(); afterwards mappings are only ever added, so that no CPU has to be
 * told of anything. No page is both writable and executable. The tables themselves are mapped
 * nowhere and written through windows.
 */
#ifndef CAISSON_MM_ASPACE_H
#define CAISSON_MM_ASPACE_H

#include <stddef.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/errno.h"
#include "mm/layout.h"

/* Where the image lies: machine address of IMAGE_BASE, then virtual addresses, whole pages. */
struct aspace_image {
    maddr_t phys;
    uint64_t text, text_end;     /* read, execute */
    uint64_t rodata, rodata_end; /* read */
    uint64_t data, data_end;     /* read, write */
};
/* The image that runs, from the linker's symbols. */
struct aspace_image aspace_linked_image(void);

/* Builds the tables, makes them the calling CPU's, and lets the memory above 4 GiB join the
 * allocator. The boot code's identity map is gone then. Wants frame_init(), and EFER.NXE set if
 * the CPU has it. 0 or -ENOMEM. Boot only. */
int must_check aspace_init(const struct aspace_image *image);

/* Walks all tables: ASSERTs that nothing is mapped writable and executable, nothing for CPL 3 and
 * nothing below the direct map. Returns the number of mappings. */
uint64_t aspace_check(void);

enum aspace_kind {
    ASPACE_RO,
    ASPACE_RW,
    ASPACE_UC /* device registers */,
    ASPACE_WC /* framebuffer */
};

/* Maps size bytes of machine memory that is no domain's and not free (device, table, module); for
 * a device's, UC and WC, none of Caisson's and no module either. Keeps the offset within the page.
 * NULL when out of memory, or (logged) if the memory is somebody's, or beyond what the CPU reaches.
 * Boot and device set-up only; never unmapped. */
void *aspace_map(maddr_t start, size_t size, enum aspace_kind kind);

/* A new stack of STACK_PAGES pages with an unmapped page on either side; returns its top
 * (16-aligned), or NULL. */
void *aspace_stack(void);

/* For mm/: adds 2^order frames to the direct map. 0 or -ENOMEM. */
int must_check aspace_map_direct(mfn_t m, unsigned order);
/* For mm/: PTE_NX, or 0 on a CPU without it. */
uint64_t aspace_nx(void);

/* The page table root, for CR3 of every CPU. */
maddr_t aspace_root(void);

#endif
