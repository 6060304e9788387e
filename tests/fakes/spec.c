/*
 * A CPU that needs nothing against speculation, for what stands above arch/x86/spec.c; and what a
 * test makes of it.
 */
#include "tests/fakes/spec.h"

struct spec_switch spec_switch;
struct fake_spec fake_spec;

enum spec_state spec_state(enum spec_word w)
{
    return fake_spec.on & 1u << w ? SPEC_ON : SPEC_OFF;
}

bool spec_has_ctrl(void)
{
    return fake_spec.has_ctrl;
}

bool spec_has_barrier(void)
{
    return fake_spec.has_ctrl;
}

bool spec_has_flush(void)
{
    return fake_spec.has_flush;
}

bool spec_guest_capabilities(uint64_t *value)
{
    *value = fake_spec.capabilities;
    return fake_spec.has_capabilities;
}
