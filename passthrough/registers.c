/*
 * A device's registers in memory: where the guest's BARs say, for its guest to reach.
 *
 * They are mapped as they are touched, in pieces of 4 KiB, 2 MiB or 1 GiB, the largest that fit, so
 * no access costs much. When a BAR moves they go, some at a time, and until all have gone nothing
 * is mapped anew. Trapped are the pages of MSI-X's table and pending bits, and BARs of less than a
 * page, beside which another device may be: accesses to them are carried out here.
 */
#include "lib/log.h"
#include "guestmem/p2m.h"
#include "mm/aspace.h"
#include "passthrough/assigned.h"

#define PAGES(bytes) (((bytes) + PAGE_SIZE - 1) >> PAGE_SHIFT)
#define GIB_4        (1ul << 32)
#define HIGH_END     (1ul << SLAT_BITS)

#define MSIX_BAR   7u
#define MSIX_BYTES 16u /* of an entry of its table */

/* ---- What there is ---- */

/* The mapping is for good: the next domain that has the device finds it. A device may say by then
 * that its registers are elsewhere. */
static int map_piece(struct pci_piece *p, uint64_t start, uint64_t end)
{
    if (p->at)
        return p->start == start && p->end == end ? 0 : -ENODEV;
    p->at = aspace_map(maddr(start), end - start, ASPACE_UC);
    p->start = start;
    p->end = end;
    return p->at ? 0 : -ENOMEM;
}

static int trap(struct assigned *a, unsigned bar, uint64_t start, uint64_t end)
{
    uint64_t base = a->device->bar[bar].base;
    unsigned n = a->trap_count;

    if (n == ASSIGNED_TRAPS)
        return -E2BIG;
    struct pci_piece *p = &a->device->mapped[n];
    int err = map_piece(p, base + start, base + end);
    if (err)
        return err;
    a->trap[n] = (struct trap){ (uint8_t)bar, start, end, p->at };
    a->trap_count++;
    return 0;
}

/* By a word of the capability. */
static struct place place_of(const struct assigned *a, uint32_t word, uint64_t bytes)
{
    struct place p = { word & MSIX_BAR, word & ~MSIX_BAR, bytes };
    uint64_t size = p.bar < ASSIGNED_BARS ? a->region[p.bar].size : 0;

    if (size < PAGE_SIZE || p.at + bytes > size)
        p.bytes = 0;
    return p;
}

static int trap_place(struct assigned *a, const struct place *p)
{
    return trap(a, p->bar, p->at & PAGE_MASK, PAGES(p->at + p->bytes) << PAGE_SHIFT);
}

/* MSI-X is done without where its table cannot be. */
static int trap_messages(struct assigned *a)
{
    const struct config_place *d = &a->device->at;
    unsigned at = a->device->cap[PCI_CAP_MSIX];

    if (!at)
        return 0;
    unsigned count = ((config_read32(d, at) & MSIX_COUNT) >> 16) + 1;
    a->table = place_of(a, config_read32(d, at + 4), (uint64_t)count * MSIX_BYTES);
    a->bits = place_of(a, config_read32(d, at + 8), (count + 63) / 64 * 8);
    if (!a->table.bytes || !a->bits.bytes) {
        a->table.bytes = a->bits.bytes = 0;
        return 0;
    }
    a->message_count = count < ASSIGNED_MSI ? count : ASSIGNED_MSI;
    int err = trap_place(a, &a->table);
    return err ? err : trap_place(a, &a->bits);
}

static const char *what(int err)
{
    switch (err) {
    case -E2BIG:
        return "its registers take too many pages";
    case -ENODEV:
        return "it has other registers than before";
    default:
        return "no room for its registers";
    }
}

/* Pieces begin at multiples of their size, in the BAR as in memory, which has them so too. */
static uint64_t start_of(uint64_t offset, unsigned order)
{
    return offset & -(PAGE_SIZE << order);
}

static bool has_trap(const struct assigned *a, unsigned bar, uint64_t start, uint64_t end)
{
    for (const struct trap *t = a->trap; t < a->trap + a->trap_count; t++)
        if (t->bar == bar && t->start < end && start < t->end)
            return true;
    return false;
}

static unsigned smaller(unsigned order)
{
    return p2m_largest_order((1ul << order) - 1);
}

/* How much of it is mapped together with this place, if that is free. */
static unsigned order_at(const struct assigned *a, unsigned bar, uint64_t offset)
{
    unsigned order = p2m_largest_order(a->region[bar].size >> PAGE_SHIFT);
    uint64_t start = start_of(offset, order);

    while (order && has_trap(a, bar, start, start + (PAGE_SIZE << order))) {
        order = smaller(order);
        start = start_of(offset, order);
    }
    return order;
}

static int count_pieces(const struct assigned *a)
{
    unsigned pieces = 0;

    for (unsigned i = 0; i < ASSIGNED_BARS; i++) {
        for (uint64_t at = 0; at < a->region[i].size; at += PAGE_SIZE << order_at(a, i, at))
            if (++pieces > ASSIGNED_PIECES)
                return -E2BIG;
    }
    return 0;
}

int registers_open(struct assigned *a)
{
    const struct pci_device *d = a->device;
    int err = 0;

    for (unsigned i = 0; i < ASSIGNED_BARS && !err; i += 1 + d->bar[i].wide) {
        uint64_t size = d->bar[i].io ? 0 : d->bar[i].size;
        a->region[i].size = size;
        if (size && size < PAGE_SIZE)
            err = trap(a, i, 0, size);
    }
    if (!err)
        err = trap_messages(a);
    if (!err)
        err = count_pieces(a);
    if (err)
        log_error("%s: pci=%s: %s", a->owner.name, pci_name(&d->at).text, what(err));
    return err;
}

/* ---- Where it is ---- */

static mfn_t frame_of(const struct assigned *a, unsigned bar, uint64_t offset)
{
    return maddr_to_mfn(maddr(a->device->bar[bar].base + offset));
}

/* Where it leaves again before all is gone from the first place, nothing has been mapped; nor is
 * what is less than a page. */
static void leave(struct assigned *a, unsigned bar)
{
    struct region *r = &a->region[bar];

    if (!r->left.frames)
        r->left = (struct p2m_registers){ gpa_to_gfn(gpa(r->at)), frame_of(a, bar, 0),
                                          r->size >> PAGE_SHIFT, 0 };
    a->leaving |= r->left.frames > 0;
}

/* The first that has left something, or ASSIGNED_BARS. */
static unsigned find_left(const struct assigned *a)
{
    unsigned i = 0;

    while (i < ASSIGNED_BARS && !a->region[i].left.frames)
        i++;
    return i;
}

/* A piece of that. What the guest has put there meanwhile stays. */
static void take_some(struct assigned *a)
{
    struct p2m_registers *left = &a->region[find_left(a)].left;

    if (p2m_take_device(a->owner.p2m, left))
        left->frames = 0;
    a->leaving = find_left(a) < ASSIGNED_BARS;
}

/* All its vCPUs are to have a part in it: whoever has moved the BAR finds it done. */
static void ask(const struct assigned *a)
{
    a->owner.tell(a->owner.ctx, 0);
    a->owner.come_out(a->owner.ctx);
}

unsigned registers_settle(struct assigned *a, unsigned most)
{
    if (!a->leaving)
        return 0;
    if (most)
        take_some(a);
    if (a->leaving)
        ask(a);
    return most;
}

/* Below 4 GiB the board says where; above, what is there already keeps its place. */
static bool may_lie(const struct assigned *a, uint64_t at, uint64_t size)
{
    const struct passthrough_owner *o = &a->owner;

    if (at < GIB_4)
        return at >= o->low.v && at + size <= o->low_end.v;
    return at < HIGH_END && size <= HIGH_END - at;
}

static uint64_t bar_of(const struct assigned *a, unsigned i)
{
    const struct field *w = &a->word[CONFIG_BAR / 4 + i];
    uint64_t at = w->value & w->kept;

    return a->device->bar[i].wide ? at | (uint64_t)w[1].value << 32 : at;
}

void registers_move(struct assigned *a)
{
    bool enabled = a->word[CONFIG_COMMAND / 4].value & PCI_COMMAND_MEMORY;

    for (unsigned i = 0; i < ASSIGNED_BARS; i++) {
        struct region *r = &a->region[i];
        uint64_t at = bar_of(a, i);
        bool on = enabled && r->size && may_lie(a, at, r->size);
        if (r->on && (!on || at != r->at))
            leave(a, i);
        r->at = at;
        r->on = on;
    }
    registers_settle(a, 1);
}

/* ---- Accesses ---- */

/* The BAR at this address, or ASSIGNED_BARS. Of two in one place the first one answers. */
static unsigned find(const struct assigned *a, uint64_t at)
{
    unsigned i = 0;

    while (i < ASSIGNED_BARS && !(a->region[i].on && at - a->region[i].at < a->region[i].size))
        i++;
    return i;
}

static const struct trap *trap_of(const struct assigned *a, unsigned bar, uint64_t offset)
{
    for (const struct trap *t = a->trap; t < a->trap + a->trap_count; t++)
        if (t->bar == bar && offset >= t->start && offset < t->end)
            return t;
    return NULL;
}

volatile uint8_t *registers_at(const struct assigned *a, unsigned bar, uint64_t offset,
                               unsigned size)
{
    const struct trap *t = trap_of(a, bar, offset);

    return t && size <= t->end - offset ? t->registers + (offset - t->start) : NULL;
}

/* By another vCPU that came first; or by the guest, with something of its own. */
static bool is_mapped(const struct assigned *a, uint64_t at)
{
    bool lent;
    mfn_t m;

    return p2m_lookup(a->owner.p2m, gpa_to_gfn(gpa(at)), &m, &lent) == 0;
}

static int lend_piece(const struct assigned *a, unsigned bar, uint64_t start, unsigned order)
{
    gfn_t g = gpa_to_gfn(gpa(a->region[bar].at + start));
    mfn_t m = frame_of(a, bar, start);

    return order ? p2m_lend_device_block(a->owner.p2m, g, m, order)
                 : p2m_lend_device(a->owner.p2m, g, m);
}

/* Where something smaller is, or tables for such that cannot be told to be empty in short, the
 * piece is smaller too. */
static int lend(const struct assigned *a, unsigned bar, uint64_t offset)
{
    unsigned order = order_at(a, bar, offset);
    int err = lend_piece(a, bar, start_of(offset, order), order);

    while (err == -EEXIST && order) {
        order = smaller(order);
        err = lend_piece(a, bar, start_of(offset, order), order);
    }
    return err;
}

bool registers_map(struct vpci_function *f, uint64_t at)
{
    struct assigned *a = container_of(f, struct assigned, function);
    unsigned bar = find(a, at);

    if (bar == ASSIGNED_BARS || trap_of(a, bar, at - a->region[bar].at))
        return false;
    if (a->leaving) /* the access is made again, behind the next piece of that */
        return true;
    int err = lend(a, bar, at - a->region[bar].at);
    if (err == -EAGAIN)
        a->owner.come_out(a->owner.ctx);
    return !err || err == -EAGAIN || (err == -EEXIST && is_mapped(a, at));
}

static bool is_in(const struct place *p, unsigned bar, uint64_t offset)
{
    return p->bar == bar && offset - p->at < p->bytes;
}

static uint32_t read_hardware(const volatile uint8_t *at, unsigned size)
{
    switch (size) {
    case 1:
        return *at;
    case 2:
        return *(const volatile uint16_t *)at;
    default:
        return *(const volatile uint32_t *)at;
    }
}

static void write_hardware(volatile uint8_t *at, unsigned size, uint32_t value)
{
    switch (size) {
    case 1:
        *at = (uint8_t)value;
        break;
    case 2:
        *(volatile uint16_t *)at = (uint16_t)value;
        break;
    default:
        *(volatile uint32_t *)at = value;
    }
}

/* What an access is to. */
struct target {
    unsigned bar;
    uint64_t offset;
    volatile uint8_t *registers; /* NULL: nothing; what is not aligned goes nowhere */
};

/* False if it is not this device's. */
static bool locate(const struct assigned *a, uint64_t at, unsigned size, struct target *t)
{
    t->bar = find(a, at);
    if (t->bar == ASSIGNED_BARS)
        return false;
    t->offset = at - a->region[t->bar].at;
    t->registers = t->offset % size ? NULL : registers_at(a, t->bar, t->offset, size);
    return true;
}

bool registers_read(struct vpci_function *f, uint64_t at, unsigned size, uint32_t *value)
{
    struct assigned *a = container_of(f, struct assigned, function);
    struct target t;

    if (!locate(a, at, size, &t))
        return false;
    if (!t.registers)
        return true;
    if (is_in(&a->table, t.bar, t.offset))
        *value = message_read(a, t.offset - a->table.at) >> 8 * (t.offset & 3);
    else
        *value = read_hardware(t.registers, size);
    return true;
}

bool registers_write(struct vpci_function *f, uint64_t at, unsigned size, uint32_t value)
{
    struct assigned *a = container_of(f, struct assigned, function);
    struct target t;

    if (!locate(a, at, size, &t))
        return false;
    if (!t.registers)
        return true;
    if (is_in(&a->table, t.bar, t.offset) && size == 4)
        message_write(a, t.offset - a->table.at, value);
    else if (!is_in(&a->table, t.bar, t.offset) && !is_in(&a->bits, t.bar, t.offset))
        write_hardware(t.registers, size, value);
    return true;
}
