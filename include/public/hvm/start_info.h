/*
 * What a PVH guest finds at EBX when it starts. Layouts as in xen/include/public/arch-x86/hvm/
 * start_info.h. All addresses are guest-physical, below 4 GiB.
 */
#ifndef CAISSON_PUBLIC_HVM_START_INFO_H
#define CAISSON_PUBLIC_HVM_START_INFO_H

#include <stdint.h>

#define XEN_HVM_START_MAGIC   0x336ec578u
#define XEN_HVM_START_VERSION 1 /* with a memory map */

/* flags: xen/include/public/xen.h */
#define XEN_SIF_PRIVILEGED 1u
#define XEN_SIF_INITDOMAIN 2u /* the control domain */

struct xen_hvm_start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t nr_modules;
    uint64_t modlist_paddr;
    uint64_t cmdline_paddr;
    uint64_t rsdp_paddr;
    uint64_t memmap_paddr;
    uint32_t memmap_entries;
    uint32_t reserved;
};

struct xen_hvm_modlist_entry {
    uint64_t paddr;
    uint64_t size;
    uint64_t cmdline_paddr;
    uint64_t reserved;
};

struct xen_hvm_memmap_entry {
    uint64_t addr;
    uint64_t size;
    uint32_t type; /* as in E820 */
    uint32_t reserved;
};

/* The ELF note (owner "Xen") that names the 32-bit entry; xen/include/public/elfnote.h. */
#define XEN_ELFNOTE_PHYS32_ENTRY 18

_Static_assert(sizeof(struct xen_hvm_start_info) == 56, "as in Xen");
_Static_assert(sizeof(struct xen_hvm_modlist_entry) == 32, "as in Xen");
_Static_assert(sizeof(struct xen_hvm_memmap_entry) == 24, "as in Xen");

#endif
