/*
 * grant_table_op: decodes the operation, works through its array, an element at a time, and writes
 * each one's status back. Source: xen/include/public/grant_table.h.
 *
 * Each element is read once and worked on as a copy. After a batch the call is continued.
 */
#include "sched/batch.h"
#include "lib/likely.h"
#include "grant/grant.h"
#include "xen/pair.h"
#include "hypercall/hypercall.h"
#include "include/public/compat.h"
#include "lib/string.h"

#define BATCH 16 /* elements of one round */

/* ---- Operations on arrays ---- */

static int map_one(struct vcpu *v, void *p)
{
    struct xen_gnttab_map_grant_ref *arg = p;

    arg->status = (int16_t)grant_map(&v->xen, arg);
    return 0;
}

static int unmap_one(struct vcpu *v, void *p)
{
    struct xen_gnttab_unmap_grant_ref *arg = p;

    arg->status = (int16_t)grant_unmap(&v->xen, arg);
    return 0;
}

/* What would take the mapping's place is a page table's entry: a translated guest has none that
 * Xen knows of. Without one this is unmapping. */
static int replace_one(struct vcpu *v, void *p)
{
    struct xen_gnttab_unmap_and_replace *arg = p;
    struct xen_gnttab_unmap_grant_ref unmap = { .host_addr = arg->host_addr,
                                                .handle = arg->handle };

    arg->status = arg->new_addr ? GNTST_GENERAL_ERROR : (int16_t)grant_unmap(&v->xen, &unmap);
    return 0;
}

/* A translated guest's pages cannot be stolen from it: Xen finds none that is fit either. */
static int transfer_one(struct vcpu *v, void *p)
{
    struct xen_gnttab_transfer *arg = p;

    (void)v;
    arg->status = GNTST_BAD_PAGE;
    return 0;
}

static int copy_one(struct vcpu *v, void *p)
{
    struct xen_gnttab_copy *arg = p;

    arg->status = (int16_t)grant_copy(&v->xen, arg);
    return 0;
}

/* ---- Operations on one structure ---- */

/* GNTST_* for the id that a call names: no domain may ask about another one. */
static int16_t check_target(struct vcpu *v, uint16_t id)
{
    struct xen_domain *d;

    switch (pair_target(&v->domain->xen, id, PAIR_CONTROL, &d)) {
    case 0:
        return GNTST_OKAY;
    case -ESRCH:
        return GNTST_BAD_DOMAIN;
    }
    return GNTST_PERMISSION_DENIED;
}

/* Where the frames are in the guest's memory only the guest decides (memory_op): the list says that
 * they are nowhere. */
static cold int setup_table(struct vcpu *v, void *p)
{
    struct xen_gnttab_setup_table *arg = p;
    uint64_t nowhere[GRANT_FRAMES_MOST];
    unsigned size = virt_in_64bit_code(&v->virt) ? 8 : 4;

    arg->status = check_target(v, arg->dom);
    if (arg->status)
        return 0;
    int err = grant_grow(&v->domain->xen, arg->nr_frames);
    if (err == -EAGAIN)
        return err;
    memset(nowhere, 0xff, sizeof(nowhere));
    if (err)
        arg->status = GNTST_GENERAL_ERROR;
    else if (arg->nr_frames &&
             gva_copy_out(&v->space, arg->frame_list, nowhere, arg->nr_frames * size))
        arg->status = GNTST_BAD_VIRT_ADDR;
    return 0;
}

static cold int query_size(struct vcpu *v, void *p)
{
    struct xen_gnttab_query_size *arg = p;

    arg->status = check_target(v, arg->dom);
    if (arg->status)
        return 0;
    struct grant_domain *g = v->domain->xen.grants;
    arg->nr_frames = g ? g->frames : 0;
    arg->max_nr_frames = GRANT_FRAMES_MOST;
    return 0;
}

static int set_version(struct vcpu *v, void *p)
{
    struct xen_gnttab_set_version *arg = p;
    uint32_t wanted = arg->version;

    (void)v;
    arg->version = 1; /* what it is now, whatever the answer */
    if (wanted == 2)
        return -ENOSYS;
    return wanted == 1 ? 0 : -EINVAL;
}

static cold int get_version(struct vcpu *v, void *p)
{
    struct xen_gnttab_get_version *arg = p;
    struct xen_domain *d;
    int err = pair_target(&v->domain->xen, arg->dom, PAIR_CONTROL, &d);

    if (!err)
        arg->version = 1;
    return err;
}

/* ---- What 32-bit callers pass ---- */

static void setup_from_32(const void *from, void *to)
{
    const struct xen_gnttab_setup_table_32 *a = from;
    struct xen_gnttab_setup_table *arg = to;

    *arg = (struct xen_gnttab_setup_table){ .dom = a->dom,
                                            .nr_frames = a->nr_frames,
                                            .frame_list = a->frame_list };
}

static void setup_to_32(const void *from, void *to)
{
    const struct xen_gnttab_setup_table *arg = from;
    struct xen_gnttab_setup_table_32 *a = to;

    a->status = arg->status;
}

static void transfer_from_32(const void *from, void *to)
{
    const struct xen_gnttab_transfer_32 *a = from;
    struct xen_gnttab_transfer *arg = to;

    *arg = (struct xen_gnttab_transfer){ .mfn = a->mfn, .domid = a->domid, .ref = a->ref };
}

static void transfer_to_32(const void *from, void *to)
{
    const struct xen_gnttab_transfer *arg = from;
    struct xen_gnttab_transfer_32 *a = to;

    a->status = arg->status;
}

static struct xen_gnttab_copy_ptr ptr_from_32(struct xen_gnttab_copy_ptr_32 p)
{
    return (struct xen_gnttab_copy_ptr){ .ref_or_gmfn = p.ref_or_gmfn,
                                         .domid = p.domid,
                                         .offset = p.offset };
}

static void copy_from_32(const void *from, void *to)
{
    const struct xen_gnttab_copy_32 *a = from;
    struct xen_gnttab_copy *arg = to;

    *arg = (struct xen_gnttab_copy){ .source = ptr_from_32(a->source),
                                     .dest = ptr_from_32(a->dest),
                                     .len = a->len,
                                     .flags = a->flags };
}

static void copy_to_32(const void *from, void *to)
{
    const struct xen_gnttab_copy *arg = from;
    struct xen_gnttab_copy_32 *a = to;

    a->status = arg->status;
}

/* ---- Dispatch ---- */

struct op {
    /* 0; -EAGAIN: some of it is done, and the same call does more; or an error that ends it. */
    int (*fn)(struct vcpu *v, void *arg);
    uint8_t bytes; /* of an element */
    bool single;   /* takes one and no more */
    /* The layout of 32-bit callers, where it is another one; to_32 puts the answer in. */
    uint8_t bytes_32;
    void (*from_32)(const void *from, void *to);
    void (*to_32)(const void *from, void *to);
};

static const struct op ops[] = {
    [GNTTABOP_MAP_GRANT_REF] = { .fn = map_one, .bytes = sizeof(struct xen_gnttab_map_grant_ref) },
    [GNTTABOP_UNMAP_GRANT_REF] = { .fn = unmap_one,
                                   .bytes = sizeof(struct xen_gnttab_unmap_grant_ref) },
    [GNTTABOP_UNMAP_AND_REPLACE] = { .fn = replace_one,
                                     .bytes = sizeof(struct xen_gnttab_unmap_and_replace) },
    [GNTTABOP_SETUP_TABLE] = { setup_table, sizeof(struct xen_gnttab_setup_table), true,
                               sizeof(struct xen_gnttab_setup_table_32), setup_from_32,
                               setup_to_32 },
    [GNTTABOP_TRANSFER] = { transfer_one, sizeof(struct xen_gnttab_transfer), false,
                            sizeof(struct xen_gnttab_transfer_32), transfer_from_32,
                            transfer_to_32 },
    [GNTTABOP_COPY] = { copy_one, sizeof(struct xen_gnttab_copy), false,
                        sizeof(struct xen_gnttab_copy_32), copy_from_32, copy_to_32 },
    [GNTTABOP_QUERY_SIZE] = { .fn = query_size,
                              .bytes = sizeof(struct xen_gnttab_query_size),
                              .single = true },
    [GNTTABOP_SET_VERSION] = { .fn = set_version,
                               .bytes = sizeof(struct xen_gnttab_set_version),
                               .single = true },
    [GNTTABOP_GET_VERSION] = { .fn = get_version,
                               .bytes = sizeof(struct xen_gnttab_get_version),
                               .single = true },
};

static bool is_other_layout(struct vcpu *v, const struct op *op)
{
    return op->bytes_32 && !virt_in_64bit_code(&v->virt);
}

/* The answer's place is tried before anything happens: what has no place to tell its handle is not
 * mapped. */
static int64_t do_one(struct vcpu *v, const struct op *op, uint64_t at, size_t bytes)
{
    uint64_t raw[5], wide[5], *arg = is_other_layout(v, op) ? wide : raw;

    if (gva_copy_in(&v->space, raw, at, bytes) || gva_copy_out(&v->space, at, raw, bytes))
        return -EFAULT;
    if (arg == wide)
        op->from_32(raw, wide);
    int err = op->fn(v, arg);
    if (err == -EAGAIN)
        return HYPERCALL_CONTINUE;
    if (arg == wide)
        op->to_32(wide, raw);
    if (gva_copy_out(&v->space, at, raw, bytes))
        err = -EFAULT;
    return err;
}

int64_t hypercall_grant_table_op(struct vcpu *v, uint64_t *args)
{
    uint32_t count = (uint32_t)args[2];
    struct batch b = { .most = BATCH };

    if ((int32_t)count < 0)
        return -EINVAL;
    if (args[0] >= sizeof(ops) / sizeof(ops[0]) || !ops[args[0]].fn)
        return -ENOSYS;
    const struct op *op = &ops[args[0]];
    size_t bytes = is_other_layout(v, op) ? op->bytes_32 : op->bytes;
    if (op->single && count != 1)
        return -EINVAL;
    for (; count && batch_more(&b); count--) {
        int64_t err = do_one(v, op, args[1], bytes);
        if (err)
            return err;
        args[1] += bytes;
    }
    args[2] = count;
    return count ? HYPERCALL_CONTINUE : 0;
}
