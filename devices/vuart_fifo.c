/*
 * A FIFO of a 16550. No byte arrives with an error: the lines have no noise, and nobody sends a
 * break.
 */
#include "devices/vuart_fifo.h"
#include "lib/assert.h"

void vuart_fifo_push(struct vuart_fifo *f, uint8_t byte)
{
    ASSERT(f->count < VUART_FIFO);
    f->byte[(f->head + f->count++) % VUART_FIFO] = byte;
}

uint8_t vuart_fifo_pop(struct vuart_fifo *f)
{
    uint8_t byte = vuart_fifo_head(f);

    f->head = (f->head + 1) % VUART_FIFO;
    f->count--;
    return byte;
}

uint8_t vuart_fifo_head(const struct vuart_fifo *f)
{
    ASSERT(f->count > 0);
    return f->byte[f->head];
}
