/*
 * The PS/2 keyboard: what is pressed, as the bytes that a terminal would send.
 *
 * The 8042 hands over scan codes of set 1 (it translates; firmware leaves it so, and we make sure).
 * The layout is the US one. Keys with no character of their own send the escape sequences of a
 * VT220, so that guests and our line editor need to know only one kind of operator.
 */
#ifndef CAISSON_DRIVERS_KEYBOARD_H
#define CAISSON_DRIVERS_KEYBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEYBOARD_ISA_LINE 1
#define KEYBOARD_MOST     8 /* bytes that one key sends, at most */

/* Which keys are held, and how much of a scan code has come. All zero: nothing. */
struct keyboard_state {
    bool shift[2], ctrl[2], alt[2]; /* left, right */
    bool caps;
    bool extended; /* the last byte was 0xE0 */
    uint8_t skip;  /* bytes of the Pause key that are still to come */
};

/* One byte of a scan code; returns how many bytes it makes in out. */
size_t keyboard_translate(struct keyboard_state *s, uint8_t code, uint8_t out[KEYBOARD_MOST]);

/* Readies the controller. False if there is none. Then route KEYBOARD_ISA_LINE to keyboard_irq();
 * fn gets what is typed, in there. Boot only. */
bool keyboard_open(void (*fn)(const uint8_t *data, size_t len));
void keyboard_irq(void);

#endif
