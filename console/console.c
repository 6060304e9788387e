/*
 * The consoles: who is in front, and gets what is typed. See console/console.h.
 *
 * What the domains send is in console/console_output.c, what the operator types in console/input.c,
 * the terminal in console/operator.c.
 */
#include "console/console.h"
#include "domain/domain.h"
#include "domain/domain_console.h"
#include "drivers/uart.h"
#include "lib/assert.h"
#include "lib/fmt.h"
#include "lib/list.h"
#include "lib/log.h"
#include "lib/ring.h"
#include "lib/spinlock.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "console/console_output.h"
#include "console/input.h"
#include "console/operator.h"
#include "sched/work.h"

#define FEED_MOST 256 /* bytes that a domain is given at a time: its lock is held meanwhile */

static struct console_config config;          /* boot only */
static const struct console_monitor *monitor; /* boot only; NULL: there is none */

static struct list_node consoles = LIST_INIT(consoles); /* all below: boot CPU only */
static bool monitor_front;
static struct console *last;   /* who was in front before the monitor; or NULL */
static char awaited[MAX_NAME]; /* reboots, and will be in front again; "": nobody */
static bool port_has_room;     /* atomic: the port said so */
static bool log_spoke;         /* atomic: a log line may have torn the prompt */

static struct console *entry(struct list_node *node)
{
    ASSERT(node); /* a list is a ring */
    return LIST_ENTRY(node, struct console, link);
}

/* ---- Input ----------------------------------------------------------------------------------- */

/* Hands c bytes as long as it takes them, `most` at most; how many. */
static uint32_t give(struct console *c, struct ring *from, uint32_t most)
{
    uint32_t n = 0;

    for (; n < most && ring_used(from); n++) {
        if (!domain_console_give(c->domain, ring_peek(from, 0)))
            break;
        ring_drop(from, 1);
    }
    return n;
}

/* Some of c's input, what came first first. True: its guest is quick, and there may be more. */
static bool feed(struct console *c)
{
    spin_lock(&c->domain->lock);
    uint32_t n = give(c, &c->in, FEED_MOST);
    if (!ring_used(&c->in) && c == terminal.front) {
        n += give(c, &input_paste, FEED_MOST - n);
        input_taken();
    }
    if (n)
        domain_console_given(c->domain);
    spin_unlock(&c->domain->lock);
    return n == FEED_MOST;
}

static bool feed_all(void)
{
    struct list_node *pos;
    bool more = terminal.front && feed(terminal.front);

    list_for_each (pos, &terminal.active) {
        if (ring_used(&console_busy_at(pos)->in) && console_busy_at(pos) != terminal.front)
            more |= feed(console_busy_at(pos));
    }
    return more;
}

/* c is in front no more: what it has not read yet goes with it, as far as it can. */
static void take_along(struct console *c)
{
    while (ring_used(&input_paste) && ring_room(&c->in))
        ring_put(&c->in, ring_take(&input_paste));
    uint32_t lost = ring_used(&input_paste);
    ring_drop(&input_paste, lost);
    input_taken();
    spin_lock(&terminal.lock);
    if (ring_used(&c->in))
        console_note(c);
    spin_unlock(&terminal.lock);
    if (lost)
        log_warn("%s: %u bytes that were typed ahead are lost", c->domain->name, lost);
}

static void key(uint8_t byte)
{
    if (monitor_front)
        monitor->input(byte);
    else
        input_keep(byte);
}

static bool takes_keys(void)
{
    return !monitor_front || monitor->has_room();
}

static void hold_port(bool on)
{
    if (config.port)
        uart_hold(config.port, on);
}

static void stop_port(bool on)
{
    if (config.port)
        uart_stop(config.port, on);
}

void console_received(const uint8_t *data, size_t len)
{
    input_received(data, len);
    work_raise(&console_work);
}

void console_room(struct domain *d)
{
    struct console *c = d->console;

    if (c && (ring_used(&c->in) || (c == terminal.front && ring_used(&input_paste))))
        work_raise(&console_work);
}

/* ---- Who is in front ------------------------------------------------------------------------- */

static void announce(const struct console *c)
{
    char text[128];
    size_t n;

    if (c)
        n = fmt_sn(text, sizeof(text),
                   "%s*** keys go to domain %s (Ctrl-%c three times: monitor)\r\n", log_mark(),
                   c->domain->name, config.switch_key + '@');
    else
        n = fmt_sn(text, sizeof(text), "%s*** keys go to the monitor (try \"help\")\r\n",
                   log_mark());
    spin_lock(&terminal.lock);
    operator_announce(text, n);
    spin_unlock(&terminal.lock);
}

/* c: NULL for the monitor, or (no monitor) nobody. */
static void set_front(struct console *c, bool is_monitor)
{
    if (terminal.front && terminal.front != c)
        take_along(terminal.front);
    if (is_monitor)
        last = terminal.front;
    spin_lock(&terminal.lock);
    terminal.front = c;
    spin_unlock(&terminal.lock);
    monitor_front = is_monitor;
    awaited[0] = '\0';
    work_raise(&console_work);
}

bool console_select(struct domain *d)
{
    struct console *c = d ? d->console : NULL;

    if (d ? !c : !monitor)
        return false;
    set_front(c, !d);
    announce(c);
    return true;
}

void console_toggle(void)
{
    struct console *c = last;

    if (!monitor_front) {
        console_select(NULL);
        return;
    }
    if (!c && !list_empty(&consoles))
        c = entry(consoles.next);
    if (c)
        console_select(c->domain);
    else
        announce(NULL);
}

int console_open(struct domain *d)
{
    struct console *c = heap_pages(0, d->xen.id);

    if (!c)
        return -ENOMEM;
    c->domain = d;
    c->in = (struct ring)RING_IN(c->in_bytes);
    c->out = (struct ring)RING_IN(c->out_bytes);
    list_init(&c->busy);
    list_add_tail(&consoles, &c->link);
    d->console = c;
    if (!terminal.front && !monitor_front &&
        (!awaited[0] || !terminal.shared || !strcmp(awaited, d->name)))
        set_front(c, false);
    return 0;
}

void console_close(struct domain *d)
{
    struct console *c = d->console;
    bool was_front = c && c == terminal.front;

    if (!c)
        return;
    spin_lock(&terminal.lock);
    output_last_words(c);
    list_remove(&c->busy);
    list_remove(&c->link);
    d->console = NULL;
    if (was_front)
        terminal.front = NULL;
    spin_unlock(&terminal.lock);
    if (last == c)
        last = NULL;
    if (was_front && domain_comes_back(d))
        str_copy(awaited, d->name, sizeof(awaited));
    else if (was_front && !list_empty(&consoles) && terminal.shared)
        console_select(entry(consoles.next)->domain);
    heap_free_pages(c, 0, d->xen.id);
}

/* ---- The monitor's side, and the work -------------------------------------------------------- */

void console_print(const char *text, size_t len)
{
    spin_lock(&terminal.lock);
    bool more = operator_print(text, len);
    spin_unlock(&terminal.lock);
    if (more)
        work_raise(&console_work);
}

void console_monitor_ready(void)
{
    work_raise(&console_work);
}

void console_set_prompt(unsigned width)
{
    spin_lock(&terminal.lock);
    operator_set_prompt(width);
    spin_unlock(&terminal.lock);
}

void console_widen_prompt(unsigned width)
{
    spin_lock(&terminal.lock);
    operator_widen_prompt(width);
    spin_unlock(&terminal.lock);
}

/* A log sink: its lines go to the port by themselves, and through the prompt. */
static void log_passes(const char *text, size_t len)
{
    (void)text;
    (void)len;
    if (monitor_front && !__atomic_exchange_n(&log_spoke, true, __ATOMIC_RELAXED))
        work_raise(&console_work);
}

void console_restore_prompt(void)
{
    bool torn = __atomic_exchange_n(&log_spoke, false, __ATOMIC_RELAXED);

    if (monitor_front && !monitor->is_busy() && (torn || !operator_prompt()))
        monitor->prompt();
}

/* What waits for the port. True: it takes more. */
static bool send_held(void)
{
    bool room = __atomic_exchange_n(&port_has_room, false, __ATOMIC_ACQUIRE);

    spin_lock(&terminal.lock);
    bool more = room ? operator_room() : operator_flush();
    spin_unlock(&terminal.lock);
    return more;
}

/* A piece of each. */
static bool work(void)
{
    bool more = send_held();

    more |= input_work();
    more |= output_work();
    more |= feed_all();
    if (!work_has_time(&console_work))
        return true;
    console_restore_prompt();
    return more;
}

void console_finish(void)
{
    spin_lock(&terminal.lock);
    operator_finish();
    spin_unlock(&terminal.lock);
}

static void port_room(void)
{
    __atomic_store_n(&port_has_room, true, __ATOMIC_RELEASE);
    work_raise(&console_work);
}

void console_init(const struct console_config *c, const struct console_monitor *m)
{
    static const struct input_reader reader = { .takes = takes_keys,
                                                .key = key,
                                                .switch_over = console_toggle,
                                                .hold = hold_port,
                                                .stop = stop_port };

    config = *c;
    monitor = c->shared ? m : NULL;
    monitor_front = monitor && c->monitor_first;
    operator_init(c->port, c->screen);
    input_init(c->shared ? c->switch_key : 0, &reader);
    output_init(c->shared);
    work_init(&console_work, work, 0);
    if (monitor)
        log_add_sink(log_passes);
    if (monitor_front)
        work_raise(&console_work); /* for the prompt, if nobody else speaks */
    if (!c->port)
        return;
    uart_on_receive(c->port, console_received);
    uart_on_room(c->port, port_room);
}
