/*
 * What domains can be made from: the boot modules, and the recipes of those that exist.
 *
 * A recipe is a domain's description that outlives the domain, for its reboot. Those of the boot
 * menu come first; catalogue_make() adds more. Boot CPU only.
 */
#ifndef CAISSON_MONITOR_CATALOGUE_H
#define CAISSON_MONITOR_CATALOGUE_H

#include "config/domain_config.h"
#include "lib/word.h"
#include "monitor/keeper.h"

#define RECIPE_LINE 2560 /* bytes */

struct recipe {
    struct domain_config config; /* first: catalogue_recipe_of() finds the recipe by it */
    struct keeper keeper;        /* of the domain that was made from it */
    char line[RECIPE_LINE];      /* the words that config points into, unless they are the menu's */
};

/* Reads the menu's lines. modules: kept by the caller for good. Boot only. */
void catalogue_init(const struct module *modules, unsigned n);
/* Calls fn for the i-th module: its number, its role and the domain that it is for (or "-"), KiB.
 * False: there are not so many. */
bool catalogue_module(unsigned i,
                      void (*fn)(unsigned n, struct word role, const char *domain, uint64_t kib));
/* The i-th domain that the menu describes well; NULL after the last. */
struct recipe *catalogue_of_menu(unsigned i);
/* A new one, from a line as lifecycle_create() takes it. 0; -EINVAL, -ENOENT, -ENOMEM; logged. */
int must_check catalogue_make(const char *line, struct recipe **out);
struct recipe *catalogue_recipe_of(const struct domain_config *config);
/* Its domain is gone for good: forgets it, unless it is the menu's. */
void catalogue_drop(struct recipe *r);

#endif
