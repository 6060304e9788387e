/*
 * memory_op(cmd, pointer): a domain's own memory. Layouts as in xen/include/public/memory.h.
 */
#ifndef CAISSON_PUBLIC_MEMORY_H
#define CAISSON_PUBLIC_MEMORY_H

#include <stdint.h>

#define XENMEM_INCREASE_RESERVATION 0
#define XENMEM_DECREASE_RESERVATION 1
#define XENMEM_MAXIMUM_RAM_PAGE     2
#define XENMEM_CURRENT_RESERVATION  3
#define XENMEM_MAXIMUM_RESERVATION  4
#define XENMEM_POPULATE_PHYSMAP     6
#define XENMEM_ADD_TO_PHYSMAP       7
#define XENMEM_MEMORY_MAP           9
#define XENMEM_MACHINE_MEMORY_MAP   10
#define XENMEM_SET_MEMORY_MAP       13
#define XENMEM_MAXIMUM_GPFN         14
#define XENMEM_REMOVE_FROM_PHYSMAP  15
#define XENMEM_SET_POD_TARGET       16
#define XENMEM_GET_POD_TARGET       17
#define XENMEM_ADD_TO_PHYSMAP_BATCH 23
#define XENMEM_GET_VNUMAINFO        26
#define XENMEM_ACQUIRE_RESOURCE     28

/* In Xen the upper bits of cmd count what a continued call has done already; so here. */
#define XENMEM_CMD_BITS 6

/* Of mem_flags: the places are RAM, whose frames come when they are touched. */
#define XENMEMF_POPULATE_ON_DEMAND (1u << 16)

struct xen_memory_reservation {
    uint64_t extent_start; /* handle: uint64_t[] of frame numbers */
    uint64_t nr_extents;
    uint32_t extent_order;
    uint32_t mem_flags;
    uint16_t domid;
    uint16_t pad[3];
};

#define XENMAPSPACE_SHARED_INFO      0
#define XENMAPSPACE_GRANT_TABLE      1
#define XENMAPSPACE_GMFN             2
#define XENMAPSPACE_GMFN_RANGE       3
#define XENMAPSPACE_GMFN_FOREIGN     4
#define XENMAPIDX_GRANT_TABLE_STATUS 0x80000000u

struct xen_add_to_physmap {
    uint16_t domid;
    uint16_t size; /* pages, for a range */
    uint32_t space;
    uint64_t idx;
    uint64_t gpfn; /* where it is to appear */
};

struct xen_remove_from_physmap {
    uint16_t domid;
    uint16_t pad[3];
    uint64_t gpfn;
};

/* The map itself is of E820 entries, 20 bytes each. */
struct xen_memory_map {
    uint32_t nr_entries; /* in: room; out: entries */
    uint32_t pad;
    uint64_t buffer; /* handle */
};

/* For another domain: what it is told by XENMEM_MEMORY_MAP from then on. */
#define XENMEM_MAP_MOST 128 /* entries */
struct xen_foreign_memory_map {
    uint16_t domid;
    uint16_t pad[3];
    struct xen_memory_map map;
};

struct xen_add_to_physmap_batch {
    uint16_t domid;
    uint16_t space;
    uint16_t size;          /* how many */
    uint16_t foreign_domid; /* for XENMAPSPACE_GMFN_FOREIGN */
    uint64_t idxs, gpfns;   /* handles: uint64_t[] of frame numbers */
    uint64_t errs;          /* handle: int[] */
};

#define XENMEM_RESOURCE_GRANT_TABLE        1
#define XENMEM_RESOURCE_GRANT_TABLE_SHARED 0 /* its id: the entries */

struct xen_acquire_resource {
    uint16_t domid;
    uint16_t type;
    uint32_t id;
    uint32_t nr_frames; /* out, without a list: how many there can be */
    uint32_t pad;
    uint64_t frame;      /* the first one's number */
    uint64_t frame_list; /* handle: where they are to appear, uint64_t[] of frame numbers */
};

struct xen_pod_target {
    uint64_t target_pages;
    uint64_t tot_pages, pod_cache_pages, pod_entries; /* out */
    uint16_t domid;
    uint16_t pad[3];
};

_Static_assert(sizeof(struct xen_foreign_memory_map) == 24, "as in Xen");
_Static_assert(sizeof(struct xen_add_to_physmap_batch) == 32, "as in Xen");
_Static_assert(sizeof(struct xen_acquire_resource) == 32, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_acquire_resource, frame) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_pod_target) == 40, "as in Xen");
_Static_assert(sizeof(struct xen_memory_reservation) == 32, "as in Xen");
_Static_assert(sizeof(struct xen_add_to_physmap) == 24, "as in Xen");
_Static_assert(sizeof(struct xen_remove_from_physmap) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_memory_map) == 16, "as in Xen");

#endif
