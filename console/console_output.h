/*
 * What console.c (who is in front, what is typed) and console_output.c (what the domains send)
 * share; not for others.
 */
#ifndef CAISSON_CONSOLE_CONSOLE_OUTPUT_H
#define CAISSON_CONSOLE_CONSOLE_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include "lib/addr.h"
#include "lib/assert.h"
#include "lib/list.h"
#include "lib/ring.h"
#include "lib/spinlock.h"
#include "console/plain.h"

#define CONSOLE_IN_BYTES  1024
#define CONSOLE_OUT_BYTES 2048

struct work;

struct console {
    struct list_node link;
    struct list_node busy; /* in `noted` or `active`, if known is set. Under the lock */
    struct domain *domain;
    struct ring in, out; /* in: boot CPU only; out: under the lock */
    struct plain plain;  /* of what it sends while it is behind. Under the lock */
    bool waits;          /* its domain has been refused a byte. Set under the lock */
    bool known;          /* something is to be done for it. The same */
    bool ends;           /* its domain has ended, and is buried when there is room. The same */
    uint8_t unfinished;  /* looks that the line in `out` has lived through, and 1. The same */
    uint8_t in_bytes[CONSOLE_IN_BYTES], out_bytes[CONSOLE_OUT_BYTES];
};
_Static_assert(sizeof(struct console) <= PAGE_SIZE, "a console takes one page of its domain's");

extern struct work console_work;

extern struct terminal {
    struct spinlock lock;    /* guards the terminal, the output rings, and what follows */
    struct console *front;   /* or NULL; changed by the boot CPU */
    struct list_node noted;  /* something is to be done for them, found since the last look; */
    struct list_node active; /* for the rest of those, as most have nothing. Only the boot CPU
                              * changes it, and reads it without the lock */
    bool shared;             /* boot only; false: one domain's raw console */
} terminal;

static inline struct console *console_busy_at(struct list_node *node)
{
    ASSERT(node); /* a list is a ring */
    return LIST_ENTRY(node, struct console, busy);
}

/* All that follows but console_note() and output_last_words(): boot CPU, not locked. */
void output_init(bool shared);
/* Something is to be done for c. Under the lock. */
void console_note(struct console *c);
/* A piece of what is to be done: lets those go on that were refused a byte, sends a line of each
 * domain behind, and buries those that have ended and had something to say. True: go on. */
bool output_work(void);
/* What a domain behind that goes had still to say: nobody will ask for it later. Under the lock. */
void output_last_words(struct console *c);

#endif
