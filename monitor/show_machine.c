/*
 * Commands about the machine: mem, log, poweroff, reboot-host.
 */
#include "arch/x86/power.h"
#include "domain/domain.h"
#include "lib/log.h"
#include "mm/audit.h"
#include "mm/frame.h"
#include "mm/promise.h"
#include "config/catalogue.h"
#include "monitor/commands.h"
#include "monitor/domains.h"
#include "monitor/monitor.h"

#define FRAMES_TO_KIB(frames) ((frames) << (PAGE_SHIFT - 10))

static void print_owner(const char *name, uint64_t frames)
{
    monitor_print("  %-31s %10lu frames %12luK\n", name, frames, FRAMES_TO_KIB(frames));
}

/* What a domain has for itself besides its RAM: vCPUs, tables, pages of the paravirtual interface.
 */
static void print_domain(const struct domain *d)
{
    struct promise taken = promise_taken(d->xen.id);
    uint64_t frames = taken.ram + taken.heap;

    monitor_print("  %-31s %10lu frames %12luK %8luK beyond its RAM, of %luK\n", d->name, frames,
                  FRAMES_TO_KIB(frames), FRAMES_TO_KIB(taken.heap),
                  FRAMES_TO_KIB(promise_of(d->xen.id).heap));
}

static void print_free_blocks(void)
{
    monitor_print("free blocks:\n");
    for (unsigned order = 0; order <= FRAME_MAX_ORDER; order++) {
        uint64_t n = frame_free_blocks(order);

        if (n)
            monitor_print("  of %9luK %10lu\n", FRAMES_TO_KIB(1UL << order), n);
    }
}

static uint64_t owed; /* frames to those that were shown; the monitor's work only */

static enum command_progress show_domain_mem(void)
{
    const struct domain *d = domains_step();

    if (d) {
        print_domain(d);
        owed += d->p2m.promised - d->p2m.populated;
        return COMMAND_MORE;
    }
    print_owner("(promised and not yet touched)", owed);
    print_free_blocks();
    return COMMAND_DONE;
}

void show_mem(const struct command_args *args)
{
    if (!domains_begin(args))
        return;
    owed = 0;
    monitor_print("owners:\n");
    print_owner("free", frame_count(OWNER_FREE));
    print_owner("Caisson", frame_count(OWNER_CAISSON));
    print_owner("boot modules", frame_count(OWNER_MODULE));
    print_owner("mapped by others, owner gone", frame_count(OWNER_PINNED));
    command_go_on(show_domain_mem);
}

static void print_module(unsigned n, struct word role, const char *domain, uint64_t kib)
{
    monitor_print("%6u  %-8.*s %-31s %12luK\n", n, WORD_ARGS(role), domain, kib);
}

static unsigned modules_shown; /* the monitor's work only */

static enum command_progress show_one_module(void)
{
    return catalogue_module(modules_shown++, print_module) ? COMMAND_MORE : COMMAND_DONE;
}

void show_modules(const struct command_args *args)
{
    (void)args;
    monitor_print("%6s  %-8s %-31s %13s\n", "Module", "Role", "Domain", "Size");
    modules_shown = 0;
    command_go_on(show_one_module);
}

/* As many lines as fit on the smallest screen, with the command and what stands below. */
#define LOG_PAGE_LINES 20

/* The monitor's work only. */
static struct {
    uint64_t at, end; /* of the log: up to what was said when the command began */
    uint64_t lines;   /* so far */
    uint64_t page;
    bool all;
} reading;

static void end_page(void)
{
    uint64_t pages = (reading.lines + LOG_PAGE_LINES - 1) / LOG_PAGE_LINES;

    if (reading.page < 1 || reading.page > pages)
        monitor_print("the log has pages 1 to %lu\n", pages);
    else
        monitor_print("(page %lu of %lu)\n", reading.page, pages);
}

static enum command_progress read_line(void)
{
    char text[LOG_LINE_BYTES];

    if (reading.at < reading.end && log_read(&reading.at, text)) {
        if (reading.all || reading.lines / LOG_PAGE_LINES + 1 == reading.page) {
            monitor_write(log_mark());
            monitor_write(text);
        }
        reading.lines++;
        return COMMAND_MORE;
    }
    if (!reading.all)
        end_page();
    return COMMAND_DONE;
}

void show_log(const struct command_args *args)
{
    uint64_t page = 0;

    if (args->count && !word_number(args->word[0], UINT64_MAX, &page)) {
        monitor_print("\"%.*s\" is no number\n", WORD_ARGS(args->word[0]));
        return;
    }
    reading = (typeof(reading)){ .end = log_end(), .page = page, .all = !args->count };
    command_go_on(read_line);
}

void end_power_off(const struct command_args *args)
{
    (void)args;
    log_info("switched off by the operator");
    audit_machine(); /* here and below: with domains that live, nobody else would */
    host_power_off();
}

void end_reboot(const struct command_args *args)
{
    (void)args;
    log_info("rebooted by the operator");
    audit_machine();
    host_reboot();
}
