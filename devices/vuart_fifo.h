/*
 * One of the two FIFOs of a 16550; with FIFOs off, its first place is the holding register.
 */
#ifndef CAISSON_DEVICES_VUART_FIFO_H
#define CAISSON_DEVICES_VUART_FIFO_H

#include <stdbool.h>
#include <stdint.h>

#define VUART_FIFO 16

struct vuart_fifo {
    uint16_t entry[VUART_FIFO]; /* the byte, and its error bits of the LSR << 8 */
    uint8_t head, count;
};

/* The caller has seen that there is room, or an entry. */
void vuart_fifo_push(struct vuart_fifo *f, uint16_t entry);
uint16_t vuart_fifo_pop(struct vuart_fifo *f);
uint16_t vuart_fifo_head(const struct vuart_fifo *f);
/* Forgets the errors of the head's byte: they have been told. */
void vuart_fifo_clear_error(struct vuart_fifo *f);
bool vuart_fifo_has_error(const struct vuart_fifo *f);

#endif
