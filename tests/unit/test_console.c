/* links: drivers/tty.c console/console.c console/console_output.c console/input.c console/operator.c console/plain.c sched/timer.c lib/fmt.c lib/string.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * The consoles on one terminal: many domains and a port that is slow; nothing is lost, the order is
 * kept, and the keys go where they should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <limits.h>
#include <cmocka.h>
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "domain/domain.h"
#include "domain/domain_console.h"
#include "drivers/uart.h"
#include "mm/heap.h"
#include "console/console.h"
#include "console/console_output.h"
#include "sched/work.h"
#include "sched/timer.h"
#include "tests/fakes/heap.h"
#include "tests/fakes/log.h"

#define DOMAINS 12
#define TALK    6000

/* NULL: the monitor, or nobody. */
static struct domain *front(void)
{
    return terminal.front ? terminal.front->domain : NULL;
}

/* ---- What the console calls ------------------------------------------------------------------ */

static char line[1 << 20], screen[1 << 20];
static size_t line_length, screen_length;
static size_t room; /* bytes that the port takes before it says no */
static bool refused, port_held;
static void (*on_receive)(const uint8_t *data, size_t len);
static void (*on_room)(void);
static bool (*work)(void);
static bool raised;

size_t uart_try_write(struct uart *u, const void *data, size_t len)
{
    size_t n = len < room ? len : room;

    (void)u;
    assert_true(line_length + n < sizeof(line));
    memcpy(line + line_length, data, n);
    line_length += n;
    room -= n;
    refused |= n < len;
    return n;
}

void uart_on_receive(struct uart *u, void (*fn)(const uint8_t *data, size_t len))
{
    (void)u;
    on_receive = fn;
}

void uart_on_room(struct uart *u, void (*fn)(void))
{
    (void)u;
    on_room = fn;
}

void uart_hold(struct uart *u, bool hold)
{
    (void)u;
    port_held = hold;
}

static bool port_stopped;

void uart_stop(struct uart *u, bool stop)
{
    (void)u;
    port_stopped = stop;
}

static void show(const char *text, size_t len)
{
    memcpy(screen + screen_length, text, len);
    screen_length += len;
}

void work_init(struct work *w, bool (*fn)(void), unsigned cap)
{
    (void)w;
    (void)cap;
    work = fn;
}

void work_raise(struct work *w)
{
    (void)w;
    raised = true;
}

static unsigned hurry = UINT_MAX; /* how often a call of the work's hears that there is time left */
static unsigned time_left;

bool work_has_time(const struct work *w)
{
    (void)w;
    return time_left && --time_left;
}

void sched_wake(struct sched_unit *u)
{
    (void)u;
}

uint64_t tsc_from_ns(uint64_t ns)
{
    return ns;
}

/* ---- Guests ---------------------------------------------------------------------------------- */

static struct guest {
    struct domain d; /* first: the console knows only this */
    const char *text;
    size_t said, length;
    bool stopped; /* until it is kicked */
    char heard[8192];
    size_t heard_length, appetite; /* bytes that it takes before its UART is full */
} guests[DOMAINS];

static struct guest *guest_of(struct domain *d)
{
    return container_of(d, struct guest, d);
}

bool domain_console_give(struct domain *d, uint8_t byte)
{
    struct guest *g = guest_of(d);

    assert_true(spin_is_locked(&g->d.lock));
    if (!g->appetite)
        return false;
    g->appetite--;
    g->heard[g->heard_length++] = (char)byte;
    return true;
}

static unsigned events; /* that tell guests of what they were given */

void domain_console_given(struct domain *d)
{
    assert_true(spin_is_locked(&d->lock));
    events++;
}

/* As a UART with a full FIFO would: from within the kick. */
static void speak(struct guest *g, size_t most)
{
    for (; most && !g->stopped && g->said < g->length; most--) {
        if (console_put(&g->d, (const uint8_t *)g->text + g->said, 1))
            g->said++;
        else
            g->stopped = true;
    }
}

/* Its vCPU 0, which takes the domain's lock by itself. */
void domain_console_wake(struct domain *d)
{
    struct guest *g = guest_of(d);

    g->stopped = false;
    speak(g, 16);
}

static const struct domain *told; /* whose end the console told again */

static void ended(struct domain *d)
{
    told = d;
}

static const struct domain_hooks hooks = { .ended = ended };
const struct domain_hooks *domain_hooks = &hooks;

/* ---- The world ------------------------------------------------------------------------------- */

static char keys[256];
static unsigned prompts;
static bool busy; /* the monitor is, with a command */
static bool full; /* and has no room for keys */

static void monitor_key(uint8_t byte)
{
    keys[strlen(keys)] = (char)byte;
}

static void monitor_prompt(void)
{
    console_print("> ", 2);
    console_set_prompt(2);
    prompts++;
}

static bool monitor_has_room(void)
{
    return !full;
}

static bool monitor_busy(void)
{
    return busy;
}

static void settle(void)
{
    for (unsigned i = 0; raised && i < 10000; i++) {
        raised = false;
        time_left = hurry;
        raised |= work();
    }
    assert_false(raised);
}

/* Time goes by: unfinished lines get old. */
static void pass(uint64_t ns)
{
    fake_tsc += ns;
    timer_run(fake_tsc);
    settle();
}

static void drain(size_t bytes)
{
    room += bytes;
    if (refused) {
        refused = false;
        on_room();
    }
    settle();
}

static void set_up(bool shared, bool monitor_first)
{
    static const struct console_monitor monitor = { monitor_key, monitor_has_room, monitor_prompt,
                                                    monitor_busy };
    struct console_config config = { .port = (struct uart *)&room,
                                     .screen = show,
                                     .shared = shared,
                                     .switch_key = 1,
                                     .monitor_first = monitor_first };

    for (unsigned i = 0; i < DOMAINS; i++) {
        if (guests[i].d.console)
            console_close(&guests[i].d);
    }
    for (unsigned i = 0; work && i < 3; i++) {
        raised = false;
        pass(1000000000); /* no timer is left armed */
    }
    memset(guests, 0, sizeof(guests));
    memset(keys, 0, sizeof(keys));
    fake_log_reset();
    prompts = 0;
    raised = false;
    console_init(&config, &monitor);
    console_set_prompt(0);
    room = SIZE_MAX / 2;
    refused = false;
    on_room();
    raised = false;
    work();
    line_length = screen_length = 0;
}

static struct guest *add(unsigned n)
{
    struct guest *g = &guests[n];

    g->d.xen.id = (uint16_t)(n + 1);
    snprintf(g->d.name, sizeof(g->d.name), "d%u", n);
    assert_int_equal(console_open(&g->d), 0);
    settle();
    return g;
}

static void say(struct guest *g, const char *text)
{
    g->text = text;
    g->said = 0;
    g->length = strlen(text);
    speak(g, SIZE_MAX);
    settle();
}

static void type(const char *text)
{
    on_receive((const uint8_t *)text, strlen(text));
    settle();
}

static void shows(const char *text)
{
    line[line_length] = '\0';
    assert_string_equal(line, text);
    line_length = 0;
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void one_domain_is_raw(void **state)
{
    (void)state;
    set_up(true, false);
    struct guest *g = add(0);
    g->appetite = 100;
    say(g, "boot\r\n\x1b[1mlogin\x1b[0m: ");
    shows("boot\r\n\x1b[1mlogin\x1b[0m: ");
    screen[screen_length] = '\0';
    assert_string_equal(screen, "boot\r\nlogin: ");
    type("root\r");
    assert_string_equal(g->heard, "root\r");
    assert_int_equal(prompts, 0);
}

static void others_come_by_the_line(void **state)
{
    (void)state;
    set_up(true, false);
    struct guest *a = add(0), *b = add(1);
    say(a, "front: ");
    say(b, "one\r\ntwo\nthr");
    shows("front: \r\n(d1) one\r\n(d1) two\r\n");
    say(a, "go on");
    say(b, "ee\r\n");
    shows("go on\r\n(d1) three\r\n");
    say(b, "password: ");
    shows("");
    pass(150000000);
    pass(150000000);
    shows("(d1) password: \r\n");
    say(b, "\r\n");
    shows("(d1) \r\n");
}

#define PLAIN_LETTERS "\x1b\\\x1b[m\x1b(B\x0f"

/* Whatever a domain behind sends, one line of it is its name and letters. */
static void behind_is_only_text(void **state)
{
    (void)state;
    set_up(true, false);
    add(0);
    struct guest *b = add(1);
    say(b, "\r\x1b[2K[1234] caisson: error: forged\r\n");
    shows("(d1)  [1234] caisson: error: forged\r\n");
    say(b, "tab\tback\b\b\b del\x7f nul\x01 \x1b[1;31mred\x1b[0m \x9b[2K \xc3\xa9\n");
    shows("(d1) tab back    del nul red ?[2K ??\r\n");
    say(b, "\x1b]0;title\x07shown\x1b]0;hides no more than this line\n");
    say(b, "\x1bP\x18"
           "caisson> \x1b"
           "7after\x0b\x0c\x05\r\r\n");
    shows("(d1) shown\r\n(d1) caisson> after \r\n");
}

/* All bytes, in all pairs: nothing but ASCII and the ends of its own lines ever comes out. */
static void behind_never_moves_the_cursor(void **state)
{
    (void)state;
    set_up(true, false);
    add(0);
    struct guest *b = add(1);
    for (int i = 0; i < 65536; i++) {
        char text[] = { (char)(i >> 8), (char)i, 'x', '\n', 0 };

        if (!text[0] || !text[1])
            continue;
        say(b, text);
        line[line_length] = '\0';
        for (char *p = line; *p; p = strchr(p, '\n') + 1) {
            assert_memory_equal(p, "(d1) ", 5);
            size_t shown = strcspn(p, "\r");
            assert_memory_equal(p + shown, "\r\n", 2);
            for (size_t k = 0; k < shown; k++)
                assert_in_range(p[k], ' ', '~');
        }
        line_length = 0;
    }
}

/* The domain in front may twist the terminal as it likes: who speaks next untwists it. */
static void others_untwist_the_terminal(void **state)
{
    (void)state;
    set_up(true, false);
    struct guest *a = add(0), *b = add(1);
    say(a, "\x1b[8mhidden\r\n");
    line_length = 0;
    say(b, "seen\n");
    shows(PLAIN_LETTERS "\r\x1b[K(d1) seen\r\n");
    say(b, "plain\n");
    shows("(d1) plain\r\n");
    say(a, "\x1b]0;never ended ");
    line_length = 0;
    say(b, "seen\n");
    shows(PLAIN_LETTERS "\r\n(d1) seen\r\n");
    say(a, "over\r");
    say(b, "x\n");
    say(a, "staircase\n");
    say(b, "y\n");
    shows("over\r\r\n(d1) x\r\nstaircase\n\r\n(d1) y\r\n");
    say(a, "\x0e");
    line_length = 0;
    type("\x01\x01\x01");
    line[line_length] = '\0';
    assert_memory_equal(line, "\x1b\\\x1b[?47l\x1b[?6l\x1b[r", 16);
    assert_non_null(strstr(line, PLAIN_LETTERS "\r\n[1234] *** keys go to the monitor"));
    assert_null(strchr(strstr(line, "[1234]"), '\x1b'));
}

static void long_lines_come_in_pieces(void **state)
{
    static char text[1001];

    (void)state;
    set_up(true, false);
    add(0);
    struct guest *b = add(1);
    memset(text, 'x', 1000);
    say(b, text);
    line[line_length] = '\0';
    unsigned pieces = 0, xs = 0;
    for (char *p = line; (p = strstr(p, "(d1) ")); p++)
        pieces++;
    for (size_t i = 0; i < line_length; i++)
        xs += line[i] == 'x';
    assert_int_equal(pieces, 5);
    assert_int_equal(xs, 1000);
}

static void keys_switch(void **state)
{
    (void)state;
    set_up(true, false);
    struct guest *a = add(0), *b = add(1);
    a->appetite = b->appetite = 100;
    type("x\x01y\x01\x01z");
    assert_string_equal(a->heard, "x\x01y\x01\x01z");
    type("1\x01\x01\x01help");
    assert_string_equal(a->heard, "x\x01y\x01\x01z1");
    assert_string_equal(keys, "help");
    assert_null(front());
    assert_true(prompts > 0);
    type("\x01\x01\x01"
         "2");
    assert_ptr_equal(front(), &a->d);
    assert_true(console_select(&b->d));
    settle();
    type("3\x01\x01\x01\x01\x01\x01"
         "4");
    assert_string_equal(b->heard, "34");
    assert_string_equal(a->heard, "x\x01y\x01\x01z12");
}

static void prompt_makes_room(void **state)
{
    (void)state;
    set_up(true, true);
    struct guest *a = add(0);
    assert_null(front());
    line_length = 0;
    say(a, "hello\n");
    work();
    shows("\r  \r(d0) hello\r\n> ");
}

/* A key that comes behind somebody else's line has the prompt shown first, once. What is typed
 * makes no prompt of a line that another one has taken the place of. */
static void prompt_comes_before_the_key(void **state)
{
    (void)state;
    set_up(true, true);
    struct guest *a = add(0);
    raised = true;
    settle();
    assert_int_equal(prompts, 1);
    console_restore_prompt();
    assert_int_equal(prompts, 1);
    line_length = 0;
    assert_int_equal(console_put(&a->d, (const uint8_t *)"hello\n", 6), 6);
    console_widen_prompt(3);
    busy = true;
    console_restore_prompt();
    shows("\r  \r(d0) hello\r\n");
    busy = false;
    console_restore_prompt();
    console_restore_prompt();
    shows("> ");
    console_widen_prompt(3);
    say(a, "you\n");
    shows("\r   \r(d0) you\r\n> ");
}

static void slow_reader_loses_nothing(void **state)
{
    char text[3001], want[3001];

    (void)state;
    set_up(true, false);
    struct guest *a = add(0);
    for (int i = 0; i < 3000; i++)
        text[i] = (char)('a' + i % 26);
    text[3000] = '\0';
    memcpy(want, text, sizeof(want));
    type(text);
    assert_int_equal(a->heard_length, 0);
    while (a->heard_length < 3000) {
        size_t before = a->heard_length;

        a->appetite = 16;
        spin_lock(&a->d.lock);
        console_room(&a->d);
        spin_unlock(&a->d.lock);
        settle();
        assert_int_equal(a->heard_length, before + (3000 - before < 16 ? 3000 - before : 16));
    }
    assert_memory_equal(a->heard, want, 3000);
}

/* What an event costs is the guest's to say: there is one a hold of its lock. */
static void paste_is_told_once(void **state)
{
    char text[257];

    (void)state;
    set_up(true, false);
    struct guest *a = add(0);
    a->appetite = 1000;
    events = 0;
    memset(text, '#', 256);
    text[256] = '\0';
    type(text);
    assert_int_equal(a->heard_length, 256);
    assert_int_equal(events, 1);
    a->appetite = 0;
    type("no room");
    assert_int_equal(events, 1);
    a->appetite = 10;
    console_room(&a->d);
    settle();
    assert_int_equal(events, 2);
}

static void typed_ahead_goes_along(void **state)
{
    (void)state;
    set_up(true, false);
    struct guest *a = add(0);
    type("for a");
    type("\x01\x01\x01list");
    assert_string_equal(keys, "list");
    a->appetite = 100;
    console_room(&a->d);
    settle();
    assert_string_equal(a->heard, "for a");
}

static void nobody_there_keeps_the_keys(void **state)
{
    (void)state;
    set_up(true, false);
    type("early");
    struct guest *a = add(0);
    a->appetite = 100;
    work();
    assert_string_equal(a->heard, "early");
}

static void paste_holds_the_port(void **state)
{
    static char text[4001];

    (void)state;
    set_up(true, false);
    struct guest *a = add(0);
    memset(text, 'p', 4000);
    for (int i = 0; i < 32; i++)
        type(text);
    assert_true(port_held);
    while (port_held) {
        a->appetite = 4000;
        a->heard_length = 0;
        console_room(&a->d);
        settle();
    }
    while (!a->appetite) {
        a->appetite = 4000;
        a->heard_length = 0;
        console_room(&a->d);
        settle();
    }
}

/* The boot CPU is slow to look: the port keeps what there is no room for, and nothing is lost. */
static void port_stops_before_keys_are_lost(void **state)
{
    static uint8_t text[65536];
    size_t sent = 0;

    (void)state;
    set_up(true, false);
    struct guest *a = add(0);
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (uint8_t)(i % 251 + 2); /* no switch key */
    while (sent < sizeof(text)) {
        while (!port_stopped && sent < sizeof(text)) {
            on_receive(text + sent, 64);
            sent += 64;
        }
        settle();
        assert_false(port_stopped);
    }
    for (size_t heard = 0; heard < sizeof(text); heard += 16) {
        a->appetite = 16;
        a->heard_length = 0;
        spin_lock(&a->d.lock);
        console_room(&a->d);
        spin_unlock(&a->d.lock);
        settle();
        assert_int_equal(a->heard_length, 16);
        assert_memory_equal(a->heard, text + heard, 16);
    }
}

/* What one call of a domain may cost is bounded, and it goes on by itself. */
static void newlines_come_in_portions(void **state)
{
    uint8_t text[256];

    (void)state;
    set_up(true, false);
    add(0);
    struct guest *b = add(1);
    memset(text, '\n', sizeof(text));
    raised = false;
    assert_in_range(console_put(&b->d, text, sizeof(text)), 1, 16);
    assert_true(raised);
    b->text = "\n\n";
    b->said = 0;
    b->length = 2;
    settle();
    assert_int_equal(b->said, 2); /* it was kicked */
}

/* What waits for the port goes with a piece for each line that somebody brings, not for each
 * newline: the lock is held meanwhile. */
static void what_waits_goes_in_pieces(void **state)
{
    char answer[6000];
    uint8_t text[256];

    (void)state;
    set_up(true, true);
    struct guest *b = add(1);
    memset(answer, 'a', sizeof(answer));
    memset(text, '\n', sizeof(text));
    room = 0;
    console_print(answer, sizeof(answer));
    room = SIZE_MAX / 2;
    line_length = 0;
    on_room();
    work();
    raised = false;
    line_length = 0;
    console_put(&b->d, text, sizeof(text));
    assert_in_range(line_length, 1, 600);
    raised = true;
    settle();
}

/* Its vCPUs have the lock, for as long as they like. */
static void no_guests_lock_is_waited_for(void **state)
{
    static char text[TALK + 1];

    (void)state;
    set_up(true, false);
    add(0);
    struct guest *b = add(1);
    for (unsigned i = 0; i < TALK; i++)
        text[i] = i % 50 == 49 ? '\n' : 'b';
    room = 0;
    say(b, text);
    size_t before = b->said;
    assert_true(b->stopped);
    spin_lock(&b->d.lock);
    drain(SIZE_MAX / 2);
    spin_unlock(&b->d.lock);
    assert_true(b->said > before);
}

/* The ring of a pvh guest, all at once: its lock is held meanwhile. */
static void the_front_sends_in_portions(void **state)
{
    uint8_t text[2048];

    (void)state;
    set_up(true, false);
    struct guest *a = add(0);
    memset(text, 'f', sizeof(text));
    raised = false;
    assert_in_range(console_put(&a->d, text, sizeof(text)), 1, 512);
    assert_true(raised);
    a->text = "!";
    a->said = 0;
    a->length = 1;
    settle();
    assert_int_equal(a->said, 1); /* it was kicked */
}

/* While a command is under way no prompt is shown, and the switch key is heard. Keys that the
 * monitor has no room for wait; the port waits too before they are lost. */
static void keys_wait_for_a_command(void **state)
{
    char many[4096];

    (void)state;
    set_up(true, true);
    raised = true;
    settle();
    assert_int_equal(prompts, 1);
    console_set_prompt(0);
    busy = true;
    struct guest *a = add(0);
    type("ls\x01\x01\x01"
         "a");
    assert_string_equal(keys, "ls");
    assert_ptr_equal(front(), &a->d);
    type("\x01\x01\x01");
    assert_null(front());
    assert_int_equal(prompts, 1);
    full = true;
    keys[0] = '\0';
    type("ls");
    assert_string_equal(keys, "");
    memset(many, '#', sizeof(many));
    many[sizeof(many) - 50] = '\0';
    type(many);
    assert_true(port_stopped);
    busy = full = false;
    keys[0] = '\0';
    console_select(&a->d);
    console_monitor_ready();
    settle();
    assert_false(port_stopped);
    assert_int_equal(prompts, 1); /* another one is in front now */
    console_select(NULL);
    settle();
    assert_int_equal(prompts, 2);
}

/* What a command has printed goes to the port in pieces, a lock for each. */
static void a_long_answer_goes_in_pieces(void **state)
{
    char answer[3000];

    (void)state;
    set_up(true, true);
    memset(answer, 'a', sizeof(answer));
    room = 0;
    raised = true;
    settle();
    console_print(answer, sizeof(answer));
    room = SIZE_MAX / 2;
    line_length = 0;
    on_room();
    work();
    assert_in_range(line_length, 1, 2000);
    raised = true;
    settle();
    assert_true(line_length >= sizeof(answer));
}

/* A quick guest is given a paste in pieces too, as its lock is held meanwhile. */
static void a_paste_goes_in_pieces(void **state)
{
    char text[1001];

    (void)state;
    set_up(true, false);
    struct guest *a = add(0);
    memset(text, 'p', 1000);
    text[1000] = '\0';
    type(text);
    a->appetite = 100000;
    console_room(&a->d);
    raised = false;
    assert_true(work());
    assert_in_range(a->heard_length, 1, 500);
    raised = true;
    settle();
    assert_int_equal(a->heard_length, 1000);
}

static void front_ends_another_comes(void **state)
{
    (void)state;
    set_up(true, false);
    struct guest *a = add(0), *b = add(1);
    say(b, "half a li");
    a->d.end = END_REBOOT;
    assert_true(domain_comes_back(&a->d));
    console_close(&a->d);
    settle();
    assert_null(front());
    add(2);
    assert_null(front());
    add(0);
    assert_ptr_equal(front(), &guests[0].d);
    guests[0].d.end = END_REBOOT;
    guests[0].d.unwanted = true; /* it does not come back */
    assert_false(domain_comes_back(&guests[0].d));
    console_close(&guests[0].d);
    settle();
    assert_non_null(front());
}

static void last_words_are_kept(void **state)
{
    (void)state;
    set_up(true, false);
    add(0);
    struct guest *b = add(1);
    say(b, "I die");
    console_close(&b->d);
    shows("(d1) I die\r\n");
    assert_int_equal(fake_heap_in_use(), 1);
}

static void burial_waits_for_the_port(void **state)
{
    (void)state;
    set_up(true, false);
    struct guest *a = add(0), *b = add(1);
    assert_true(console_drained(&a->d));
    room = 10;
    told = NULL;
    say(a, "more than ten bytes");
    say(b, "I die");
    assert_true(console_drained(&a->d));
    assert_false(console_drained(&b->d));
    drain(1000);
    assert_ptr_equal(told, &b->d);
    assert_true(console_drained(&b->d));
}

/* What one that has ended has still to say goes in rounds, not under one hold of the lock. */
static void burial_waits_for_its_lines(void **state)
{
    (void)state;
    set_up(true, false);
    add(0);
    struct guest *behind[] = { add(1), add(2), add(3) };
    room = 0;
    for (unsigned i = 0; i < 1900; i++)
        for (unsigned n = 0; n < 3; n++)
            say(behind[n], "\n");
    room = SIZE_MAX / 2;
    on_room();
    raised = false;
    work(); /* a round, which is too short for all */
    told = NULL;
    assert_false(console_drained(&behind[0]->d));
    settle();
    assert_ptr_equal(told, &behind[0]->d);
    assert_true(console_drained(&behind[0]->d));
}

static void without_a_monitor(void **state)
{
    (void)state;
    set_up(false, false);
    struct guest *a = add(0), *b = add(1);
    a->appetite = 100;
    type("\x01\x01\x01x");
    assert_string_equal(a->heard, "\x01\x01\x01x");
    say(b, "lost\n");
    assert_int_equal(b->said, 5);
    say(a, "kept");
    shows("kept");
    assert_false(console_select(NULL));
    a->d.end = END_POWEROFF;
    console_close(&a->d);
}

static void no_memory_is_said(void **state)
{
    (void)state;
    set_up(true, false);
    frame_fail_nth(1);
    assert_int_equal(console_open(&guests[0].d), -ENOMEM);
    say(&guests[0], "goes nowhere\n");
    shows("");
    assert_int_equal(guests[0].said, 13);
}

/* All talk at once, far more than the port takes: each byte arrives, in order, and nobody starves.
 */
static char talk[DOMAINS][TALK + 1], arrived[DOMAINS][TALK * 2];
static size_t arrived_length[DOMAINS];

static void collect(void)
{
    for (size_t i = 0; i < line_length;) {
        unsigned who = 0;
        int used = 0;

        if (sscanf(line + i, "(d%u) %n", &who, &used) == 1 && used) {
            for (i += (size_t)used; i < line_length && line[i] != '\r'; i++)
                arrived[who][arrived_length[who]++] = line[i];
        } else if (line[i] == '\r' || line[i] == '\n') {
            i++;
        } else {
            arrived[0][arrived_length[0]++] = line[i++];
        }
    }
}

static void many_and_a_slow_port(void)
{
    bool busy = true;
    unsigned rounds = 0;

    memset(arrived_length, 0, sizeof(arrived_length));
    set_up(true, false);
    room = 0;
    for (unsigned n = 0; n < DOMAINS; n++) {
        for (unsigned i = 0; i < TALK; i++)
            talk[n][i] = n && i % (20 + 17 * n) == 19 ? '\n' : (char)('a' + (i * 7 + n) % 26);
        add(n);
        guests[n].text = talk[n];
        guests[n].length = TALK;
    }
    line_length = 0;
    room = 100;
    for (; busy && rounds < 100000; rounds++) {
        busy = false;
        for (unsigned n = 0; n < DOMAINS; n++) {
            speak(&guests[n], 50);
            busy |= guests[n].said < TALK;
        }
        settle();
        drain(200);
    }
    assert_false(busy);
    for (unsigned i = 0; i < 200; i++) {
        drain(1000);
        pass(100000000);
    }
    line[line_length] = '\0';
    collect();
    for (unsigned n = 0; n < DOMAINS; n++) {
        size_t k = 0;

        for (unsigned i = 0; i < TALK; i++) {
            if (talk[n][i] != '\n')
                assert_int_equal(arrived[n][k++], talk[n][i]);
        }
        assert_int_equal(arrived_length[n], k);
    }
}

static void all_arrives(void **state)
{
    (void)state;
    many_and_a_slow_port();
}

/* There is seldom time for all that the work has to do. */
static void all_arrives_step_by_step(void **state)
{
    (void)state;
    hurry = DOMAINS + 12;
    many_and_a_slow_port();
    hurry = UINT_MAX;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_domain_is_raw),
        cmocka_unit_test(others_come_by_the_line),
        cmocka_unit_test(behind_is_only_text),
        cmocka_unit_test(behind_never_moves_the_cursor),
        cmocka_unit_test(others_untwist_the_terminal),
        cmocka_unit_test(long_lines_come_in_pieces),
        cmocka_unit_test(keys_switch),
        cmocka_unit_test(prompt_makes_room),
        cmocka_unit_test(prompt_comes_before_the_key),
        cmocka_unit_test(slow_reader_loses_nothing),
        cmocka_unit_test(paste_is_told_once),
        cmocka_unit_test(typed_ahead_goes_along),
        cmocka_unit_test(nobody_there_keeps_the_keys),
        cmocka_unit_test(paste_holds_the_port),
        cmocka_unit_test(front_ends_another_comes),
        cmocka_unit_test(port_stops_before_keys_are_lost),
        cmocka_unit_test(newlines_come_in_portions),
        cmocka_unit_test(what_waits_goes_in_pieces),
        cmocka_unit_test(no_guests_lock_is_waited_for),
        cmocka_unit_test(the_front_sends_in_portions),
        cmocka_unit_test(keys_wait_for_a_command),
        cmocka_unit_test(a_long_answer_goes_in_pieces),
        cmocka_unit_test(a_paste_goes_in_pieces),
        cmocka_unit_test(last_words_are_kept),
        cmocka_unit_test(without_a_monitor),
        cmocka_unit_test(burial_waits_for_the_port),
        cmocka_unit_test(burial_waits_for_its_lines),
        cmocka_unit_test(no_memory_is_said),
        cmocka_unit_test(all_arrives),
        cmocka_unit_test(all_arrives_step_by_step),
    };

    timer_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
