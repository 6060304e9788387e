/*
 * The stay in the guest, of AMD-V. See virt/stay.h.
 */
#include "virt/stay.h"
#include "svm/run.h"
#include "svm/skip.h"

bool virt_stay(struct virt_vcpu *v, uint64_t now, const struct virt_action actions[VIRT_EXIT_KINDS])
{
    return stay(v, now, actions, run_once, skip_insn);
}
