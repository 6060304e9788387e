/*
 * Grants. See guest/lib/grant.h.
 */
#include "guest/lib/grant.h"
#include "guest/lib/event.h"
#include "guest/lib/hypercall.h"
#include "include/public/grant_table.h"
#include "include/public/memory.h"

static struct xen_grant_entry *const table = (void *)GUEST_GRANT_TABLE;

bool grant_init(void)
{
    struct xen_add_to_physmap arg = { .domid = XEN_DOMID_SELF,
                                      .space = XENMAPSPACE_GRANT_TABLE,
                                      .gpfn = GUEST_GRANT_TABLE >> 12 };

    return hypercall(XEN_HYPERCALL_MEMORY_OP, XENMEM_ADD_TO_PHYSMAP, (uint64_t)&arg, 0) == 0;
}

/* The flags come last: they make it a grant. */
void grant_page(uint32_t ref, uint16_t peer, const void *page)
{
    table[ref].frame = (uint32_t)((uint64_t)page >> 12);
    table[ref].domid = peer;
    __atomic_store_n(&table[ref].flags, GTF_PERMIT_ACCESS, __ATOMIC_RELEASE);
}

bool grant_end(uint32_t ref)
{
    uint16_t flags = GTF_PERMIT_ACCESS;

    return __atomic_compare_exchange_n(&table[ref].flags, &flags, GTF_INVALID, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

int64_t grant_map(uint16_t peer, uint32_t ref, uint64_t at)
{
    struct xen_gnttab_map_grant_ref arg = {
        .host_addr = at, .flags = GNTMAP_HOST_MAP, .ref = ref, .dom = peer
    };
    int64_t err =
        hypercall(XEN_HYPERCALL_GRANT_TABLE_OP, GNTTABOP_MAP_GRANT_REF, (uint64_t)&arg, 1);

    if (err)
        return err;
    return arg.status ? arg.status : (int64_t)arg.handle;
}

int64_t grant_unmap(uint64_t handle, uint64_t at)
{
    struct xen_gnttab_unmap_grant_ref arg = { .host_addr = at, .handle = (uint32_t)handle };
    int64_t err =
        hypercall(XEN_HYPERCALL_GRANT_TABLE_OP, GNTTABOP_UNMAP_GRANT_REF, (uint64_t)&arg, 1);

    return err ? err : arg.status;
}

bool grant_map_some(uint16_t peer, uint32_t ref, uint64_t at, uint32_t *handles, unsigned count)
{
    static struct xen_gnttab_map_grant_ref args[GRANT_BATCH];
    bool all = true;

    for (unsigned i = 0; i < count; i++)
        args[i] = (struct xen_gnttab_map_grant_ref){
            .host_addr = at + 4096ul * i, .flags = GNTMAP_HOST_MAP, .ref = ref, .dom = peer
        };
    if (hypercall(XEN_HYPERCALL_GRANT_TABLE_OP, GNTTABOP_MAP_GRANT_REF, (uint64_t)args, count))
        return false;
    for (unsigned i = 0; i < count; i++) {
        all &= !args[i].status;
        handles[i] = args[i].handle;
    }
    return all;
}

bool grant_unmap_some(const uint32_t *handles, uint64_t at, unsigned count)
{
    static struct xen_gnttab_unmap_grant_ref args[GRANT_BATCH];
    bool all = true;

    for (unsigned i = 0; i < count; i++)
        args[i] = (struct xen_gnttab_unmap_grant_ref){ .host_addr = at + 4096ul * i,
                                                       .handle = handles[i] };
    if (hypercall(XEN_HYPERCALL_GRANT_TABLE_OP, GNTTABOP_UNMAP_GRANT_REF, (uint64_t)args, count))
        return false;
    for (unsigned i = 0; i < count; i++)
        all &= !args[i].status;
    return all;
}

int64_t grant_copy_from(uint16_t peer, uint32_t ref, void *to, uint16_t bytes)
{
    struct xen_gnttab_copy arg = {
        .source = { .ref_or_gmfn = ref, .domid = peer },
        .dest = { .ref_or_gmfn = (uint64_t)to >> 12,
                  .domid = XEN_DOMID_SELF,
                  .offset = (uint16_t)((uint64_t)to & 0xfff) },
        .len = bytes,
        .flags = GNTCOPY_SOURCE_GREF,
    };
    int64_t err = hypercall(XEN_HYPERCALL_GRANT_TABLE_OP, GNTTABOP_COPY, (uint64_t)&arg, 1);

    return err ? err : arg.status;
}
