/*
 * Undoes GRUB's quoting. See boot/grub_line.h.
 */
#include "boot/grub_line.h"

#include <stdbool.h>
#include <stddef.h>
#include "lib/string.h"

static bool is_escaped(const char *p)
{
    return p[0] == '\\' && (p[1] == '\\' || p[1] == '\'' || p[1] == '"');
}

static bool has_quote(const char *from, const char *end)
{
    while (from < end && *from != '"')
        from++;
    return from < end;
}

/* The word with blanks that begins at the quote `open` ends here: where the line goes on. */
static char *close_word(char *open, char *end)
{
    if (has_quote(open + 1, end)) {
        memmove(open, open + 1, (size_t)(end - open - 1));
        return end - 1;
    }
    *end = '"';
    return end + 1;
}

void grub_line_undo(char *line)
{
    char *open = NULL, *to = line;

    for (const char *from = line; *from; from++) {
        if (*from == '"' && open) {
            to = close_word(open, to);
            open = NULL;
            continue;
        }
        if (*from == '"')
            open = to;
        else if (is_escaped(from))
            from++;
        *to++ = *from;
    }
    *to = '\0';
}
