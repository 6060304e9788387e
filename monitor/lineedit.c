/*
 * A line editor. See monitor/lineedit.h. Source of the keys: what readline and every shell have.
 */
#include "monitor/lineedit.h"
#include "lib/assert.h"
#include "lib/string.h"

#define CTRL(c) ((c)&0x1F)
#define ESC     0x1B
#define DELETE  0x7F

void lineedit_init(struct lineedit *e, void (*put)(const char *text, size_t len))
{
    ASSERT(put);
    memset(e, 0, sizeof(*e));
    e->put = put;
}

void lineedit_begin(struct lineedit *e)
{
    e->text[0] = '\0';
    e->length = e->cursor = e->back = 0;
    e->overflowed = false;
    e->escape = 0;
}

/* ---- What the terminal shows ----------------------------------------------------------------- */

static void repeat(const struct lineedit *e, char c, unsigned n)
{
    while (n--)
        e->put(&c, 1);
}

/* Shows the text from `from` on, `gone` blanks behind it where it was longer before, and brings
 * the terminal's cursor back to ours. */
static void show_rest(const struct lineedit *e, unsigned from, unsigned gone)
{
    e->put(e->text + from, e->length - from);
    repeat(e, ' ', gone);
    repeat(e, '\b', e->length - e->cursor + gone);
}

void lineedit_show(const struct lineedit *e)
{
    show_rest(e, 0, 0);
}

static void move_to(struct lineedit *e, unsigned cursor)
{
    ASSERT(cursor <= e->length);
    if (cursor < e->cursor)
        repeat(e, '\b', e->cursor - cursor);
    else
        e->put(e->text + e->cursor, cursor - e->cursor);
    e->cursor = cursor;
}

/* ---- Changes --------------------------------------------------------------------------------- */

static void insert(struct lineedit *e, char c)
{
    e->overflowed |= e->length + 1 >= LINEEDIT_BYTES;
    if (e->overflowed)
        return;
    memmove(e->text + e->cursor + 1, e->text + e->cursor, e->length - e->cursor + 1);
    e->text[e->cursor++] = c;
    e->length++;
    show_rest(e, e->cursor - 1, 0);
}

void lineedit_insert(struct lineedit *e, const char *text)
{
    while (*text)
        insert(e, *text++);
}

/* Cuts [from, to) and leaves the cursor at from. */
static void cut(struct lineedit *e, unsigned from, unsigned to)
{
    ASSERT(from <= to && to <= e->length);
    e->overflowed &= from == to;
    move_to(e, from);
    memmove(e->text + from, e->text + to, e->length - to + 1);
    e->length -= to - from;
    show_rest(e, from, to - from);
}

static unsigned word_start(const struct lineedit *e)
{
    unsigned n = e->cursor;

    while (n && e->text[n - 1] == ' ')
        n--;
    while (n && e->text[n - 1] != ' ')
        n--;
    return n;
}

static void replace(struct lineedit *e, const char *text)
{
    unsigned old = e->length;

    e->overflowed = false;
    move_to(e, 0);
    e->length = (unsigned)str_copy(e->text, text, sizeof(e->text));
    e->cursor = e->length;
    show_rest(e, 0, old > e->length ? old - e->length : 0);
}

/* ---- History --------------------------------------------------------------------------------- */

/* The line `back` lines ago; NULL: there are not so many. */
static const char *remembered(const struct lineedit *e, unsigned back)
{
    const char *p = e->past + e->past_used;

    for (; back && p > e->past; back--) {
        p--; /* its NUL */
        while (p > e->past && p[-1])
            p--;
    }
    return back ? NULL : p;
}

static void forget_oldest(struct lineedit *e)
{
    size_t n = strlen(e->past) + 1;

    memmove(e->past, e->past + n, e->past_used -= (unsigned)n);
}

static void remember(struct lineedit *e)
{
    const char *newest = remembered(e, 1);

    if (!e->length || (newest && !strcmp(newest, e->text)))
        return;
    while (e->past_used + e->length + 1 > LINEEDIT_PAST)
        forget_oldest(e);
    memcpy(e->past + e->past_used, e->text, e->length + 1);
    e->past_used += e->length + 1;
}

/* Looks at the line `back` lines ago. */
static void look_back(struct lineedit *e, unsigned back)
{
    const char *line = back ? remembered(e, back) : e->draft;

    if (!line)
        return;
    if (!e->back)
        str_copy(e->draft, e->text, sizeof(e->draft));
    e->back = back;
    replace(e, line);
}

static void older(struct lineedit *e)
{
    look_back(e, e->back + 1);
}

static void newer(struct lineedit *e)
{
    if (e->back)
        look_back(e, e->back - 1);
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static void left(struct lineedit *e)
{
    if (e->cursor)
        move_to(e, e->cursor - 1);
}

static void right(struct lineedit *e)
{
    if (e->cursor < e->length)
        move_to(e, e->cursor + 1);
}

static void home(struct lineedit *e)
{
    move_to(e, 0);
}

static void end(struct lineedit *e)
{
    move_to(e, e->length);
}

static void backspace(struct lineedit *e)
{
    if (e->cursor)
        cut(e, e->cursor - 1, e->cursor);
}

static void delete (struct lineedit *e)
{
    if (e->cursor < e->length)
        cut(e, e->cursor, e->cursor + 1);
}

static void cut_after(struct lineedit *e)
{
    cut(e, e->cursor, e->length);
}

static void cut_before(struct lineedit *e)
{
    cut(e, 0, e->cursor);
}

static void cut_word(struct lineedit *e)
{
    cut(e, word_start(e), e->cursor);
}

static const struct {
    uint8_t byte;
    void (*act)(struct lineedit *e);
} keys[] = {
    { CTRL('A'), home },      { CTRL('B'), left },       { CTRL('D'), delete },
    { CTRL('E'), end },       { CTRL('F'), right },      { CTRL('H'), backspace },
    { CTRL('K'), cut_after }, { CTRL('N'), newer },      { CTRL('P'), older },
    { DELETE, backspace },    { CTRL('U'), cut_before }, { CTRL('W'), cut_word },
};

/* The end of ESC [ ... : final is the byte, or the digit before a '~'. */
static const struct {
    uint8_t final;
    void (*act)(struct lineedit *e);
} sequences[] = {
    { 'A', older }, { 'B', newer }, { 'C', right },  { 'D', left }, { 'H', home },
    { 'F', end },   { '1', home },  { '3', delete }, { '4', end },
};

static void sequence(struct lineedit *e, uint8_t byte)
{
    uint8_t final = byte == '~' ? e->parameter : byte;

    if (e->escape == 1) {
        e->escape = byte == '[' || byte == 'O' ? 2 : 0;
        e->parameter = 0;
        return;
    }
    if (byte >= 0x20 && byte < 0x40) { /* parameters (ECMA-48, "Control sequences") */
        e->parameter = byte;
        return;
    }
    e->escape = 0;
    for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
        if (sequences[i].final == final)
            sequences[i].act(e);
    }
}

static void control(struct lineedit *e, uint8_t byte)
{
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (keys[i].byte == byte)
            keys[i].act(e);
    }
}

enum lineedit_event lineedit_feed(struct lineedit *e, uint8_t byte)
{
    ASSERT(e->cursor <= e->length && e->length < LINEEDIT_BYTES);
    if (e->escape && byte >= ' ') {
        sequence(e, byte);
        return LINEEDIT_NONE;
    }
    e->escape = 0; /* a control character breaks a sequence off */
    switch (byte) {
    case ESC:
        e->escape = 1;
        return LINEEDIT_NONE;
    case '\t':
        return LINEEDIT_COMPLETE;
    case '\r':
    case '\n':
        end(e);
        e->put("\r\n", 2);
        if (e->overflowed)
            return LINEEDIT_TOO_LONG;
        remember(e);
        return LINEEDIT_DONE;
    case CTRL('C'):
        e->put("^C\r\n", 4);
        lineedit_begin(e);
        return LINEEDIT_CANCEL;
    }
    if (byte >= ' ' && byte < DELETE)
        insert(e, (char)byte);
    else
        control(e, byte);
    return LINEEDIT_NONE;
}
