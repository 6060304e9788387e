/*
 * A FIFO of a 16550. Each byte keeps its own receive errors, for the LSR shows those of the byte at
 * the head ("PC16550D", "Line Status Register").
 */
#include "devices/vuart_fifo.h"
#include "lib/assert.h"

void vuart_fifo_push(struct vuart_fifo *f, uint16_t entry)
{
    ASSERT(f->count < VUART_FIFO);
    f->entry[(f->head + f->count++) % VUART_FIFO] = entry;
}

uint16_t vuart_fifo_pop(struct vuart_fifo *f)
{
    ASSERT(f->count > 0);
    uint16_t entry = f->entry[f->head];
    f->head = (f->head + 1) % VUART_FIFO;
    f->count--;
    return entry;
}

bool vuart_fifo_has_error(const struct vuart_fifo *f)
{
    for (unsigned i = 0; i < f->count; i++) {
        if (f->entry[(f->head + i) % VUART_FIFO] >> 8)
            return true;
    }
    return false;
}

uint16_t vuart_fifo_head(const struct vuart_fifo *f)
{
    ASSERT(f->count > 0);
    return f->entry[f->head];
}

void vuart_fifo_clear_error(struct vuart_fifo *f)
{
    ASSERT(f->count > 0);
    f->entry[f->head] &= 0xff;
}
