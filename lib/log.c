/*
 * The hypervisor's log.
 *
 * The ring keeps every line with one byte before it that tells its level, so that a sink which
 * comes late gets the lines that it would have got, and no others. `head` counts all bytes ever
 * written; the ring holds the last LOG_RING_BYTES of them, from somewhere within a line on.
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

#define LINE_BYTES 512 /* the longest line: prefix, newline and NUL included */
#define SINKS      4
#define MARK       1 /* LOG_ERROR is stored as this, the others follow: bytes that no text has */
#define IS_MARK(c) ((c) >= MARK && (c) <= MARK + LOG_ANSWER)

static const char *const prefix[] = {
    [LOG_ERROR] = "caisson: error: ", [LOG_WARN] = "caisson: warning: ", [LOG_INFO] = "caisson: ",
    [LOG_DEBUG] = "caisson: debug: ", [LOG_ANSWER] = "caisson: ",
};

static char mark[8]; /* "[1234] "; boot only */

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
    ring_put((char)(MARK + level));
    size_t at = head % LOG_RING_BYTES, to_end = LOG_RING_BYTES - at;
    size_t first = length < to_end ? length : to_end;
    memcpy(ring + at, text, first);
    memcpy(ring, text + first, length - first);
    head += length;
}

/* Where the oldest line starts that is still whole. */
static uint64_t ring_tail(void)
{
    uint64_t n = head > LOG_RING_BYTES ? head - LOG_RING_BYTES : 0;

    while (n < head && !IS_MARK(ring_at(n)))
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

void log_at(enum log_level level, const char *fmt, ...)
{
    char line[LINE_BYTES];
    size_t length = fmt_sn(line, sizeof(line) - 1, "%s%s", mark, prefix[level]);
    va_list args;

    va_start(args, fmt);
    length += fmt_vsn(line + length, sizeof(line) - 1 - length, fmt, args);
    va_end(args);
    if (length > sizeof(line) - 2)
        length = sizeof(line) - 2;
    clean(line, length);
    line[length++] = '\n';

    log_lock();
    ring_put_line(level, line, length);
    for (unsigned i = 0; is_shown(level) && i < sink_count; i++)
        sinks[i](line, length);
    log_unlock();
}

/* Line by line, as they came: a screen draws at the end of each call. */
static void replay(log_sink_fn sink)
{
    char line[LINE_BYTES];
    size_t length = 0;
    bool wanted = false;

    for (uint64_t n = ring_tail(); n < head; n++) {
        char c = ring_at(n);

        if (IS_MARK(c)) {
            wanted = is_shown(c - MARK);
            length = 0;
            continue;
        }
        ASSERT(length < sizeof(line));
        line[length++] = c;
        if (c == '\n' && wanted)
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

void log_set_mark(uint16_t secret)
{
    fmt_sn(mark, sizeof(mark), "[%04x] ", secret);
}

const char *log_mark(void)
{
    return mark;
}

size_t log_copy(char *buf, size_t size)
{
    size_t length = 0, skip;

    if (!size)
        return 0;
    log_lock();
    for (uint64_t n = ring_tail(); n < head; n++)
        length += !IS_MARK(ring_at(n));
    skip = length > size - 1 ? length - (size - 1) : 0;
    length = 0;
    for (uint64_t n = ring_tail(); n < head; n++) {
        if (IS_MARK(ring_at(n)))
            continue;
        if (skip)
            skip--;
        else
            buf[length++] = ring_at(n);
    }
    log_unlock();
    buf[length] = '\0';
    return length;
}

void log_break_lock(void)
{
    lock_broken = true;
}
