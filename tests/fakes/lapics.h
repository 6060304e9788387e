/*
 * Local APICs for the vCPUs of tests/fakes/pair.h.
 */
#ifndef CAISSON_TESTS_FAKES_LAPICS_H
#define CAISSON_TESTS_FAKES_LAPICS_H

/* After pair_start(): as at reset, in x2APIC mode, with the ids of bare domains. */
void lapics_start(void);

#endif
