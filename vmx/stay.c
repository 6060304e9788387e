/*
 * The stay in the guest, of VT-x. See virt/stay.h.
 */
#include "virt/stay.h"
#include "vmx/run.h"
#include "vmx/skip.h"

bool virt_stay(struct virt_vcpu *v, uint64_t now, const struct virt_action actions[VIRT_EXIT_KINDS])
{
    return stay(v, now, actions, run_once, skip_insn);
}
