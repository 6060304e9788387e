/*
 * The operator's terminal: the serial port, and the screen beside it.
 *
 * Three kinds of writers, none of which loses a byte: the domain in front (raw bytes, as they
 * come), the domains behind (whole lines with a name before them), and the monitor (words that
 * wait here). A writer who is refused is told by operator_room() when to come again.
 *
 * Lock: the caller holds terminal.lock (console/console_output.h).
 */
#ifndef CAISSON_CONSOLE_OPERATOR_H
#define CAISSON_CONSOLE_OPERATOR_H

#include <stdbool.h>
#include <stddef.h>

#define OPERATOR_HELD_BYTES 131072 /* a power of two: the longest answer of a command */

struct uart;

/* Either may be NULL: then nothing goes there. Boot only. */
void operator_init(struct uart *port, void (*screen)(const char *text, size_t len));

/* Raw bytes; how many there was room for. */
size_t operator_put(const void *bytes, size_t n);
/* "(name) text" on a line of its own; if there is no room now it waits here. text: plain letters.
 */
void operator_line(const char *name, const char *text, size_t len);
/* The monitor's words. Those for which there is no room any more are cut off. Answers as
 * operator_flush() does. */
bool operator_print(const char *text, size_t len);

/* The same, on a line of its own, and on a terminal that nobody has twisted. */
void operator_announce(const char *text, size_t len);

/* The port has room again; then as operator_flush(). */
bool operator_room(void);
/* Sends some of what waits. True: there is more, and the port takes it. */
bool operator_flush(void);
/* Sends all that waits, for as long as the port takes anything. */
void operator_finish(void);
/* True if nothing waits, and the port takes something. */
bool operator_ready(void);

/* The line with the cursor holds `width` characters of a prompt, to be taken off before somebody
 * else's line; 0: there is none. */
void operator_set_prompt(unsigned width);
/* What is typed makes it so wide, unless somebody else's line has taken its place by now. */
void operator_widen_prompt(unsigned width);
/* The width; 0 after somebody else's line took its place. */
unsigned operator_prompt(void);

#endif
