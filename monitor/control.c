/*
 * Commands that change what a domain does, and to whom the keys go.
 */
#include "config/domain_config.h"
#include "lifecycle/lifecycle.h"
#include "mm/frame.h"
#include "monitor/commands.h"
#include "console/console.h"
#include "monitor/domains.h"
#include "monitor/monitor.h"

static const char *wanted; /* the line, until its domain has been begun */

static enum command_progress create(void)
{
    if (!wanted)
        return lifecycle_is_creating() ? COMMAND_WAITS : COMMAND_DONE;
    int err = lifecycle_create(wanted, monitor_go_on);
    if (err && err != -EAGAIN)
        return COMMAND_DONE; /* the log has said why, here too */
    if (!err)
        wanted = NULL;
    return COMMAND_MORE;
}

void control_create(const struct command_args *args)
{
    wanted = args->rest;
    command_go_on(create);
}

void control_help_create(void)
{
    monitor_print(
        "  kernel=   a module by its number or path, or a domain of the menu: its kernel\n"
        "  ramdisk=  the same: its ramdisk\n"
        "  firmware= the same: all firmware beside its kernel\n");
    config_print_keys(monitor_print);
    monitor_print("  -- WORDS  the guest's own, to the end of the line\n");
}

void control_pause(const struct command_args *args)
{
    struct domain *d = domains_find(args->word[0]);

    if (d)
        domain_pause(d);
}

void control_unpause(const struct command_args *args)
{
    struct domain *d = domains_find(args->word[0]);

    if (d)
        domain_unpause(d);
}

void control_reboot(const struct command_args *args)
{
    struct domain *d = domains_find(args->word[0]);

    if (d)
        domain_end(d, END_REBOOT, "by the operator");
}

void control_shutdown(const struct command_args *args)
{
    struct domain *d = domains_find_whole(args->word[0]);

    if (d)
        domain_power_button(d);
}

void control_destroy(const struct command_args *args)
{
    struct domain *d = domains_find(args->word[0]);

    if (d)
        domain_end(d, END_DESTROYED, "by the operator");
}

/* Frames and heap pages count, whoever asks for them. */
void control_fail_alloc(const struct command_args *args)
{
    uint64_t n;

    if (word_number(args->word[0], UINT64_MAX, &n))
        frame_fail_nth(n);
    else
        monitor_print("\"%.*s\" is no number\n", WORD_ARGS(args->word[0]));
}

void control_console(const struct command_args *args)
{
    struct domain *d = args->count ? domains_find(args->word[0]) : NULL;

    if (!args->count)
        console_toggle();
    else if (d && !console_select(d))
        monitor_print("%s has no console\n", d->name);
}
