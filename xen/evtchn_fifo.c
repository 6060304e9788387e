/*
 * Events told in queues: each port has a word of memory of the guest's, and each vCPU sixteen
 * queues of such words, linked by port number, of which Caisson writes the tail and the guest
 * reads the head. Source: Xen's design document "Event Channel FIFO" and
 * xen/include/public/event_channel.h.
 *
 * The guest's pages are pinned as long as they are used and reached by windows. All that stands in
 * them the guest may change at any moment: nothing here trusts it to find its way.
 */
#include "guestmem/p2m.h"
#include "sched/batch.h"
#include "xen/evtchn.h"
#include "lib/nospec.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/window.h"

#define PAGE_WORDS  (PAGE_SIZE / sizeof(uint32_t))
#define ARRAY_PAGES (EVTCHN_PORTS_MOST / PAGE_WORDS)

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED  (1u << EVTCHN_FIFO_MASKED)
#define LINKED  (1u << EVTCHN_FIFO_LINKED)
#define BUSY    (1u << EVTCHN_FIFO_BUSY)

/* How often a link is tried: an honest guest changes a linked word four times at most. */
#define LINK_TRIES 4

#define PIECE 64 /* ports that one call looks at, at most */

struct control {
    bool set;
    uint16_t offset;
    uint16_t tail[EVTCHN_FIFO_QUEUES]; /* last port of each queue; 0: empty */
    mfn_t frame;
};

struct evtchn_fifo {
    unsigned pages;
    uint32_t replayed; /* ports below it: what waited for their words is in these by now */
    mfn_t array[ARRAY_PAGES];
    struct control control[MAX_VCPUS];
};
_Static_assert(sizeof(struct evtchn_fifo) <= PAGE_SIZE, "a page of the heap");

static struct evtchn_fifo *fifo_of(const struct xen_domain *d)
{
    return d->events->fifo;
}

/* ---- The guest's words ---- */

/* NULL: the guest has not given a page for it yet. A window; window_close() follows. */
static uint32_t *open_word(const struct xen_domain *d, uint32_t port)
{
    const struct evtchn_fifo *f = fifo_of(d);

    if (port / PAGE_WORDS >= f->pages)
        return NULL;
    mfn_t page = f->array[index_nospec(port / PAGE_WORDS, f->pages)];
    return (uint32_t *)window_open(page) + port % PAGE_WORDS;
}

static struct xen_evtchn_fifo_control_block *open_control(const struct control *c)
{
    return (void *)((char *)window_open(c->frame) + c->offset);
}

static uint32_t set_bits(uint32_t *word, uint32_t bits)
{
    return __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST);
}

static uint32_t clear_bits(uint32_t *word, uint32_t bits)
{
    return __atomic_fetch_and(word, ~bits, __ATOMIC_SEQ_CST);
}

/* ---- Linking ---- */

/* Lets the tail's word lead to port. False if the guest has taken the tail off already: the queue
 * is empty then. BUSY keeps an honest guest from unmasking meanwhile; a dishonest one makes the
 * link fail and loses its own event. */
static bool link_behind(uint32_t *tail, uint32_t port)
{
    uint32_t seen = __atomic_load_n(tail, __ATOMIC_SEQ_CST);

    for (unsigned i = 0; i <= LINK_TRIES; i++) {
        if (!(seen & LINKED)) {
            clear_bits(tail, BUSY);
            return false;
        }
        uint32_t now = (seen & ~(BUSY | EVTCHN_FIFO_LINK_MASK)) | port;
        if (__atomic_compare_exchange_n(tail, &seen, now, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
            return true;
        seen = set_bits(tail, BUSY) | BUSY;
    }
    clear_bits(tail, BUSY);
    return true;
}

static bool link_to_tail(const struct xen_domain *d, uint32_t tail, uint32_t port)
{
    uint32_t *word = tail ? open_word(d, tail) : NULL;

    if (!word)
        return false;
    bool linked = link_behind(word, port);
    window_close(word);
    return linked;
}

/* Puts port at the end of its vCPU's queue. Should it have been the tail of another queue, that one
 * is empty now. */
static void enqueue(struct xen_domain *d, uint32_t port)
{
    struct evtchn *ch = evtchn_port(d, port);
    struct control *c = &fifo_of(d)->control[ch->vcpu];
    uint16_t *old = &fifo_of(d)->control[ch->last_vcpu].tail[ch->last_priority];
    unsigned q = ch->priority;

    if (*old == port)
        *old = 0;
    ch->last_vcpu = ch->vcpu;
    ch->last_priority = ch->priority;
    bool linked = link_to_tail(d, c->tail[q], port);
    c->tail[q] = (uint16_t)port;
    if (linked)
        return;
    struct xen_evtchn_fifo_control_block *block = open_control(c);
    __atomic_store_n(&block->head[q], port, __ATOMIC_SEQ_CST);
    bool ready = set_bits(&block->ready, 1u << q) >> q & 1;
    window_close(block);
    if (!ready)
        pv_vcpu_mark_pending(d->vcpu[ch->vcpu]);
}

/* ---- The ABI's table ---- */

static void set_pending(struct xen_domain *d, uint32_t port)
{
    struct evtchn *ch = evtchn_port(d, port);
    uint32_t *word = open_word(d, port);

    if (!word) {
        ch->pending = true; /* told when the page comes */
        return;
    }
    if (!fifo_of(d)->control[ch->vcpu].set) {
        window_close(word);
        return; /* that vCPU has no queues: it may not unmask yet either */
    }
    uint32_t was = set_bits(word, PENDING);
    bool join = !(was & MASKED) && !(set_bits(word, LINKED) & LINKED);
    window_close(word);
    if (join)
        enqueue(d, port);
    if (!(was & PENDING))
        pv_poll_wake(d, port);
}

static uint32_t read_word(struct xen_domain *d, uint32_t port)
{
    uint32_t *word = open_word(d, port), value = 0;

    if (word) {
        value = __atomic_load_n(word, __ATOMIC_SEQ_CST);
        window_close(word);
    }
    return value;
}

static void drop_bits(struct xen_domain *d, uint32_t port, uint32_t bits)
{
    uint32_t *word = open_word(d, port);

    if (!word)
        return;
    clear_bits(word, bits);
    window_close(word);
}

static void clear_pending(struct xen_domain *d, uint32_t port)
{
    drop_bits(d, port, PENDING);
}

static void unmask(struct xen_domain *d, uint32_t port)
{
    drop_bits(d, port, MASKED);
    if (read_word(d, port) & PENDING)
        set_pending(d, port);
}

static bool is_pending(struct xen_domain *d, uint32_t port)
{
    return read_word(d, port) & PENDING;
}

/* Still in a queue: given out anew now, its first event could come with the wrong priority. */
static bool is_busy(struct xen_domain *d, uint32_t port)
{
    return read_word(d, port) & LINKED;
}

static uint32_t ports(const struct xen_domain *d)
{
    (void)d;
    return EVTCHN_PORTS_MOST;
}

const struct evtchn_abi evtchn_fifo = {
    .set_pending = set_pending,
    .clear_pending = clear_pending,
    .unmask = unmask,
    .is_pending = is_pending,
    .is_busy = is_busy,
    .ports = ports,
};

/* ---- Setting up ---- */

int evtchn_fifo_init_control(struct xen_domain *d, const struct xen_evtchn_init_control *arg)
{
    struct evtchn_fifo *f = fifo_of(d), *fresh = NULL;
    uint64_t vcpu = index_nospec(arg->vcpu, d->vcpu_count);
    mfn_t m;

    if (arg->vcpu >= d->vcpu_count)
        return -ENOENT;
    if (arg->offset > PAGE_SIZE - sizeof(struct xen_evtchn_fifo_control_block) || arg->offset % 8)
        return -EINVAL;
    if (f && f->control[vcpu].set)
        return -EINVAL;
    if (!f && !(f = fresh = heap_pages(0, d->id)))
        return -ENOMEM;
    int err = p2m_pin_own(d->p2m, gfn(arg->control_gfn), false, &m);
    if (err) {
        if (fresh)
            heap_free_pages(fresh, 0, d->id);
        return err;
    }
    d->events->fifo = f;
    f->control[vcpu] = (struct control){ .set = true, .offset = (uint16_t)arg->offset, .frame = m };
    return 0;
}

static int add_page(struct xen_domain *d, struct evtchn_fifo *f, uint64_t array_gfn)
{
    if (f->pages == ARRAY_PAGES)
        return -ENOSPC;
    int err = p2m_pin_own(d->p2m, gfn(array_gfn), false, &f->array[f->pages]);

    if (!err)
        f->pages++;
    return err;
}

/* Events that came before their words did, also to the two levels in the shared page. */
static void tell_port(struct xen_domain *d, uint32_t port)
{
    struct evtchn *ch = evtchn_port(d, port);

    if (!ch || !(ch->pending || evtchn_2l.is_pending(d, port)))
        return;
    ch->pending = false;
    set_pending(d, port);
}

int evtchn_fifo_expand(struct xen_domain *d, uint64_t array_gfn)
{
    struct evtchn_fifo *f = fifo_of(d);

    if (!f)
        return -EOPNOTSUPP;
    struct batch b = { .most = PIECE };
    bool goes_on = f->replayed < f->pages * PAGE_WORDS;
    int err = goes_on ? 0 : add_page(d, f, array_gfn);
    if (err)
        return err;
    while (f->replayed < f->pages * PAGE_WORDS && batch_more(&b))
        tell_port(d, f->replayed++);
    return f->replayed < f->pages * PAGE_WORDS ? -EAGAIN : 0;
}

void evtchn_fifo_stop(struct xen_domain *d)
{
    struct evtchn_fifo *f = fifo_of(d);

    if (!f)
        return;
    for (unsigned i = 0; i < f->pages; i++)
        frame_unpin(f->array[i]);
    for (unsigned i = 0; i < MAX_VCPUS; i++)
        if (f->control[i].set)
            frame_unpin(f->control[i].frame);
    d->events->fifo = NULL;
    heap_free_pages(f, 0, d->id);
}
