/*
 * The catalogue: the boot modules, and the domains that the boot menu describes with them.
 *
 * The monitor's `create` describes further domains with the same modules. Boot CPU only.
 */
#ifndef CAISSON_CONFIG_CATALOGUE_H
#define CAISSON_CONFIG_CATALOGUE_H

#include "config/domain_config.h"
#include "lib/word.h"

#define CATALOGUE_LINE 2560 /* bytes of a line of `create`, the final NUL included */

/* Reads the menu's lines. modules: kept by the caller for good. Boot only. */
void catalogue_init(const struct module *modules, unsigned n);
/* Calls fn for the i-th module: its number, its role and the domain that it is for (or "-"), KiB.
 * False: there are not so many. */
bool catalogue_module(unsigned i,
                      void (*fn)(unsigned n, struct word role, const char *domain, uint64_t kib));
/* The i-th domain that the menu describes well; NULL after the last. */
const struct domain_config *catalogue_of_menu(unsigned i);
/* A description from a line as lifecycle_create() takes it. words: room of CATALOGUE_LINE bytes,
 * into which *out points afterwards. 0; -EINVAL, -ENOENT; logged. */
int must_check catalogue_read(const char *line, char *words, struct domain_config *out);

#endif
