/*
 * All commands of the monitor. The place to add one.
 */
#include "monitor/commands.h"

/* clang-format off */
const struct command commands[] = {
    { "help", "[COMMAND]", "this list, or more about one", COMPLETES_COMMANDS, 0, 1, command_help },
    { "list", "", "domains: memory in use and promised, vCPUs, state, CPU seconds",
      COMPLETES_NOTHING, 0, 0, show_list },
    { "vcpus", "[DOM]", "vCPUs: where they are and what they do",
      COMPLETES_DOMAINS, 0, 1, show_vcpus },
    { "top", "", "CPU time and exits since top was last called", COMPLETES_NOTHING, 0, 0, show_top },
    { "console", "[DOM]", "give the keys to a domain; without a name, to the one before",
      COMPLETES_DOMAINS, 0, 1, control_console },
    { "create", "name=N kernel=K [...] [-- WORDS]", "make a domain from the boot menu's modules",
      COMPLETES_NOTHING, 1, COMMAND_ANY, control_create },
    { "modules", "", "what the boot menu brought, for create", COMPLETES_NOTHING, 0, 0, show_modules },
    { "pause", "DOM", "keep its vCPUs out of the guest", COMPLETES_DOMAINS, 1, 1, control_pause },
    { "unpause", "DOM", "let them in again", COMPLETES_DOMAINS, 1, 1, control_unpause },
    { "shutdown", "DOM", "press its power button", COMPLETES_DOMAINS, 1, 1, control_shutdown },
    { "reboot", "DOM", "end it and make it anew", COMPLETES_DOMAINS, 1, 1, control_reboot },
    { "destroy", "DOM", "end it, whatever it does", COMPLETES_DOMAINS, 1, 1, control_destroy },
    { "sched", "[DOM [weight=N] [cap=PERCENT] [cpus=0-1,3]]", "show or set who gets how much CPU",
      COMPLETES_DOMAINS, 0, 4, control_sched },
    { "waits", "[DOM]", "how long vCPUs wait for a pCPU once woken, and how often they switch",
      COMPLETES_DOMAINS, 0, 1, show_waits },
    { "pcpus", "", "the machine's CPUs: interrupts that each has taken", COMPLETES_NOTHING, 0, 0,
      show_pcpus },
    { "mem", "", "the machine's memory: free blocks by size, frames by owner",
      COMPLETES_NOTHING, 0, 0, show_mem },
    { "pci", "", "the machine's PCI devices: what they are, where, what they can do",
      COMPLETES_NOTHING, 0, 0, show_pci },
    { "audit", "", "check who has which memory (debug builds)",
      COMPLETES_NOTHING, 0, 0, show_audit },
    { "exits", "[DOM]", "VM exits by kind, and the time spent on them",
      COMPLETES_DOMAINS, 0, 1, show_exits },
    { "regs", "DOM [VCPU]", "log a vCPU's registers", COMPLETES_DOMAINS, 1, 2, show_regs },
    { "vmcs", "DOM [VCPU]", "log a vCPU's VMCS (on AMD's processors, VMCB)",
      COMPLETES_DOMAINS, 1, 2, show_control },
    { "vmcb", "DOM [VCPU]", "the same", COMPLETES_DOMAINS, 1, 2, show_control },
    { "screen", "DOM", "what stands in its text memory, if it has firmware of its own",
      COMPLETES_DOMAINS, 1, 1, show_screen },
    { "fail-alloc", "N", "let the N-th allocation from now fail, to try what happens; 0: none",
      COMPLETES_NOTHING, 1, 1, control_fail_alloc },
    { "log", "[PAGE]", "Caisson's log, as far back as it is kept; or a page of it, from 1",
      COMPLETES_NOTHING, 0, 1, show_log },
    { "poweroff", "", "switch the machine off", COMPLETES_NOTHING, 0, 0, end_power_off },
    { "reboot-host", "", "reboot the machine", COMPLETES_NOTHING, 0, 0, end_reboot },
};
/* clang-format on */
const unsigned command_count = sizeof(commands) / sizeof(commands[0]);

void command_more(const struct command *c)
{
    if (c->run == control_create)
        control_help_create();
}
