/*
 * Is what the fake processor holds a state that a real one can be entered with? For what changes
 * segment registers on a guest's word: an entry that fails would end the domain, or worse.
 * Source: SDM volume 3, "Checks on Guest Segment Registers", for an unrestricted guest in 32-bit
 * code or virtual-8086 mode.
 */
#ifndef CAISSON_TESTS_FAKES_ENTRY_STATE_H
#define CAISSON_TESTS_FAKES_ENTRY_STATE_H

/* Of guest_vcpu. Fails as an assertion does. */
void entry_state_check(void);

#endif
