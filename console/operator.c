/*
 * The operator's terminal. See console/operator.h.
 *
 * In front of the port stands one queue, for what may not be refused or torn apart. While there is
 * something in it everybody else waits. Once the port has refused a byte nobody tries again before
 * it says that it has room for many: else who tries most often would get all of it.
 */
#include "console/operator.h"
#include "drivers/tty.h"
#include "drivers/uart.h"
#include "lib/ring.h"
#include "lib/string.h"
#include "console/plain.h"

#define PATIENCE    1000000 /* tries of a port that takes nothing: it is dead */
#define PROMPT_MOST 80      /* columns of the narrowest terminal */
#define FLUSH_MOST  256     /* bytes of what waits that go at a time: the lock is held meanwhile */

/* What a full-screen program may have left on: another screen, origin mode, margins, inserting, no
 * wrapping, no cursor, keys that send something else, mouse reports, bracketed paste. Then the
 * cursor goes to the last line. Sources: DEC VT220, "Set-Up"; xterm's "Control Sequences". */
#define UNTWIST                                                                                    \
    "\x1b\\\x1b[?47l\x1b[?6l\x1b[r\x1b[4l\x1b[?7h\x1b[?25h\x1b[?1l\x1b>"                           \
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?2004l\x1b[999H"

static struct uart *port;                            /* boot only */
static void (*screen)(const char *text, size_t len); /* boot only */
static struct plain plain;                           /* of what goes to the screen */
static bool full;                                    /* the port has refused a byte */
static struct tty tty;                               /* behind all that was sent or is held */
static unsigned prompt;
static uint8_t held_bytes[OPERATOR_HELD_BYTES];
static struct ring held = RING_IN(held_bytes);

void operator_init(struct uart *u, void (*fn)(const char *text, size_t len))
{
    tty = (struct tty){ 0 };
    port = u;
    screen = fn;
}

static void show(const char *text, size_t len)
{
    char out[128];

    while (screen && len) {
        size_t n = len < sizeof(out) ? len : sizeof(out);
        size_t shown = plain_filter(&plain, text, n, out);

        if (shown)
            screen(out, shown);
        text += n;
        len -= n;
    }
}

/* Returns how much the port took; a machine without one takes everything. */
static size_t send(const char *text, size_t len)
{
    size_t taken = full ? 0 : len;

    if (port && !full)
        taken = uart_try_write(port, text, len);
    full |= taken < len;
    show(text, taken);
    return taken;
}

bool operator_flush(void)
{
    uint32_t used = ring_used(&held), most = used < FLUSH_MOST ? used : FLUSH_MOST;

    while (most && !full) {
        uint32_t run = ring_run(&held);
        uint32_t sent = (uint32_t)send((const char *)ring_first(&held), run < most ? run : most);

        ring_drop(&held, sent);
        most -= sent;
    }
    return ring_used(&held) && !full;
}

static void hold(const char *text, size_t len)
{
    ring_write(&held, text, len);
    tty_passed(&tty, text, len);
}

bool operator_ready(void)
{
    operator_flush();
    return !ring_used(&held) && !full;
}

size_t operator_put(const void *bytes, size_t n)
{
    size_t taken = operator_ready() ? send(bytes, n) : 0;

    tty_passed(&tty, bytes, taken);
    return taken;
}

/* Without a look at what it does to the terminal. */
static void hold_unseen(const char *text)
{
    struct tty before = tty;

    hold(text, strlen(text));
    tty = before;
}

/* Makes the cursor's line an empty one. Blanks, since our screen has no other way to erase; a
 * prompt that takes more than a line of it stays. */
static void clear_line(void)
{
    if (prompt && prompt < PROMPT_MOST) {
        hold("\r", 1);
        while (prompt--)
            hold(" ", 1);
        hold("\r", 1);
        tty.line = TTY_EMPTY;
    } else {
        hold_unseen(tty_begin_line(&tty));
    }
    prompt = 0;
}

void operator_line(const char *name, const char *text, size_t len)
{
    operator_flush();
    clear_line();
    hold("(", 1);
    hold(name, strlen(name));
    hold(") ", 2);
    hold(text, len);
    hold("\r\n", 2);
    operator_flush();
}

bool operator_print(const char *text, size_t len)
{
    hold(text, len);
    return operator_flush();
}

void operator_announce(const char *text, size_t len)
{
    operator_flush();
    if (tty.tainted)
        hold_unseen(UNTWIST);
    clear_line();
    operator_print(text, len);
}

bool operator_room(void)
{
    full = false;
    return operator_flush();
}

void operator_finish(void)
{
    for (unsigned i = 0; i < PATIENCE && ring_used(&held); i++) {
        uint32_t before = ring_used(&held);

        (void)operator_room();
        if (ring_used(&held) != before)
            i = 0;
    }
}

void operator_set_prompt(unsigned width)
{
    prompt = width;
}

void operator_widen_prompt(unsigned width)
{
    if (prompt)
        prompt = width;
}

unsigned operator_prompt(void)
{
    return prompt;
}
