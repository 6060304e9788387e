/*
 * grant_table_op(cmd, pointer, count): lending memory to another domain. Layouts as in
 * xen/include/public/grant_table.h; version 1 of the table.
 */
#ifndef CAISSON_PUBLIC_GRANT_TABLE_H
#define CAISSON_PUBLIC_GRANT_TABLE_H

#include <stdint.h>

#define GNTTABOP_MAP_GRANT_REF     0
#define GNTTABOP_UNMAP_GRANT_REF   1
#define GNTTABOP_SETUP_TABLE       2
#define GNTTABOP_DUMP_TABLE        3
#define GNTTABOP_TRANSFER          4
#define GNTTABOP_COPY              5
#define GNTTABOP_QUERY_SIZE        6
#define GNTTABOP_UNMAP_AND_REPLACE 7
#define GNTTABOP_SET_VERSION       8
#define GNTTABOP_GET_STATUS_FRAMES 9
#define GNTTABOP_GET_VERSION       10
#define GNTTABOP_SWAP_GRANT_REF    11
#define GNTTABOP_CACHE_FLUSH       12

/* One entry of the table, written by the granting domain; flags last. */
struct xen_grant_entry {
    uint16_t flags;
    uint16_t domid; /* to whom */
    uint32_t frame;
};
#define GTF_INVALID         0u
#define GTF_PERMIT_ACCESS   1u
#define GTF_ACCEPT_TRANSFER 2u
#define GTF_TYPE_MASK       3u
#define GTF_READONLY        (1u << 2)
#define GTF_READING         (1u << 3) /* set by the hypervisor while in use */
#define GTF_WRITING         (1u << 4)

#define GNTTAB_RESERVED_ENTRIES 8

struct xen_gnttab_map_grant_ref {
    uint64_t host_addr; /* in: where, guest-physical */
    uint32_t flags;     /* in: GNTMAP_* */
    uint32_t ref;       /* in */
    uint16_t dom;       /* in: the granting domain */
    int16_t status;     /* out: GNTST_* */
    uint32_t handle;    /* out */
    uint64_t dev_bus_addr;
};
#define GNTMAP_DEVICE_MAP      (1u << 0)
#define GNTMAP_HOST_MAP        (1u << 1)
#define GNTMAP_READONLY        (1u << 2)
#define GNTMAP_APPLICATION_MAP (1u << 3)
#define GNTMAP_CONTAINS_PTE    (1u << 4)

struct xen_gnttab_unmap_grant_ref {
    uint64_t host_addr;
    uint64_t dev_bus_addr;
    uint32_t handle;
    int16_t status; /* out */
    uint16_t pad;
};

struct xen_gnttab_unmap_and_replace {
    uint64_t host_addr;
    uint64_t new_addr;
    uint32_t handle;
    int16_t status; /* out */
    uint16_t pad;
};

struct xen_gnttab_setup_table {
    uint16_t dom;
    uint16_t pad0;
    uint32_t nr_frames;
    int16_t status; /* out */
    uint16_t pad1[3];
    uint64_t frame_list; /* handle: uint64_t[] */
};

/* A page of the caller's becomes another's; not between translated guests. */
struct xen_gnttab_transfer {
    uint64_t mfn;
    uint16_t domid;
    uint16_t pad0;
    uint32_t ref;
    int16_t status; /* out */
    uint16_t pad1[3];
};

struct xen_gnttab_copy_ptr {
    uint64_t ref_or_gmfn; /* a reference has 32 bits */
    uint16_t domid;
    uint16_t offset;
    uint32_t pad;
};
struct xen_gnttab_copy {
    struct xen_gnttab_copy_ptr source, dest;
    uint16_t len;
    uint16_t flags; /* GNTCOPY_* */
    int16_t status; /* out */
    uint16_t pad;
};
#define GNTCOPY_SOURCE_GREF 1u
#define GNTCOPY_DEST_GREF   2u

struct xen_gnttab_query_size {
    uint16_t dom;
    uint16_t pad0;
    uint32_t nr_frames;     /* out */
    uint32_t max_nr_frames; /* out */
    int16_t status;         /* out */
    uint16_t pad1;
};

struct xen_gnttab_set_version {
    uint32_t version;
};

struct xen_gnttab_get_version {
    uint16_t dom;
    uint16_t pad;
    uint32_t version; /* out */
};

#define GNTST_OKAY              0
#define GNTST_GENERAL_ERROR     (-1)
#define GNTST_BAD_DOMAIN        (-2)
#define GNTST_BAD_GNTREF        (-3)
#define GNTST_BAD_HANDLE        (-4)
#define GNTST_BAD_VIRT_ADDR     (-5)
#define GNTST_BAD_DEV_ADDR      (-6)
#define GNTST_NO_DEVICE_SPACE   (-7)
#define GNTST_PERMISSION_DENIED (-8)
#define GNTST_BAD_PAGE          (-9)
#define GNTST_BAD_COPY_ARG      (-10)
#define GNTST_ADDRESS_TOO_BIG   (-11)
#define GNTST_EAGAIN            (-12)
#define GNTST_NO_SPACE          (-13)

_Static_assert(sizeof(struct xen_grant_entry) == 8, "as in Xen");
_Static_assert(sizeof(struct xen_gnttab_map_grant_ref) == 32, "as in Xen");
_Static_assert(sizeof(struct xen_gnttab_unmap_grant_ref) == 24, "as in Xen");
_Static_assert(sizeof(struct xen_gnttab_unmap_and_replace) == 24, "as in Xen");
_Static_assert(sizeof(struct xen_gnttab_setup_table) == 24, "as in Xen");
_Static_assert(sizeof(struct xen_gnttab_transfer) == 24, "as in Xen");
_Static_assert(sizeof(struct xen_gnttab_copy) == 40, "as in Xen");
_Static_assert(sizeof(struct xen_gnttab_query_size) == 16, "as in Xen");

#endif
