/*
 * The hypervisor's log: lines with a level, kept in a ring and handed to every registered sink.
 *
 * The one piece of state in lib/: every room must be able to log, from the first instruction in C,
 * and the log must not depend on any of them. Sinks (COM1, screen, port 0xE9) are registered by
 * boot/ as they come up; a sink that comes late is first handed what the ring still holds.
 */
#ifndef CAISSON_LIB_LOG_H
#define CAISSON_LIB_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_BYTES 512 /* the longest line: prefix, newline and NUL included */

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_ANSWER };

/* Takes len bytes of text. Called with the log's lock held, interrupts off; must not log. */
typedef void (*log_sink_fn)(const char *text, size_t len);

/* Logs one line; the newline and the prefix are added here. printf's formats as in lib/fmt.h. */
void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
/* What somebody has asked for: shown at each level. */
#define log_answer(...) log_at(LOG_ANSWER, __VA_ARGS__)

/* Adds a sink and replays the ring to it. At most four; boot only. */
void log_add_sink(log_sink_fn sink);

/* Lines above this level go to the ring only. LOG_INFO at start. */
void log_set_level(enum log_level level);

/* fn is asked about each line before it is kept, and shown or not; text: the line without what
 * stands in front of all. Below 0: it is left out; else how many were left out before it, which is
 * said first. Called with the log's lock held, from anywhere; must not log. Boot only. */
typedef int (*log_gate_fn)(const char *text, bool shown);
void log_set_gate(log_gate_fn fn);

/* From now on each line begins with "[secret] " at the sinks, which no guest knows: the domain in
 * front can send any bytes, but not a line that looks as if Caisson had said it. Says so, with no
 * word of the secret in the text: what is kept is for domains too. Boot only. */
void log_set_mark(uint32_t secret);
/* That word with the blank behind it; "" before it is set. For the operator's terminal, in front of
 * what is not logged; never for a text that is. */
const char *log_mark(void);

/* Copies one line without the mark, with its newline and a NUL: the one at *at, which is 0 for the
 * oldest and is moved behind it, or the first that is kept still. Its length, 0 behind the last. */
size_t log_read(uint64_t *at, char line[LOG_LINE_BYTES]);
/* Where the next line will be: who reads up to here does not run after those that come meanwhile.
 */
uint64_t log_end(void);

/* After a panic has stopped the other CPUs: take no lock again, whoever held it is not coming. */
void log_break_lock(void);

#endif
