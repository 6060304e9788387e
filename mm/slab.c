/*
 * Small objects of one size.
 *
 * A page holds a header and objects of one owner; free objects are linked through their first
 * bytes. Pages with room are on the slab's list, full ones on none, and an empty one goes back to
 * the heap at once: so that a domain that is gone has left nothing, and the counts say so.
 */
#include "mm/heap.h"

#include "lib/assert.h"
#include "lib/limits.h"
#include "lib/list.h"
#include "lib/spinlock.h"
#include "lib/string.h"
#include "mm/fill.h"
#include "mm/frame_table.h"

#define OBJECT_ALIGN 16

struct object {
    struct object *next;
};

/* At the start of each page. */
struct slab_page {
    struct list_node link; /* in the slab's list while there is room */
    struct slab *slab;
    struct object *free;
    uint16_t owner;
    uint16_t used;
};
#define HEADER_SIZE ((sizeof(struct slab_page) + OBJECT_ALIGN - 1) & ~(OBJECT_ALIGN - 1UL))

struct slab {
    struct spinlock lock;
    const char *name;
    size_t size;            /* of an object, a multiple of OBJECT_ALIGN */
    unsigned capacity;      /* objects in a page */
    struct list_node pages; /* those with room; under the lock */
    uint64_t used;          /* objects; under the lock */
};

static struct slab slabs[MAX_SLABS]; /* boot only */
static unsigned slab_total;          /* boot only */

struct slab *slab_create(const char *name, size_t object_size)
{
    struct slab *s = &slabs[slab_total];

    ASSERT(slab_total < MAX_SLABS);
    ASSERT(object_size > 0 && object_size <= PAGE_SIZE / 2);
    slab_total++;
    s->lock = (struct spinlock)SPINLOCK_RANK("slab", LOCK_SLAB);
    s->name = name;
    s->size = (object_size + OBJECT_ALIGN - 1) & ~(OBJECT_ALIGN - 1UL);
    s->capacity = (unsigned)((PAGE_SIZE - HEADER_SIZE) / s->size);
    s->used = 0;
    list_init(&s->pages);
    return s;
}

static struct object *object_at(struct slab_page *page, unsigned i)
{
    return (struct object *)((char *)page + HEADER_SIZE + i * page->slab->size);
}

static struct slab_page *add_page(struct slab *s, uint16_t owner)
{
    struct slab_page *page = heap_pages(0, owner);

    if (!page)
        return NULL;
    page->slab = s;
    page->owner = owner;
    for (unsigned i = s->capacity; i > 0; i--) {
        struct object *o = object_at(page, i - 1);

        o->next = page->free;
        page->free = o;
    }
    list_add(&s->pages, &page->link);
    return page;
}

/* A page of owner's with room; a new one if there is none. */
static struct slab_page *page_for(struct slab *s, uint16_t owner)
{
    struct list_node *pos;

    list_for_each (pos, &s->pages) {
        struct slab_page *page = LIST_ENTRY(pos, struct slab_page, link);

        if (page->owner == owner)
            return page;
    }
    return add_page(s, owner);
}

static void *take_object(struct slab_page *page)
{
    struct object *o = page->free;

    ASSERT(o);
    page->free = o->next;
    page->used++;
    page->slab->used++;
    if (!page->free)
        list_remove(&page->link);
    return o;
}

void *slab_alloc(struct slab *s, uint16_t owner)
{
    struct slab_page *page;
    void *object = NULL;

    if (frame_fails_now())
        return NULL;
    spin_lock(&s->lock);
    page = page_for(s, owner);
    if (page)
        object = take_object(page);
    spin_unlock(&s->lock);
    if (object)
        memset(object, 0, s->size);
    return object;
}

/* A pointer that slab_alloc() may have given. */
static bool is_object(const struct slab *s, const struct slab_page *page, const void *object)
{
    size_t offset = (uintptr_t)object - (uintptr_t)page;

    return page->slab == s && offset >= HEADER_SIZE && (offset - HEADER_SIZE) % s->size == 0;
}

static void put_object(struct slab_page *page, struct object *o)
{
    if (!page->free)
        list_add(&page->slab->pages, &page->link);
    o->next = page->free;
    page->free = o;
    page->used--;
    page->slab->used--;
}

void slab_free(struct slab *s, void *object)
{
    struct slab_page *page = (struct slab_page *)((uintptr_t)object & PAGE_MASK);
    bool empty;

    ASSERT(is_object(s, page, object));
    ASSERT(page->used > 0);
    fill_bytes(object, s->size);
    spin_lock(&s->lock);
    put_object(page, object);
    empty = page->used == 0;
    if (empty)
        list_remove(&page->link);
    spin_unlock(&s->lock);
    if (empty)
        heap_free_pages(page, 0, page->owner);
}

uint64_t slab_count(const struct slab *s)
{
    return s->used;
}
