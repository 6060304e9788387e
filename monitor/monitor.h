/*
 * The monitor: a prompt at which the operator types commands.
 */
#ifndef CAISSON_MONITOR_MONITOR_H
#define CAISSON_MONITOR_MONITOR_H

struct console_monitor;

/* For console_init(). Boot only. */
const struct console_monitor *monitor_init(void);

/* What a command waits for has happened (COMMAND_WAITS). From any pCPU. */
void monitor_go_on(void);

/* Says something to the operator; a newline is enough to end a line. On the boot CPU, from a
 * command or another unit of the scheduler. */
void monitor_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same for text that is there already, of any length. */
void monitor_write(const char *text);

#endif
