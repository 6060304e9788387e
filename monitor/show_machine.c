/*
 * Commands about the machine: mem, log, poweroff, reboot-host.
 */
#include "arch/x86/power.h"
#include "domain/domain.h"
#include "lib/log.h"
#include "mm/frame.h"
#include "mm/promise.h"
#include "monitor/catalogue.h"
#include "monitor/commands.h"
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
    struct promise taken = promise_taken(d->id);
    uint64_t frames = taken.ram + taken.heap;

    monitor_print("  %-31s %10lu frames %12luK %8luK beyond its RAM, of %luK\n", d->name, frames,
                  FRAMES_TO_KIB(frames), FRAMES_TO_KIB(taken.heap),
                  FRAMES_TO_KIB(promise_of(d->id).heap));
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

void show_mem(const struct command_args *args)
{
    uint64_t owed = 0;

    (void)args;
    monitor_print("owners:\n");
    print_owner("free", frame_count(OWNER_FREE));
    print_owner("Caisson", frame_count(OWNER_CAISSON));
    print_owner("boot modules", frame_count(OWNER_MODULE));
    print_owner("mapped by others, owner gone", frame_count(OWNER_PINNED));
    for (struct domain *d = domain_next(NULL); d; d = domain_next(d)) {
        print_domain(d);
        owed += d->p2m.promised - d->p2m.populated;
    }
    print_owner("(promised and not yet touched)", owed);
    print_free_blocks();
}

static void print_module(unsigned n, struct word role, const char *domain, uint64_t kib)
{
    monitor_print("%6u  %-8.*s %-31s %12luK\n", n, WORD_ARGS(role), domain, kib);
}

void show_modules(const struct command_args *args)
{
    (void)args;
    monitor_print("%6s  %-8s %-31s %13s\n", "Module", "Role", "Domain", "Size");
    catalogue_modules(print_module);
}

/* As many lines as fit on the smallest screen, with the command and what stands below. */
#define LOG_PAGE_LINES 20

/* Where the n-th line behind `text` begins, or its end. */
static char *skip_lines(char *text, uint64_t n)
{
    for (; n && *text; text++)
        n -= *text == '\n';
    return text;
}

static void print_page(char *text, uint64_t page)
{
    uint64_t lines = 0;

    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    uint64_t pages = (lines + LOG_PAGE_LINES - 1) / LOG_PAGE_LINES;
    if (page < 1 || page > pages) {
        monitor_print("the log has pages 1 to %lu\n", pages);
        return;
    }
    text = skip_lines(text, (page - 1) * LOG_PAGE_LINES);
    *skip_lines(text, LOG_PAGE_LINES) = 0;
    monitor_write(text);
    monitor_print("(page %lu of %lu)\n", page, pages);
}

void show_log(const struct command_args *args)
{
    static char text[LOG_RING_BYTES + 1]; /* the monitor's work only */
    uint64_t page;

    log_copy(text, sizeof(text));
    if (!args->count)
        monitor_write(text);
    else if (word_number(args->word[0], UINT64_MAX, &page))
        print_page(text, page);
    else
        monitor_print("\"%.*s\" is no number\n", WORD_ARGS(args->word[0]));
}

void end_power_off(const struct command_args *args)
{
    (void)args;
    log_info("switched off by the operator");
    host_power_off();
}

void end_reboot(const struct command_args *args)
{
    (void)args;
    log_info("rebooted by the operator");
    host_reboot();
}
