/*
 * What a pvh domain of the menu is given where there is a control domain, so that a xenstore there
 * can serve it: a page, a port that waits for the control domain, and the grant of the page that
 * Xen's tools expect. HVM_PARAM_STORE_PFN says "later" (all ones) until somebody in the control
 * domain has introduced the domain to its store and sets it (tools/introduce.c).
 */
#ifndef CAISSON_CREATE_STORE_H
#define CAISSON_CREATE_STORE_H

#include "domain/domain.h"

/* A step of its building, the last: 0; -EAGAIN: call again; -ENOMEM, -ENOSPC. */
int must_check store_build(struct domain *d);

#endif
