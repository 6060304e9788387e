/*
 * A guest for whoever creates domains from outside: it says back each line that is typed at its
 * paravirtual console, and powers itself off at `quit`.
 */
#include "guest/lib/event.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/pvconsole.h"
#include "guest/lib/start_info.h"
#include "guest/lib/trap.h"

#define LINE_BYTES 80

static char line[LINE_BYTES];

void main(const void *boot_information);

static bool is_end(char c)
{
    return c == '\r' || c == '\n';
}

static void read_line(void)
{
    unsigned n = 0;
    char c;

    while (c = pvconsole_get(), !is_end(c))
        if (n < LINE_BYTES - 1)
            line[n++] = c;
    line[n] = '\0';
}

static bool is_quit(void)
{
    static const char word[] = "quit";

    for (unsigned i = 0; i < sizeof(word); i++)
        if (line[i] != word[i])
            return false;
    return true;
}

void main(const void *boot_information)
{
    trap_init();
    if (event_init() && pvconsole_init()) {
        print("parrot: listening, %s\n", start_cmdline(boot_information));
        while (read_line(), !is_quit())
            print("parrot: %s\n", line);
        print("parrot: bye\n");
    }
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
