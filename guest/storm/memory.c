/*
 * What a control domain does with the memory of others, as its tools would, but with any numbers:
 * lists of frames, some of them nowhere, for domains that come and go.
 */
#include "guest/lib/hypercall.h"
#include "guest/storm/storm.h"
#include "include/public/memory.h"

#define MOST 24 /* of a list */

/* The argument's page, which another vCPU may be writing to. */
union argument {
    struct xen_add_to_physmap_batch batch;
    struct xen_acquire_resource resource;
    struct xen_memory_reservation extents;
    struct xen_foreign_memory_map map;
    struct xen_pod_target pod;
};

/* Not in that page: frames of theirs, taken for ours by a call that finds its argument changed,
 * would be those that this guest stands in. */
static struct {
    uint64_t theirs[MOST], ours[MOST];
    int32_t errs[MOST];
} lists[MOST_VCPUS];

static int64_t memory_op(struct worker *w, uint64_t op)
{
    return hypercall(XEN_HYPERCALL_MEMORY_OP, op, w->at, 0);
}

/* A page of theirs most often, and a place in our spare memory. */
static uint16_t fill_lists(struct worker *w)
{
    uint16_t n = (uint16_t)(1 + any(w) % MOST);

    for (unsigned i = 0; i < n; i++) {
        lists[w->vcpu].theirs[i] = any(w) % 8 ? any(w) % 1024 : any_number(w);
        lists[w->vcpu].ours[i] = any(w) % 32 ? (SPARE >> 12) + any(w) % 512 : any_number(w);
    }
    return n;
}

static int64_t map_pages(struct worker *w, uint16_t whose, uint16_t n)
{
    union argument *arg = (union argument *)w->at;

    arg->batch = (struct xen_add_to_physmap_batch){ .domid = XEN_DOMID_SELF,
                                                    .space = XENMAPSPACE_GMFN_FOREIGN,
                                                    .size = n,
                                                    .foreign_domid = whose,
                                                    .idxs = (uint64_t)lists[w->vcpu].theirs,
                                                    .gpfns = (uint64_t)lists[w->vcpu].ours,
                                                    .errs = (uint64_t)lists[w->vcpu].errs };
    return memory_op(w, XENMEM_ADD_TO_PHYSMAP_BATCH);
}

/* Or asks how large it can be. */
static int64_t map_grants(struct worker *w, uint16_t whose, uint16_t n)
{
    union argument *arg = (union argument *)w->at;

    arg->resource = (struct xen_acquire_resource){
        .domid = whose, .type = XENMEM_RESOURCE_GRANT_TABLE, .nr_frames = n, .frame = n % 3
    };
    if (n % 8)
        arg->resource.frame_list = (uint64_t)lists[w->vcpu].ours;
    return memory_op(w, XENMEM_ACQUIRE_RESOURCE);
}

static int64_t change_size(struct worker *w, uint16_t whose, uint16_t n)
{
    union argument *arg = (union argument *)w->at;

    arg->extents =
        (struct xen_memory_reservation){ .extent_start = (uint64_t)lists[w->vcpu].ours,
                                         .nr_extents = n,
                                         .extent_order = any(w) % 8 ? 0 : 9,
                                         .mem_flags = any(w) % 8 ? 0 : XENMEMF_POPULATE_ON_DEMAND,
                                         .domid = whose };
    return memory_op(w, any(w) % 4 ? XENMEM_POPULATE_PHYSMAP : XENMEM_DECREASE_RESERVATION);
}

static int64_t set_map(struct worker *w, uint16_t whose, uint16_t n)
{
    union argument *arg = (union argument *)w->at;

    arg->map = (struct xen_foreign_memory_map){
        .domid = whose, .map = { .nr_entries = n / 3, .buffer = (uint64_t)lists[w->vcpu].ours }
    };
    return memory_op(w, XENMEM_SET_MEMORY_MAP);
}

static int64_t set_pool(struct worker *w, uint16_t whose)
{
    union argument *arg = (union argument *)w->at;

    arg->pod = (struct xen_pod_target){ .target_pages = any(w) % 1024, .domid = whose };
    return memory_op(w, any(w) % 2 ? XENMEM_SET_POD_TARGET : XENMEM_GET_POD_TARGET);
}

int64_t use_memory(struct worker *w)
{
    uint16_t whose = (uint16_t)(any(w) % 16), n = fill_lists(w);

    switch (any(w) % 8) {
    case 0:
        return map_grants(w, whose, n);
    case 1:
        return set_map(w, whose, n);
    case 2:
        return set_pool(w, whose);
    case 3:
    case 4:
        return change_size(w, whose, n);
    }
    return map_pages(w, whose, n);
}
