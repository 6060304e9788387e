/*
 * Unpacks kernels. See lifecycle/unpack.h.
 *
 * The memory is one piece of frames, mapped for good. The packed file stays too: its mapping
 * cannot be taken away again, and the boot loader's memory is no loss that anybody sees. For the
 * same reason the room of a kernel that turns out to be damaged is kept for the next one.
 */
#include "lifecycle/unpack.h"
#include "lib/log.h"
#include "decompress/decompress.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/heap.h"

/* Of a kernel that could not be unpacked: the largest such one. Boot only. */
static struct room {
    void *at; /* NULL: there is none */
    size_t size;
} spare;

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

/* spare, if that is large enough, which then is none any more; or a new one. */
static struct room room_for(size_t size)
{
    struct room room = spare;

    if (!spare.at || spare.size < size)
        return (struct room){ new_room(size), size };
    spare.at = NULL;
    return room;
}

static void keep(struct room room)
{
    if (!spare.at || spare.size < room.size)
        spare = room;
}

static int unpack(const struct decompress_format *format, struct module *m, uint64_t most,
                  void *work, const char **why)
{
    size_t size = 0;

    *why = format->size(m->data, m->size, &size);
    if (*why)
        return -ENOEXEC;
    *why = "it is larger than its domain's mem=";
    if (size > most)
        return -ENOMEM;
    *why = "no memory in one piece for it";
    struct room room = room_for(size);
    if (!room.at)
        return -ENOMEM;
    *why = format->unpack(m->data, m->size, room.at, size, work);
    if (*why) {
        keep(room);
        return -ENOEXEC;
    }
    m->data = room.at;
    m->size = size;
    return 0;
}

int unpack_kernel(struct module *m, uint64_t most, const char *whose)
{
    const struct decompress_format *format = decompress_format_of(m->data, m->size);
    const char *why = "no memory to work with";
    size_t packed = m->size;

    if (!format)
        return 0;
    void *work = heap_pages(heap_order(DECOMPRESS_WORK), OWNER_CAISSON);
    int err = work ? unpack(format, m, most, work, &why) : -ENOMEM;
    if (err)
        log_error("%s: the kernel is packed by %s: %s", whose, format->name, why);
    else
        log_info("%s: the kernel was packed by %s: %zu KiB, now %zu", whose, format->name,
                 packed >> 10, m->size >> 10);
    if (work)
        heap_free_pages(work, heap_order(DECOMPRESS_WORK), OWNER_CAISSON);
    return err;
}
