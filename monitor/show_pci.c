/*
 * The command pci: the machine's devices.
 */
#include "monitor/commands.h"
#include "monitor/monitor.h"
#include "pci/pci.h"

static const struct pci_device *shown; /* the monitor's work only */

static enum command_progress show_device(void)
{
    char text[256];

    shown = pci_next(shown);
    for (unsigned i = 0; shown && i < PCI_PARTS; i++) {
        pci_describe(shown, i, text, sizeof(text));
        if (text[0])
            monitor_print("%s%s\n", i == PCI_PART_HEAD ? "" : "        ", text);
    }
    return shown ? COMMAND_MORE : COMMAND_DONE;
}

void show_pci(const struct command_args *args)
{
    (void)args;
    shown = NULL;
    command_go_on(show_device);
}
