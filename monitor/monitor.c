/*
 * The monitor. See monitor/monitor.h.
 *
 * All of it runs on the boot CPU. Keys come in the console's work; when a line is complete its
 * command is begun there, and work of the monitor's own goes on with it, a piece at each turn, so
 * that no command keeps the pCPU from others for long. Meanwhile keys wait, and then the prompt
 * comes back.
 */
#include "monitor/monitor.h"
#include <stdarg.h>
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/string.h"
#include "monitor/command.h"
#include "console/console.h"
#include "monitor/lineedit.h"
#include "sched/work.h"

#define PROMPT "caisson> " /* behind the log's mark */

static struct lineedit line; /* the boot CPU's units only, as is `busy` */
static bool busy;            /* its command is being carried out */
static struct work turns;    /* of the command */

static void note_width(void)
{
    console_set_prompt((unsigned)(strlen(log_mark()) + strlen(PROMPT)) + line.length);
}

static void show_prompt(void)
{
    monitor_print("%s" PROMPT, log_mark());
    lineedit_show(&line);
    note_width();
}

void monitor_write(const char *text)
{
    while (*text) {
        const char *end = strchr(text, '\n');
        size_t n = end ? (size_t)(end - text) : strlen(text);

        console_print(text, n);
        if (end)
            console_print("\r\n", 2);
        text += n + (end != NULL);
    }
}

void monitor_print(const char *fmt, ...)
{
    char text[512];
    va_list args;

    va_start(args, fmt);
    fmt_vsn(text, sizeof(text), fmt, args);
    va_end(args);
    monitor_write(text);
}

static void complete(void)
{
    struct completion c;

    command_complete(line.text, line.cursor, &c);
    lineedit_insert(&line, c.insert);
    if (c.count < 2 || c.insert[0])
        return;
    monitor_print("\n");
    command_print_choices(line.text, line.cursor);
    show_prompt();
}

static bool carry_on(void)
{
    enum command_progress progress = command_turn();

    if (progress == COMMAND_DONE) {
        busy = false;
        lineedit_begin(&line);
        console_monitor_ready();
    }
    return progress == COMMAND_MORE;
}

void monitor_go_on(void)
{
    work_raise(&turns);
}

static bool is_busy(void)
{
    return busy;
}

static void input(uint8_t byte)
{
    switch (lineedit_feed(&line, byte)) {
    case LINEEDIT_DONE:
        console_set_prompt(0);
        busy = true;
        command_run(line.text);
        work_raise(&turns);
        return; /* the console asks for the prompt if we are in front when all is done */
    case LINEEDIT_TOO_LONG:
        console_set_prompt(0);
        monitor_print("not carried out: the line has more than %u bytes\n", LINEEDIT_BYTES - 1);
        lineedit_begin(&line);
        return;
    case LINEEDIT_CANCEL:
        console_set_prompt(0);
        return;
    case LINEEDIT_COMPLETE:
        complete();
        break;
    case LINEEDIT_NONE:
        break;
    }
    note_width();
}

const struct console_monitor *monitor_init(void)
{
    static const struct console_monitor hooks = { .input = input,
                                                  .prompt = show_prompt,
                                                  .is_busy = is_busy };

    work_init(&turns, carry_on, 0);
    lineedit_init(&line, console_print);
    return &hooks;
}
