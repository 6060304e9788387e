/*
 * What the domains send to the one terminal: raw from the domain in front, line by line from the
 * others. See console/console.h, and console/operator.c for the terminal.
 */
#include "console/console_output.h"
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "domain/domain.h"
#include "domain/domain_console.h"
#include "console/console.h"
#include "console/operator.h"
#include "sched/timer.h"
#include "sched/work.h"

#define LINE_MOST 200       /* bytes of a background domain's line; a longer one comes in pieces */
#define ROUND     1024      /* bytes of background lines at a time: who is in front wants in too */
#define PORTION   128       /* of them that a domain behind sends at a time, under its lock */
#define LINE_COST 64        /* what a line costs besides its text, as so many bytes of it */
#define LOOK_NS   100000000 /* an unfinished line comes out after one or two of these */
#define RAW_MOST  256       /* bytes of the domain in front that go at a time: the same */

struct terminal terminal = {
    .lock = SPINLOCK_RANK("console", LOCK_CONSOLE),
    .noted = LIST_INIT(terminal.noted),
    .active = LIST_INIT(terminal.active),
};
struct work console_work;
static struct timer look; /* at unfinished lines */
static unsigned to_age;   /* how many of those in `active` have not got older by it */

/* ---- For whom something is to be done -------------------------------------------------------- */

void console_note(struct console *c)
{
    if (c->known)
        return;
    c->known = true;
    list_add_tail(&terminal.noted, &c->busy);
}

/* Those that were found since are worked on too. */
static void gather(void)
{
    spin_lock(&terminal.lock);
    while (!list_empty(&terminal.noted)) {
        struct list_node *node = terminal.noted.next;

        list_remove(node);
        list_add_tail(&terminal.active, node);
    }
    spin_unlock(&terminal.lock);
}

/* Lets go of those that are done with. True if a line is unfinished. */
static bool retire(void)
{
    struct list_node *pos, *after;
    bool unfinished = false;

    spin_lock(&terminal.lock);
    list_for_each_safe (pos, after, &terminal.active) {
        struct console *c = console_busy_at(pos);

        unfinished |= c->unfinished;
        if (c->waits || c->ends || c->unfinished || ring_used(&c->out) || ring_used(&c->in))
            continue;
        list_remove(pos);
        c->known = false;
    }
    spin_unlock(&terminal.lock);
    return unfinished;
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

/* Copies what may be seen of the line, without its end; how long it is then. Nothing that a domain
 * behind sends can be more than text behind its name. */
static uint32_t line_copy(struct console *c, uint32_t length, char *text)
{
    uint32_t n = length;

    for (uint32_t i = 0; i < length; i++)
        text[i] = (char)ring_peek(&c->out, i);
    if (n && text[n - 1] == '\n')
        n--;
    if (n && n < length && text[n - 1] == '\r')
        n--;
    uint32_t shown = (uint32_t)plain_letters(&c->plain, text, n);
    if (n < length)
        c->plain =
            (struct plain){ 0 }; /* a sequence that was not ended does not hide the next line */
    return shown;
}

/* Sends one line of a domain behind; what that cost, in bytes, 0 if none could go. */
static uint32_t send_line(struct console *c, bool all)
{
    char text[LINE_MOST];
    uint32_t length, shown;

    if (!operator_ready() || !(length = line_length(c, all)))
        return 0;
    shown = line_copy(c, length, text);
    operator_line(c->domain->name, text, shown);
    ring_drop(&c->out, length);
    return LINE_COST + shown;
}

/* Some of what came while it was behind, raw; how many bytes that was. */
static uint32_t send_rest(struct console *c)
{
    uint32_t n = ring_run(&c->out);

    n = n < RAW_MOST ? n : RAW_MOST;
    n = (uint32_t)operator_put(ring_first(&c->out), n);
    ring_drop(&c->out, n);
    return n;
}

/* Lines are sent as they come, one for each: what had to wait for the port goes by console_work.
 * Who is refused a line does not ask again, for each time a piece of what waits goes out. */
static size_t put_behind(struct console *c, const uint8_t *bytes, size_t n)
{
    size_t taken = 0;
    uint32_t sent = 0, cost = 1;

    if (!terminal.shared)
        return n;
    for (; taken < n && sent < PORTION && ring_put(&c->out, bytes[taken]); taken++) {
        if (cost && (bytes[taken] == '\n' || ring_used(&c->out) >= LINE_MOST))
            sent += cost = send_line(c, false);
    }
    if (ring_used(&c->out) && !c->unfinished) {
        c->unfinished = 1;
        work_raise(&console_work); /* the boot CPU keeps the timer */
    }
    return taken;
}

static void set_waits(struct console *c, bool on)
{
    __atomic_store_n(&c->waits, on, __ATOMIC_RELAXED);
}

size_t console_put(struct domain *d, const uint8_t *bytes, size_t n)
{
    struct console *c = d->console;
    size_t taken;

    if (!c)
        return n;
    spin_lock(&terminal.lock);
    if (c != terminal.front)
        taken = put_behind(c, bytes, n);
    else
        taken = ring_used(&c->out) ? 0 : operator_put(bytes, n < RAW_MOST ? n : RAW_MOST);
    if (taken < n)
        set_waits(c, true);
    if (c->waits || ring_used(&c->out))
        console_note(c);
    bool goes_on =
        taken && taken < n; /* there may be room for the rest: nobody else would say so */
    spin_unlock(&terminal.lock);
    if (goes_on)
        work_raise(&console_work);
    return taken;
}

/* The next look at those in `active` begins with pos: who had no turn comes first. */
static void begin_with(struct list_node *pos)
{
    if (pos == &terminal.active)
        return;
    list_remove(&terminal.active);
    list_add_tail(pos, &terminal.active);
}

/* One line of each domain behind that has one, as far as the port takes it and neither the round
 * nor the time is over; true if there may be more. The lock goes between two lines: others wait for
 * it with their own in hand. */
static bool send_lines(void)
{
    struct list_node *pos;
    uint32_t sent = 0;
    bool ready = true, over = false;

    for (pos = terminal.active.next; pos != &terminal.active && ready && !over; pos = pos->next) {
        struct console *c = console_busy_at(pos);

        if (!ring_used(&c->out))
            continue;
        spin_lock(&terminal.lock);
        ready = operator_ready();
        if (ready && c != terminal.front)
            sent += send_line(c, false);
        spin_unlock(&terminal.lock);
        over = sent >= ROUND || !work_has_time(&console_work);
    }
    begin_with(ready ? pos : pos->prev);
    return sent || over;
}

/* It is at most what the ring holds. True if there was any. */
static bool send_rest_of_front(void)
{
    uint32_t n, sent = 0;

    do {
        spin_lock(&terminal.lock);
        n = terminal.front ? send_rest(terminal.front) : 0;
        spin_unlock(&terminal.lock);
        sent += n;
    } while (n && work_has_time(&console_work));
    return sent;
}

/* Unfinished lines: young ones get older, old ones come out. */
static void age_line(struct console *c)
{
    if (c->unfinished == 1)
        c->unfinished = 2;
    else if (c->unfinished == 2 && c != terminal.front)
        send_line(c, true);
    if (!ring_used(&c->out))
        c->unfinished = 0;
}

/* As many as there is time for. True: there are more. */
static bool age_lines(void)
{
    for (; to_age && !list_empty(&terminal.active); to_age--) {
        struct list_node *first = terminal.active.next;

        if (!work_has_time(&console_work))
            return true;
        begin_with(first->next);
        if (!console_busy_at(first)->unfinished)
            continue;
        spin_lock(&terminal.lock);
        age_line(console_busy_at(first));
        spin_unlock(&terminal.lock);
    }
    to_age = 0;
    return false;
}

/* True, once, if it waits and can go on. Who does not is seen without the lock. */
static bool may_go_on(struct console *c)
{
    bool go;

    if (!__atomic_load_n(&c->waits, __ATOMIC_RELAXED))
        return false;
    spin_lock(&terminal.lock);
    go = c->waits &&
         (c == terminal.front ? operator_ready() : ring_used(&c->out) <= CONSOLE_OUT_BYTES / 2);
    if (go)
        set_waits(c, false);
    spin_unlock(&terminal.lock);
    return go;
}

static bool wake(struct console *c)
{
    bool go = may_go_on(c);

    if (go)
        domain_console_wake(c->domain);
    return go;
}

/* As many of them as there is time for. True: there are more. */
static bool wake_waiting(void)
{
    struct list_node *pos;

    if (terminal.front)
        wake(terminal.front);
    list_for_each (pos, &terminal.active) {
        if (wake(console_busy_at(pos)) && !work_has_time(&console_work)) {
            begin_with(pos->next);
            return true;
        }
    }
    return false;
}

/* There is room for the last words of those that have ended. */
static bool end_waiting(void)
{
    struct list_node *pos;

    list_for_each (pos, &terminal.active) {
        struct console *c = console_busy_at(pos);

        if (c->ends && console_drained(c->domain))
            domain_hooks->ended(c->domain);
    }
    return false;
}

/* Its lines go by output_work(), a few at a time; what is left for output_last_words() is one. */
bool console_drained(struct domain *d)
{
    struct console *c = d->console;
    bool ready = false;

    if (!c || !terminal.shared)
        return true;
    spin_lock(&terminal.lock);
    c->ends = c == terminal.front ? ring_used(&c->out) : line_length(c, false);
    if (c != terminal.front && ring_used(&c->out) && !operator_ready())
        c->ends = true;
    if (c->ends) {
        console_note(c);
        ready = operator_ready();
    }
    spin_unlock(&terminal.lock);
    if (ready) /* the port will not say so: it has */
        work_raise(&console_work);
    return !c->ends;
}

void output_last_words(struct console *c)
{
    char text[LINE_MOST];
    uint32_t length;

    while (terminal.shared && c != terminal.front && (length = line_length(c, true))) {
        operator_line(c->domain->name, text, line_copy(c, length, text));
        ring_drop(&c->out, length);
    }
}

/* ---- Unfinished lines ----------------------------------------------------------------------- */

/* Within somebody's turn, so it only says that the time has come. */
static void look_fires(struct timer *t)
{
    struct list_node *pos;

    (void)t;
    list_for_each (pos, &terminal.active)
        to_age++;
    work_raise(&console_work);
}

/* ---- The work -------------------------------------------------------------------------------- */

/* Unfinished lines are to come out in a while, and those that are done with are let go of. */
static bool settle(void)
{
    if (retire() && !look.armed)
        timer_set(&look, rdtsc() + tsc_from_ns(LOOK_NS));
    return false;
}

/* Whoever waits for a lock does so for as long as others hold it. So each step looks at the clock
 * between two of them, and what there was no time for comes first the next time. */
bool output_work(void)
{
    static bool (*const steps[])(void) = { age_lines,          wake_waiting, send_lines,
                                           send_rest_of_front, end_waiting,  settle };
    static unsigned next;
    const unsigned count = sizeof(steps) / sizeof(steps[0]);
    bool more = false;
    unsigned done = 0;

    if (work_has_time(&console_work))
        gather();
    for (; done < count && work_has_time(&console_work); done++, next = (next + 1) % count)
        more |= steps[next]();
    return more || done < count;
}

void output_init(bool shared)
{
    terminal.shared = shared;
    timer_init(&look, look_fires);
}
