/*
 * Lines of the log that come at the control domain's wish: of the domains that it makes, and those
 * that it has said. It may cause as many as it likes, in a loop; the operator's terminal is slow,
 * and what others have to say stands in the same log. So each kind has a budget: some at once,
 * then a few each second. How many were left out is said with the next one.
 *
 * They are known by how they begin.
 */
#ifndef CAISSON_LIFECYCLE_THROTTLE_H
#define CAISSON_LIFECYCLE_THROTTLE_H

/* All that control/ logs begins with one of these; what is logged of its domains with BARE_NAME
 * (create/create.h). */
#define CONTROL_KEY     "debug key"
#define CONTROL_REFUSED "refused: "

#define THROTTLE_MOST  128 /* lines at once */
#define THROTTLE_PER_S 4

/* From now on. Boot only. */
void throttle_begin(void);

#endif
