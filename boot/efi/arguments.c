/*
 * Load options: UCS-2, by convention only. A firmware's own boot entries may have a binary blob
 * there, which is passed over; the shell puts the program's name in front and has a protocol that
 * does not.
 */
#include "boot/efi/arguments.h"
#include "boot/efi/firmware.h"
#include "lib/log.h"
#include "lib/string.h"
#include "lib/word.h"

/* Appends a word; -EINVAL if there is no room, or it is none of plain ASCII. */
static int add_wide(char *line, size_t size, const CHAR16 *word, UINTN length)
{
    size_t n = strlen(line);

    if (n + length + 2 > size)
        return -EINVAL;
    if (n)
        line[n++] = ' ';
    for (UINTN i = 0; i < length; i++) {
        if (word[i] < ' ' || word[i] > '~')
            return -EINVAL;
        line[n++] = (char)word[i];
    }
    line[n] = '\0';
    return 0;
}

static UINTN wide_length(const CHAR16 *text, UINTN max)
{
    UINTN n = 0;

    while (n < max && text[n])
        n++;
    return n;
}

static int from_shell(const EFI_SHELL_PARAMETERS_PROTOCOL *shell, char *line, size_t size)
{
    for (UINTN i = 1; i < shell->Argc; i++) {
        if (add_wide(line, size, shell->Argv[i], wide_length(shell->Argv[i], size)) == 0)
            continue;
        log_error("argument %lu: not plain ASCII, or too long a line", i);
        return -EINVAL;
    }
    return 0;
}

static void from_load_options(char *line, size_t size)
{
    const EFI_LOADED_IMAGE *image = firmware_loaded_image();
    const CHAR16 *text = image->LoadOptions;
    UINTN length = text ? wide_length(text, image->LoadOptionsSize / sizeof(*text)) : 0;

    if (length && add_wide(line, size, text, length) < 0) {
        log_warn("load options that are no text, or too long, are passed over");
        line[0] = '\0';
    }
}

static int take(struct arguments *out, struct word w)
{
    size_t n = strlen(out->words);
    struct word key, value;

    if (word_key_value(w, &key, &value) && word_is(key, "config")) {
        if (value.length == 0 || value.length >= sizeof(out->config)) {
            log_error("argument \"%.*s\": no name of a file", WORD_ARGS(w));
            return -EINVAL;
        }
        memcpy(out->config, value.text, value.length);
        out->config[value.length] = '\0';
        return 0;
    }
    if (n)
        out->words[n++] = ' ';
    memcpy(out->words + n, w.text, w.length); /* not longer than the line that it is of */
    out->words[n + w.length] = '\0';
    return 0;
}

int arguments_read(struct arguments *out)
{
    static char line[MAX_CMDLINE];
    const EFI_SHELL_PARAMETERS_PROTOCOL *shell =
        firmware_protocol(own_image, (EFI_GUID)EFI_SHELL_PARAMETERS_PROTOCOL_GUID);
    const char *rest = line;
    struct word w;

    *out = (struct arguments){ .in_shell = shell };
    if (shell && from_shell(shell, line, sizeof(line)) < 0)
        return -EINVAL;
    if (!shell)
        from_load_options(line, sizeof(line));
    while (word_next(&rest, &w)) {
        if (take(out, w) < 0)
            return -EINVAL;
    }
    return 0;
}
