/*
 * The operator's terminal. See monitor/operator.h.
 *
 * In front of the port stands one queue, for what may not be refused or torn apart. While there is
 * something in it everybody else waits. Once the port has refused a byte nobody tries again before
 * it says that it has room for many: else who tries most often would get all of it.
 */
#include "monitor/operator.h"
#include "drivers/uart.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "monitor/plain.h"

#define PATIENCE 1000000 /* tries of a port that takes nothing: it is dead */

static struct uart *port;                            /* boot only */
static void (*screen)(const char *text, size_t len); /* boot only */
static struct plain plain;                           /* of what goes to the screen */
static bool full;                                    /* the port has refused a byte */
static bool midline;                                 /* the last byte was no end of a line */
static unsigned prompt;
static char held[OPERATOR_HELD_BYTES];
static uint32_t head, tail; /* taken at head, put at tail; they run on */

void operator_init(struct uart *u, void (*fn)(const char *text, size_t len))
{
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

static void flush(void)
{
    while (head != tail && !full) {
        uint32_t at = head % OPERATOR_HELD_BYTES, len = tail - head;

        if (len > OPERATOR_HELD_BYTES - at)
            len = OPERATOR_HELD_BYTES - at;
        head += (uint32_t)send(held + at, len);
    }
}

static void hold(const char *text, size_t len)
{
    for (size_t i = 0; i < len && tail - head < OPERATOR_HELD_BYTES; i++)
        held[tail++ % OPERATOR_HELD_BYTES] = text[i];
    if (len)
        midline = text[len - 1] != '\n';
}

bool operator_ready(void)
{
    flush();
    ASSERT(head == tail || full);
    return !full;
}

bool operator_put(uint8_t byte)
{
    char c = (char)byte;

    if (!operator_ready() || !send(&c, 1))
        return false;
    midline = c != '\n';
    return true;
}

/* Makes the cursor's line an empty one. Blanks, since our screen has no other way to erase. */
static void clear_line(void)
{
    if (prompt) {
        hold("\r", 1);
        while (prompt--)
            hold(" ", 1);
        hold("\r", 1);
        prompt = 0;
    } else if (midline) {
        hold("\r\n", 2);
    }
}

void operator_last_line(const char *name, const char *text, size_t len)
{
    flush();
    clear_line();
    hold("(", 1);
    hold(name, strlen(name));
    hold(") ", 2);
    hold(text, len);
    hold("\r\n", 2);
    flush();
}

bool operator_line(const char *name, const char *text, size_t len)
{
    if (!operator_ready())
        return false;
    operator_last_line(name, text, len);
    return true;
}

void operator_print(const char *text, size_t len)
{
    hold(text, len);
    flush();
}

void operator_announce(const char *text, size_t len)
{
    flush();
    clear_line();
    operator_print(text, len);
}

void operator_room(void)
{
    full = false;
    flush();
}

void operator_finish(void)
{
    uint32_t before = head;

    for (unsigned i = 0; i < PATIENCE && head != tail; i++) {
        operator_room();
        if (head != before)
            i = 0;
        before = head;
    }
}

void operator_set_prompt(unsigned width)
{
    prompt = width;
}

unsigned operator_prompt(void)
{
    return prompt;
}
