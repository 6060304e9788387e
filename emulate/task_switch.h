/*
 * Hardware task switches, which no processor carries out for a guest.
 */
#ifndef CAISSON_EMULATE_TASK_SWITCH_H
#define CAISSON_EMULATE_TASK_SWITCH_H

#include "lib/errno.h"
#include "virt/virt.h"

struct emulator;

/*
 * Does the switch that the last exit tells of. 0: the guest goes on in the new task. Errors of
 * emulate/emulator.h, but -EOPNOTSUPP: the guest has its fault in the old task, where nothing has
 * changed, or already in the new one. The event that was to be delivered is still pending then.
 */
int must_check task_switch(struct emulator *e, const struct virt_task *task);

#endif
