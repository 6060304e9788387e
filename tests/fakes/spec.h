/*
 * What the pretended CPU has and needs against speculation: tests/fakes/spec.c. All zero at first.
 */
#ifndef CAISSON_TESTS_FAKES_SPEC_H
#define CAISSON_TESTS_FAKES_SPEC_H

#include "arch/x86/spec.h"

extern struct fake_spec {
    unsigned on; /* bits of enum spec_word */
    bool has_ctrl, has_flush, has_capabilities;
    uint64_t capabilities;
} fake_spec;

#endif
