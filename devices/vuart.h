/*
 * A 16550A UART, as COM ports have it.
 *
 * Registers: 0 RBR/THR/DLL, 1 IER/DLM, 2 IIR/FCR, 3 LCR, 4 MCR, 5 LSR, 6 MSR, 7 SCR.
 *
 * It is lossless and knows no line speed: a byte leaves as soon as the peer takes it and comes in
 * as soon as the FIFO has room. The speed that the guest sets only times the receive time-out.
 */
#ifndef CAISSON_DEVICES_VUART_H
#define CAISSON_DEVICES_VUART_H

#include <stdbool.h>
#include <stdint.h>
#include "devices/device.h"
#include "devices/vuart_fifo.h"

/* The other end of the cable. Members may be NULL: bytes sent then go nowhere, at once. */
struct vuart_peer {
    /* Takes a byte, or answers false: full, keep it until vuart_kick(). */
    bool (*transmit)(void *ctx, uint8_t byte);
    /* The guest has made room in the receive FIFO: vuart_receive() may be called, from here too. */
    void (*room)(void *ctx, uint64_t now);
    void *ctx;
};

struct vuart {
    struct device dev;
    struct line irq;
    bool irq_level; /* as last told to irq */
    struct vuart_peer peer;
    uint8_t ier, fcr, lcr, mcr, scr;
    uint8_t msr_delta; /* low half of the MSR */
    uint8_t overrun;   /* LSR_OE or 0 */
    uint16_t divisor;
    bool thre_irq;  /* the transmitter has run empty, and IIR has not told so yet */
    bool timed_out; /* bytes wait in the receive FIFO, and nothing came for four characters */
    uint64_t rx_at; /* when the receive FIFO was last written or read */
    struct vuart_fifo rx, tx;
};

/* peer is copied. */
void vuart_init(struct vuart *u, struct line irq, const struct vuart_peer *peer);

/* A byte from the peer. False: no room (or the guest is looping back); offer it again after room().
 */
bool vuart_receive(struct vuart *u, uint8_t byte, uint64_t now);

/* The peer can take bytes again: send what is waiting. */
void vuart_kick(struct vuart *u, uint64_t now);

#endif
