/*
 * A guest for whoever creates domains from outside: it says back each line that is typed at its
 * paravirtual console, and powers itself off at `quit`. At `suspend` it writes all over its memory
 * until there is an event on a port that it names, to be saved or moved: and then says whether it
 * is in a new domain, how many lines it has said, and how many pages have what was last written
 * there.
 */
#include "guest/lib/cpu.h"
#include "guest/lib/event.h"
#include "guest/lib/hypercall.h"
#include "guest/lib/print.h"
#include "guest/lib/pvconsole.h"
#include "guest/lib/start_info.h"
#include "guest/lib/trap.h"
#include "include/public/hvm/hvm_op.h"
#include "include/public/hvm/params.h"

#define LINE_BYTES  80
#define PAGES       1024
#define WRITE_TICKS 200000

#define CALLBACK_VECTOR 0x40

static char line[LINE_BYTES];
static unsigned said;

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

static bool is_word(const char *word)
{
    for (unsigned i = 0;; i++) {
        if (line[i] != word[i])
            return false;
        if (!word[i])
            return true;
    }
}

/* The nth write puts n somewhere, which n alone decides. There are as many as time allows, few
 * enough that most pages rest for a while. */
static uint64_t pages[PAGES][512] __attribute__((aligned(4096)));
static uint64_t last[PAGES], written;

static uint64_t page_of(uint64_t n)
{
    return (n * 6364136223846793005ul + 1442695040888963407ul) >> 40 & (PAGES - 1);
}

static void write_until(uint32_t port)
{
    for (uint64_t next = 0; !event_take(port);) {
        uint64_t now = rdtsc();
        if (now < next)
            continue;
        next = now + WRITE_TICKS;
        written++;
        pages[page_of(written)][written % 512] = written;
    }
}

static unsigned right_pages(void)
{
    unsigned right = 0;

    for (uint64_t n = 1; n <= written; n++)
        last[page_of(n)] = n;
    for (unsigned i = 0; i < PAGES; i++)
        right += pages[i][last[i] % 512] == last[i];
    return right;
}

/* Tools tell only those of a cancelled suspension that take events by interrupts. All ports of this
 * guest's are masked: none comes. */
static bool claim_callback(void)
{
    struct xen_hvm_param arg = {
        .domid = XEN_DOMID_SELF,
        .index = HVM_PARAM_CALLBACK_IRQ,
        .value = (uint64_t)HVM_CALLBACK_TYPE_VECTOR << HVM_CALLBACK_TYPE_SHIFT | CALLBACK_VECTOR
    };

    return !hypercall(XEN_HYPERCALL_HVM_OP, HVMOP_SET_PARAM, (uint64_t)&arg, 0);
}

/* In a new domain there is nothing but memory and registers: the rest is asked for anew. */
static void suspend(void)
{
    int64_t port = event_alloc(XEN_DOMID_CONTROL);

    print("parrot: to be suspended by port %d\n", (int)port);
    write_until((uint32_t)port);
    int64_t cancelled = xen_shutdown(XEN_SHUTDOWN_SUSPEND);
    if (!cancelled && (!event_init() || !pvconsole_init()))
        xen_shutdown(XEN_SHUTDOWN_CRASH);
    print("parrot: %s, has said %u lines, %u pages are right\n", cancelled ? "goes on" : "is back",
          said, right_pages());
}

void main(const void *boot_information)
{
    trap_init();
    if (event_init() && claim_callback() && pvconsole_init()) {
        print("parrot: listening, %s\n", start_cmdline(boot_information));
        while (read_line(), !is_word("quit")) {
            if (is_word("suspend")) {
                suspend();
                continue;
            }
            print("parrot: %s\n", line);
            said++;
        }
        print("parrot: bye\n");
    }
    xen_shutdown(XEN_SHUTDOWN_POWEROFF);
}
