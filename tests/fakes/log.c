/*
 * The log for host tests.
 */
#include "tests/fakes/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/log.h"

char fake_log_text[65536];
unsigned fake_log_lines[5];
static size_t used;

void fake_log_reset(void)
{
    used = 0;
    fake_log_text[0] = '\0';
    memset(fake_log_lines, 0, sizeof(fake_log_lines));
}

bool fake_log_has(const char *part)
{
    return strstr(fake_log_text, part) != NULL;
}

void log_at(enum log_level level, const char *fmt, ...)
{
    char line[512];
    size_t length;
    va_list args;

    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    length = strlen(line);
    fake_log_lines[level]++;
    if (getenv("CAISSON_TEST_LOG"))
        fprintf(stderr, "%s\n", line);
    if (used + length + 2 > sizeof(fake_log_text))
        return;
    memcpy(fake_log_text + used, line, length);
    used += length;
    fake_log_text[used++] = '\n';
    fake_log_text[used] = '\0';
}

void log_add_sink(log_sink_fn sink)
{
    (void)sink;
}

void log_set_level(enum log_level level)
{
    (void)level;
}

/* What was logged, as it would be kept. */
size_t log_read(uint64_t *at, char line[LOG_LINE_BYTES])
{
    const char *from = fake_log_text + *at;
    int n = (int)strcspn(from, "\n");

    if (*at >= used)
        return 0;
    *at += (uint64_t)n + 1;
    return (size_t)snprintf(line, LOG_LINE_BYTES, "caisson: %.*s\n", n, from);
}

uint64_t log_end(void)
{
    return used;
}

const char *log_mark(void)
{
    return "[1234] ";
}

void log_break_lock(void)
{
}
