/*
 * The monitor. See monitor/monitor.h.
 *
 * All of it runs on the boot CPU. Keys come in the console's work; when a line is complete its
 * command is begun there, and work of the monitor's own goes on with it, a piece at each turn, so
 * that no command keeps the pCPU from others for long. Meanwhile keys wait here, not in the
 * console, so that the switch key is always seen, and Ctrl-C, which ends the command; then the
 * prompt comes back.
 */
#include "monitor/monitor.h"
#include <stdarg.h>
#include "lib/fmt.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "lib/string.h"
#include "monitor/command.h"
#include "console/console.h"
#include "monitor/lineedit.h"
#include "sched/batch.h"
#include "sched/work.h"

#define PROMPT      "caisson> " /* behind the log's mark */
#define AHEAD_BYTES 4096
#define KEYS_MOST   512 /* of those typed ahead that are read at a time, unless they take long */
#define CTRL_C      3

static struct lineedit line; /* the boot CPU's units only, as what follows */
static bool busy;            /* its command is being carried out */
static struct work turns;    /* of the command, and of the keys that were typed meanwhile */
static uint8_t ahead_bytes[AHEAD_BYTES];
static struct ring ahead = RING_IN(ahead_bytes);

static unsigned width(void)
{
    return (unsigned)(strlen(log_mark()) + strlen(PROMPT)) + line.length;
}

static void show_prompt(void)
{
    monitor_print("%s" PROMPT, log_mark());
    lineedit_show(&line);
    console_set_prompt(width());
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

/* An echo continues a line: where somebody else's came between, ours is shown again first. */
static void read_key(uint8_t byte)
{
    console_restore_prompt();
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
    console_widen_prompt(width());
}

/* Some of what was typed ahead. */
static void read_ahead(void)
{
    struct batch b = { .most = KEYS_MOST };

    while (!busy && ring_used(&ahead) && batch_more(&b))
        read_key(ring_take(&ahead));
    console_monitor_ready();
}

static void end_command(void)
{
    busy = false;
    lineedit_begin(&line);
    console_monitor_ready();
}

/* True: there is more to do, now. What waits is called when it may go on, and also when it was
 * given up meanwhile. */
static bool carry_on(void)
{
    enum command_progress progress = busy ? command_turn() : COMMAND_DONE;

    if (progress != COMMAND_DONE)
        return progress == COMMAND_MORE;
    if (busy)
        end_command();
    else if (ring_used(&ahead))
        read_ahead();
    return busy || ring_used(&ahead);
}

void monitor_go_on(void)
{
    work_raise(&turns);
}

static bool is_busy(void)
{
    return busy;
}

static bool has_room(void)
{
    return ring_room(&ahead);
}

/* Also what was typed ahead is not wanted any more. */
static void give_up(void)
{
    ring_clear(&ahead);
    if (!busy) {
        read_key(CTRL_C);
        return;
    }
    command_give_up();
    monitor_print("^C\n");
    end_command();
}

static void input(uint8_t byte)
{
    if (byte == CTRL_C)
        give_up();
    else if (busy || ring_used(&ahead))
        ring_put(&ahead, byte);
    else
        read_key(byte);
}

const struct console_monitor *monitor_init(void)
{
    static const struct console_monitor hooks = {
        .input = input, .has_room = has_room, .prompt = show_prompt, .is_busy = is_busy
    };

    work_init(&turns, carry_on, 0);
    lineedit_init(&line, console_print);
    return &hooks;
}
