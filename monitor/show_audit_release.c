/*
 * The command audit, of release builds: there is none.
 */
#include "monitor/commands.h"
#include "monitor/monitor.h"

void show_audit(const struct command_args *args)
{
    (void)args;
    monitor_print("only debug builds do it\n");
}
