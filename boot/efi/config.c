/*
 * Reads caisson.cfg, word by word.
 */
#include "boot/efi/config.h"
#include "lib/fmt.h"
#include "lib/string.h"

/* Windows' editors put these in front of UTF-8, and of UTF-16, which is not for us. */
#define UTF8_MARK  "\xEF\xBB\xBF"
#define UTF16_MARK "\xFF\xFE"

void config_open(struct config *c, const char *text, size_t size)
{
    *c = (struct config){ .at = text, .end = text + size };
    if (size >= 3 && memcmp(text, UTF8_MARK, 3) == 0)
        c->at += 3;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool at_line_end(const struct config *c)
{
    return c->at == c->end || *c->at == '\n';
}

/* To the next word of the line; false if there is none. */
static bool find_word(struct config *c)
{
    while (!at_line_end(c) && is_blank(*c->at))
        c->at++;
    if (!at_line_end(c) && *c->at == '#') {
        while (!at_line_end(c))
            c->at++;
    }
    return !at_line_end(c);
}

/* The text does not end in a NUL: what is shown of it ends where the reading has got to. */
static int complain(struct config *c, const char *what, const char *start)
{
    int length = c->at - start < 40 ? (int)(c->at - start) : 40;

    fmt_sn(c->error, sizeof(c->error), "%s: %.*s", what, length, start);
    return -EINVAL;
}

/* Takes the word at c->at, without its quotes. -EINVAL if it is too long or goes on for ever. */
static int take_word(struct config *c, char *out, size_t size, const char *too_long)
{
    const char *start = c->at;
    char quote = 0;
    size_t n = 0;

    for (; !at_line_end(c) && (quote || !is_blank(*c->at)); c->at++) {
        char byte = *c->at;

        if (byte == quote || (!quote && (byte == '\'' || byte == '"'))) {
            quote = quote ? 0 : byte;
            continue;
        }
        if (n + 1 < size)
            out[n] = byte;
        n++;
    }
    out[n < size ? n : size - 1] = '\0';
    if (quote)
        return complain(c, "a quote is not closed", start);
    return n >= size ? complain(c, too_long, start) : 0;
}

/* As GRUB's loaders do: blanks in a word do not part it, for a reader who knows of double quotes.
 * Linux does, so a word that has some of its own is left as it is. */
static void quote_blanks(char *word, size_t size)
{
    size_t n = strlen(word);
    bool blank = false;

    for (size_t i = 0; i < n; i++) {
        if (word[i] == '"')
            return;
        blank |= word[i] == ' ';
    }
    if (!blank || n + 3 > size)
        return;
    memmove(word + 1, word, n);
    word[0] = word[n + 1] = '"';
    word[n + 2] = '\0';
}

/* The rest of the line. */
static int take_words(struct config *c, char *out, size_t size)
{
    size_t n = 0;

    out[0] = '\0';
    while (find_word(c)) {
        if (n && n + 1 < size)
            out[n++] = ' ';
        if (take_word(c, out + n, size - n, "the line is too long") < 0)
            return -EINVAL;
        quote_blanks(out + n, size - n);
        n += strlen(out + n);
    }
    return 0;
}

static int unknown(struct config *c, const char *command)
{
    bool utf16 = c->line == 1 && strncmp(command, UTF16_MARK, 2) == 0;

    if (utf16)
        str_copy(c->error, "this is UTF-16: save the file as plain text", sizeof(c->error));
    else
        fmt_sn(c->error, sizeof(c->error), "\"%s\" is neither multiboot2 nor module2", command);
    return -EINVAL;
}

static int take_line(struct config *c, struct config_line *out)
{
    char command[32];

    if (take_word(c, command, sizeof(command), "the first word is too long") < 0)
        return -EINVAL;
    out->is_module = strcmp(command, "module2") == 0;
    out->file[0] = '\0';
    if (!out->is_module && strcmp(command, "multiboot2") != 0)
        return unknown(c, command);
    if (out->is_module && !find_word(c)) {
        str_copy(c->error, "module2 wants the name of a file", sizeof(c->error));
        return -EINVAL;
    }
    if (out->is_module &&
        take_word(c, out->file, sizeof(out->file), "the file's name is too long") < 0)
        return -EINVAL;
    return take_words(c, out->words, sizeof(out->words));
}

int config_next(struct config *c, struct config_line *out)
{
    while (c->at < c->end) {
        bool has_word;
        int err = 0;

        c->line++;
        has_word = find_word(c);
        if (has_word)
            err = take_line(c, out);
        while (!at_line_end(c))
            c->at++;
        if (c->at < c->end)
            c->at++;
        if (has_word)
            return err < 0 ? err : 1;
    }
    return 0;
}
