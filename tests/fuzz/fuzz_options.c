/* links: boot/options.c arch/x86/spec_wish.c boot/efi/config.c lib/word.c lib/fmt.c tests/fakes/str_copy.c tests/fakes/log.c */
/*
 * Caisson's own command line, and the file that has it where there is no GRUB: the first byte says
 * which of the two the rest is. What must hold: numbers within their bounds, strings that end.
 */
#include <stdlib.h>
#include <string.h>
#include "boot/efi/config.h"
#include "boot/options.h"
#include "lib/limits.h"
#include "tests/fakes/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void parse_options(const uint8_t *data, size_t size)
{
    char *line = malloc(size + 1);
    struct options o;

    memcpy(line, data, size);
    line[size] = '\0';
    options_parse(line, &o);
    must(o.max_cpus >= 1 && o.max_cpus <= MAX_PCPUS && o.baud > 0);
    must(o.switch_key >= 1 && o.switch_key <= 26);
    must(o.exit <= EXIT_SHUTDOWN && o.level <= LOG_DEBUG);
    free(line);
}

static void read_config(const uint8_t *data, size_t size)
{
    static struct config_line line;
    struct config c;
    int error;

    config_open(&c, (const char *)data, size);
    while ((error = config_next(&c, &line)) == 1) {
        must(memchr(line.file, '\0', sizeof(line.file)) &&
             memchr(line.words, '\0', sizeof(line.words)));
    }
    must(error == 0 || memchr(c.error, '\0', sizeof(c.error)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fake_log_reset();
    if (size && data[0] & 1)
        parse_options(data + 1, size - 1);
    else if (size)
        read_config(data + 1, size - 1);
    return 0;
}
