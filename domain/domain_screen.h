/*
 * What stands in a PC's text memory, for an operator who looks: 25 rows of 80 characters.
 */
#ifndef CAISSON_DOMAIN_DOMAIN_SCREEN_H
#define CAISSON_DOMAIN_DOMAIN_SCREEN_H

#include "lib/errno.h"

#define DOMAIN_SCREEN_COLUMNS 80
#define DOMAIN_SCREEN_ROWS    25

struct domain;

/* One of its rows, as printable ASCII without the blanks at its end. -EFAULT: the domain has no
 * text memory; -ENOMEM: none is left for it. Takes the domain's lock in its turn: who only tried
 * would never have it of a guest whose vCPUs hand it to one another. */
int must_check domain_screen_row(struct domain *d, unsigned row,
                                 char text[DOMAIN_SCREEN_COLUMNS + 1]);

#endif
