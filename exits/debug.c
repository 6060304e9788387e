/*
 * Breakpoints over what Caisson carries out. See exits/debug.h.
 */
#include "exits/debug.h"
#include "arch/x86/cpu.h"
#include "emulate/breakpoint.h"
#include "exits/exit.h"

void debug_arm(struct vcpu *v)
{
    v->exit_actions = exit_actions_armed;
    virt_watch_dr7(&v->virt, false);
}

void debug_begin(struct vcpu *v)
{
    struct breakpoints *b = &v->emulator.breakpoints;

    breakpoints_take(b, &v->virt);
    if (b->armed)
        return;
    v->exit_actions = exit_actions;
    virt_watch_dr7(&v->virt, true);
}

void debug_end(struct vcpu *v)
{
    uint32_t met = breakpoints_end(&v->emulator.breakpoints);

    if (met)
        virt_debug_trap(&v->virt, met);
}
