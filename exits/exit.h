/*
 * What is to be done about each kind of VM exit (virt/virt.h).
 */
#ifndef CAISSON_EXITS_EXIT_H
#define CAISSON_EXITS_EXIT_H

#include "domain/vcpu.h"

/* Quick actions are those that ask for no look at the
 * rest of the domain's business: they run without the domain's lock, and take it for a moment if
 * they need it. The others run with it. */
extern const struct virt_action exit_actions[VIRT_EXIT_KINDS];
/* The same for a vCPU that may have a breakpoint armed: see exits/debug.h. */
extern const struct virt_action exit_actions_armed[VIRT_EXIT_KINDS];

#endif
