/*
 * The hypervisor's log.
 *
 * The ring keeps every line with one byte before it that tells its level, so that a sink which
 * comes late gets the lines that it would have got, and no others. `head` counts all bytes ever
 * written; the ring holds the last LOG_RING_BYTES of them, from somewhere within a line on.
 * The word that no guest knows stands in front of a line for the sinks alone: a domain may read the
 * ring.
 */
#include "lib/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/assert.h"
#include "lib/fmt.h"
#include "lib/limits.h"
#include "lib/spinlock.h"
#include "lib/string.h"

#define SINKS       4
#define LEVEL       1 /* LOG_ERROR is stored as this, the others follow: bytes that no text has */
#define IS_LEVEL(c) ((c) >= LEVEL && (c) <= LEVEL + LOG_ANSWER)

static const char *const prefix[] = {
    [LOG_ERROR] = "caisson: error: ", [LOG_WARN] = "caisson: warning: ", [LOG_INFO] = "caisson: ",
    [LOG_DEBUG] = "caisson: debug: ", [LOG_ANSWER] = "caisson: ",
};

static char mark[12];    /* "[12345678] "; boot only */
static log_gate_fn gate; /* or NULL; boot only */

/* All under the lock. */
static struct spinlock lock = SPINLOCK_RANK("log", LOCK_LOG);
static char ring[LOG_RING_BYTES];
static uint64_t head;
static log_sink_fn sinks[SINKS];
static unsigned sink_count;
static enum log_level shown = LOG_INFO;

static bool lock_broken; /* set once, by a CPU that then is the only one */

static bool is_shown(int level)
{
    return level <= (int)shown || level == LOG_ANSWER;
}

static void log_lock(void)
{
    if (!lock_broken)
        spin_lock(&lock);
}

static void log_unlock(void)
{
    if (!lock_broken)
        spin_unlock(&lock);
}

static char ring_at(uint64_t n)
{
    return ring[n % LOG_RING_BYTES];
}

static void ring_put(char c)
{
    ring[head++ % LOG_RING_BYTES] = c;
}

static void ring_put_line(enum log_level level, const char *text, size_t length)
{
    ring_put((char)(LEVEL + level));
    size_t at = head % LOG_RING_BYTES, to_end = LOG_RING_BYTES - at;
    size_t first = length < to_end ? length : to_end;
    memcpy(ring + at, text, first);
    memcpy(ring, text + first, length - first);
    head += length;
}

/* Where the level is of the first line from n on that is still whole. */
static uint64_t ring_whole(uint64_t n)
{
    if (head > LOG_RING_BYTES && n < head - LOG_RING_BYTES)
        n = head - LOG_RING_BYTES;
    while (n < head && !IS_LEVEL(ring_at(n)))
        n++;
    return n;
}

/* Keeps one line a line of ASCII, whatever a guest or a boot loader put into it. */
static void clean(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if ((text[i] < ' ' && text[i] != '\t') || text[i] > '~')
            text[i] = '?';
    }
}

/* line: with the mark. Under the lock, as what follows. */
static void put_line(enum log_level level, const char *line, size_t length)
{
    size_t front = strlen(mark);

    ring_put_line(level, line + front, length - front);
    for (unsigned i = 0; is_shown(level) && i < sink_count; i++)
        sinks[i](line, length);
}

static void put_missed(enum log_level level, int missed)
{
    char line[80];

    put_line(level, line,
             fmt_sn(line, sizeof(line), "%s%s%d lines like the next were left out\n", mark,
                    prefix[level], missed));
}

/* May the line be put? text: it, without what stands in front of all. In a panic all are. */
static bool ask_gate(enum log_level level, const char *text)
{
    int missed = gate && !lock_broken ? gate(text, is_shown(level)) : 0;

    if (missed > 0)
        put_missed(level, missed);
    return missed >= 0;
}

void log_at(enum log_level level, const char *fmt, ...)
{
    char line[LOG_LINE_BYTES];
    size_t front = fmt_sn(line, sizeof(line) - 1, "%s%s", mark, prefix[level]), length = front;
    va_list args;

    va_start(args, fmt);
    length += fmt_vsn(line + length, sizeof(line) - 1 - length, fmt, args);
    va_end(args);
    if (length > sizeof(line) - 2)
        length = sizeof(line) - 2;
    clean(line, length);
    line[length++] = '\n';
    line[length] = '\0';

    log_lock();
    if (ask_gate(level, line + front))
        put_line(level, line, length);
    log_unlock();
}

/* Copies the line whose level is at n; its length. */
static size_t copy_line(uint64_t n, char line[LOG_LINE_BYTES])
{
    size_t length = 0;

    do
        line[length] = ring_at(++n);
    while (line[length++] != '\n');
    ASSERT(length < LOG_LINE_BYTES);
    return length;
}

/* Line by line, as they came: a screen draws at the end of each call. Before there is a mark. */
static void replay(log_sink_fn sink)
{
    char line[LOG_LINE_BYTES];
    size_t length;

    for (uint64_t n = ring_whole(0); n < head; n += 1 + length) {
        length = copy_line(n, line);
        if (is_shown(ring_at(n) - LEVEL))
            sink(line, length);
    }
}

void log_add_sink(log_sink_fn sink)
{
    ASSERT(sink_count < SINKS);
    log_lock();
    replay(sink);
    sinks[sink_count++] = sink;
    log_unlock();
}

void log_set_level(enum log_level level)
{
    shown = level;
}

void log_set_gate(log_gate_fn fn)
{
    gate = fn;
}

void log_set_mark(uint32_t secret)
{
    fmt_sn(mark, sizeof(mark), "[%08x] ", secret);
    log_info("what Caisson says begins with the word before this from here on");
}

const char *log_mark(void)
{
    return mark;
}

size_t log_read(uint64_t *at, char line[LOG_LINE_BYTES])
{
    size_t length = 0;

    log_lock();
    *at = ring_whole(*at);
    if (*at < head) {
        length = copy_line(*at, line);
        *at += 1 + length;
    }
    log_unlock();
    line[length] = '\0';
    return length;
}

uint64_t log_end(void)
{
    log_lock();
    uint64_t end = head;
    log_unlock();
    return end;
}

void log_break_lock(void)
{
    lock_broken = true;
}
