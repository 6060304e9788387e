/*
 * Unpacks kernels. See lifecycle/unpack.h.
 *
 * The memory is one piece of frames, mapped for good. The packed file stays too: its mapping
 * cannot be taken away again, and the boot loader's memory is no loss that anybody sees.
 */
#include "lifecycle/unpack.h"
#include "lib/log.h"
#include "loader/decompress.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/heap.h"

/* Gives back the frames from first to end, in blocks as large as they come. */
static void free_rest(uint64_t first, uint64_t end)
{
    while (first < end) {
        unsigned order = (unsigned)__builtin_ctzl(first);
        while (1UL << order > end - first || order > FRAME_MAX_ORDER)
            order--;
        frame_free(mfn(first), order, OWNER_MODULE);
        first += 1UL << order;
    }
}

/* Whole frames for size bytes, in one piece; NULL: there are none. */
static void *new_room(size_t size)
{
    unsigned order = size > PAGE_SIZE << FRAME_MAX_ORDER ? FRAME_MAX_ORDER + 1 : heap_order(size);
    mfn_t m;

    if (order > FRAME_MAX_ORDER || frame_alloc_unscrubbed(order, OWNER_MODULE, &m))
        return NULL;
    free_rest(m.v + ((size + PAGE_SIZE - 1) >> PAGE_SHIFT), m.v + (1UL << order));
    return aspace_map(mfn_to_maddr(m), size, ASPACE_RW);
}

static int unpack(const struct decompress_format *format, struct module *m, void *work,
                  const char **why)
{
    size_t size = 0;

    *why = format->size(m->data, m->size, &size);
    if (*why)
        return -ENOEXEC;
    void *to = new_room(size);
    *why = to ? format->unpack(m->data, m->size, to, size, work) : "no memory in one piece for it";
    if (*why)
        return to ? -ENOEXEC : -ENOMEM;
    m->data = to;
    m->size = size;
    return 0;
}

int unpack_kernel(struct module *m, const char *whose)
{
    const struct decompress_format *format = decompress_format_of(m->data, m->size);
    const char *why = "no memory to work with";
    size_t packed = m->size;

    if (!format)
        return 0;
    void *work = heap_pages(heap_order(DECOMPRESS_WORK), OWNER_CAISSON);
    int err = work ? unpack(format, m, work, &why) : -ENOMEM;
    if (err)
        log_error("%s: the kernel is packed by %s: %s", whose, format->name, why);
    else
        log_info("%s: the kernel was packed by %s: %zu KiB, now %zu", whose, format->name,
                 packed >> 10, m->size >> 10);
    if (work)
        heap_free_pages(work, heap_order(DECOMPRESS_WORK), OWNER_CAISSON);
    return err;
}
