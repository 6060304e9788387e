/*
 * One of the two FIFOs of a 16550; with FIFOs off, its first place is the holding register.
 */
#ifndef CAISSON_DEVICES_VUART_FIFO_H
#define CAISSON_DEVICES_VUART_FIFO_H

#include <stdint.h>

#define VUART_FIFO 16

struct vuart_fifo {
    uint8_t byte[VUART_FIFO];
    uint8_t head, count;
};

/* The caller has seen that there is room, or a byte. */
void vuart_fifo_push(struct vuart_fifo *f, uint8_t byte);
uint8_t vuart_fifo_pop(struct vuart_fifo *f);
uint8_t vuart_fifo_head(const struct vuart_fifo *f);

#endif
