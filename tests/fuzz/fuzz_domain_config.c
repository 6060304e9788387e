/* links: config/domain_config.c config/share.c config/collect.c lib/word.c lib/fmt.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Fuzzes the module lines: each line of the input is one module's. What comes out is within the
 * bounds that the lines may choose from, and each name is there once.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "config/domain_config.h"
#include "lib/assert.h"
#include "tests/fakes/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct domain_config *c, unsigned modules)
{
    ASSERT(c->name[0] && memchr(c->name, '\0', sizeof(c->name)));
    ASSERT(c->mem >= MEMMAP_MIN_BYTES && c->mem <= MEMMAP_MAX_BYTES && c->mem % PAGE_SIZE == 0);
    ASSERT(c->vcpus >= 1 && c->vcpus <= MAX_VCPUS);
    ASSERT(c->share.weight >= 1 && c->share.cpus != 0);
    ASSERT(c->kernel && c->cmdline && c->module_count < modules);
    for (unsigned i = 0; i < c->module_count; i++)
        ASSERT(c->modules[i].cmdline);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct domain_config configs[MAX_MODULES];
    static struct module mods[MAX_MODULES];
    unsigned n = 0;
    char *text = malloc(size + 1), *save = NULL;

    memcpy(text, data, size);
    text[size] = '\0';
    fake_log_reset();
    for (char *l = strtok_r(text, "\n", &save); l && n < MAX_MODULES;
         l = strtok_r(NULL, "\n", &save)) {
        mods[n].size = 1;
        snprintf(mods[n].line, MAX_CMDLINE, "%s", l);
        n++;
    }
    unsigned count = config_collect(mods, n, configs);
    for (unsigned i = 0; i < count; i++) {
        check(&configs[i], n);
        for (unsigned k = 0; k < i; k++)
            ASSERT(strcmp(configs[i].name, configs[k].name) != 0);
    }
    free(text);
    return 0;
}
