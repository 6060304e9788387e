/*
 * The consoles: who is in front, and what the domains send. See monitor/console.h.
 *
 * What the operator types is in monitor/input.c, the terminal in monitor/operator.c.
 */
#include "monitor/console.h"
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "domain/domain.h"
#include "drivers/uart.h"
#include "lib/assert.h"
#include "lib/fmt.h"
#include "lib/list.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "lib/string.h"
#include "mm/heap.h"
#include "monitor/input.h"
#include "monitor/operator.h"
#include "monitor/ring.h"
#include "monitor/work.h"
#include "sched/timer.h"

#define IN_BYTES  1024
#define OUT_BYTES 2048
#define LINE_MOST 200       /* bytes of a background domain's line; a longer one comes in pieces */
#define ROUND     4096      /* bytes of background lines at a time: who is in front wants in too */
#define LOOK_NS   100000000 /* an unfinished line comes out after one or two of these */

struct console {
    struct list_node link;
    struct list_node busy; /* in `noted` or `active`, if known is set. Under the lock */
    struct domain *domain;
    struct ring in, out; /* in: boot CPU only; out: under the lock */
    bool waits;          /* its domain has been refused a byte. Under the lock */
    bool known;          /* something is to be done for it. The same */
    bool ends;           /* its domain has ended, and is buried when there is room. The same */
    uint8_t unfinished;  /* looks that the line in `out` has lived through, and 1. The same */
    uint8_t in_bytes[IN_BYTES], out_bytes[OUT_BYTES];
};
_Static_assert(sizeof(struct console) <= PAGE_SIZE, "a console takes one page of its domain's");

static struct console_config config;          /* boot only */
static const struct console_monitor *monitor; /* boot only; NULL: there is none */

static struct spinlock lock =
    SPINLOCK_RANK("console", LOCK_CONSOLE); /* guards the terminal and the output rings */
static struct console *front;               /* changed by the boot CPU, under the lock */
/* Those for which something is to be done, as most have nothing: since the last look, and the rest,
 * which only the boot CPU changes. Both under the lock. */
static struct list_node noted = LIST_INIT(noted), active = LIST_INIT(active);
static struct list_node consoles = LIST_INIT(consoles); /* all below: boot CPU only */
static bool monitor_front;
static struct console *last;   /* who was in front before the monitor; or NULL */
static char awaited[MAX_NAME]; /* reboots, and will be in front again; "": nobody */
static struct timer look;      /* at unfinished lines */
static bool port_has_room;     /* atomic: the port said so */
static bool log_spoke;         /* atomic: a log line may have torn the prompt */

static struct console *entry(struct list_node *node)
{
    ASSERT(node); /* a list is a ring */
    return LIST_ENTRY(node, struct console, link);
}

static struct console *busy_at(struct list_node *node)
{
    return LIST_ENTRY(node, struct console, busy);
}

/* ---- For whom something is to be done -------------------------------------------------------- */

/* Under the lock. */
static void note(struct console *c)
{
    if (c->known)
        return;
    c->known = true;
    list_add_tail(&noted, &c->busy);
}

/* Under the lock: those that were found since are worked on too. */
static void gather(void)
{
    while (!list_empty(&noted)) {
        struct list_node *node = noted.next;

        list_remove(node);
        list_add_tail(&active, node);
    }
}

/* Lets go of those that are done with. */
static void retire(void)
{
    struct list_node *pos, *after;

    spin_lock(&lock);
    list_for_each_safe (pos, after, &active) {
        struct console *c = busy_at(pos);

        if (c->waits || c->ends || c->unfinished || ring_used(&c->out) || ring_used(&c->in))
            continue;
        list_remove(pos);
        c->known = false;
    }
    spin_unlock(&lock);
}

/* ---- Output ---------------------------------------------------------------------------------- */

/* How many bytes make the next line: up to a newline, or LINE_MOST, or (all) whatever is there. */
static uint32_t line_length(const struct console *c, bool all)
{
    uint32_t used = ring_used(&c->out), most = used < LINE_MOST ? used : LINE_MOST;

    for (uint32_t i = 0; i < most; i++) {
        if (ring_peek(&c->out, i) == '\n')
            return i + 1;
    }
    return used >= LINE_MOST || all ? most : 0;
}

/* Copies the line without its end; how long it is then. */
static uint32_t line_copy(const struct console *c, uint32_t length, char *text)
{
    uint32_t n = length;

    for (uint32_t i = 0; i < length; i++)
        text[i] = (char)ring_peek(&c->out, i);
    if (n && text[n - 1] == '\n')
        n--;
    if (n && n < length && text[n - 1] == '\r')
        n--;
    return n;
}

/* Sends one line of a domain behind; how many bytes of its ring that was, 0 if none could go. */
static uint32_t send_line(struct console *c, bool all)
{
    char text[LINE_MOST];
    uint32_t length = line_length(c, all);

    if (!length || !operator_line(c->domain->name, text, line_copy(c, length, text)))
        return 0;
    ring_drop(&c->out, length);
    return length;
}

/* What came while it was behind, raw. True when nothing is left of it. */
static bool send_rest(struct console *c)
{
    while (ring_used(&c->out) && operator_put(ring_peek(&c->out, 0)))
        ring_drop(&c->out, 1);
    return !ring_used(&c->out);
}

static bool put_behind(struct console *c, uint8_t byte)
{
    if (!config.shared)
        return true;
    if (!ring_put(&c->out, byte))
        return false;
    if (byte == '\n' || ring_used(&c->out) >= LINE_MOST) {
        while (send_line(c, false))
            ;
    }
    if (ring_used(&c->out) && !c->unfinished) {
        c->unfinished = 1;
        work_raise(); /* the boot CPU keeps the timer */
    }
    return true;
}

bool console_put(struct domain *d, uint8_t byte)
{
    struct console *c = d->console;
    bool taken;

    if (!c)
        return true;
    spin_lock(&lock);
    taken = c == front ? send_rest(c) && operator_put(byte) : put_behind(c, byte);
    c->waits |= !taken;
    if (c->waits || ring_used(&c->out))
        note(c);
    spin_unlock(&lock);
    return taken;
}

/* One line of each domain behind, as long as somebody has one, the port takes it, and the round
 * is not over. Who was first is the last one next time. */
static void send_lines(void)
{
    uint32_t sent = 0, before;
    struct list_node *pos;

    spin_lock(&lock);
    gather();
    do {
        before = sent;
        list_for_each (pos, &active) {
            if (busy_at(pos) != front)
                sent += send_line(busy_at(pos), false);
        }
    } while (sent > before && sent < ROUND);
    if (front)
        send_rest(front);
    if (!list_empty(&active)) {
        pos = active.next;
        list_remove(pos);
        list_add_tail(&active, pos);
    }
    spin_unlock(&lock);
}

/* Unfinished lines: young ones get older, old ones come out. */
static void age_lines(void)
{
    struct list_node *pos;

    spin_lock(&lock);
    gather();
    list_for_each (pos, &active) {
        struct console *c = busy_at(pos);

        if (c->unfinished == 1)
            c->unfinished = 2;
        else if (c->unfinished == 2 && c != front)
            send_line(c, true);
        if (!ring_used(&c->out))
            c->unfinished = 0;
    }
    spin_unlock(&lock);
}

static bool any_unfinished(void)
{
    struct list_node *pos;
    bool some = false;

    spin_lock(&lock);
    list_for_each (pos, &active)
        some |= busy_at(pos)->unfinished;
    spin_unlock(&lock);
    return some;
}

/* True, once, if it waits and can go on. */
static bool may_go_on(struct console *c)
{
    bool go;

    spin_lock(&lock);
    go = c->waits && (c == front ? operator_ready() : ring_used(&c->out) <= OUT_BYTES / 2);
    if (go)
        c->waits = false;
    spin_unlock(&lock);
    return go;
}

static void kick(struct console *c)
{
    if (!may_go_on(c))
        return;
    spin_lock(&c->domain->lock);
    machine_console_kick(&c->domain->machine);
    spin_unlock(&c->domain->lock);
}

static void kick_waiting(void)
{
    struct list_node *pos;

    if (front)
        kick(front);
    list_for_each (pos, &active)
        kick(busy_at(pos));
}

/* There is room for the last words of those that have ended. */
static void end_waiting(void)
{
    struct list_node *pos;

    list_for_each (pos, &active) {
        struct console *c = busy_at(pos);

        if (c->ends && console_drained(c->domain))
            domain_hooks->ended(c->domain);
    }
}

/* ---- Input ----------------------------------------------------------------------------------- */

static bool give(struct console *c, struct ring *from)
{
    while (ring_used(from)) {
        if (!machine_console_give(&c->domain->machine, ring_peek(from, 0)))
            return false;
        ring_drop(from, 1);
    }
    return true;
}

/* Hands c as much of its input as its UART takes, what came first first. */
static void feed(struct console *c)
{
    spin_lock(&c->domain->lock);
    if (give(c, &c->in) && c == front) {
        give(c, &input_paste);
        input_taken();
    }
    spin_unlock(&c->domain->lock);
}

static void feed_all(void)
{
    struct list_node *pos;

    if (front)
        feed(front);
    list_for_each (pos, &active) {
        if (ring_used(&busy_at(pos)->in) && busy_at(pos) != front)
            feed(busy_at(pos));
    }
}

/* c is in front no more: what it has not read yet goes with it, as far as it can. */
static void take_along(struct console *c)
{
    uint32_t lost = 0;

    for (; ring_used(&input_paste); ring_drop(&input_paste, 1))
        lost += !ring_put(&c->in, ring_peek(&input_paste, 0));
    input_taken();
    spin_lock(&lock);
    if (ring_used(&c->in))
        note(c);
    spin_unlock(&lock);
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

static void hold_port(bool on)
{
    if (config.port)
        uart_hold(config.port, on);
}

void console_received(const uint8_t *data, size_t len)
{
    input_received(data, len);
    work_raise();
}

void console_room(struct domain *d)
{
    struct console *c = d->console;

    if (c && (ring_used(&c->in) || (c == front && ring_used(&input_paste))))
        work_raise();
}

/* ---- Who is in front ------------------------------------------------------------------------- */

struct domain *console_front(void)
{
    return front ? front->domain : NULL;
}

static void announce(const struct console *c)
{
    char text[128];
    size_t n;

    if (c)
        n = fmt_sn(text, sizeof(text),
                   "*** keys go to domain %s (Ctrl-%c three times: monitor)\r\n", c->domain->name,
                   config.switch_key + '@');
    else
        n = fmt_sn(text, sizeof(text), "*** keys go to the monitor (try \"help\")\r\n");
    spin_lock(&lock);
    operator_announce(text, n);
    spin_unlock(&lock);
}

/* c: NULL for the monitor, or (no monitor) nobody. */
static void set_front(struct console *c, bool is_monitor)
{
    if (front && front != c)
        take_along(front);
    if (is_monitor)
        last = front;
    spin_lock(&lock);
    front = c;
    spin_unlock(&lock);
    monitor_front = is_monitor;
    awaited[0] = '\0';
    work_raise();
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
    struct console *c = heap_pages(0, d->id);

    if (!c)
        return -ENOMEM;
    c->domain = d;
    c->in = (struct ring){ .bytes = c->in_bytes, .size = IN_BYTES };
    c->out = (struct ring){ .bytes = c->out_bytes, .size = OUT_BYTES };
    list_init(&c->busy);
    list_add_tail(&consoles, &c->link);
    d->console = c;
    if (!front && !monitor_front && (!awaited[0] || !config.shared || !strcmp(awaited, d->name)))
        set_front(c, false);
    return 0;
}

bool console_drained(struct domain *d)
{
    struct console *c = d->console;

    if (!c || !config.shared)
        return true;
    spin_lock(&lock);
    c->ends = c != front && ring_used(&c->out) && !operator_ready();
    if (c->ends)
        note(c);
    spin_unlock(&lock);
    return !c->ends;
}

/* The last words of a domain that goes: nobody will ask for them later. */
static void send_last(struct console *c)
{
    char text[LINE_MOST];
    uint32_t length;

    while (config.shared && c != front && (length = line_length(c, true))) {
        operator_last_line(c->domain->name, text, line_copy(c, length, text));
        ring_drop(&c->out, length);
    }
}

void console_close(struct domain *d)
{
    struct console *c = d->console;
    bool was_front = c && c == front;

    if (!c)
        return;
    spin_lock(&lock);
    send_last(c);
    list_remove(&c->busy);
    list_remove(&c->link);
    d->console = NULL;
    if (was_front)
        front = NULL;
    spin_unlock(&lock);
    if (last == c)
        last = NULL;
    if (was_front && domain_comes_back(d))
        str_copy(awaited, d->name, sizeof(awaited));
    else if (was_front && !list_empty(&consoles) && config.shared)
        console_select(entry(consoles.next)->domain);
    heap_free_pages(c, 0, d->id);
}

/* ---- The monitor's side, and the work -------------------------------------------------------- */

void console_print(const char *text, size_t len)
{
    spin_lock(&lock);
    operator_print(text, len);
    spin_unlock(&lock);
}

void console_set_prompt(unsigned width)
{
    spin_lock(&lock);
    operator_set_prompt(width);
    spin_unlock(&lock);
}

/* A log sink: its lines go to the port by themselves, and through the prompt. */
static void log_passes(const char *text, size_t len)
{
    (void)text;
    (void)len;
    if (monitor_front && !__atomic_exchange_n(&log_spoke, true, __ATOMIC_RELAXED))
        work_raise();
}

/* Shows the prompt where it is missing. */
static void restore_prompt(void)
{
    bool torn = __atomic_exchange_n(&log_spoke, false, __ATOMIC_RELAXED);

    if (monitor_front && (torn || !operator_prompt()))
        monitor->prompt();
}

static void work(void)
{
    if (__atomic_exchange_n(&port_has_room, false, __ATOMIC_ACQUIRE)) {
        spin_lock(&lock);
        operator_room();
        spin_unlock(&lock);
    }
    input_work();
    spin_lock(&lock);
    gather();
    spin_unlock(&lock);
    kick_waiting();
    send_lines();
    kick_waiting();
    end_waiting();
    feed_all();
    if (!look.armed && any_unfinished())
        timer_set(&look, rdtsc() + tsc_from_ns(LOOK_NS));
    retire();
    restore_prompt();
}

static void look_fires(struct timer *t)
{
    (void)t;
    age_lines();
    work_raise();
}

void console_finish(void)
{
    spin_lock(&lock);
    operator_finish();
    spin_unlock(&lock);
}

static void port_room(void)
{
    __atomic_store_n(&port_has_room, true, __ATOMIC_RELEASE);
    work_raise();
}

void console_init(const struct console_config *c, const struct console_monitor *m)
{
    static const struct input_reader reader = { .key = key,
                                                .switch_over = console_toggle,
                                                .hold = hold_port };

    config = *c;
    monitor = c->shared ? m : NULL;
    monitor_front = monitor && c->monitor_first;
    operator_init(c->port, c->screen);
    input_init(c->shared ? c->switch_key : 0, &reader);
    timer_init(&look, look_fires);
    work_init(work);
    if (monitor)
        log_add_sink(log_passes);
    if (monitor_front)
        work_raise(); /* for the prompt, if nobody else speaks */
    if (!c->port)
        return;
    uart_on_receive(c->port, console_received);
    uart_on_room(c->port, port_room);
}
