/*
 * The command `sched`: shows and sets the shares of domains.
 */
#include "arch/x86/percpu.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "monitor/domains.h"
#include "monitor/monitor.h"
#include "monitor/share.h"

#define MAX_WEIGHT 65535
#define MAX_CAP    (MAX_PCPUS * 100)

static bool read_weight(struct word value, struct share *s)
{
    uint64_t n;

    if (!word_number(value, MAX_WEIGHT, &n) || !n)
        return false;
    s->weight = (unsigned)n;
    return true;
}

static bool read_cap(struct word value, struct share *s)
{
    uint64_t n;

    if (!word_number(value, MAX_CAP, &n))
        return false;
    s->cap = (unsigned)n;
    return true;
}

/* "3" or "0-1". */
static bool read_range(struct word w, uint64_t *mask)
{
    struct word last = w;
    uint64_t from, to;

    for (size_t i = 0; i < w.length; i++) {
        if (w.text[i] == '-') {
            last = (struct word){ w.text + i + 1, w.length - i - 1 };
            w.length = i;
        }
    }
    if (!word_number(w, MAX_PCPUS - 1, &from) || !word_number(last, MAX_PCPUS - 1, &to) ||
        from > to)
        return false;
    for (; from <= to; from++)
        *mask |= 1UL << from;
    return true;
}

static bool read_cpus(struct word value, struct share *s)
{
    uint64_t mask = 0;
    struct word piece;

    if (word_is(value, "all")) {
        s->cpus = UINT64_MAX;
        return true;
    }
    while (word_split(&value, &piece)) {
        if (!read_range(piece, &mask))
            return false;
    }
    s->cpus = mask;
    return true;
}

static bool read_word(struct word w, struct share *s)
{
    static const struct {
        const char *key;
        bool (*read)(struct word value, struct share *s);
    } keys[] = { { "weight", read_weight }, { "cap", read_cap }, { "cpus", read_cpus } };
    struct word key, value;

    if (!word_key_value(w, &key, &value))
        return false;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (word_is(key, keys[i].key))
            return keys[i].read(value, s);
    }
    return false;
}

static enum command_progress print(void)
{
    const struct domain *d = domains_step();

    if (!d)
        return COMMAND_DONE;
    struct share s = share_of(d);
    monitor_print("%-31s %5u %6u %5u ", d->name, d->id, s.weight, s.cap);
    if (s.cpus == UINT64_MAX)
        monitor_print(" all\n");
    else
        monitor_print(" 0x%lx\n", s.cpus);
    return COMMAND_MORE;
}

static void set(struct domain *d, const struct command_args *args)
{
    struct share s = share_of(d);

    for (unsigned i = 1; i < args->count; i++) {
        if (!read_word(args->word[i], &s)) {
            monitor_print("\"%.*s\": want weight=1 to 65535, cap=0 to %u percent, or cpus=LIST "
                          "like 0-2,5, or all\n",
                          WORD_ARGS(args->word[i]), MAX_CAP);
            return;
        }
    }
    if (share_set(d, &s))
        monitor_print("%s: not changed: cpus= names no pCPU that runs guests (0 to %u are there)\n",
                      d->name, cpu_count - 1);
}

void control_sched(const struct command_args *args)
{
    if (!domains_begin(args))
        return;
    if (args->count > 1)
        set(domains_find(args->word[0]), args);
    monitor_print("%-31s %5s %6s %5s  %s\n", "Name", "ID", "Weight", "Cap", "pCPUs");
    command_go_on(print);
}
