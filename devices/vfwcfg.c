/*
 * fw_cfg. Source: QEMU, docs/specs/fw_cfg, "Register Locations", "Guest-side DMA Interface". Bit 14
 * of the selector asks to write an item, which is not taken: it is no part of the key.
 */
#include "devices/vfwcfg.h"
#include "lib/likely.h"

#define SELECTOR 0
#define DATA     1
#define DMA_HIGH 4
#define DMA_LOW  8

#define KEY_WRITE 0x4000u

/* Of a request's control word, whose upper half is a key; when it is done all but the first are 0.
 */
#define DMA_ERROR  0x01u
#define DMA_READ   0x02u
#define DMA_SKIP   0x04u
#define DMA_SELECT 0x08u
#define DMA_WRITE  0x10u

/* As much at a time as anybody may wait for. Pieces end where multiples of it do, so that each lies
 * in one large page. */
#define DMA_PIECE 0x4000u

/* As it stands in memory, in big endian. */
struct dma_request {
    uint32_t control, length;
    uint64_t address;
};

static void vfwcfg_select(struct vfwcfg *f, uint16_t key)
{
    f->selected = NULL;
    f->next = 0;
    for (unsigned i = 0; i < f->count; i++)
        if (f->items[i].key == (key & ~KEY_WRITE))
            f->selected = &f->items[i];
}

static uint64_t bytes_left(const struct vfwcfg *f)
{
    return f->selected && f->next < f->selected->size ? f->selected->size - f->next : 0;
}

/* ---- DMA ---- */

/* Whether that word can be written is the guest's affair: it is what it waits for. */
static void dma_end(struct vfwcfg *f, uint32_t error)
{
    uint32_t control = __builtin_bswap32(error);

    f->dma.due = TIME_NEVER;
    (void)f->memory.write(f->memory.ctx, f->dma.request, &control, sizeof(control));
}

/* Bytes of the item, or zeros behind its end. */
static bool dma_copy(struct vfwcfg *f)
{
    uint64_t n = DMA_PIECE - f->dma.to % DMA_PIECE, item = bytes_left(f);
    const uint8_t *from = item ? (const uint8_t *)f->selected->data + f->next : NULL;

    if (n > f->dma.left)
        n = f->dma.left;
    if (item && n > item)
        n = item;
    if (!f->memory.write(f->memory.ctx, f->dma.to, from, n))
        return false;
    f->next += n;
    f->dma.to += n;
    f->dma.left -= (uint32_t)n;
    return true;
}

static void dma_go_on(struct vfwcfg *f, uint64_t now)
{
    f->dma.due = now + 1;
    if (f->dma.left && !dma_copy(f))
        dma_end(f, DMA_ERROR);
    else if (!f->dma.left)
        dma_end(f, 0);
}

static void dma_begin(struct vfwcfg *f, uint64_t request, uint64_t now)
{
    struct dma_request r;

    f->dma = (struct vfwcfg_dma){ .request = request, .due = TIME_NEVER };
    if (!f->memory.read(f->memory.ctx, request, &r, sizeof(r)))
        return;
    uint32_t control = __builtin_bswap32(r.control), length = __builtin_bswap32(r.length);
    if (control & DMA_SELECT)
        vfwcfg_select(f, (uint16_t)(control >> 16));
    if (control & DMA_READ) {
        f->dma.to = __builtin_bswap64(r.address);
        f->dma.left = length;
        dma_go_on(f, now);
        return;
    }
    if (!(control & DMA_WRITE) && control & DMA_SKIP)
        f->next += length;
    dma_end(f, control & DMA_WRITE ? DMA_ERROR : 0);
}

/* The lower half begins it, and the upper one is good for one request. */
static void dma_write(struct vfwcfg *f, uint32_t offset, uint32_t value, uint64_t now)
{
    uint32_t half = __builtin_bswap32(value), high = f->dma_high;

    f->dma_high = offset == DMA_HIGH ? half : 0;
    if (offset == DMA_LOW)
        dma_begin(f, (uint64_t)high << 32 | half, now);
}

/* By these bytes a guest knows that it can. */
static uint32_t dma_signature(uint32_t offset)
{
    static const uint8_t signature[] = "QEMU CFG";
    uint32_t value = 0;

    for (unsigned i = 0; i < 4 && offset + i < sizeof(signature) - 1; i++)
        value |= (uint32_t)signature[offset + i] << 8 * i;
    return value;
}

/* ---- The device ---- */

static uint32_t vfwcfg_read(struct device *dev, uint32_t offset, unsigned size, uint64_t now)
{
    struct vfwcfg *f = container_of(dev, struct vfwcfg, dev);

    (void)now;
    if (offset >= DMA_HIGH)
        return dma_signature(offset - DMA_HIGH);
    if (offset != DATA || size != 1)
        return UINT32_MAX;
    return bytes_left(f) ? ((const uint8_t *)f->selected->data)[f->next++] : 0;
}

static void vfwcfg_write(struct device *dev, uint32_t offset, unsigned size, uint32_t value,
                         uint64_t now)
{
    struct vfwcfg *f = container_of(dev, struct vfwcfg, dev);

    if (offset == SELECTOR && size == 2)
        vfwcfg_select(f, (uint16_t)value);
    else if ((offset == DMA_HIGH || offset == DMA_LOW) && size == 4)
        dma_write(f, offset, value, now);
}

static void vfwcfg_tick(struct device *dev, uint64_t now)
{
    struct vfwcfg *f = container_of(dev, struct vfwcfg, dev);

    if (now >= f->dma.due)
        dma_go_on(f, now);
}

static uint64_t vfwcfg_deadline(const struct device *dev)
{
    const struct vfwcfg *f = container_of(dev, struct vfwcfg, dev);

    return f->dma.due;
}

static void vfwcfg_reset(struct device *dev, uint64_t now)
{
    struct vfwcfg *f = container_of(dev, struct vfwcfg, dev);

    (void)now;
    vfwcfg_select(f, 0);
    f->dma.due = TIME_NEVER;
    f->dma_high = 0;
}

static const struct device_ops ops = {
    .read = vfwcfg_read,
    .write = vfwcfg_write,
    .tick = vfwcfg_tick,
    .deadline = vfwcfg_deadline,
    .reset = vfwcfg_reset,
    .timeless = UINT32_MAX,
};

cold void vfwcfg_init(struct vfwcfg *f, const struct vfwcfg_item *items, unsigned count,
                      const struct vfwcfg_memory *memory)
{
    *f = (struct vfwcfg){ .dev.ops = &ops, .items = items, .count = count, .memory = *memory };
    vfwcfg_reset(&f->dev, 0);
}
