/*
 * From the lines of caisson.cfg to modules in memory.
 */
#include "boot/efi/entry.h"
#include "boot/efi/config.h"
#include "boot/efi/firmware.h"
#include "boot/efi/volume.h"
#include "lib/log.h"
#include "lib/string.h"

#define BESIDE_US "caisson.cfg"
#define AT_ROOT   "/caisson.cfg"

struct reading {
    struct boot_info *out;
    const char *name; /* of the file */
    struct config config;
    struct config_line line;
    bool has_multiboot2;
};

static int at_fault(const struct reading *r, const char *what, const char *word)
{
    log_error("%s, line %u: %s%s", r->name, r->config.line, what, word);
    return -EINVAL;
}

static int read_own_line(struct reading *r)
{
    if (r->has_multiboot2)
        return at_fault(r, "a second ", "multiboot2");
    r->has_multiboot2 = true;
    str_copy(r->out->cmdline, r->line.words, sizeof(r->out->cmdline));
    return 0;
}

static int read_module(struct reading *r)
{
    struct module *m = &r->out->modules[r->out->module_count];
    struct file file;
    EFI_STATUS status;

    if (r->out->module_count == MAX_MODULES)
        return at_fault(r, "one module too many: ", r->line.file);
    if (r->line.file[0] == '(')
        return at_fault(r, "files come from the volume of caisson.efi, not from ", r->line.file);
    status = volume_read(r->line.file, &file);
    if (status != EFI_SUCCESS) {
        log_error("%s, line %u: cannot read \"%s\": %s", r->name, r->config.line, r->line.file,
                  firmware_error(status));
        return -EINVAL;
    }
    m->start = maddr((UINTN)file.bytes);
    m->size = file.size;
    str_copy(m->line, r->line.words, sizeof(m->line));
    r->out->module_count++;
    log_info("%s, %lu KiB", r->line.file, (file.size + 1023) / 1024);
    return 0;
}

static int read_lines(struct reading *r)
{
    int more;

    while ((more = config_next(&r->config, &r->line)) > 0) {
        if ((r->line.is_module ? read_module(r) : read_own_line(r)) < 0)
            return -EINVAL;
    }
    return more < 0 ? at_fault(r, r->config.error, "") : 0;
}

/* Which file it is to be, and its content. With arguments one can do without any. */
static int find_config(const struct arguments *args, const char **name, struct file *file)
{
    bool named = args->config[0];
    EFI_STATUS status;

    *name = named ? args->config : BESIDE_US;
    status = volume_read(*name, file);
    if (status == EFI_NOT_FOUND && !named) {
        *name = AT_ROOT;
        status = volume_read(*name, file);
    }
    if (status == EFI_SUCCESS)
        return 0;
    if (status == EFI_NOT_FOUND && !named && args->words[0]) {
        log_info("no caisson.cfg here: no modules, and so no domains");
        *file = (struct file){ NULL, 0 };
        return 0;
    }
    log_error("cannot read \"%s\": %s", *name, firmware_error(status));
    if (!named)
        log_error("it may lie in the folder of caisson.efi, or in the volume's root");
    return -EINVAL;
}

static int append_words(struct boot_info *out, const char *words)
{
    size_t n = strlen(out->cmdline);

    if (n + strlen(words) + 2 > sizeof(out->cmdline)) {
        log_error("too many options, with those that caisson.efi was started with");
        return -EINVAL;
    }
    if (n)
        out->cmdline[n++] = ' ';
    str_copy(out->cmdline + n, words, sizeof(out->cmdline) - n);
    return 0;
}

int entry_read(const struct arguments *args, struct boot_info *out)
{
    static struct reading r;
    struct file file;

    r.out = out;
    if (find_config(args, &r.name, &file) < 0)
        return -EINVAL;
    config_open(&r.config, file.bytes, file.size);
    if (read_lines(&r) < 0)
        return -EINVAL;
    return append_words(out, args->words);
}
