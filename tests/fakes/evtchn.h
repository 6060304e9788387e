/*
 * Stand-ins for xen/evtchn.c.
 */
#ifndef CAISSON_TESTS_FAKES_EVTCHN_H
#define CAISSON_TESTS_FAKES_EVTCHN_H

#include "xen/evtchn.h"

extern unsigned fake_virqs;       /* raised since the test set it to 0 */
extern unsigned fake_evtchn_sent; /* the port of the last evtchn_send() */

#endif
