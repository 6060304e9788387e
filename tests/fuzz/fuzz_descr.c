/* links: domain/descr.c domain/descr_collect.c lib/word.c lib/fmt.c tests/fakes/log.c tests/fakes/panic.c */
/*
 * Fuzzes the module lines: each line of the input is one module's.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "domain/descr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct domain_config configs[MAX_MODULES];
    struct module mods[MAX_MODULES];
    unsigned n = 0;
    char *text = malloc(size + 1), *save = NULL;

    memcpy(text, data, size);
    text[size] = '\0';
    for (char *l = strtok_r(text, "\n", &save); l && n < MAX_MODULES;
         l = strtok_r(NULL, "\n", &save)) {
        mods[n] = (struct module){ .data = l, .size = 1, .line = l, .index = n + 1 };
        n++;
    }
    for (unsigned i = descr_collect(mods, n, configs); i; i--) {
        if (!configs[i - 1].name[0] || configs[i - 1].vcpus != 1)
            abort();
    }
    free(text);
    return 0;
}
