/*
 * The check of the order of locks (lib/lock_order.h). Linked into debug builds only: whoever calls
 * it asks first whether it is there, as lib/spinlock.h does.
 */
#ifndef CAISSON_LIB_LOCKDEP_H
#define CAISSON_LIB_LOCKDEP_H

/* From now on locks are checked. cpu: which CPU calls. Boot only, as soon as cpu() works. */
__attribute__((weak)) void lockdep_start(unsigned (*cpu)(void));
/* Never again: a panic breaks into locks. */
__attribute__((weak)) void lockdep_stop(void);
/* How many locks the calling CPU holds: none where another room is called back. */
__attribute__((weak)) unsigned lockdep_held(void);

#endif
