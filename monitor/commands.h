/*
 * The functions behind the commands, for the table in monitor/command_table.c.
 */
#ifndef CAISSON_MONITOR_COMMANDS_H
#define CAISSON_MONITOR_COMMANDS_H

#include "monitor/command.h"

/* show_domains.c: what the domains do. */
void show_list(const struct command_args *args);
void show_vcpus(const struct command_args *args);
void show_top(const struct command_args *args);
void show_exits(const struct command_args *args);
void show_regs(const struct command_args *args);
void show_control(const struct command_args *args);
void show_screen(const struct command_args *args);

/* show_sched.c: how the scheduler fares. */
void show_pcpus(const struct command_args *args);
void show_waits(const struct command_args *args);

/* show_machine.c: what the machine has. */
void show_mem(const struct command_args *args);
void show_modules(const struct command_args *args);
void show_log(const struct command_args *args);
void end_power_off(const struct command_args *args);
void end_reboot(const struct command_args *args);

/* show_pci.c: its devices. */
void show_pci(const struct command_args *args);

/* show_audit_*.c: whether the machine's memory is as it should be. */
void show_audit(const struct command_args *args);

/* control.c: what the operator wants of a domain. */
void control_create(const struct command_args *args);
/* Its words, and what each may be. */
void control_help_create(void);
void control_pause(const struct command_args *args);
void control_unpause(const struct command_args *args);
void control_reboot(const struct command_args *args);
void control_shutdown(const struct command_args *args);
void control_destroy(const struct command_args *args);
void control_console(const struct command_args *args);
void control_fail_alloc(const struct command_args *args);
void control_sched(const struct command_args *args);

#endif
