/*
 * grant_table_op: decodes the operation, works through its array, some elements at a time, and
 * writes each one's status back. Source: xen/include/public/grant_table.h.
 *
 * Elements are read once and worked on as copies. After a batch the call is continued. What a batch
 * unmaps is let go after one wait for the TLBs.
 */
#include "sched/batch.h"
#include "lib/likely.h"
#include "grant/grant.h"
#include "xen/pair.h"
#include "hypercall/hypercall.h"
#include "include/public/compat.h"
#include "lib/nospec.h"
#include "lib/string.h"

#define BATCH         16 /* elements of one round */
#define ELEMENT_WORDS 5  /* the largest has so many of 8 bytes */

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

/* Of those that were unmapped, and did not merely ask for nothing. */
static void unmap_end(struct vcpu *v, const void *p, unsigned count)
{
    const struct xen_gnttab_unmap_grant_ref *arg = p;
    uint32_t handles[BATCH];
    unsigned n = 0;

    for (unsigned i = 0; i < count; i++)
        if (arg[i].status == GNTST_OKAY && arg[i].host_addr)
            handles[n++] = arg[i].handle;
    grant_unmap_end(&v->xen, handles, n);
}

/* What would take the mapping's place is a page table's entry: a translated guest has none that
 * Xen knows of. Without one this is unmapping. */
static cold int replace_one(struct vcpu *v, void *p)
{
    struct xen_gnttab_unmap_and_replace *arg = p;
    struct xen_gnttab_unmap_grant_ref unmap = { .host_addr = arg->host_addr,
                                                .handle = arg->handle };

    arg->status = arg->new_addr ? GNTST_GENERAL_ERROR : (int16_t)grant_unmap(&v->xen, &unmap);
    if (arg->status == GNTST_OKAY && arg->host_addr)
        grant_unmap_end(&v->xen, &arg->handle, 1);
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
static cold int16_t check_target(struct vcpu *v, uint16_t id)
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

static cold void setup_from_32(const void *from, void *to)
{
    const struct xen_gnttab_setup_table_32 *a = from;
    struct xen_gnttab_setup_table *arg = to;

    *arg = (struct xen_gnttab_setup_table){ .dom = a->dom,
                                            .nr_frames = a->nr_frames,
                                            .frame_list = a->frame_list };
}

static cold void setup_to_32(const void *from, void *to)
{
    const struct xen_gnttab_setup_table *arg = from;
    struct xen_gnttab_setup_table_32 *a = to;

    a->status = arg->status;
}

static cold void transfer_from_32(const void *from, void *to)
{
    const struct xen_gnttab_transfer_32 *a = from;
    struct xen_gnttab_transfer *arg = to;

    *arg = (struct xen_gnttab_transfer){ .mfn = a->mfn, .domid = a->domid, .ref = a->ref };
}

static cold void transfer_to_32(const void *from, void *to)
{
    const struct xen_gnttab_transfer *arg = from;
    struct xen_gnttab_transfer_32 *a = to;

    a->status = arg->status;
}

static cold struct xen_gnttab_copy_ptr ptr_from_32(struct xen_gnttab_copy_ptr_32 p)
{
    return (struct xen_gnttab_copy_ptr){ .ref_or_gmfn = p.ref_or_gmfn,
                                         .domid = p.domid,
                                         .offset = p.offset };
}

static cold void copy_from_32(const void *from, void *to)
{
    const struct xen_gnttab_copy_32 *a = from;
    struct xen_gnttab_copy *arg = to;

    *arg = (struct xen_gnttab_copy){ .source = ptr_from_32(a->source),
                                     .dest = ptr_from_32(a->dest),
                                     .len = a->len,
                                     .flags = a->flags };
}

static cold void copy_to_32(const void *from, void *to)
{
    const struct xen_gnttab_copy *arg = from;
    struct xen_gnttab_copy_32 *a = to;

    a->status = arg->status;
}

/* ---- Dispatch ---- */

_Static_assert(sizeof(struct xen_gnttab_copy) <= ELEMENT_WORDS * 8, "the largest of them");
_Static_assert(sizeof(struct xen_gnttab_unmap_and_replace) <= ELEMENT_WORDS * 8, "and this");

struct op {
    /* 0; -EAGAIN: some of it is done, and the same call does more; or an error that ends it. */
    int (*fn)(struct vcpu *v, void *arg);
    uint8_t bytes; /* of an element */
    bool single;   /* takes one and no more */
    /* The layout of 32-bit callers, where it is another one; to_32 puts the answer in. */
    uint8_t bytes_32;
    void (*from_32)(const void *from, void *to);
    void (*to_32)(const void *from, void *to);
    /* What remains to be done for the elements of a batch together. */
    void (*end)(struct vcpu *v, const void *args, unsigned count);
};

static const struct op ops[] = {
    [GNTTABOP_MAP_GRANT_REF] = { .fn = map_one, .bytes = sizeof(struct xen_gnttab_map_grant_ref) },
    [GNTTABOP_UNMAP_GRANT_REF] = { .fn = unmap_one,
                                   .bytes = sizeof(struct xen_gnttab_unmap_grant_ref),
                                   .end = unmap_end },
    [GNTTABOP_UNMAP_AND_REPLACE] = { .fn = replace_one,
                                     .bytes = sizeof(struct xen_gnttab_unmap_and_replace) },
    [GNTTABOP_SETUP_TABLE] = { .fn = setup_table,
                               .bytes = sizeof(struct xen_gnttab_setup_table),
                               .single = true,
                               .bytes_32 = sizeof(struct xen_gnttab_setup_table_32),
                               .from_32 = setup_from_32,
                               .to_32 = setup_to_32 },
    [GNTTABOP_TRANSFER] = { .fn = transfer_one,
                            .bytes = sizeof(struct xen_gnttab_transfer),
                            .bytes_32 = sizeof(struct xen_gnttab_transfer_32),
                            .from_32 = transfer_from_32,
                            .to_32 = transfer_to_32 },
    [GNTTABOP_COPY] = { .fn = copy_one,
                        .bytes = sizeof(struct xen_gnttab_copy),
                        .bytes_32 = sizeof(struct xen_gnttab_copy_32),
                        .from_32 = copy_from_32,
                        .to_32 = copy_to_32 },
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

/* One of those that were read. Its answer takes its place. */
static int do_one(struct vcpu *v, const struct op *op, void *element)
{
    uint64_t wide[ELEMENT_WORDS];

    if (!is_other_layout(v, op))
        return op->fn(v, element);
    op->from_32(element, wide);
    int err = op->fn(v, wide);
    op->to_32(wide, element);
    return err;
}

/* The answers have their places before anything happens: what has no place to tell its handle is
 * not mapped. Begins with *done 0, and says there how many of count, at most BATCH, have been
 * answered. Where not all can be read and written, the first may be. */
static int do_some(struct vcpu *v, const struct op *op, uint64_t at, size_t bytes, unsigned count,
                   unsigned *done)
{
    char elements[BATCH * ELEMENT_WORDS * sizeof(uint64_t)] __attribute__((aligned(8)));
    struct batch b = { .most = count };
    struct gva_place place;
    int err = 0;

    if (gva_take(&v->space, elements, at, count * bytes, &place)) {
        b.most = 1;
        if (count == 1 || gva_take(&v->space, elements, at, bytes, &place))
            return -EFAULT;
    }
    while (!err && *done < b.most && batch_more(&b)) {
        err = do_one(v, op, elements + *done * bytes);
        *done += err != -EAGAIN;
    }
    if (op->end)
        op->end(v, elements, *done);
    if (*done && gva_answer(&v->space, at, elements, *done * bytes, &place))
        err = -EFAULT;
    return err;
}

int64_t hypercall_grant_table_op(struct vcpu *v, uint64_t *args)
{
    uint32_t count = (uint32_t)args[2];
    unsigned done = 0;

    if ((int32_t)count < 0)
        return -EINVAL;
    const uint64_t known = sizeof(ops) / sizeof(ops[0]);
    const struct op *op = &ops[index_nospec(args[0], known)];
    if (args[0] >= known || !op->fn)
        return -ENOSYS;
    size_t bytes = is_other_layout(v, op) ? op->bytes_32 : op->bytes;
    if (op->single && count != 1)
        return -EINVAL;
    if (!count)
        return 0;
    int err = do_some(v, op, args[1], bytes, count < BATCH ? count : BATCH, &done);
    if (err && err != -EAGAIN)
        return err;
    args[1] += done * bytes;
    args[2] = count - done;
    return args[2] ? HYPERCALL_CONTINUE : 0;
}
