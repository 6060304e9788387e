/*
 * What 32-bit callers pass where it is not what 64-bit ones do: pointers, frame numbers and
 * `unsigned long` have 32 bits, and 64-bit numbers are aligned to 4. See xen.h.
 */
#ifndef CAISSON_PUBLIC_COMPAT_H
#define CAISSON_PUBLIC_COMPAT_H

#include <stdint.h>

struct xen_vcpu_info_32 {
    uint8_t evtchn_upcall_pending;
    uint8_t evtchn_upcall_mask;
    uint8_t pad[2];
    uint32_t evtchn_pending_sel;
    uint32_t arch[6];
    uint32_t time[8]; /* struct xen_vcpu_time_info, the same for both */
};

struct xen_shared_info_32 {
    struct xen_vcpu_info_32 vcpu_info[32];
    uint32_t evtchn_pending[32];
    uint32_t evtchn_mask[32];
    uint32_t wc_version, wc_sec, wc_nsec;
    uint32_t arch[6];
    uint32_t wc_sec_hi;
};

struct xen_multicall_entry_32 {
    uint32_t op, result;
    uint32_t args[6];
};

struct xen_memory_reservation_32 {
    uint32_t extent_start;
    uint32_t nr_extents;
    uint32_t extent_order;
    uint32_t mem_flags;
    uint16_t domid;
    uint16_t pad;
};

struct xen_add_to_physmap_32 {
    uint16_t domid;
    uint16_t size;
    uint32_t space;
    uint32_t idx;
    uint32_t gpfn;
};

struct xen_remove_from_physmap_32 {
    uint16_t domid;
    uint16_t pad;
    uint32_t gpfn;
};

struct xen_memory_map_32 {
    uint32_t nr_entries;
    uint32_t buffer;
};

struct xen_foreign_memory_map_32 {
    uint16_t domid;
    uint16_t pad;
    struct xen_memory_map_32 map;
};

struct xen_add_to_physmap_batch_32 {
    uint16_t domid;
    uint16_t space;
    uint16_t size;
    uint16_t foreign_domid;
    uint32_t idxs, gpfns, errs;
};

struct xen_acquire_resource_32 {
    uint16_t domid;
    uint16_t type;
    uint32_t id;
    uint32_t nr_frames;
    uint32_t pad;
    uint64_t frame;
    uint32_t frame_list;
} __attribute__((packed, aligned(4)));

struct xen_pod_target_32 {
    uint64_t target_pages;
    uint64_t tot_pages, pod_cache_pages, pod_entries;
    uint16_t domid;
    uint16_t pad;
} __attribute__((packed, aligned(4)));

struct xen_sched_poll_32 {
    uint32_t ports;
    uint32_t nr_ports;
    uint64_t timeout;
} __attribute__((packed, aligned(4)));

struct xen_runstate_info_32 {
    int32_t state;
    uint64_t state_entry_time;
    uint64_t time[4];
} __attribute__((packed, aligned(4)));

struct xen_set_singleshot_timer_32 {
    uint64_t timeout_abs_ns;
    uint32_t flags;
} __attribute__((packed, aligned(4)));

struct xen_gnttab_setup_table_32 {
    uint16_t dom;
    uint16_t pad0;
    uint32_t nr_frames;
    int16_t status;
    uint16_t pad1;
    uint32_t frame_list; /* handle: uint32_t[] */
};

struct xen_gnttab_transfer_32 {
    uint32_t mfn;
    uint16_t domid;
    uint16_t pad0;
    uint32_t ref;
    int16_t status;
    uint16_t pad1;
};

struct xen_gnttab_copy_ptr_32 {
    uint32_t ref_or_gmfn;
    uint16_t domid;
    uint16_t offset;
};
struct xen_gnttab_copy_32 {
    struct xen_gnttab_copy_ptr_32 source, dest;
    uint16_t len;
    uint16_t flags;
    int16_t status;
    uint16_t pad;
};

_Static_assert(sizeof(struct xen_vcpu_info_32) == 64, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_shared_info_32, evtchn_mask) == 2176, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_shared_info_32, wc_version) == 2304, "as in Xen");
_Static_assert(__builtin_offsetof(struct xen_shared_info_32, wc_sec_hi) == 2340, "as in Xen");
_Static_assert(sizeof(struct xen_multicall_entry_32) == 32, "as in Xen");
_Static_assert(sizeof(struct xen_memory_reservation_32) == 20, "as in Xen");
_Static_assert(sizeof(struct xen_add_to_physmap_32) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_remove_from_physmap_32) == 8, "as in Xen");
_Static_assert(sizeof(struct xen_foreign_memory_map_32) == 12, "as in Xen");
_Static_assert(sizeof(struct xen_add_to_physmap_batch_32) == 20, "as in Xen");
_Static_assert(sizeof(struct xen_acquire_resource_32) == 28, "as in Xen");
_Static_assert(sizeof(struct xen_pod_target_32) == 36, "as in Xen");
_Static_assert(sizeof(struct xen_sched_poll_32) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_runstate_info_32) == 44, "as in Xen");
_Static_assert(sizeof(struct xen_set_singleshot_timer_32) == 12, "as in Xen");
_Static_assert(sizeof(struct xen_gnttab_setup_table_32) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_gnttab_transfer_32) == 16, "as in Xen");
_Static_assert(sizeof(struct xen_gnttab_copy_32) == 24, "as in Xen");

#endif
