/*
 * What the operator types, on its way to a domain or to the monitor.
 *
 * Interrupts put it into a ring; the boot CPU's work takes it out, looks for the switch key, and
 * hands it on. Everything but input_received() belongs to that work.
 */
#ifndef CAISSON_CONSOLE_INPUT_H
#define CAISSON_CONSOLE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/ring.h"

/* What input calls when it has something. */
struct input_reader {
    bool (*takes)(void);       /* whoever is in front takes a byte now */
    void (*key)(uint8_t byte); /* one byte for that one */
    void (*switch_over)(void); /* the switch key, three times */
    void (*hold)(bool on);     /* asks the other side to pause, or to go on */
    void (*stop)(bool on);     /* leaves what comes to the port, or takes it again */
};

/* switch_key: 0 for none. Boot only. */
void input_init(uint8_t switch_key, const struct input_reader *reader);
/* In an interrupt on the boot CPU. The caller raises the work. */
void input_received(const uint8_t *data, size_t len);
/* Hands on some of what has come. True: there is more, for one who takes it. */
bool input_work(void);

/* For the domain in front, what its own ring has no room for: a whole paste. */
extern struct ring input_paste;
/* Into the paste, and the other side is asked to pause before it overflows. */
void input_keep(uint8_t byte);
/* After something was taken out of it. */
void input_taken(void);

#endif
