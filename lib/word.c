/*
 * Words of a command line, and the values in them.
 */
#include "lib/word.h"
#include "lib/string.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool word_next(const char **line, struct word *out)
{
    const char *p = *line;
    while (is_blank(*p))
        p++;
    out->text = p;
    while (*p && !is_blank(*p))
        p++;
    out->length = (size_t)(p - out->text);
    *line = p;
    return out->length > 0;
}

bool word_split(struct word *rest, struct word *out)
{
    if (!rest->text)
        return false;
    out->text = rest->text;
    out->length = 0;
    while (out->length < rest->length && rest->text[out->length] != ',')
        out->length++;
    if (out->length == rest->length) {
        *rest = (struct word){ NULL, 0 };
        return true;
    }
    rest->text += out->length + 1;
    rest->length -= out->length + 1;
    return true;
}

bool word_is(struct word w, const char *text)
{
    return strlen(text) == w.length && memcmp(w.text, text, w.length) == 0;
}

bool word_key_value(struct word w, struct word *key, struct word *value)
{
    size_t n = 0;
    while (n < w.length && w.text[n] != '=')
        n++;
    if (n == w.length)
        return false;
    *key = (struct word){ w.text, n };
    *value = (struct word){ w.text + n + 1, w.length - n - 1 };
    return true;
}

bool word_number(struct word w, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    if (w.length == 0)
        return false;
    for (size_t i = 0; i < w.length; i++) {
        if (w.text[i] < '0' || w.text[i] > '9')
            return false;
        unsigned digit = (unsigned)(w.text[i] - '0');
        if (v > max / 10 || v * 10 > max - digit || digit > max)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

static unsigned shift_of(char suffix)
{
    switch (suffix) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    case 't':
    case 'T':
        return 40;
    default:
        return 0;
    }
}

bool word_bytes(struct word w, uint64_t max, uint64_t *out)
{
    unsigned shift = w.length ? shift_of(w.text[w.length - 1]) : 0;
    if (!shift)
        return false;
    w.length--;
    if (!word_number(w, max >> shift, out))
        return false;
    *out <<= shift;
    return true;
}
