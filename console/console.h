/*
 * The consoles of all domains, on one terminal.
 *
 * Every domain has a console with an input and an output ring. The operator's keys go to the one
 * in front, or to the monitor; the switch key (Ctrl-A unless told otherwise) pressed three times
 * changes between the two. What the domain in front sends goes out as it is; what the others send
 * comes out line by line, each with "(name) " before it. Nothing is lost in either direction: a
 * full port holds the UARTs of all guests up, and what a guest is slow to read waits here, at last
 * with RTS off.
 *
 * Locks: console_put() and console_room() are called on any pCPU, with the domain's lock held; the
 * terminal's lock is inside it. Everything else belongs to units of the scheduler on the boot CPU,
 * with nothing locked: to open, to close, to select.
 */
#ifndef CAISSON_CONSOLE_CONSOLE_H
#define CAISSON_CONSOLE_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/errno.h"

struct domain;
struct uart;

struct console_config {
    struct uart *port;                            /* or NULL */
    void (*screen)(const char *text, size_t len); /* or NULL; any pCPU, must not log */
    bool shared;        /* false: one domain's raw console and no more (monitor=off) */
    uint8_t switch_key; /* 1 (Ctrl-A) to 26 */
    bool monitor_first; /* the monitor is in front until told otherwise */
};

/* What the console calls of the monitor. */
struct console_monitor {
    void (*input)(uint8_t byte); /* a key, while it is in front */
    bool (*has_room)(void);      /* for a key: if not, all wait until console_monitor_ready() */
    void (*prompt)(void);        /* show the prompt (again), on an empty line */
    bool (*is_busy)(void);       /* with a command: no prompt until console_monitor_ready() */
};

/* monitor: kept; only used if config->shared. Boot only. */
void console_init(const struct console_config *config, const struct console_monitor *monitor);

/* A console for d, before d runs; it is in front if nobody is. 0 or -ENOMEM. A domain without one
 * has its output go nowhere. */
int must_check console_open(struct domain *d);
/* Whether the port takes what d, which has ended, still has to say: a guest that reboots in a
 * circle shall not fill the terminal faster than the line can send. If not, hooks->ended() is
 * called again when it does. */
bool must_check console_drained(struct domain *d);
/* Before d is destroyed, and after its last vCPU has stopped. If it was in front another domain
 * is now; or nobody, and what is typed waits for it if it reboots. Harmless without a console. */
void console_close(struct domain *d);

/* Who gets the keys from now on; NULL: the monitor. False if d has no console. */
bool console_select(struct domain *d);
/* What the switch key does: from a domain to the monitor, and back. */
void console_toggle(void);

/* The monitor's words for the operator, as they are. Boot CPU. */
void console_print(const char *text, size_t len);
/* It is busy no more, or has room again for keys. Boot CPU. */
void console_monitor_ready(void);
/* See operator_set_prompt(), operator_widen_prompt(). */
void console_set_prompt(unsigned width);
void console_widen_prompt(unsigned width);
/* Shows the prompt, and what was typed behind it, if somebody else's line has taken its place: for
 * the monitor, before it echoes a key. Boot CPU. */
void console_restore_prompt(void);

/* Sends what waits for the port, before the machine goes off; not in a panic. */
void console_finish(void);

/* Keys from elsewhere than the port: the keyboard. In its interrupt, on the boot CPU. */
void console_received(const uint8_t *data, size_t len);

/* Hooks of domain/domain.h, as are console_open() and its likes. */
size_t console_put(struct domain *d, const uint8_t *bytes, size_t n);
void console_room(struct domain *d);

#endif
