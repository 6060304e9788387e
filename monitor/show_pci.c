/*
 * The command pci: the machine's devices.
 */
#include "monitor/commands.h"
#include "monitor/monitor.h"
#include "pci/pci.h"

static const struct pci_device *shown; /* the monitor's work only */

static enum command_progress show_device(void)
{
    char text[400];

    shown = pci_next(shown);
    if (!shown)
        return COMMAND_DONE;
    pci_describe(shown, "\n        ", text, sizeof(text));
    monitor_print("%s\n", text);
    return COMMAND_MORE;
}

void show_pci(const struct command_args *args)
{
    (void)args;
    shown = NULL;
    command_go_on(show_device);
}
