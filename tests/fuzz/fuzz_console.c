/* links: drivers/tty.c console/console.c console/console_output.c console/input.c console/operator.c console/plain.c sched/timer.c lib/fmt.c tests/fakes/str_copy.c tests/fakes/heap.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * The operator's terminal: what three domains print and the operator types, in pieces, while the
 * port takes little, time goes by, domains come and go, and the keys change hands.
 *
 * The input is a program. If its first byte is odd the domain in front says nothing and stays
 * there: then nothing but printable text and new lines reaches the terminal, whatever the others
 * print. What must hold besides: no assertion, nothing that the sanitizers see, no endless work.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/x86/insn.h"
#include "arch/x86/tsc.h"
#include "domain/domain.h"
#include "domain/domain_console.h"
#include "drivers/uart.h"
#include "lib/assert.h"
#include "console/console.h"
#include "sched/work.h"
#include "sched/timer.h"
#include "tests/fakes/heap.h"
#include "tests/fakes/log.h"
#include "tests/fuzz/input.h"

#define DOMAINS     3
#define STEPS_MOST  256
#define ROUNDS_MOST 1000
#define SECOND      1000000000ul
#define PLENTY      (SIZE_MAX / 2)
#define SWITCH_KEY  1

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct domain domains[DOMAINS];
static size_t room; /* bytes that the port takes before it says no */
static bool refused, raised, front_is_silent;
static void (*on_receive)(const uint8_t *data, size_t len);
static void (*on_room)(void);
static bool (*work)(void);

/* ---- What the console calls ---- */

size_t uart_try_write(struct uart *u, const void *data, size_t len)
{
    size_t n = len < room ? len : room;

    (void)u;
    for (size_t i = 0; front_is_silent && i < n; i++) {
        char c = ((const char *)data)[i];
        ASSERT((c >= ' ' && c <= '~') || c == '\r' || c == '\n');
    }
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
    (void)hold;
}

static void show(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ASSERT((uint8_t)text[i] >= ' ' || strchr("\n\r\t\b", text[i]));
}

void uart_stop(struct uart *u, bool stop)
{
    (void)u;
    (void)stop;
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

bool work_has_time(const struct work *w)
{
    (void)w;
    return true;
}

void sched_wake(struct sched_unit *u)
{
    (void)u;
}

uint64_t tsc_from_ns(uint64_t ns)
{
    return ns;
}

bool domain_console_give(struct domain *d, uint8_t byte)
{
    (void)d;
    return byte & 3;
}

void domain_console_given(struct domain *d)
{
    (void)d;
}

void domain_console_wake(struct domain *d)
{
    (void)console_put(d, (const uint8_t *)"k", 1);
}

static void ended(struct domain *d)
{
    (void)d;
}

static const struct domain_hooks hooks = { .ended = ended };
const struct domain_hooks *domain_hooks = &hooks;

static void key(uint8_t byte)
{
    (void)byte;
}

static bool has_room(void)
{
    return true;
}

static bool is_busy(void)
{
    return false;
}

static void prompt(void)
{
    console_print("> ", 2);
    console_set_prompt(2);
}

/* ---- The world ---- */

static void settle(void)
{
    for (unsigned i = 0; raised; i++) {
        ASSERT(i < ROUNDS_MOST);
        raised = false;
        raised |= work();
    }
}

static void pass(uint64_t ns)
{
    fake_tsc += ns;
    timer_run(fake_tsc);
    settle();
}

static void drain(size_t bytes)
{
    room = bytes;
    if (refused) {
        refused = false;
        on_room();
    }
    settle();
}

static void open_one(unsigned n)
{
    domains[n].xen.id = (uint16_t)(n + 1);
    snprintf(domains[n].name, sizeof(domains[n].name), "d%u", n);
    ASSERT(console_open(&domains[n]) == 0);
}

static void close_one(unsigned n)
{
    if (domains[n].console)
        console_close(&domains[n]);
    memset(&domains[n], 0, sizeof(domains[n]));
}

static void begin(void)
{
    static const struct console_monitor monitor = { key, has_room, prompt, is_busy };
    const struct console_config config = {
        .port = (struct uart *)&room, .screen = show, .shared = true, .switch_key = SWITCH_KEY
    };

    fake_log_reset();
    refused = raised = false;
    timer_start();
    console_init(&config, &monitor);
    drain(PLENTY);
    for (unsigned n = 0; n < DOMAINS; n++)
        open_one(n);
    settle();
}

static void end(void)
{
    front_is_silent = false;
    drain(PLENTY);
    for (unsigned n = 0; n < DOMAINS; n++)
        close_one(n);
    for (unsigned i = 0; i < 4; i++)
        pass(SECOND); /* no timer is left armed */
    drain(PLENTY);
    ASSERT(fake_heap_in_use() == 0);
}

/* ---- Steps ---- */

static void step_say(struct input *in, unsigned n)
{
    const uint8_t *text;
    size_t length = input_bytes(in, &text, input_byte(in));

    if (!domains[n].console || (front_is_silent && n == 0))
        return;
    spin_lock(&domains[n].lock);
    while (length) {
        size_t taken = console_put(&domains[n], text, length);

        ASSERT(taken <= length);
        if (!taken)
            break;
        text += taken;
        length -= taken;
    }
    spin_unlock(&domains[n].lock);
}

static void step_type(struct input *in)
{
    const uint8_t *keys;
    size_t n = input_bytes(in, &keys, input_byte(in) % 32);

    if (!front_is_silent)
        on_receive(keys, n);
}

/* A domain goes, or comes. */
static void step_life(unsigned n)
{
    if (front_is_silent && n == 0)
        return;
    if (!domains[n].console)
        open_one(n);
    else if (console_drained(&domains[n]))
        close_one(n);
}

static void step(struct input *in)
{
    uint8_t kind = input_byte(in);
    unsigned n = kind / 16 % DOMAINS;

    switch (kind % 16) {
    case 0:
        step_life(n);
        break;
    case 1:
        step_type(in);
        break;
    case 2:
        if (!front_is_silent)
            (void)console_select(kind & 0x80 ? NULL : &domains[n]);
        break;
    case 3:
        if (!front_is_silent)
            console_toggle();
        break;
    case 4:
        console_print("said\r\n", 6);
        break;
    case 5:
        spin_lock(&domains[n].lock);
        if (domains[n].console)
            console_room(&domains[n]);
        spin_unlock(&domains[n].lock);
        break;
    case 6:
    case 7:
        pass(input_byte(in) * 10000000ul);
        break;
    case 8:
    case 9:
        drain(input_byte(in));
        break;
    default:
        step_say(in, n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = { data, size };

    front_is_silent = input_byte(&in) & 1;
    begin();
    for (unsigned n = 0; n < STEPS_MOST && !input_ended(&in); n++) {
        step(&in);
        settle();
    }
    end();
    return 0;
}
